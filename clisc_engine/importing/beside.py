"""Masks that can be but one image's, since the two are alone in a folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from clisc_engine.importing.listing import LeftOut

Thing = TypeVar("Thing")


class Alone:
    """Which masks are the only ones beside the only image in a folder."""

    def __init__(
        self, images: Mapping[str, Path], masks: Iterable[Path], not_taken: Iterable[LeftOut]
    ) -> None:
        """``not_taken`` are files beside the images; those that may be missed may be meant by a mask."""
        self._cases = _by_folder({path: case for case, path in images.items()})
        self._masks = _by_folder({path: path for path in masks})
        self._missed = _by_folder({one.path: one for one in not_taken if one.missed})
        self._single = next(iter(images.values())).absolute().parent if len(images) == 1 else None

    def case_of(self, mask: Path) -> str:
        """The case of the image that alone can be meant, in the innermost folder with one; or nothing."""
        for folder in mask.absolute().parents:
            if cases := self._cases.get(folder):
                one = len(cases) == len(self._masks[folder]) == 1 and folder not in self._missed
                return cases[0] if one and self._single in (None, folder) else ""
        return ""


def _by_folder(things: Mapping[Path, Thing]) -> dict[Path, list[Thing]]:
    """What lies in each folder or below it."""
    found: dict[Path, list[Thing]] = {}
    for path, thing in things.items():
        for folder in path.absolute().parents:
            found.setdefault(folder, []).append(thing)
    return found
