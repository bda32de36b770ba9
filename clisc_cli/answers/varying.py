"""Answers of the commands that change settings beside a project, and compare what came out."""

from __future__ import annotations

from typing import Any, NotRequired

from typing_extensions import TypedDict

from clisc_cli.answers.measuring import Millilitres, Millimetres, Percent, State, Summary
from clisc_engine.upkeep.variant_list import Listed as ListedVariant


class VariantMade(TypedDict):
    """A variant that was made, or would be.

    Attributes:
        variant: its name.
        changes: the settings that it changes, by dotted key.
        over: the variant that it lies over; empty for the project.
        dry_run: whether nothing was written.
        anew: by step, what is fresh below and has to be made anew.
        shared: by step, how many products are fresh and shared.
        lacking: steps that are not done below either.
    """

    variant: str
    changes: dict[str, Any]
    over: str
    dry_run: bool
    anew: dict[str, list[str]]
    shared: dict[str, int]
    lacking: list[str]


class Variants(TypedDict):
    """All variants of a project."""

    variants: list[ListedVariant]


class VariantRemoved(TypedDict):
    """A variant that was removed, or would be, and its bytes on disk."""

    variant: str
    bytes: int
    dry_run: bool


class VariantPromoted(TypedDict):
    """A variant that became the project, or would.

    Attributes:
        variant: its name.
        changes: settings that are the project's now.
        before: what they were.
        moved: what came into the project, as paths within it.
        replaced: what the project had there.
        replaced_bytes: of that.
        kept_as: the variant that keeps it; empty when it was discarded.
        follow: variants that lie over the project, and so over its new settings.
        dry_run: whether nothing was changed.
    """

    variant: str
    changes: dict[str, Any]
    before: dict[str, Any]
    moved: list[str]
    replaced: list[str]
    replaced_bytes: int
    kept_as: str
    follow: list[str]
    dry_run: bool


class ThenAndNow(TypedDict):
    """A setting's value at an evaluation, and today's."""

    then: Any
    now: Any


class PastEvaluation(TypedDict):
    """An evaluation that was made.

    Attributes:
        fingerprint: by which `compare` knows it.
        time: when, UTC; empty where an old version measured.
        version: of clisc.
        weights: tiny or paper.
        current: whether it is the one that `evaluate` shows.
        splits: whose cases were measured.
        cases: how many.
        settings: those that differ from today's; null where they are not known.
        rows: its table.
    """

    fingerprint: str
    time: str
    version: str
    weights: str
    current: bool
    splits: list[str]
    cases: int
    settings: dict[str, ThenAndNow] | None
    rows: list[Summary]


class History(TypedDict):
    """The evaluations of a project, the newest first."""

    evaluations: list[PastEvaluation]


class SideOfComparison(TypedDict):
    """What is compared.

    Attributes:
        label: for people.
        project: its folder.
        variant: of it; empty for the project itself.
        fingerprint: of the evaluation.
        time: when it was measured.
        weights: tiny or paper.
        splits: whose cases were measured.
        earlier: whether a newer evaluation has taken its place.
        outdated: why it would come out otherwise now; empty when it would not.
    """

    label: str
    project: str
    variant: str
    fingerprint: str
    time: str
    weights: str
    splits: list[str]
    earlier: bool
    outdated: str


class TwoValues(TypedDict):
    """A setting on both sides."""

    a: Any
    b: Any


class ComparedCases(TypedDict):
    """The cases that both measured, those of one side alone, and those whose references differ."""

    both: list[str]
    only_a: list[str]
    only_b: list[str]
    other_reference: list[str]


class PairedTest(TypedDict):
    """A row's means over the same n cases, their difference b - a, and Wilcoxon's signed-rank test."""

    a: float | None
    b: float | None
    n: int
    difference: float | None
    p: float | None
    p_holm: float | None
    significant: bool


class RowState(TypedDict):
    """Whether a row is fresh or stale on a side, and why; empty where an old version measured."""

    state: State | str
    why: str


class ComparedRow(TypedDict):
    """A row on both sides; ``same`` when both measured the very same masks, which is no comparison."""

    name: str
    same: bool
    dsc: PairedTest
    hd95: PairedTest
    a: RowState
    b: RowState


class LackingRows(TypedDict):
    """Rows that a side lacks and the other has."""

    a: list[str]
    b: list[str]


class Pair(TypedDict):
    """A case in a row on both sides; differences are b - a."""

    row: str
    case: str
    dsc_a: Percent | None
    dsc_b: Percent | None
    dsc_difference: float | None
    hd95_a: Millimetres | None
    hd95_b: Millimetres | None
    hd95_difference: float | None
    predicted_ml_a: NotRequired[Millilitres | None]
    predicted_ml_b: NotRequired[Millilitres | None]


class OutdatedTables(TypedDict):
    """Why each side's Table 1 would come out otherwise now; empty when it would not."""

    a: str
    b: str


class ComparedRivals(TypedDict):
    """Table 1 of both sides.

    Attributes:
        cases: that were compared, and that were not.
        rows: that both have.
        lacking: rows of one side alone.
        pairs: each case in each row.
        titles: of all rows, by name.
        outdated: why each side's table would come out otherwise now; empty when it would not.
    """

    cases: ComparedCases
    rows: list[ComparedRow]
    lacking: LackingRows
    pairs: list[Pair]
    titles: dict[str, str]
    outdated: OutdatedTables


class Comparison(TypedDict):
    """Two evaluations side by side.

    Attributes:
        sides: a and b.
        settings: those that differ, by dotted key; null where they are not known.
        cases: that were compared, and that were not.
        rows: that both have.
        lacking: rows of one side alone.
        pairs: each case in each row.
        table1: the same of Table 1; null unless both sides have it.
        notes: sentences.
        files: that were written.
    """

    sides: list[SideOfComparison]
    settings: dict[str, TwoValues] | None
    cases: ComparedCases
    rows: list[ComparedRow]
    lacking: LackingRows
    pairs: list[Pair]
    table1: ComparedRivals | None
    notes: list[str]
    files: list[str]
