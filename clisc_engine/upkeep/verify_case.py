"""The part of `verify` that reads one case: its record, and every array that is or should be there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clisc_engine.errors import Home, Unreadable
from clisc_engine.files.reading import reading
from clisc_engine.products.graph import GROUPS, IMPORTED, outdated
from clisc_engine.products.kinds import REFERENCE
from clisc_engine.project.case_record import RECORD, CaseInfo
from clisc_engine.project.integrity import array_problem, metadata_problem
from clisc_engine.project.project import STORE
from clisc_engine.project.references import is_on_source_grid
from clisc_engine.project.store import Seal, Store
from clisc_engine.upkeep.expected import Evidence, needed_arrays
from clisc_engine.upkeep.findings import Finding, State, kind_of_array, remedy_for_array, unreadable


@dataclass(frozen=True)
class CaseReader:
    """Reads back what the store of a project, or of a variant, holds of one case.

    Attributes:
        store: the project's, or the variant's own.
        name: of the case.
        info: the case's record; None when it is lost.
        home: the project or the variant, for the commands that are named.
    """

    store: Store
    name: str
    info: CaseInfo | None
    home: Home

    @classmethod
    def of(cls, store: Store, name: str) -> CaseReader:
        """The reader of the case of this name.

        Raises:
            Unreadable: when its record cannot be read now.
        """
        info = CaseInfo.parse(store.attributes(f"cases/{name}").get(RECORD))
        return cls(store, name, info, store.home)

    def findings(
        self, evidence: Sequence[Evidence], seals: dict[str, Seal], check_stop: Callable[[], None]
    ) -> Iterator[Finding]:
        """What is wrong with the case.

        Args:
            evidence: what tables, trainings and the journal say that the case had.
            seals: filled with the seals that the case has, by array.
            check_stop: called before each array; raises to end the reading.

        Raises:
            Unreadable: when the folder of the case cannot be read now.
        """
        if self.info is None:
            folder = self._folder("")
            why = metadata_problem(folder) or "the record of its split, grid and source is lost"
            yield Finding(f"{STORE}/cases/{self.name}", "case", "damaged", why)
        elif self.info.name != self.name:
            why = f"the folder is named {self.name!r}, its record says {self.info.name!r}"
            yield Finding(f"{STORE}/cases/{self.name}", "case", "damaged", why)
        faulty: set[str] = set()
        for array in self._arrays_there():
            check_stop()
            try:
                if seal := self.store.seal(self._path(array)):
                    seals[array] = seal
                found = self._read(array, seal)
            except Unreadable as error:
                found = unreadable(self.store.root.parent, error, kind_of_array(array))
                found.path = f"{STORE}/{self._path(array)}"  # whichever of its files it was
            if found:
                faulty.add(array)
                yield found
            elif seal and (earlier := outdated(array, seal.made_from)):
                yield Finding(
                    f"{STORE}/{self._path(array)}", "array", "to be made", earlier, self._remedy(array)
                )
        needed = needed_arrays(seals, evidence, self.info)
        for array in sorted(needed.keys() - seals.keys() - faulty):
            yield self._finding(array, "missing", f"it is gone, though {needed[array]}")

    def _read(self, array: str, seal: Seal | None) -> Finding | None:
        """Read one array; None when it is whole."""
        path = self._path(array)
        if seal is not None:
            problem = array_problem(self.store, path, array, seal, self._shape(array, seal))
            if not problem or self.store.seal(path) != seal:  # a step has made it again meanwhile
                return None
            return self._finding(array, "damaged", problem)
        if why := self.store.unsealed(path):
            return Finding(f"{STORE}/{path}", "array", "to be made", why, self._remedy(array))
        return self._finding(
            array, "damaged", metadata_problem(self._folder(array)) or "it has lost its seal"
        )

    def _shape(self, array: str, seal: Seal) -> list[int]:
        """(Z, Y, X) that the array must have; empty when that is not known."""
        if self.info is None:
            return []
        if array == REFERENCE and is_on_source_grid(seal):
            return [int(size) for size in reversed(self.info.placement["source"]["size"])]
        return [int(stop) - int(start) for start, stop in self.info.placement["crop"]]

    def _arrays_there(self) -> list[str]:
        """Names of the arrays whose folders are there, whatever their state."""
        case = self._folder("")
        with reading(case):
            found = [name for name in IMPORTED if (case / name).is_dir()]
            for group in GROUPS:
                if (case / group).is_dir():
                    inside = sorted(p.name for p in (case / group).iterdir() if p.is_dir())
                    found += [f"{group}/{name}" for name in inside if not name.startswith(".")]
        return found

    def _finding(self, array: str, state: State, problem: str) -> Finding:
        place = f"{STORE}/{self._path(array)}"
        return Finding(place, kind_of_array(array), state, problem, self._remedy(array))

    def _remedy(self, array: str) -> str:
        return remedy_for_array(array, self.info.split if self.info else "", self.home)

    def _path(self, array: str) -> str:
        return f"cases/{self.name}/{array}"

    def _folder(self, array: str) -> Path:
        return self.store.root / self._path(array)
