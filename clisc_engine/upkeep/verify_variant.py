"""The part of `verify` that reads a project's variants: what each has written itself.

What a variant lacks it reads from what it lies over, so nothing is missing there that is not missing below.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from clisc_engine.errors import Home, Unreadable
from clisc_engine.files.reading import is_there, shown_folders
from clisc_engine.products.graph import NETWORKS
from clisc_engine.project.case_record import RECORD as CASE_RECORD
from clisc_engine.project.case_record import CaseInfo
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.project.fingerprint import fingerprint
from clisc_engine.project.lock import VARIANTS
from clisc_engine.project.project import STORE
from clisc_engine.project.store import Seal, Store
from clisc_engine.project.variants import FILE, record_in
from clisc_engine.running import journal
from clisc_engine.upkeep.expected import MADE_IN, Evidence, evidence_by_case
from clisc_engine.upkeep.findings import Finding, unreadable
from clisc_engine.upkeep.verify_case import CaseReader
from clisc_engine.upkeep.verify_groups import group_findings
from clisc_engine.upkeep.verify_networks import checkpoint_findings, lost_networks, weight_files


@dataclass
class VariantReader:
    """Reads back what a variant of a project has of its own.

    Attributes:
        root: the project's folder.
        name: of the variant.
        check_stop: called before each file; raises to end the reading.
        seals: of its arrays, by case and array; filled as they are read.
        checkpoints: how many weight files were read.
        away: records of its own that cannot be read now, and without which its arrays were read.
    """

    root: Path
    name: str
    check_stop: Callable[[], None]
    seals: dict[str, Seal] = field(default_factory=dict)
    checkpoints: int = 0
    away: list[Finding] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """The variant's."""
        return self.root / VARIANTS / self.name

    @property
    def home(self) -> Home:
        """The variant, for the commands that are named."""
        return Home(self.root, self.name)

    def case_names(self) -> list[str]:
        """The cases that it has arrays of.

        Raises:
            Unreadable: when they cannot be listed now.
        """
        return [path.name for path in shown_folders(self.folder / STORE / "cases")]

    def findings_of_case(self, case: str) -> Iterator[Finding]:
        """What is wrong with what it has of one case; raises Unreadable as `CaseReader.findings` does."""
        store = Store(self.folder / STORE)
        info = CaseInfo.parse(Store(self.root / STORE).attributes(f"cases/{case}").get(CASE_RECORD))
        seals: dict[str, Seal] = {}
        if info is None:  # `verify` tells of the case itself where it reads the project
            return
        reader, evidence = CaseReader(store, case, info, self.home), self._evidence.get(case, [])
        yield from self._placed(reader.findings(evidence, seals, self.check_stop))
        self.seals |= {f"{case}/{array}": seal for array, seal in seals.items()}

    def other_findings(self) -> Iterator[Finding]:
        """What is wrong with its record, its groups and its networks, once its cases are read."""
        try:
            record_in(self.folder)
        except ValidationError:
            why = "it does not say what the variant changes"
            yield Finding(self._place(FILE), "settings", "damaged", why, f"remove {self.folder}")
        except Unreadable as error:
            yield unreadable(self.root, error, "settings")
        self.checkpoints = len(weight_files(self.folder))
        for found in (
            group_findings(self.folder / STORE, of_variant=True),
            checkpoint_findings(self.folder, self.home, self.check_stop),
            lost_networks(self.folder, self.home, self.seals),
        ):
            yield from self._placed(found)

    @functools.cached_property
    def below(self) -> list[Path]:
        """The folders of what it lies over: other variants, the upper one first, and the project's."""
        found: list[Path] = []
        with suppress(ValidationError, Unreadable):
            over = record_in(self.folder).over
            while over and (folder := self.root / VARIANTS / over) not in found:
                found.append(folder)
                over = record_in(folder).over
        return [*found, self.root]

    @functools.cached_property
    def _evidence(self) -> dict[str, list[Evidence]]:
        try:
            return evidence_by_case(self.folder, Store(self.folder / STORE))
        except Unreadable as error:
            self.away.append(unreadable(self.root, error, "record"))
            return {}

    @functools.cached_property
    def _made(self) -> set[str]:
        """What its own logs say was made in it: networks, and arrays as CASE/ARRAY."""
        logs = self.folder / "logs"
        found = {name for name in NETWORKS if is_there(logs / f"{name}.csv")}
        for entry in journal.read(logs):
            found |= {f"{case}/{array}" for array in MADE_IN.get(entry.stage, ()) for case in entry.made}
        return found

    def _is_below(self, path: str) -> bool:
        """Whether what it lacks at ``path`` is there below, and never was its own."""
        if path.startswith(STORE):
            own = path.removeprefix(f"{STORE}/cases/") in self._made
            return not own and any(is_there(folder / path / "zarr.json") for folder in self.below)
        name = Path(path).stem
        there = [folder for folder in self.below if is_there(folder / path)]
        return bool(there) and (name not in self._made or self._made_with(name, there))

    def _made_with(self, network: str, folders: list[Path]) -> bool:
        """Whether its arrays were made with the network of that name in one of these folders."""
        known = {seal.made_from[network] for seal in self.seals.values() if network in seal.made_from}
        made_from = (Checkpoint(folder / "checkpoints", network).made_from() for folder in folders)
        return any(fingerprint(one or {}) in known for one in made_from)

    def _placed(self, found: Iterator[Finding]) -> Iterator[Finding]:
        """The same without what is found below, with places in the project instead of in the variant."""
        for one in found:
            if one.state != "missing" or not self._is_below(one.path):
                one.path = self._place(one.path)
                yield one

    def _place(self, path: str) -> str:
        return (Path(VARIANTS) / self.name / path).as_posix()
