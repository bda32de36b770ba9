"""Answers of `clisc sweep`. DSC in percent, HD95 in mm, SD of the population."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from clisc_cli.answers.measuring import Compared, Summary
from clisc_engine.sweeps.overview import Line


class SweptSeed(Summary):
    """A value of a sweep with one seed."""

    seed: int
    fingerprint: str
    cases: list[Compared]
    failed: dict[str, str]


class SweptPoint(Summary):
    """A value of a sweep over all its seeds: its settings, and the SD of the seeds' means."""

    values: dict[str, Any]
    seeds: list[SweptSeed]
    dsc_std_of_seeds: float | None


class SweepResult(TypedDict):
    """The table of a sweep.

    Attributes:
        sweep: its name.
        keys: the settings that it changes.
        row: of the tables that it measures.
        splits: whose cases.
        seeds: those of each value.
        weights: tiny or paper.
        settings: what else the figures rest on, by key.
        here: the values by which the project itself is set.
        points: one for each value.
    """

    sweep: str
    keys: list[str]
    row: str
    splits: list[str]
    seeds: list[int]
    weights: str
    settings: dict[str, Any]
    here: list[Any]
    points: list[SweptPoint]


class Swept(TypedDict):
    """What a sweep did, or would do.

    Attributes:
        sweep: its name.
        result: its table; null when some values are not measured yet.
        made: cases and networks made, by project or variant and step; of a dry run the reasons by case, by
            product.
        measured: values that were measured.
        shared: by variant, the products that it takes from what it lies over.
        failed: why cases failed, by value.
        waiting: values that are not measured yet.
        dry_run: whether nothing was done.
    """

    sweep: str
    result: SweepResult | None
    made: dict[str, dict[str, list[str] | dict[str, str]]]
    measured: list[str]
    shared: dict[str, list[str]]
    failed: dict[str, dict[str, str]]
    waiting: list[str]
    dry_run: bool


class SweepRemoved(TypedDict):
    """A sweep that was removed, or would be, with its variants."""

    sweep: str
    variants: list[str]
    dry_run: bool


class Sweeps(TypedDict):
    """The sweeps of a project."""

    sweeps: list[Line]
