"""Step 0: import volumes into a new project (`init`)."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clisc_engine.control import Control
from clisc_engine.errors import BadInput, Stopped
from clisc_engine.fingerprint import fingerprint, settings_used
from clisc_engine.imaging.discover import CaseFiles, find_cases
from clisc_engine.imaging.preprocess import (
    Placement,
    looks_skull_stripped,
    preprocess,
    to_canonical_grid,
)
from clisc_engine.imaging.splits import draw_split, read_split
from clisc_engine.imaging.volume import read_mask, read_volume
from clisc_engine.project import SETTINGS_FILE, CaseInfo, Project, create, open_project
from clisc_engine.settings import ImageSettings, Settings
from clisc_engine.store import Seal, write_atomically

STAGING = ".clisc-init"


@dataclass
class Imported:
    """What `init` did: the project, its cases by split, and the bad ones that were skipped."""

    project: Project
    splits: dict[str, str]
    skipped: dict[str, str] = field(default_factory=dict)
    fresh: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class Request:
    """What `init` was asked for.

    Attributes:
        root: the project folder to make.
        images: folder, glob, or CSV manifest of images.
        references: folder or glob of reference masks, None without.
        split_file: CSV or JSON that gives each case's split, None to draw one.
        split_ratio: shares of train, valid and test, e.g. ``7:1:2``.
        skip_bad: import the rest when some files cannot be used.
    """

    root: Path
    images: str
    references: str | None
    split_file: Path | None
    split_ratio: str
    skip_bad: bool


def initialise(request: Request, settings: Settings, control: Control) -> Imported:
    """Read, check, normalise and store every case; the project appears only when all is done.

    Raises:
        BadInput: for the first bad file (unless ``skip_bad``), or when the folder is taken.
        Stopped: when asked to stop; the cases done so far are kept for the next call.
    """
    started = time.monotonic()
    files = find_cases(request.images, request.references)
    if (request.root / SETTINGS_FILE).exists():
        return _already_there(request, files)
    splits = _splits(request, [case.name for case in files], settings.seed)
    if control.dry_run:
        return Imported(Project(request.root, settings), splits)
    made_root = not request.root.exists()
    staging = request.root / STAGING
    try:
        project = _staged(staging, settings)
        skipped = _import_all(project, files, splits, request.skip_bad, control)
        _publish(staging, request.root)
    except Stopped:
        raise
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        if made_root and request.root.exists():
            request.root.rmdir()
        raise
    kept = {name: split for name, split in splits.items() if name not in skipped}
    seconds = time.monotonic() - started
    return Imported(Project(request.root, settings), kept, skipped, seconds=seconds)


def _staged(staging: Path, settings: Settings) -> Project:
    """The project under way; one left by an interrupted call with the same settings goes on."""
    if (staging / SETTINGS_FILE).exists():
        left = open_project(staging)
        if left.settings == settings:
            return left
    shutil.rmtree(staging, ignore_errors=True)
    return create(staging, settings)


def _import_all(
    project: Project,
    files: Sequence[CaseFiles],
    splits: Mapping[str, str],
    skip_bad: bool,
    control: Control,
) -> dict[str, str]:
    skipped: dict[str, str] = {}
    control.progress.begin("init", len(files), "case")
    with ThreadPoolExecutor(max_workers=max(1, control.workers)) as pool:
        waiting: list[tuple[CaseFiles, Future[None]]] = [
            (case, pool.submit(_import_case, project, case, splits[case.name])) for case in files
        ]
        try:
            for case, future in waiting:
                control.check_stop()
                try:
                    future.result()
                except BadInput as error:
                    if not skip_bad:
                        raise
                    skipped[case.name] = str(error)
                    project.store.remove(f"cases/{case.name}")
                control.progress.advance(case.name)
        finally:
            pool.shutdown(cancel_futures=True)
            control.progress.end()
    if len(skipped) == len(files):
        raise BadInput(f"None of the {len(files)} images can be used: {next(iter(skipped.values()))}")
    return skipped


def _import_case(project: Project, files: CaseFiles, split: str) -> None:
    settings = project.settings.image
    sha256 = _hash(files.image)
    origin = {**settings_used(project.settings, "image"), "source": sha256}
    existing = project.store.seal(f"cases/{files.name}/image")
    if existing and existing.fingerprint == fingerprint(origin) and _recorded(project, files, split):
        return
    image, placement = read_normalised(files.image, settings)
    reference = None
    if files.reference is not None:
        reference = to_canonical_grid(read_mask(files.reference), placement)
    info = CaseInfo(
        files.name,
        split,
        placement.spacing,
        placement.to_dict(),
        str(files.image),
        sha256,
        reference is not None,
    )
    if reference is not None and files.reference is not None:
        made = {**origin, "reference": _hash(files.reference)}
        project.add_reference(files.name, reference, Seal.now("init", fingerprint(made), made))
    project.add_case(info, image, Seal.now("init", fingerprint(origin), origin))


def read_normalised(
    path: Path, settings: ImageSettings, go_on: str = "--set image.allow_skull=true"
) -> tuple[npt.NDArray[np.float16], Placement]:
    """A volume as the store holds it, (Z, Y, X) float16, and its placement in the file.

    ``go_on`` is the option that lets volumes with a skull pass, for the message.

    Raises:
        BadInput: when the file cannot be used, or looks not skull-stripped.
    """
    volume = read_volume(path)
    if not settings.allow_skull and not looks_skull_stripped(volume):
        raise BadInput(
            f"{path} looks not skull-stripped. Extract the brain first, e.g. with HD-BET, "
            f"SynthStrip or FSL BET, or take it as it is with {go_on}."
        )
    image, _, placement = preprocess(
        volume,
        clip_percentile=settings.clip_percentile,
        resample_in_plane=settings.resample_in_plane or None,
    )
    return image.astype(np.float16), placement


def _recorded(project: Project, files: CaseFiles, split: str) -> bool:
    record = project.store.attributes(f"cases/{files.name}").get("case", {})
    same_reference = record.get("has_reference") == (files.reference is not None)
    return record.get("split") == split and same_reference and files.reference is None


def _publish(staging: Path, root: Path) -> None:
    """Move the finished project into place, clisc.toml last: with it the project exists."""
    shutil.rmtree(root / "store.zarr", ignore_errors=True)
    (staging / "store.zarr").rename(root / "store.zarr")
    write_atomically(root / SETTINGS_FILE, (staging / SETTINGS_FILE).read_bytes())
    shutil.rmtree(staging)


def _already_there(request: Request, files: Sequence[CaseFiles]) -> Imported:
    project = open_project(request.root)
    stored = {case.info.name: case.info for case in project.cases()}
    if {case.name for case in files} <= set(stored):
        splits = {name: info.split for name, info in stored.items()}
        return Imported(project, splits, fresh=True)
    raise BadInput(
        f"{request.root} already holds a project with other cases; choose another folder, or remove "
        "it to start anew."
    )


def _splits(request: Request, names: list[str], seed: int) -> dict[str, str]:
    if request.split_file is not None:
        return dict(read_split(request.split_file, names))
    return dict(draw_split(names, request.split_ratio, seed))


def _hash(path: Path) -> str:
    files = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
