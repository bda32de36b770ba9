"""`python -m benchmarks.trust PROJECT... [--save]`: which DSC went along with which agreement.

Each project is one of the tiny preset that `evaluate` has measured: of `benchmarks.real`, of `clisc demo`.
The measured cases of the row ``full`` are taken. Each project weighs the same, however many cases it has.
The line is judged on each case of a project left out in turn, and on each project left out.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import stats

from clisc_engine.core.trust import Calibration
from clisc_engine.models.weights import bundled
from clisc_engine.project.project import open_project
from clisc_engine.running.control import Control
from clisc_engine.stages.evaluation import tables
from clisc_engine.stages.trust.table import holding
from clisc_engine.stages.trust.trust import trust

HELD = 0.8
"""The share of cases left out that the interval is to hold."""

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """The measured cases of a project: names, agreement in [0, 1], DSC in percent."""

    project: str
    cases: list[str]
    agreement: Values
    dsc: Values


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, judge, print as Markdown, and on request keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trust", description=__doc__)
    parser.add_argument("projects", type=Path, nargs="+", help="measured ones")
    parser.add_argument("--save", action="store_true", help="write the calibration that comes with clisc")
    options = parser.parse_args(arguments)
    found = [measured(root) for root in options.projects]
    errors = [errors_of_cases(found, index) for index in range(len(found))]
    print("| project | cases | DSC % | Spearman | mean error, case left out | project left out | without |")
    print("|---|---|---|---|---|---|---|")
    for index, one in enumerate(found):
        rho = stats.spearmanr(one.agreement, one.dsc).statistic
        others = [other for other in found if other is not one]
        apart = "" if not others else f"{np.abs(residuals(line(others), one)).mean():.1f}"
        constant = np.abs(one.dsc - one.dsc.mean()).mean()
        mean = f"{one.dsc.mean():.1f} ± {one.dsc.std():.1f}"
        out = f"{np.abs(errors[index]).mean():.1f} | {apart} | {constant:.1f}"
        print(f"| {one.project} | {len(one.cases)} | {mean} | {rho:.2f} | {out} |")
    fitted = calibration(found, errors)
    print(f"\n{fitted}")
    if options.save:
        bundled("trust.json").write_text(json.dumps(asdict(fitted), indent=1) + "\n", encoding="utf-8")


def measured(root: Path) -> Measured:
    """The measured cases of one project."""
    project = open_project(root)
    trust(project, Control())
    document = tables.load(project) or {"cases": []}
    dsc = {
        entry["case"]: float(entry["dsc"])
        for entry in document["cases"]
        if entry["name"] == "full" and entry["dsc"] is not None
    }
    found = {name: entry.agreement for name, entry in holding(project).items() if name in dsc}
    return Measured(root.name, list(found), np.array([*found.values()]), np.array([dsc[n] for n in found]))


def line(projects: Sequence[Measured]) -> tuple[float, float]:
    """Constant and slope of the least-squares line; each project weighs the same."""
    agreement = np.concatenate([one.agreement for one in projects])
    weights = np.concatenate([np.full(len(one.dsc), len(one.dsc) ** -0.5) for one in projects])
    columns = np.column_stack([np.ones_like(agreement), agreement]) * weights[:, None]
    dsc = np.concatenate([one.dsc for one in projects]) * weights
    constant, slope = np.linalg.lstsq(columns, dsc, rcond=None)[0]
    return float(constant), float(slope)


def residuals(fitted: tuple[float, float], one: Measured) -> Values:
    """DSC over what a line lets expect, within 0 and 100."""
    found: Values = one.dsc - np.clip(fitted[0] + fitted[1] * one.agreement, 0, 100)
    return found


def errors_of_cases(projects: Sequence[Measured], index: int) -> Values:
    """The error on each case of a project when the line is fitted without that case."""
    one, others = projects[index], [*projects[:index], *projects[index + 1 :]]
    errors = []
    for case in range(len(one.dsc)):
        rest = Measured(one.project, [], np.delete(one.agreement, case), np.delete(one.dsc, case))
        fitted = line([*others, rest])
        errors.append(residuals(fitted, one)[case])
    return np.array(errors)


def calibration(projects: Sequence[Measured], errors: Sequence[Values]) -> Calibration:
    """The line of all projects; its interval is as wide as the project with the largest errors needs.

    The margin is conformal: of n cases left out, the ceil(0.8 (n + 1))-th smallest absolute error.
    """
    margins = [np.sort(np.abs(one))[min(len(one), math.ceil(HELD * (len(one) + 1))) - 1] for one in errors]
    margin = round(float(max(margins)), 1)
    every = np.abs(np.concatenate(errors))
    constant, slope = line(projects)
    held = round(float((every <= margin).mean()), 2)
    return Calibration(round(constant, 1), round(slope, 1), margin, held, len(every))


if __name__ == "__main__":
    main()
