"""Which of several MR contrasts is FLAIR: channels of nnU-Net's files and of the Decathlon's 4-D files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from clisc_engine.errors import BadInput
from clisc_engine.imaging.contrasts import says_flair

DESCRIPTION = "dataset.json"
NUMBERED = re.compile(r"(?P<case>.+)_(?P<channel>\d{4})$")
"""A stem such as ``case_0003``: nnU-Net writes each channel of a case as a file by itself."""


def channel_names(folder: Path) -> dict[int, str]:
    """What the dataset.json in a folder, or in the one above it, calls the channels; empty without one.

    nnU-Net v2 has them under ``channel_names``, the Medical Segmentation Decathlon and nnU-Net v1 under
    ``modality``.

    Raises:
        BadInput: when the file is there and cannot be read.
    """
    paths = [
        path for path in (folder / DESCRIPTION, folder.absolute().parent / DESCRIPTION) if path.is_file()
    ]
    if not paths:
        return {}
    try:
        described = json.loads(paths[0].read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{paths[0]} cannot be read: {error}.") from None
    listed = (
        described.get("channel_names", described.get("modality")) if isinstance(described, dict) else None
    )
    if not isinstance(listed, dict):
        return {}
    return {int(key): str(name) for key, name in listed.items() if str(key).isdecimal()}


def flair_channel(folder: Path, wanted: str | None) -> int | None:
    """The channel asked for by number or name, else the one that dataset.json calls FLAIR; or None.

    Raises:
        BadInput: when there is no channel of that name.
    """
    names = channel_names(folder)
    if wanted is None:
        flair = [number for number, name in names.items() if says_flair(name)]
        return flair[0] if len(flair) == 1 else None
    if wanted.strip().isdecimal():
        return int(wanted)
    for number, name in names.items():
        if name.casefold() == wanted.strip().casefold():
            return number
    known = ", ".join(f"{number} {name}" for number, name in names.items())
    raise BadInput(
        f"--channel {wanted}: there is no channel of that name; "
        + (f"{folder} has {known}." if known else "give its number, counted from 0.")
    )


def of_channel(stems: Mapping[Path, str], channel: int | None, folder: str) -> list[Path]:
    """Of files that are numbered by channel, those of one channel; channel 0 where there is no other.

    Args:
        stems: the files with their names without format; all match `NUMBERED`.
        channel: the one that is FLAIR, None when unknown.
        folder: for the message.

    Raises:
        BadInput: when there are several channels and none was chosen, or no file has the one chosen.
    """
    numbers = {path: int(stem.rsplit("_", 1)[1]) for path, stem in stems.items()}
    present = sorted(set(numbers.values()))
    if channel is None and len(present) > 1:
        raise BadInput(
            f"{folder} holds channels {_listed(present)} of each case, and no {DESCRIPTION} says which is "
            "FLAIR; choose with --channel, e.g. --channel 3."
        )
    wanted = present[0] if channel is None else channel
    if wanted not in present:
        raise BadInput(f"{folder} holds channels {_listed(present)}; there is no channel {wanted}.")
    return [path for path, number in numbers.items() if number == wanted]


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in numbers)
