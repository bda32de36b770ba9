"""Answers that hold figures: Table 2, Table 1, sweeps. DSC in percent, HD95 in mm, SD of the population."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from clisc_engine.baselines.table1.rows import Lacking

State = Literal["fresh", "stale"]
Percent = Annotated[float, Field(ge=0, le=100, description="percent")]
Millimetres = Annotated[float, Field(ge=0, description="mm")]
Millilitres = Annotated[float, Field(ge=0, description="ml")]


class Summary(TypedDict):
    """Means over cases with a tumour; null without any.

    Attributes:
        name: of the row.
        dsc_mean: percent.
        dsc_std: percent, of the population.
        hd95_mean: mm.
        hd95_std: mm, of the population.
        n: cases with a tumour.
        empty: cases in which the row marks nothing.
    """

    name: str
    dsc_mean: Percent | None
    dsc_std: Percent | None
    hd95_mean: Millimetres | None
    hd95_std: Millimetres | None
    n: int
    empty: int


class MarkedSummary(Summary):
    """A row of Table 2; stale, and why, when today's settings would make other masks.

    Attributes:
        paper_row: the row as the paper calls it.
    """

    paper_row: NotRequired[str]
    state: State
    why: str
    fingerprint: str


class Group(Summary):
    """A row in a group of tumour size: Tiny, Small, Medium, Large or Huge, fifths of the volumes."""

    group: str


class MarkedGroup(Group):
    """The same in Table 2."""

    state: State
    why: str


class Compared(TypedDict):
    """A row on one case.

    Attributes:
        case: its name.
        name: of the row.
        dsc: percent; null where the reference is empty.
        hd95: mm; likewise.
        empty: whether the row marks nothing.
        volume_ml: of the reference.
        predicted_ml: of the mask.
    """

    case: str
    name: str
    dsc: Percent | None
    hd95: Millimetres | None
    empty: bool
    volume_ml: Millilitres
    predicted_ml: Millilitres


class Measured(Compared):
    """The same in a table with groups of tumour size, or "no tumour"."""

    group: str


class FingerprintedMeasured(Measured):
    """The same in Table 1, with the fingerprint of the mask."""

    fingerprint: NotRequired[str]


class MarkedMeasured(Measured):
    """The same in Table 2, with the split of the case."""

    split: str
    state: State
    why: str
    fingerprint: str


class FalsePositives(TypedDict):
    """A row on the cases without tumour: in how many of n it marks something, and how many ml, by case."""

    name: str
    n: int
    false_positives: int
    volume_ml_mean: Millilitres | None
    volume_ml: dict[str, Millilitres]


class WithoutTumour(TypedDict):
    """Cases whose reference is empty; they are in no mean."""

    cases: list[str]
    rows: list[FalsePositives]


class Stale(TypedDict):
    """The rows that are stale, and the commands that make them anew."""

    rows: list[str]
    renew: list[str]


class NotMade(TypedDict):
    """A row of Table 2 that is not there, the paper's name for it, and the command that makes it."""

    name: str
    paper_row: str
    command: str


class Evaluation(TypedDict):
    """Table 2 of a project.

    Attributes:
        revision: of the way of measuring.
        time: when it was measured, UTC; empty where an old version measured.
        version: of clisc that measured.
        weights: tiny or paper.
        note: what must be said beside the figures; empty when nothing must.
        rows: of the table.
        groups: the rows by tumour size.
        without_tumour: the cases without one.
        cases: each row on each case.
        failed: why cases could not be measured, by name.
        seconds: how long it took.
        notes: sentences.
        splits: whose cases were measured.
        chosen: cases named by the call; empty for all.
        seen: whether cases that were learnt from were measured, too.
        leaks: networks that learnt from a test case, by case.
        fingerprint: of all that determined the table.
        stale: its rows of other settings than today's.
        lacking: rows that are not there, with the command for them.
        map_threshold: where maps were cut to be measured: otsu, or a value in [0, 1].
        units: what the parts of the keys mean.
    """

    revision: int
    time: str
    version: NotRequired[str]
    weights: str
    note: str
    rows: list[MarkedSummary]
    groups: list[MarkedGroup]
    without_tumour: WithoutTumour
    cases: list[MarkedMeasured]
    failed: dict[str, str]
    seconds: float
    notes: list[str]
    splits: list[str]
    chosen: list[str]
    seen: bool
    leaks: dict[str, list[str]]
    fingerprint: str
    stale: Stale
    lacking: list[NotMade]
    map_threshold: NotRequired[str | float]
    units: NotRequired[dict[str, str]]


class EvaluationPlan(TypedDict):
    """What `evaluate` would do.

    Attributes:
        stage: evaluate, or evaluate --table1.
        cases: to be measured.
        rows: to be measured.
        first: what would be made first: the reason by case, by array or network.
        planned: why it would be measured; empty when the table is up to date.
        lacking: of Table 1, rows that are not there.
    """

    stage: str
    cases: list[str]
    rows: list[str]
    first: dict[str, dict[str, str]]
    planned: str
    lacking: NotRequired[list[Lacking]]


class Test(TypedDict):
    """A row against CLISC: Wilcoxon signed-rank over the cases of both, Holm-corrected over the rows."""

    n: int
    difference: float | None
    p: float | None
    p_holm: float | None
    significant: bool


class Tests(TypedDict):
    """By metric."""

    dsc: Test
    hd95: Test


class PaperGroup(TypedDict):
    """The paper's figure for a group of tumour size."""

    dsc_mean: float
    dsc_std: float


class Paper(TypedDict):
    """The paper's name and figures for a row."""

    row: NotRequired[str]
    dsc_mean: float
    dsc_std: float
    hd95_mean: float
    hd95_std: float
    groups: dict[str, PaperGroup]


class Table1Row(Summary):
    """A row of Table 1.

    Attributes:
        title: for people.
        array: that it measures.
        label_free: whether no reference went into it here; of one's own rows no more is known.
        threshold: of a map, where references chose it.
        against_full: its test; null for CLISC itself, and without it.
        paper: what the paper has; null where it has none.
    """

    title: str
    array: str
    label_free: bool
    threshold: float | None
    against_full: Tests | None
    paper: Paper | None


class Table1(TypedDict):
    """Table 1 of a project.

    Attributes:
        revision: of the way of measuring.
        weights: tiny or paper.
        note: what must be said beside the figures; empty when nothing must.
        paper_title: heading of the paper's figures.
        thresholds: those that references chose, by row.
        rows: of the table.
        groups: the rows by tumour size.
        without_tumour: the cases without one.
        cases: each row on each case.
        failed: why cases could not be measured, by name.
        seconds: how long it took.
        splits: whose cases were measured.
        lacking: rows that are not there, with the command for them.
        notes: sentences.
        fingerprint: of all that determined the table.
    """

    revision: int
    weights: str
    note: str
    paper_title: str
    thresholds: dict[str, float]
    rows: list[Table1Row]
    groups: list[Group]
    without_tumour: WithoutTumour
    cases: list[FingerprintedMeasured]
    failed: dict[str, str]
    seconds: float
    splits: list[str]
    lacking: list[Lacking]
    notes: list[str]
    fingerprint: str
