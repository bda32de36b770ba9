"""What the evaluation that is there was asked to measure, so that it can be asked for again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.stages.evaluation import document


@dataclass(frozen=True)
class Asked:
    """The options of a call of `evaluate`; by default those of a plain one.

    Attributes:
        splits: that were asked for.
        cases: that were named; empty for all of the splits.
        seen: whether cases are measured that a network has learnt from.
    """

    splits: tuple[str, ...] = ("test",)
    cases: tuple[str, ...] = ()
    seen: bool = False

    @property
    def options(self) -> list[str]:
        """The same as words of a command."""
        words = ["--splits", ",".join(self.splits)] if self.splits != ("test",) else []
        if self.cases:
            words += ["--cases", ",".join(self.cases)]
        return [*words, "--seen"] if self.seen else words

    def among(self, cases: Sequence[CaseArrays]) -> list[CaseArrays]:
        """Those of the cases that it would measure, if they have a reference."""
        named = [case for case in cases if not self.cases or case.info.name in self.cases]
        return [case for case in named if case.info.split in self.splits and case.info.has_reference]


def asked_before(project: Project) -> Asked:
    """What the evaluation that is there was asked for; a plain one, where there is none to go by."""
    stored = document.load(project.store)
    if stored is None or not stored["splits"]:
        return Asked()
    whole = Asked(tuple(stored["splits"]), seen=stored["seen"])
    if not stored["chosen"]:
        return whole
    measured = {entry["case"] for entry in stored["cases"]} | set(stored["failed"])
    named = tuple(case.info.name for case in whole.among(project.cases()) if case.info.name in measured)
    return replace(whole, cases=named) if named else Asked()
