"""The row of each point against the references, and what all points say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clisc_engine.errors import BadInput
from clisc_engine.project.fingerprint import fingerprint, settings_used
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control
from clisc_engine.running.sharing import spread
from clisc_engine.running.spec import missing_message
from clisc_engine.settings.keys import value_of
from clisc_engine.stages import evaluate
from clisc_engine.stages.evaluation import comparing
from clisc_engine.stages.evaluation.tables import summarise_rows
from clisc_engine.stages.recipes import evaluation_provenance
from clisc_engine.sweeps import record
from clisc_engine.sweeps.making import Needed
from clisc_engine.sweeps.sweep import SEED, Sweep, sections_behind


def cases_to_measure(project: Project, splits: tuple[str, ...]) -> list[CaseArrays]:
    """The cases of the splits that have a reference.

    Raises:
        BadInput: when none has one.
    """
    return comparing.to_measure(project, Control(), splits)


def why_measure(
    variant: Project, wanted: Needed, cases: Sequence[CaseArrays], before: Mapping[str, Any] | None
) -> str:
    """Why a point has to be measured; empty when what was measured still holds."""
    if before is None:
        return "not measured yet"
    if before["failed"]:
        return f"{', '.join(before['failed'])} could not be measured"
    mark = fingerprint(evaluation_provenance(variant, cases, {wanted.row: wanted.array}))
    return "" if before["fingerprint"] == mark else "masks, references or settings changed"


def measure(
    sweep: Sweep, point: str, variant: Project, wanted: Needed, failed: dict[str, str], control: Control
) -> bool:
    """Measure a point, unless what was measured holds; whether it was.

    Args:
        sweep: of which it is a point.
        point: its name.
        variant: the project or variant that has its masks.
        wanted: what the row rests on, and whose cases are measured.
        failed: why cases could not be made, by name.
        control: progress, stop and ranks.
    """
    cases = cases_to_measure(variant, wanted.splits)
    before = control.ranks.share(lambda: record.measured(variant, sweep, point))
    settings = settings_behind(variant, sweep)
    if before is not None and not why_measure(variant, wanted, cases, before):
        if before.get("settings") != settings:  # none of which it rests on, or it would not hold
            found = {**before, "settings": settings}
            control.by_rank_0(lambda: record.note_measured(variant, sweep, point, found))
        return False
    lacking = {c.info.name: missing_message(c, wanted.array) for c in cases if c.seal(wanted.array) is None}
    failed = {c.info.name: failed[c.info.name] for c in cases if c.info.name in failed} | {
        name: why for name, why in lacking.items() if name not in failed
    }
    whole = {case.info.name: case for case in cases if case.info.name not in failed}
    rows = {wanted.row: wanted.array}
    by_case, errors = spread(
        f"measure {point}",
        whole,
        lambda case: evaluate.measure_case(variant, case, rows)[0],
        control,
        unit="case",
    )
    if not by_case:
        name, message = next(iter({**failed, **errors}.items()))
        raise BadInput(
            f"None of the {len(cases)} cases can be measured at {point}; first {name}: {message}"
        )
    found = {
        "fingerprint": fingerprint(evaluation_provenance(variant, cases, rows)),
        "cases": list(by_case.values()),
        "failed": failed | errors,
        "settings": settings,
    }
    control.by_rank_0(lambda: record.note_measured(variant, sweep, point, found))
    return True


def together(
    project: Project, sweep: Sweep, found: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
) -> dict[str, Any]:
    """The result of a sweep: its points in the order asked, each over all its cases and seeds.

    Args:
        project: the one swept.
        sweep: with all its points.
        found: of each point its values, the seed among them if there are several, and what was measured.

    Returns:
        Plain values. DSC in percent and HD95 in mm, means and standard deviations (population) over all
        pairs of a case with a tumour and a seed; ``dsc_std_of_seeds`` is that of the seeds' means, None
        with one seed.
    """
    points: dict[tuple[str, ...], dict[str, Any]] = {}
    for values, measured in found:
        own = {key: values[key] for key in sweep.keys}
        point = points.setdefault(tuple(map(repr, own.values())), {"values": own, "seeds": []})
        seed = values.get(SEED, project.settings.seed)
        summary = summarise_rows(measured["cases"], [sweep.row])[0]
        own = {name: measured[name] for name in ("fingerprint", "cases", "failed")}
        point["seeds"].append({"seed": seed, **summary, **own})
    for point in points.values():
        cases = [case for one in point["seeds"] for case in one["cases"]]
        means = [one["dsc_mean"] for one in point["seeds"] if one["dsc_mean"] is not None]
        point |= summarise_rows(cases, [sweep.row])[0]
        point["dsc_std_of_seeds"] = float(np.std(means)) if len(means) > 1 else None
    return {
        "sweep": sweep.name,
        "keys": list(sweep.keys),
        "row": sweep.row,
        "splits": list(sweep.splits),
        "seeds": list(sweep.seeds) or [project.settings.seed],
        "weights": project.settings.made_with,
        "settings": settings_behind(project, sweep),
        "here": [value_of(project.settings, key) for key in sweep.keys],
        "points": list(points.values()),
    }


def settings_behind(project: Project, sweep: Sweep) -> dict[str, str]:
    """What else in the settings the result rests on, by key; the seed only if it is not swept."""
    used = settings_used(project.settings, *sections_behind(sweep.row))
    swept = {*sweep.keys, *((SEED,) if sweep.seeds else ())}
    return {key: value for key, value in used.items() if key not in swept}
