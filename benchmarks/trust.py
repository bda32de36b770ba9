"""`python -m benchmarks.trust PROJECT...`: which DSC went along with which agreement of the steps.

Each project is one that `evaluate` has measured, e.g. of `clisc demo` and of `benchmarks.real`; the measured
cases of the row ``full`` are taken.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import stats

from clisc_engine.project.project import open_project
from clisc_engine.running.control import Control
from clisc_engine.stages.evaluation import tables
from clisc_engine.stages.trust.table import holding
from clisc_engine.stages.trust.trust import trust

COVERAGE = 0.8
"""The share of cases that the interval is to hold."""

Values = npt.NDArray[np.float64]


@dataclass
class Measured:
    """The measured cases of a project: (cases, agreements) in [0, 1], and (cases,) DSC in percent."""

    project: str
    cases: list[str]
    agreements: Values
    dsc: Values


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, judge, print as Markdown, and on request keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trust", description=__doc__)
    parser.add_argument("projects", type=Path, nargs="+", help="measured ones")
    parser.add_argument(
        "--names", nargs="+", default=["sam", "round1", "region", "slices"], help="agreements"
    )
    parser.add_argument("--save", action="store_true", help="write the calibration that comes with clisc")
    options = parser.parse_args(arguments)
    found = [measured(root, options.names) for root in options.projects]
    for one in found:
        print(
            f"\n{one.project}: {len(one.cases)} cases, DSC {one.dsc.mean():.1f} +- {one.dsc.std(ddof=1):.1f}"
        )
        for column, name in enumerate(options.names):
            rho = stats.spearmanr(one.agreements[:, column], one.dsc).statistic
            print(f"  {name}: mean {one.agreements[:, column].mean():.3f}, Spearman with DSC {rho:.2f}")


def measured(root: Path, names: Sequence[str]) -> Measured:
    """The measured cases of one project."""
    project = open_project(root)
    trust(project, Control())
    document = tables.load(project)
    assert document is not None, f"{root}: `clisc evaluate` first"
    dsc = {
        e["case"]: float(e["dsc"])
        for e in document["cases"]
        if e["name"] == "full" and e["dsc"] is not None
    }
    entries = {name: entry for name, entry in holding(project).items() if name in dsc}
    rows = [[entry.agreements[name] for name in names] for entry in entries.values()]
    return Measured(str(root), list(entries), np.array(rows), np.array([dsc[name] for name in entries]))


if __name__ == "__main__":
    main()
