"""Answers of the commands that import, run steps and take results away."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from clisc_cli.answers.measuring import Evaluation
from clisc_engine.importing.preview import Planned
from clisc_engine.running.runner import Report
from clisc_engine.upkeep.forecast import Forecast

Split = Literal["train", "valid", "test"]


class LeftOutFile(TypedDict):
    """A file that lies among the images and is not taken, and why."""

    path: str
    reason: str


class Imported(TypedDict):
    """What an import did, or would do.

    Attributes:
        project: its folder.
        weights: tiny or paper.
        splits: all its cases, by name.
        skipped: why cases were left out, by name.
        notes: what is to be said of each case's files, sentences by name.
        remarks: further sentences.
        warnings: those that nobody should miss.
        left_out: files that are not taken.
        added: cases that were added to a project that was there.
        references: cases that got a reference mask later.
        moved: cases whose files were found elsewhere, with the same content.
        fresh: cases that were there before; all of them when there was nothing to do.
        cases: of a dry run, what names and headers say of each case.
        disk: bytes that the project takes once all steps are done; not of a call that changes nothing.
    """

    project: str
    weights: Literal["tiny", "paper"]
    splits: dict[str, Split]
    skipped: dict[str, str]
    notes: dict[str, list[str]]
    remarks: list[str]
    warnings: list[str]
    left_out: list[LeftOutFile]
    added: list[str]
    references: list[str]
    moved: list[str]
    fresh: list[str]
    cases: NotRequired[list[Planned]]
    disk: NotRequired[Forecast]


class Run(TypedDict):
    """What each step did, in order, and Table 2, null without references."""

    stages: list[Report]
    evaluation: Evaluation | None


class PlannedStage(TypedDict):
    """A step before it runs.

    Attributes:
        stage: its name.
        state: fresh, stale, partly, missing or impossible.
        planned: why it would be made, by case or network.
    """

    stage: str
    state: Literal["fresh", "stale", "partly", "missing", "impossible", "running"]
    planned: dict[str, str]


class RunPlan(TypedDict):
    """What a run would do, and the bytes that the project takes once all is done; null for a variant."""

    stages: list[PlannedStage]
    disk: Forecast | None


class DemoPlan(TypedDict):
    """What a demo would do: its folder, how many phantoms, and the steps."""

    folder: str
    phantoms: int
    steps: list[str]


class Baselines(TypedDict):
    """What each method of Table 1 did, and why others failed, by name."""

    baselines: list[Report]
    failed: dict[str, str]


class PredictedVolume(TypedDict):
    """A volume that was segmented.

    Attributes:
        image: its file.
        mask: the mask's file name in the folder.
        volume_ml: of the mask.
        made_from: digests of the network and of the image, and the channel of a 4-D one.
    """

    image: str
    mask: str
    volume_ml: float
    made_from: dict[str, str]


class PredictedFolder(TypedDict):
    """What was segmented into a folder.

    Attributes:
        stage: predict.
        done: volumes segmented by this call, by case name.
        fresh: volumes whose masks were there already.
        failed: why others could not be, by case name or path.
        planned: empty.
        seconds: how long it took.
        out: the folder.
        remarks: sentences on images that were not taken.
        cases: every volume that has its mask, by case name.
    """

    stage: str
    done: list[str]
    fresh: list[str]
    failed: dict[str, str]
    planned: dict[str, str]
    seconds: float
    out: str
    remarks: list[str]
    cases: dict[str, PredictedVolume]


class PredictedFile(TypedDict):
    """One volume that was segmented into a file of its own."""

    image: str
    mask: str
    volume_ml: float


class ExportedNnunet(TypedDict):
    """An nnU-Net data set.

    Attributes:
        folder: of it.
        cases: those written.
        dropped: those that S3F dropped.
        planned: of a dry run, why each would be written, by case.
    """

    folder: str
    cases: list[str]
    dropped: list[str]
    planned: NotRequired[dict[str, str]]


class ExportedTables(TypedDict):
    """The tables that were written."""

    files: list[str]


class ExportedModel(TypedDict):
    """A network as a file; the fingerprint stands for all that determined it."""

    file: str
    network: str
    fingerprint: str


class ExportedBundle(TypedDict):
    """A network as a folder; the fingerprint stands for all that determined it."""

    folder: str
    network: str
    fingerprint: str


class Changed(TypedDict):
    """What was asked of cases and was not so already."""

    remove: NotRequired[list[str]]
    rename: NotRequired[dict[str, str]]
    move: NotRequired[dict[str, Split]]


class CasesChanged(TypedDict):
    """What a change of cases did, or would do.

    Attributes:
        changed: the change.
        dry_run: whether nothing was changed.
        stale: by step, what would come out otherwise now: networks, or of how many cases which arrays.
        lost: by case, the arrays that are gone with it.
        bytes: that were won.
        seconds: that the lost arrays had taken.
    """

    changed: Changed
    dry_run: bool
    stale: dict[str, list[str]]
    lost: dict[str, list[str]]
    bytes: int
    seconds: float
