"""The stages by name, in the order of the paper."""

from __future__ import annotations

from typing import Any

from clisc_engine.errors import BadInput
from clisc_engine.products.graph import EVALUATE, STEPS
from clisc_engine.products.kinds import AMDA_MAPS, RAW_MAPS, UNET_ROUND2, Stage
from clisc_engine.project.case_record import SPLITS
from clisc_engine.project.project import Project
from clisc_engine.running import journal
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Report


def between(first: Stage | None, last: Stage | None) -> list[Stage]:
    """The stages from ``first`` until ``last``, both included; all by default.

    Raises:
        BadInput: when the last comes before the first.
    """
    names = list(STEPS)
    start = names.index(first) if first else 0
    stop = names.index(last) if last else len(names) - 1
    if stop < start:
        raise BadInput(f"--until {last} comes before --from {first}; the order is {', '.join(names)}.")
    return names[start : stop + 1]


def run_stage(
    name: str, project: Project, control: Control, splits: tuple[str, ...] = SPLITS, until: str = ""
) -> Report:
    """Run one of the graph's `STAGES` and note it in the journal; what is fresh is skipped.

    Args:
        name: the stage.
        project: a project or a variant.
        control: of the run.
        splits: restricts the stages that work case by case; a training reads those that it needs.
        until: the product of `cam`, `amda` or `self-train` with which the stage ends; the last, if empty.
    """
    with journal.entry(project, name, control) as note:
        report = _run(name, project, control, splits, until)
        note.worked = bool(report.done or report.failed)
        note.made = [*report.done, *report.fresh]
    return report


def _run(name: str, project: Project, control: Control, splits: tuple[str, ...], until: str) -> Report:
    """Each stage is imported when it runs: the packages of the others take seconds to load."""
    match name:
        case "label":
            from clisc_engine.stages.label import label

            return label(project, control, splits)
        case "cam":
            from clisc_engine.stages.cam import cam

            return cam(project, control, splits, until or RAW_MAPS)
        case "amda":
            from clisc_engine.stages.amda import amda

            return amda(project, control, splits, until or AMDA_MAPS)
        case "prompt-sam":
            from clisc_engine.stages.prompt_sam import prompt_sam

            return prompt_sam(project, control, splits)
        case "train":
            from clisc_engine.stages.train import train

            return train(project, control)
        case "self-train":
            from clisc_engine.stages.self_train import self_train

            return self_train(project, control, until or UNET_ROUND2)
    raise ValueError(f"{name!r} is not a stage")


def run_evaluation(
    project: Project,
    control: Control,
    *,
    ablation: bool = False,
    splits: tuple[str, ...] = ("test",),
    seen: bool = False,
) -> dict[str, Any]:
    """Run `evaluate` and note it in the journal; its document."""
    from clisc_engine.stages.evaluate import evaluate
    from clisc_engine.stages.evaluation import tables as evaluation_tables

    before = evaluation_tables.load(project)
    with journal.entry(project, EVALUATE, control) as note:
        document = evaluate(project, control, ablation=ablation, splits=splits, seen=seen)
        note.worked = before is None or document.get("time") != before.get("time")
    return document


def run_trust(project: Project, control: Control, splits: tuple[str, ...] = SPLITS) -> Report:
    """Run `trust` and note it in the journal."""
    from clisc_engine.stages.trust.trust import STEP, trust

    with journal.entry(project, STEP, control) as note:
        report = trust(project, control, splits)
        note.worked = bool(report.done or report.failed)
        note.made = [*report.done, *report.fresh]
    return report
