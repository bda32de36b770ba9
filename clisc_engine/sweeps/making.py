"""What a row rests on, and making it: in a project what several points share, in a variant the rest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from clisc_engine.baselines.methods import run_baseline
from clisc_engine.products import graph
from clisc_engine.products.dependence import MEASURED
from clisc_engine.products.graph import ABLATION, ARRAYS, EVALUATE, NETWORKS, PRODUCTS, STAGES
from clisc_engine.products.kinds import IMAGE, ROUND1, Array, Network
from clisc_engine.project.project import Project
from clisc_engine.running import journal
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Report
from clisc_engine.settings.schema import Settings
from clisc_engine.stages import recipes
from clisc_engine.stages.pipeline import run_stage
from clisc_engine.stages.prompt_sam import prompt_from_cam
from clisc_engine.stages.requirements import require
from clisc_engine.stages.self_train import train_round2
from clisc_engine.stages.unet.prediction import predict_cases
from clisc_engine.upkeep.survey import survey

BASELINE = "baseline "


@dataclass
class Needed:
    """What a row rests on.

    Attributes:
        row: of Table 1 or 2.
        splits: whose cases are measured.
        arrays: the splits in which each array behind the row is needed.
        products: names of all of these arrays, and of networks and tables behind the row.
    """

    row: str
    splits: tuple[str, ...]
    arrays: dict[str, set[str]] = field(default_factory=dict)
    products: set[str] = field(default_factory=set)

    @property
    def array(self) -> str:
        """The array that the row measures."""
        return MEASURED[self.row]

    @property
    def comes_last(self) -> bool:
        """Whether no step of the method makes the row's array of the measured cases."""
        made_by, array = graph.MADE_BY[self.array], ARRAYS[self.array]
        predicted = bool(array.network) and array.inputs == (IMAGE,)
        return predicted or made_by not in STAGES


def needed(row: str, splits: tuple[str, ...], settings: Iterable[Settings]) -> Needed:
    """What a row rests on at any of these settings, which say whether trainings read the valid split."""
    found, every = Needed(row, splits), list(settings)
    if found.comes_last:
        declared = ARRAYS[found.array]
        _visit_all(found, (*declared.inputs, *filter(None, [declared.network])), set(splits), every)
    else:
        _visit(found, found.array, set(splits), every)
    return found


def _visit(found: Needed, name: str, splits: set[str], settings: list[Settings]) -> None:
    product = PRODUCTS[name]
    if isinstance(product, Array):
        if splits <= found.arrays.get(name, set()):
            return
        found.arrays.setdefault(name, set()).update(splits)
    elif name in found.products:
        return
    found.products.add(name)
    if not isinstance(product, Array):
        splits = {"train"}
    if isinstance(product, Network) and product.select_setting:
        splits = {split for one in settings for split in recipes.splits_of(one, name)}
    _visit_all(found, graph.needs(name), splits, settings)


def _visit_all(found: Needed, names: Iterable[str], splits: set[str], settings: list[Settings]) -> None:
    for name in names:
        _visit(found, name, splits, settings)


def bring_up(project: Project, wanted: Needed, products: Collection[str], control: Control) -> list[Report]:
    """Make those of the needed products that are named and not fresh in a project or variant.

    A step of which only the first products are named ends with them.
    """
    reports: list[Report] = []
    for step in STAGES:
        mine = [p.name for p in graph.made_in(step) if p.name in wanted.products and p.name in products]
        if mine:
            splits = {split for name in mine for split in wanted.arrays.get(name, ())}
            reports.append(run_stage(step, project, control, tuple(sorted(splits)), mine[-1]))
    rivals = {graph.MADE_BY[name] for name in wanted.products.intersection(products)}
    for command in sorted(name for name in rivals if name.startswith(BASELINE)):
        method = command.removeprefix(BASELINE)
        reports.append(run_baseline(method, project, control, wanted.splits))
    return reports


def finish(project: Project, wanted: Needed, control: Control) -> Report | None:
    """Make the row's array where no step does: predictions, rows of the ablation, and rivals."""
    command = graph.MADE_BY[wanted.array]
    if not wanted.comes_last:
        return None
    if command.startswith(BASELINE):
        return run_baseline(command.removeprefix(BASELINE), project, control, wanted.splits)
    with journal.entry(project, EVALUATE, control) as note:
        report = _last(project, wanted, control)
        note.worked, note.made = bool(report.done or report.failed), [*report.done, *report.fresh]
    return report


def _last(project: Project, wanted: Needed, control: Control) -> Report:
    network = ARRAYS[wanted.array].network
    if not network:
        return prompt_from_cam(project, wanted.array, control, wanted.splits)
    reason = ""
    if NETWORKS[network].command == ABLATION:
        train = require(project, ROUND1)
        reason = train_round2(project, network, train, control)
    if reason and control.dry_run:
        return Report(EVALUATE, planned={network: reason})
    report = predict_cases(project, network, wanted.array, EVALUATE, wanted.splits, control)
    report.done += [network] if reason else []
    return report


def lacking(project: Project, wanted: Needed, products: Collection[str]) -> dict[str, dict[str, str]]:
    """Why those of the needed products that are named have to be made: by product and case; nothing is.

    A network's reason stands under an empty name.
    """
    splits = {case.info.name: case.info.split for case in project.cases()}
    found: dict[str, dict[str, str]] = {}
    for item in (item for status in survey(project) for item in status.items):
        chosen = item.product in products and item.product in wanted.products and item.state != "fresh"
        in_split = not item.case or splits[item.case] in wanted.arrays.get(item.product, ())
        if chosen and in_split:
            found.setdefault(item.product, {})[item.case] = item.why
    return found


def lacking_last(
    project: Project, wanted: Needed, before: Sequence[str], control: Control
) -> dict[str, dict[str, str]]:
    """The same of what `finish` makes; ``before`` is made first."""
    if not wanted.comes_last:
        return {}
    if before:
        return {wanted.array: {"": f"{before[0]} is made first"}}
    report = finish(project, wanted, control)
    return {wanted.array: report.planned} if report and report.planned else {}
