"""Fetching a published weight file: resumable, checked, and there whole or not at all."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import BinaryIO

from clisc_engine.errors import BadInput
from clisc_engine.files.atomic import disk_faults
from clisc_engine.files.digest import digest_of
from clisc_engine.models.known import Known, is_published
from clisc_engine.models.partial import own_partial
from clisc_engine.running.control import Control
from clisc_engine.version import VERSION

BLOCK = 1 << 20
ATTEMPTS = 3
TIMEOUT = 60.0
PAUSE = 2.0
"""Seconds before a broken connection is tried again."""
ROUNDED = 0.9
"""A file whose size is known roughly has at least so much of it."""


def pull(entry: Known, folder: Path, control: Control, *, mirror: str = "") -> Path:
    """Fetch a known file into the models folder; not those that belong to it, which are its `Known.parts`.

    What has arrived is kept beside it as ``.partial`` when the connection breaks or the run is
    stopped; the next call goes on from there. Several calls at once, also of machines that share the
    folder, each fetch into a file of their own. Proxies are taken from the environment.

    Args:
        entry: which file.
        folder: the models folder.
        control: progress and stop.
        mirror: address of a folder that holds the file under its own name, instead of the publisher's.

    Returns:
        The file.

    Raises:
        BadInput: when it cannot be fetched, with what to do instead; or when it is not the known file,
            as far as that can be told.
        Stopped: when asked to stop.
    """
    path = folder / entry.folder / entry.files[0]
    place = "/".join(filter(None, [mirror.rstrip("/"), entry.folder, entry.files[0]]))
    url = place if mirror else entry.url
    _make_folder(path.parent)
    with own_partial(path) as partial:
        _fetch_whole(url, entry, partial, path, control)
        partial.replace(path)
    return path


def _fetch_whole(url: str, entry: Known, partial: Path, path: Path, control: Control) -> None:
    """Fetch what is lacking of ``partial`` until it is the known file."""
    _check_room(entry, partial)
    resumed = partial.stat().st_size > 0
    _fetch_patiently(url, entry, partial, path, control)
    if resumed and not _fits(entry, partial):
        control.progress.say(f"{entry.name}: what had arrived before does not fit; starting anew")
        partial.unlink()
        _fetch_patiently(url, entry, partial, path, control)
    if not _fits(entry, partial):
        why = _why_not(entry, partial)
        partial.unlink()
        raise BadInput(
            f"What {url} gave is not {entry.what}{why}. It was removed; a proxy may have answered with a "
            "page of its own."
        )
    with partial.open("rb") as file:
        os.fsync(file.fileno())


def _fits(entry: Known, partial: Path) -> bool:
    """Whether what arrived is the known file; where nothing vouches for it, whether it may be."""
    published = is_published(entry, partial, entry.files[0])
    if published is not None:
        return published
    if entry.files[0].endswith(".json"):
        try:
            json.loads(partial.read_bytes())
        except ValueError:
            return False
    return partial.stat().st_size >= ROUNDED * entry.size


def _why_not(entry: Known, partial: Path) -> str:
    """What tells it from the known file: its digest, where that is known."""
    if entry.digest is None:
        return ""
    algorithm, expected = entry.digest
    name = {"sha256": "SHA-256", "md5": "MD5"}[algorithm]
    return f": its {name} is {digest_of(partial, algorithm)[:16]}..., expected {expected[:16]}"


def _fetch_patiently(url: str, entry: Known, partial: Path, path: Path, control: Control) -> None:
    """Fetch, going on after a broken connection a few times."""
    control.progress.begin(entry.name, max(1, entry.size // BLOCK), "MiB")
    try:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                _fetch(url, partial, control)
                return
            except (OSError, http.client.HTTPException) as error:
                if attempt == ATTEMPTS or _final(error):
                    raise BadInput(_what_to_do(url, path, error)) from error
                control.progress.say(f"{entry.name}: {error}; trying again")
                time.sleep(PAUSE)
    finally:
        control.progress.end()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"Cannot make the models folder {folder} ({error.strerror}); set CLISC_MODELS."
        ) from error


def _check_room(entry: Known, partial: Path) -> None:
    folder = partial.parent
    free, wanted = shutil.disk_usage(folder).free, entry.size - partial.stat().st_size
    if free < wanted:
        raise BadInput(
            f"{folder} has {free / 1e9:.1f} GB free, {entry.what} needs {wanted / 1e9:.1f} GB more; "
            "make room or set CLISC_MODELS."
        )


def _fetch(url: str, partial: Path, control: Control) -> None:
    """Append what is lacking to ``partial``, or start anew where the server cannot go on."""
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": f"clisc/{VERSION}"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer = urllib.request.build_opener().open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is left to fetch; the digest tells whether that is right
            return
        raise
    with answer:
        goes_on = answer.status == 206
        expected = answer.headers.get("Content-Length")
        with disk_faults(partial):
            file = partial.open("ab" if goes_on else "wb")
        with file:
            count = _copy(answer, file, partial, control)
    if expected is not None and count < int(expected):
        raise http.client.IncompleteRead(b"", int(expected) - count)


def _copy(answer: http.client.HTTPResponse, file: BinaryIO, path: Path, control: Control) -> int:
    """Copy what comes; an error of the network is one to try again after, one of the disk is not."""
    count = 0
    while block := answer.read(BLOCK):
        control.check_stop()
        with disk_faults(path):
            file.write(block)
            file.flush()  # nothing is left for the end, when an error would be taken for the network's
        count += len(block)
        control.progress.advance()
    return count


def _final(error: Exception) -> bool:
    """Whether another attempt cannot help: the server says no, or there is no way to it."""
    return isinstance(error, urllib.error.HTTPError) and error.code < 500


def _what_to_do(url: str, path: Path, error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return (
        f"{url} cannot be fetched ({reason}). Behind a proxy set https_proxy; without a network fetch it "
        f"on another machine and put it at {path}, or name a mirror with --mirror. What arrived is kept: "
        "the same command goes on from there."
    )
