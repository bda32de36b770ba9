"""What a report tells of trust: `clisc trust`'s answer, where there is one."""

from __future__ import annotations

from dataclasses import dataclass

from clisc_engine.core.trust import Expected
from clisc_engine.project.project import Project
from clisc_engine.stages.trust import table
from clisc_engine.stages.trust.table import Trusted


@dataclass(frozen=True)
class TrustTold:
    """How far masks may be trusted.

    Attributes:
        cases: those that were told, the least trusted first.
        expected: the DSC to expect of each; empty where the settings have no calibration.
        coverage: the share of the volumes behind that calibration that its interval held.
    """

    cases: dict[str, Trusted]
    expected: dict[str, Expected]
    coverage: float

    @property
    def dsc(self) -> dict[str, float]:
        """The DSC to expect, in percent, by case."""
        return {name: one.dsc for name, one in self.expected.items()}


def gather_trust(project: Project) -> TrustTold:
    """What `clisc trust` found in a project and still holds."""
    cases, line = table.holding(project), table.calibration(project.settings)
    return TrustTold(cases, table.expected(project, cases), line.coverage if line else 0.0)
