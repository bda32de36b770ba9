"""What lies where a user points, sorted into cases, bad ones and files that were not taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

from clisc_engine.errors import BadInput
from clisc_engine.importing.casefiles import CaseFiles
from clisc_engine.importing.listing import LeftOut


@dataclass
class Found:
    """What lies where ``--images`` and ``--references`` point.

    Attributes:
        cases: those that can be imported, by name.
        bad: reasons why others cannot, by the name that was found.
        left_out: files that were not taken.
        images: how many were found as images, bad ones too.
        references: how many masks were paired with an image.
        notes: sentences for the user.
        unnamed: those of the bad ones whose names are not safe for a folder, by their files.
        not_chosen: names of cases that were found and not asked for.
    """

    cases: list[CaseFiles]
    bad: dict[str, str]
    left_out: list[LeftOut] = field(default_factory=list)
    images: int = 0
    references: int = 0
    notes: list[str] = field(default_factory=list)
    unnamed: dict[Path, str] = field(default_factory=dict)
    not_chosen: tuple[str, ...] = ()

    def only(self, names: Sequence[str]) -> Found:
        """What was found of these cases; all of it without names.

        Raises:
            BadInput: naming those of the names that nothing was found of.
        """
        if not names:
            return self
        there = [*(case.name for case in self.cases), *self.bad]
        if unknown := [name for name in names if name not in there]:
            close = get_close_matches(unknown[0], there, n=1)
            hint = f"; did you mean {close[0]!r}" if close else ""
            raise BadInput(
                f"--cases: there is no case {', '.join(map(repr, unknown))} among the {len(there)} images "
                f"found{hint}."
            )
        chosen = [case for case in self.cases if case.name in names]
        bad = {name: why for name, why in self.bad.items() if name in names}
        notes = [f"Took {len(chosen) + len(bad)} of the {len(there)} cases found, as --cases says."]
        references = sum(case.reference is not None for case in chosen)
        if self.references and not references:
            notes.append(f"None of them has a reference; the {self.references} found are of other cases.")
        return replace(
            self,
            cases=chosen,
            bad=bad,
            images=len(chosen) + len(bad),
            references=references,
            notes=[*self.notes, *notes],
            not_chosen=tuple(name for name in there if name not in names),
        )
