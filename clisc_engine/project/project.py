"""The project on disk: settings, cases, arrays, checkpoints and logs under one folder.

Every path inside is relative to the project's folder, so a project can be moved or mounted elsewhere.
"""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clisc_engine.errors import BadInput, Home, MissingStage
from clisc_engine.files.atomic import disk_faults
from clisc_engine.files.case_names import is_case_name, meant
from clisc_engine.files.collecting import collection_paused
from clisc_engine.files.reading import is_there
from clisc_engine.products.kinds import IMAGE, REFERENCE
from clisc_engine.project import manifest, pending_change
from clisc_engine.project.case_record import RECORD, SPLITS, CaseInfo, recorded, replace_record
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.project.glance import Glance
from clisc_engine.project.references import References
from clisc_engine.project.store import Seal, Stamp, Store
from clisc_engine.settings.file import read_settings, write_changes, write_settings
from clisc_engine.settings.schema import Settings

SETTINGS_FILE = "clisc.toml"
STORE = "store.zarr"
STAGING = ".clisc-init"
"""Folder inside the project's in which `init` makes it."""
BRAINS = "brains"
"""Folder inside the project's that keeps the brain masks of scans with skulls."""
ADDING = ".clisc-add"
"""Folder inside the project's in which a second `init` prepares what it adds."""


@dataclass(frozen=True)
class CaseArrays:
    """One case's arrays, without its reference: what a stage before `evaluate` may see."""

    info: CaseInfo
    store: Store

    def read(self, array: str) -> npt.NDArray[Any]:
        """The array, e.g. ``cams/raw``. The reference is refused: it has its own door.

        Raises:
            BadInput: when it is missing, damaged, or holds NaN or infinite values.
        """
        if array == REFERENCE:
            raise PermissionError("reference masks are read through project.references alone")
        data = self.store.read(f"cases/{self.info.name}/{array}")
        self._check_finite(array, data)
        return data

    def seal(self, array: str) -> Seal | None:
        """The array's seal, None when it is missing."""
        return self.store.seal(f"cases/{self.info.name}/{array}")

    def stamp(self, array: str) -> Stamp | None:
        """The stamp of the array's seal, None when it is missing: all that tells fresh from stale."""
        return self.store.stamp(f"cases/{self.info.name}/{array}")

    def write(self, array: str, data: npt.NDArray[Any], seal: Seal) -> None:
        """Write and seal one of the case's arrays.

        Raises:
            BadInput: when it holds NaN or infinite values; nothing is written then.
        """
        self._check_finite(array, data)
        self.store.write(f"cases/{self.info.name}/{array}", data, seal)

    def _check_finite(self, array: str, data: npt.NDArray[Any]) -> None:
        if np.issubdtype(data.dtype, np.floating) and not np.isfinite(data).all():
            raise BadInput(
                f"{array} of case {self.info.name} holds NaN or infinite values; look at its image "
                f"({self.info.source}) for extreme intensities, and at --precision."
            )


@dataclass(frozen=True)
class CaseWithReference(CaseArrays):
    """A case whose reference may be read like its other arrays, on the stored image's grid."""

    references: References

    def read(self, array: str) -> npt.NDArray[Any]:
        """The array; the reference is (Z, Y, X) uint8, 0 or 1."""
        return self.references.read_cropped(self.info) if array == REFERENCE else super().read(array)


class Project:
    """A folder made by `clisc init`, or a variant of one (`project.variants`).

    Attributes:
        root: its folder; all that is written goes there, but for the cache.
        settings: its settings.
        parent: the project that is read for what a variant lacks, and never written; None without.
        store: its arrays.
        references: the only door to its reference masks.
    """

    def __init__(self, root: Path, settings: Settings, parent: Project | None = None) -> None:
        """Use `create`, `open_project` or `variants.open_variant` instead."""
        self.root = root
        self.settings = settings
        self.parent = parent
        self.store: Store = Store(root / STORE, parent.store if parent else None)
        self.references = References(self.store)
        self._known: dict[str, CaseArrays | str] | None = None

    def glance(self) -> Project:
        """The project for one question about how it is: all is read once, and nothing written."""
        if isinstance(self.store, Glance):
            return self
        seen = copy.copy(self)  # of whatever kind it is
        seen.parent = self.parent.glance() if self.parent else None
        seen.store = Glance(self.store.root, seen.parent.store if seen.parent else None)
        seen.references = References(seen.store)
        return seen

    @property
    def base(self) -> Project:
        """The project of which this is a variant, by however many steps; itself if it is none."""
        return self.parent.base if self.parent else self

    @property
    def checkpoints(self) -> Path:
        """Folder of trained weights and of trainings under way; read them through `checkpoint`."""
        return self.root / "checkpoints"

    def checkpoint(self, name: str) -> Checkpoint:
        """The checkpoint of one training; a variant that has not trained it reads its parent's."""
        below = self.parent.checkpoint(name) if self.parent else None
        return Checkpoint(self.checkpoints, name, below)

    @property
    def logs(self) -> Path:
        """Folder of training curves and run logs."""
        return self.root / "logs"

    @property
    def cache(self) -> Path:
        """Folder of what only saves time and may be deleted.

        Its entries are found by all that made them, so a variant shares its parent's.
        """
        return self.parent.cache if self.parent else self.root / "cache"

    @property
    def results(self) -> Path:
        """Folder of the tables that `evaluate` writes."""
        return self.root / "results"

    def file(self, name: str) -> Path:
        """Where a table such as ``results/s3f.csv`` is read; a variant without one reads its parent's."""
        own = self.root / name
        return own if self.parent is None or is_there(own) else self.parent.file(name)

    def cases(self, splits: tuple[str, ...] = SPLITS) -> list[CaseArrays]:
        """The cases of these splits, by the names they were imported under; of others see `lost_cases`.

        Raises:
            Unreadable: when a record is there and cannot be read now.
        """
        found = self._found().values()
        whole = [case for case in found if isinstance(case, CaseArrays) and case.info.split in splits]
        return sorted(whole, key=lambda case: case.info.identity)

    def lost_cases(self) -> dict[str, str]:
        """Cases that are gone or no longer say what they are, each with the reason, by name.

        Raises:
            Unreadable: when a record, or the manifest, is there and cannot be read now.
        """
        found = self._found()
        lost = {name: why for name, why in found.items() if isinstance(why, str)}
        listed = manifest.read(self.base.store)
        for name, info in listed.cases.items() if listed else ():
            if name not in found:
                lost[name] = f"its folder or record is gone (imported from {info.source})"
        return pending_change.without(dict(sorted(lost.items())), self.base.root)

    def case(self, name: str) -> CaseArrays:
        """One case.

        Raises:
            BadInput: when the project has no such case.
        """
        group = f"cases/{name}"
        if not is_case_name(name) or not self.store.has_folder(group):
            near = meant(name, self.store.children("cases"))
            listing = Home(self.base.root).in_words("cases list")
            raise BadInput(f"{self.root} has no case {name!r}{near}; {listing} lists its cases.")
        case = self._case(name)
        if isinstance(case, str):
            raise BadInput(f"{self.store.root / group}: {case}; {self.store.home.repair} sees to it.")
        return case

    def _found(self) -> dict[str, CaseArrays | str]:
        """Each case in the store, or what is wrong with it; a glance looks once."""
        if self._known is not None:
            return self._known
        with collection_paused():
            found = {name: self._case(name) for name in self.store.children("cases")}
        if isinstance(self.store, Glance):
            self._known = found
        return found

    def _case(self, name: str) -> CaseArrays | str:
        """The case in the folder of this name, or what is wrong with it."""
        info = recorded(self.store, name)
        if info is None:
            return f"its zarr.json no longer holds the record of case {name!r}"
        if info.name != name:
            return f"the folder is named {name!r}, its record says {info.name!r}"
        return CaseArrays(info, self.store)

    def with_reference(self, case: CaseArrays) -> CaseWithReference:
        """The case with its reference within reach, for the rows of Table 1 that read it by design."""
        return CaseWithReference(case.info, case.store, self.references)

    def add_case(self, info: CaseInfo, image: npt.NDArray[Any], seal: Seal) -> None:
        """Import a case: its image first, its record last; the image keeps a copy of the record."""
        record = {RECORD: asdict(info)}
        self.store.write(f"cases/{info.name}/{IMAGE}", image, seal, record)
        self.store.write_group(f"cases/{info.name}", record)

    def add_reference(self, name: str, mask: npt.NDArray[np.uint8], seal: Seal) -> None:
        """Store a reference mask that `init` was given, on its image's own grid; the seal says so."""
        self.store.write(f"cases/{name}/{REFERENCE}", mask, seal)

    def change_record(self, info: CaseInfo) -> None:
        """Replace a case's record, the copy that its image keeps first; the image stays as it is."""
        replace_record(self.store, info.name, info)

    def change_settings(self, settings: Settings, changes: Mapping[str, Any]) -> None:
        """Adopt validated settings and write the changed keys to clisc.toml."""
        write_changes(self.root / SETTINGS_FILE, changes)
        self.settings = settings


def create(root: Path, settings: Settings) -> Project:
    """A new project folder with its clisc.toml.

    Raises:
        BadInput: when the folder already holds a project or cannot be written.
    """
    if (root / SETTINGS_FILE).exists():
        raise BadInput(f"{root} already holds a project; choose another folder or remove it.")
    with disk_faults(root):
        root.mkdir(parents=True, exist_ok=True)
        write_settings(root / SETTINGS_FILE, settings)
    return Project(root, settings)


def clear_staging(root: Path) -> None:
    """Remove what an import that was killed right at its end left; its project is in place."""
    if (root / STAGING).exists() and (root / SETTINGS_FILE).exists():
        with disk_faults(root / STAGING):
            shutil.rmtree(root / STAGING)


def open_project(path: Path | None) -> Project:
    """The project at ``path``, else at ``$CLISC_PROJECT``, else around the current folder.

    Raises:
        MissingStage: when there is no project there.
        BadInput: when clisc.toml is not valid.
    """
    root = project_root(path)
    return Project(root, read_settings(root / SETTINGS_FILE))


def project_root(path: Path | None) -> Path:
    """The folder that `open_project` opens, whatever the state of its settings.

    Raises:
        MissingStage: when there is no project there.
        BadInput: when there is one that has lost its settings.
    """
    root = path or _project_around()
    if root is not None and (root / SETTINGS_FILE).is_file():
        return root
    if root is not None and is_there(root / STORE):
        raise BadInput(f"{root} holds a {STORE} without a {SETTINGS_FILE}; put that file back from a copy.")
    where = root or "this folder or those above it"
    raise MissingStage(f"No clisc project in {where}; make one with `clisc init DIR --images IMAGES`.")


def _project_around() -> Path | None:
    if named := os.environ.get("CLISC_PROJECT"):
        return Path(named)
    here = Path.cwd()
    return next((p for p in (here, *here.parents) if (p / SETTINGS_FILE).is_file()), None)
