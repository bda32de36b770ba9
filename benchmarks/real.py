"""`python -m benchmarks.real FOLDER`: what each stage loses on real volumes with expert masks.

The folder holds ``NAME_flair.nii.gz`` and, for some, ``NAME_seg.nii.gz``. All volumes are in train, without
their masks; those with masks are measured (transductive, as the method is used). One project a seed is made
and run to the end. The masks measure; nothing learns from them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clisc_engine.project.project import Project, open_project

ROWS = {
    "phantoms-only": "bundled network",
    "cam-raw": "region raw",
    "cam-amda": "region AMDA",
    "sam": "SAM",
    "without-self-training": "round 1",
    "full": "full",
    "sam-reference": "SAM from reference",
}
"""Rows of `evaluate` and of Table 1, in the order of the table."""

SLICES = ("recall", "specificity", "right")
RESAMPLES = 10_000

Values = npt.NDArray[np.float64]


def main(arguments: Sequence[str]) -> None:
    """Make and run the projects, then print the tables as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real", description=__doc__)
    parser.add_argument("folder", type=Path, help="of *_flair.nii.gz and *_seg.nii.gz")
    parser.add_argument("--work", type=Path, default=Path("build/real"), help="the projects go here")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="of the tiny preset"
    )
    options = parser.parse_args(arguments)
    runs = [
        measured(options.folder, options.work / f"seed-{seed}", seed, options.set) for seed in options.seeds
    ]
    print("\n".join(report(runs)))


def measured(folder: Path, root: Path, seed: int, changes: Sequence[str]) -> dict[str, dict[str, float]]:
    """Run one project to the end: by case, the DSC in % of each row and the shares of slices in %."""
    changed = [word for change in (f"seed={seed}", *changes) for word in ("--set", change)]
    images, masks = (str(folder / f"*_{kind}.nii.gz") for kind in ("flair", "seg"))
    clisc(
        *("init", str(root), "--images", images, "--references", masks),
        *("--preset", "tiny", "--split-ratio", "1:0:0", *changed),
    )
    clisc("run", str(root), "--until", "self-train")
    for name in ("phantoms-only", "sam-reference"):
        clisc("baseline", name, str(root), "--splits", "train")
    documents = [
        json.loads(clisc("evaluate", str(root), *extra, "--splits", "train", "--json"))
        for extra in ((), ("--table1",))
    ]
    found: dict[str, dict[str, float]] = {}
    for entry in (entry for document in documents for entry in document["cases"]):
        if entry["name"] in ROWS and entry["dsc"] is not None:
            found.setdefault(entry["case"], {})[entry["name"]] = float(entry["dsc"])
    for case, shares in slices(open_project(root)):
        found[case] |= shares
    return found


def clisc(*words: str) -> str:
    """What a command prints on stdout; its progress goes to this terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "clisc_cli", *words], stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def slices(project: Project) -> Iterator[tuple[str, dict[str, float]]]:
    """By case, in %: tumour slices labelled tumour, others labelled normal, and labels that are right."""
    for case in project.cases():
        if not case.info.has_reference:
            continue
        labels = case.read("labels/tumour")
        truth = (project.with_reference(case).read("reference") != 0).any(axis=(1, 2))
        sure = labels != 255
        says = labels == 1
        yield (
            case.info.name,
            {
                "recall": 100 * float(says[truth & sure].mean()),
                "specificity": 100 * float((~says)[~truth & sure].mean()),
                "right": 100 * float((says == truth)[sure].mean()),
            },
        )


def report(runs: Sequence[dict[str, dict[str, float]]]) -> list[str]:
    """The table of means with their intervals, and the table by case."""
    cases = sorted(runs[0])
    columns = [*SLICES, *ROWS]
    values = np.array([[[run[case].get(c, np.nan) for c in columns] for case in cases] for run in runs])
    lines = [
        "| | " + " | ".join(["mean", "95 % of cases", *(f"seed {k}" for k in range(len(runs)))]) + " |"
    ]
    lines.append("|---" * (3 + len(runs)) + "|")
    for number, column in enumerate(columns):
        by_case = values[:, :, number].mean(axis=0)
        low, high = interval(by_case)
        seeds = " | ".join(f"{mean:.1f}" for mean in np.nanmean(values[:, :, number], axis=1))
        title = ROWS.get(column, f"slices: {column}")
        lines.append(f"| {title} | {np.nanmean(by_case):.1f} | {low:.1f} to {high:.1f} | {seeds} |")
    lines += [
        "",
        "| case | " + " | ".join(ROWS.get(c, c) for c in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for case, row in zip(cases, values.mean(axis=0), strict=True):
        lines.append(f"| {case} | " + " | ".join(f"{value:.1f}" for value in row) + " |")
    return lines


def interval(values: Values) -> tuple[float, float]:
    """The 95 % bootstrap interval of a mean over cases."""
    known = values[~np.isnan(values)]
    drawn = np.random.default_rng(0).choice(known, (RESAMPLES, known.size)).mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


if __name__ == "__main__":
    main(sys.argv[1:])
