"""Answers of the commands that look at a project and at this machine."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict

from clisc_engine.core.trust import Calibration, Expected
from clisc_engine.project.case_record import CaseInfo
from clisc_engine.upkeep.at_work import Work
from clisc_engine.upkeep.case_list import Listed
from clisc_engine.upkeep.doctor import Check
from clisc_engine.upkeep.findings import Finding


class Stage(TypedDict):
    """How far a step is.

    Attributes:
        stage: its name.
        state: running while a process is at work on it; impossible without what it needs, e.g. references.
        done: cases up to date in all that the step makes; a network alone counts as one.
        total: of so many.
        unit: what is counted.
        why: the first reason why it is not up to date; empty when it is.
        note: what else is to say.
        time: when its newest product was made, UTC; empty when there is none.
        seconds: how long all of them took.
        device: that it ran on last; empty when it is not known.
    """

    stage: str
    state: Literal["fresh", "stale", "partly", "missing", "impossible", "running"]
    done: int
    total: int
    unit: Literal["case", "network", "table"]
    why: str
    note: str
    time: str
    seconds: float
    device: str


class LookedAtFirst(TypedDict):
    """How far SAM and the final network agree on a case, in [0, 1], and the DSC in percent to expect."""

    case: str
    agreement: float
    dsc: float | None


class ProjectStatus(TypedDict):
    """How far a project is.

    Attributes:
        project: its folder.
        variant: of it; empty for the project itself.
        weights: tiny or paper.
        cases: how many there are.
        lost_cases: why cases are left out, by name.
        change_of_cases: what is to be said of one that was cut short; empty without.
        promotion: likewise, of a variant.
        stages: each step, in order.
        look_first: the masks that may be trusted least, as `clisc trust` told; empty before it.
        running: the command at work on it; null when none is.
        next: the command to run next; empty when all is up to date.
        disk: bytes by folder.
        cleanable: bytes that no result needs, by kind.
    """

    project: str
    variant: str
    weights: str
    cases: int
    lost_cases: dict[str, str]
    change_of_cases: str
    promotion: str
    stages: list[Stage]
    look_first: list[LookedAtFirst]
    running: Work | None
    next: str
    disk: dict[str, int]
    cleanable: dict[str, int]


class TrustedCase(TypedDict):
    """How far a case's final mask may be trusted.

    Attributes:
        case: its name.
        split: train, valid or test.
        made_from: fingerprint of what this was told from.
        agreement: of SAM's pseudo-label and the final mask, in [0, 1].
        ml: volume of the final mask.
        expected: the DSC in percent; null where the settings have no calibration.
    """

    case: str
    split: str
    made_from: str
    agreement: float
    ml: float
    expected: Expected | None


class Trust(TypedDict):
    """Which masks may be trusted least.

    Attributes:
        stage: trust.
        done: cases that were told now.
        fresh: cases that were told before.
        failed: why others could not be told, by case.
        planned: of a dry run, why each case would be told.
        seconds: how long it took.
        cases: the least trusted first.
        calibration: by which the expected DSC follows from the agreement; null for other settings.
    """

    stage: str
    done: list[str]
    fresh: list[str]
    failed: dict[str, str]
    planned: dict[str, str]
    seconds: float
    cases: list[TrustedCase]
    calibration: Calibration | None


class SealedArray(TypedDict):
    """An array of a case, and what made it.

    Attributes:
        stage: the step.
        fingerprint: of all that determined it.
        made_from: settings by key, fingerprints of inputs and digests of weights by name.
        time: when, UTC.
        version: of clisc.
        seconds: how long it took.
        state: fresh, or stale when it would come out otherwise now.
        why: the reason.
    """

    stage: str
    fingerprint: str
    made_from: dict[str, Any]
    time: str
    version: str
    seconds: float
    state: Literal["fresh", "stale"]
    why: str


class CaseStatus(TypedDict):
    """One case: its record, its arrays by name, and why others are missing."""

    case: CaseInfo
    arrays: dict[str, SealedArray]
    missing: dict[str, str]


class Cases(TypedDict):
    """All cases, the lost ones too."""

    cases: list[Listed]


class Picture(TypedDict):
    """A picture that was drawn, and the slices in it, counted from 0 in the stored volume."""

    file: str
    slices: list[int]


class Commands(TypedDict):
    """Lines for a shell that make something again."""

    commands: list[str]


class Verification(TypedDict):
    """What was read back.

    Attributes:
        project: its folder.
        clean: whether nothing is damaged, missing or unreadable.
        arrays: how many were read.
        checkpoints: how many were read.
        findings: what is not as it should be.
        seconds: how long it took.
    """

    project: str
    clean: bool
    arrays: int
    checkpoints: int
    findings: list[Finding]
    seconds: float


class Cleaned(TypedDict):
    """Bytes that may go by kind, those that were won, and whether nothing was removed."""

    bytes: dict[str, int]
    removed: int
    dry_run: bool


class Checks(TypedDict):
    """How fit this machine is."""

    checks: list[Check]
