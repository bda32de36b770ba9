"""Masks for other tools, on the grids of the files that `init` read."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.files.words import listed, shell_word
from clisc_engine.imaging.placement import Placement, restore
from clisc_engine.outputs.inputs import Inputs
from clisc_engine.outputs.outputs import Made, Outputs
from clisc_engine.products.graph import ARRAYS, MADE_BY, PRODUCTS, steps_behind
from clisc_engine.products.kinds import UNET_ROUND1, UNET_ROUND2
from clisc_engine.project.case_record import SPLITS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.results.provenance import Provenance
from clisc_engine.results.sidecar import beside, sidecar, sidecar_bytes
from clisc_engine.running.control import Control
from clisc_engine.running.isolation import concerns_one_case, in_words
from clisc_engine.running.runner import Report
from clisc_engine.stages.unet.prediction import predict_cases
from clisc_engine.upkeep.survey import survey

log = logging.getLogger(__name__)

STEP = "export masks"

PREDICTED = {"round1": UNET_ROUND1, "round2": UNET_ROUND2}
"""Masks that a network predicts: they are made where they are lacking."""

WAY_OUT = "Choose another folder with -o."
BY_FORCE = "replace masks that are no inputs or references with --force"


def export_masks(
    project: Project, masks: str, out: Path, control: Control, splits: tuple[str, ...] = SPLITS
) -> Report:
    """Write the masks named, e.g. ``sam``, on each source's own grid as ``<case>_sam.nii.gz``.

    A sidecar ``<case>_sam.json`` beside each tells where it comes from. A dry run writes nothing.

    A file that this version of clisc wrote there from the same mask stays, unless the control says force.

    Raises:
        MissingStage: when no case has such masks.
        BadInput: when the project knows no masks of this name; when no case could be written; or, before
            anything is made, naming the files in the way that clisc did not write.
    """
    started = time.monotonic()
    report = Report(STEP)
    outputs = Outputs(Inputs.of_project(project), WAY_OUT, by_force=BY_FORCE, force=control.force)
    coming = cases_to_come(project, masks, control, splits)
    outputs.check(path for case in coming for path in _files(out, case, masks))
    if control.dry_run and coming:
        report.planned = would_be_written(project, masks, coming)
        return report
    cases = cases_with_masks(project, masks, report, control, splits)
    provenance = Provenance(project)

    def write(case: CaseArrays) -> None:
        made_from, files = mask_made_from(case, masks), _files(out, case, masks)
        kinds = (Made("mask", made_from), Made("sidecar", made_from))
        if not control.force and all(map(outputs.is_fresh, files, kinds)):
            report.fresh.append(case.info.name)
        else:
            _write(provenance, case, masks, files, outputs)
            report.done.append(case.info.name)

    each_in_turn(cases, write, report, control)
    report.seconds = time.monotonic() - started
    return report


def each_in_turn(
    cases: Sequence[CaseArrays], write: Callable[[CaseArrays], None], report: Report, control: Control
) -> None:
    """Write the cases of an export; an error of one alone is put into the report, and the others go on.

    Args:
        cases: those to write.
        write: writes a case, and adds it to the report.
        report: may hold cases that failed before.
        control: tells when to stop.

    Raises:
        BadInput: when none could be written, with the reasons.
        Stopped: when asked to stop, before the next case.
    """
    for case in in_turn(cases, control):
        try:
            write(case)
        except Exception as error:
            if not concerns_one_case(error):
                raise
            log.debug("case %s failed in %s", case.info.name, report.stage, exc_info=True)
            report.failed[case.info.name] = in_words(error)
    if report.failed and not report.done and not report.fresh:
        raise BadInput(none_written(report.failed))


def none_written(failed: Mapping[str, str]) -> str:
    """Why an export of these cases wrote none."""
    if len(failed) == 1:
        return next(iter(failed.values()))
    return (
        f"None of {len(failed)} cases can be written: {listed([f'{k}: {v}' for k, v in failed.items()], 5)}"
    )


def in_turn(cases: Sequence[CaseArrays], control: Control) -> Iterator[CaseArrays]:
    """The cases of an export one after the other, with its progress told.

    Raises:
        Stopped: when asked to stop, before the next case.
    """
    control.progress.begin("export", len(cases), "case")
    for case in cases:
        control.check_stop()
        yield case
        control.progress.advance(case.info.name)
    control.progress.end()


def cases_with_masks(
    project: Project, masks: str, report: Report, control: Control, splits: tuple[str, ...] = SPLITS
) -> list[CaseArrays]:
    """The control's cases of the splits with ``masks/<masks>``; a network's predictions are made first.

    ``report`` is of the command that asks for them; it gets the cases whose prediction failed, which are
    left out.

    Raises:
        MissingStage: when none has, and none failed.
        BadInput: when the project knows no masks of this name.
    """
    array = f"masks/{masks}"
    everyone = project.cases(splits)
    names = {case.info.name for case in everyone}
    if unknown := [name for name in control.cases if name not in names]:
        command = f"clisc cases list {shell_word(project.base.root)}"
        raise BadInput(
            f"The project has no case {', '.join(unknown)} in {', '.join(splits)}; `{command}` tells each "
            "case's split."
        )
    if masks in PREDICTED:
        report.failed |= predict_cases(
            project, PREDICTED[masks], array, report.stage, splits, control
        ).failed
    chosen = [case for case in _chosen(everyone, control) if case.info.name not in report.failed]
    having = [case for case in chosen if case.seal(array) is not None]
    if not having and not report.failed:
        known = sorted(
            {name for case in everyone for name in project.store.children(f"cases/{case.info.name}/masks")}
        )
        if array in ARRAYS:
            raise MissingStage(
                f"No case has {array} yet; run {project.store.home.in_words(MADE_BY[array])} first.",
                command=MADE_BY[array],
                home=project.store.home,
            )
        if masks in known:
            raise MissingStage(
                f"None of the cases asked for has {array}; others have, but no step makes it."
            )
        raise BadInput(f"There are no masks {masks!r}; try {', '.join(known) or 'sam after prompt-sam'}.")
    return having


def mask_made_from(case: CaseArrays, masks: str) -> dict[str, str]:
    """What a case's exported mask comes from: the image, the array, and what made it."""
    seal = case.seal(f"masks/{masks}")
    made = {} if seal is None else {"fingerprint": seal.fingerprint}
    return {"image": case.info.sha256, "array": f"masks/{masks}", **made}


def would_be_written(project: Project, masks: str, coming: Sequence[CaseArrays]) -> dict[str, str]:
    """The plan of a dry run, by case.

    Raises:
        MissingStage: when the network that would make the masks is not trained.
    """
    if masks in PREDICTED:
        project.checkpoint(PREDICTED[masks]).fingerprint()
    return {case.info.name: "would be written" for case in coming}


def cases_to_come(
    project: Project, masks: str, control: Control, splits: tuple[str, ...] = SPLITS
) -> list[CaseArrays]:
    """The cases whose masks `cases_with_masks` will give, told before any is made."""
    chosen = _chosen(project.cases(splits), control)
    return [case for case in chosen if masks in PREDICTED or case.seal(f"masks/{masks}") is not None]


def _chosen(cases: Sequence[CaseArrays], control: Control) -> list[CaseArrays]:
    """Those of the cases that the control names; all when it names none."""
    return [case for case in cases if not control.cases or case.info.name in control.cases]


def _write(
    provenance: Provenance, case: CaseArrays, masks: str, files: tuple[Path, Path], outputs: Outputs
) -> None:
    """Write one mask, after the sidecar that tells of it."""
    from clisc_engine.imaging.volume import write_mask

    placement = Placement.from_dict(case.info.placement)
    mask = restore(case.read(f"masks/{masks}"), placement)
    made_from = mask_made_from(case, masks)
    file, told = files
    text = sidecar_bytes(sidecar(provenance, case, f"masks/{masks}", mask))
    outputs.put_bytes(told, text, Made("sidecar", made_from))
    outputs.put(file, partial(write_mask, mask=mask, geometry=placement.source), Made("mask", made_from))


def _files(out: Path, case: CaseArrays, masks: str) -> tuple[Path, Path]:
    """A mask's file and its sidecar's; never ``_seg``, by which references are called."""
    file = out / f"{case.info.name}_{masks}.nii.gz"
    return file, beside(file)


def stale_steps(project: Project, product: str) -> list[str]:
    """The steps behind masks or a network whose results are not what the settings now ask for."""
    behind = steps_behind(product) if product in PRODUCTS else []
    return [
        status.stage for status in survey(project) if status.state == "stale" and status.stage in behind
    ]
