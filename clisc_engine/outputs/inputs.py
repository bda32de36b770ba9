"""Files that no output may take the place of: what was read, and what a project is made of."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from clisc_engine.files.digest import sha256_of
from clisc_engine.project.lock import LOCK, VARIANTS
from clisc_engine.project.project import BRAINS, SETTINGS_FILE, STAGING, STORE, Project
from clisc_engine.project.variants import FILE as VARIANT_FILE

OWN = (SETTINGS_FILE, VARIANT_FILE, STORE, STAGING, BRAINS, "checkpoints", "logs", "cache")
"""Of the folder of a project or a variant, what only its stages write."""

OWN_RESULTS = ("rows.csv", "groups.csv", "cases.csv", "s3f.csv", "evaluation.json")
"""Of its results, what `evaluate` and `self-train` write."""

HISTORY = "history"
"""Of its results, the folder of earlier evaluations."""


class Inputs:
    """Files and DICOM folders that were read, by any of their names.

    What cannot be looked at, such as a source on a disk that is away, still counts by its path.
    """

    def __init__(self, paths: Iterable[Path], contents: Iterable[str] = ()) -> None:
        """These files and folders, and files of these SHA-256, wherever they lie by now."""
        self.paths = frozenset(Path(os.path.realpath(path)) for path in paths)
        self.contents = frozenset(contents)

    @classmethod
    def of_project(cls, project: Project) -> Inputs:
        """Images and references that a project's cases were imported from."""
        infos = [case.info for case in project.cases()]
        named = [path for info in infos for path in (info.source, info.reference_source) if path]
        digests = [digest for info in infos for digest in (info.sha256, info.reference_sha256) if digest]
        return cls(map(Path, named), digests)

    def __or__(self, others: Inputs) -> Inputs:
        """Both."""
        return Inputs(self.paths | others.paths, self.contents | others.contents)

    def holds(self, place: Path) -> str:
        """Why a resolved path is not to be written, empty when nothing speaks against it."""
        if place in self.paths or self._is_another_name(place):
            return "is an input or a reference"
        if folder := next((path for path in place.parents if path in self._folders), None):
            return f"lies in {folder}, which a scan is read from"
        return ""

    def why_not_replaced(self, place: Path) -> str:
        """Why a file that is there must stay: it is an input that was moved or copied; or nothing.

        Raises:
            OSError: when it cannot be read.
        """
        if self.contents and sha256_of(place) in self.contents:
            return "has the bytes of an input or a reference"
        return ""

    @cached_property
    def _folders(self) -> frozenset[Path]:
        return frozenset(path for path in self.paths if path.is_dir())

    @cached_property
    def _identities(self) -> frozenset[tuple[int, int]]:
        return frozenset(found for path in self.paths if (found := _identity(path)) is not None)

    def _is_another_name(self, place: Path) -> bool:
        """Whether the path is a hard link to an input, or its name in other letters."""
        found = _identity(place)
        return found is not None and found in self._identities


def own_of_a_project(place: Path) -> str:
    """Why a resolved path is not to be written: it is part of a project; empty when it is none."""
    for root in place.parents:
        if (root / SETTINGS_FILE).is_file():
            first, *rest = _within(place.relative_to(root).parts)
            if first in OWN or first.startswith(LOCK):
                return f"belongs to the project in {root}"
            if first == "results" and (rest[:-1] == [HISTORY] or rest in [[name] for name in OWN_RESULTS]):
                return f"is a table that the project in {root} keeps"
    return ""


def _within(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The parts of a path in a project's folder; in that of a variant, those after its folder."""
    return parts[2:] if parts[0] == VARIANTS and len(parts) > 2 else parts


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
