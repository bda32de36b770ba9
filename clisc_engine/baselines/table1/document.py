"""The document of Table 1 as the store keeps it; read here without a voxel or a heavy import."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from clisc_engine.project.store import Store
from clisc_engine.stages.evaluation.document import stored

GROUP_IN_STORE = "metrics/table1"


class _Measured(BaseModel):
    """One case in one row."""

    model_config = ConfigDict(extra="allow")
    case: str
    name: str
    group: str
    dsc: float | None
    hd95: float | None
    empty: bool
    volume_ml: float
    predicted_ml: float


class _Test(BaseModel):
    """A row against CLISC in one metric."""

    model_config = ConfigDict(extra="allow")
    n: int
    difference: float | None
    p: float | None
    p_holm: float | None
    significant: bool


class _Row(BaseModel):
    """One row."""

    model_config = ConfigDict(extra="allow")
    name: str
    title: str
    array: str
    label_free: bool
    threshold: float | None
    dsc_mean: float | None
    dsc_std: float | None
    hd95_mean: float | None
    hd95_std: float | None
    n: int
    empty: int
    against_full: dict[str, _Test] | None
    paper: dict[str, Any] | None


class _Group(BaseModel):
    """One row in one group of tumour size."""

    model_config = ConfigDict(extra="allow")
    name: str
    group: str
    dsc_mean: float
    dsc_std: float


class _FalsePositives(BaseModel):
    """One row on the cases without tumour."""

    model_config = ConfigDict(extra="allow")
    name: str
    n: int
    false_positives: int
    volume_ml_mean: float | None


class _WithoutTumour(BaseModel):
    cases: list[str]
    rows: list[_FalsePositives]


class _Lacking(BaseModel):
    """A row that is not there."""

    model_config = ConfigDict(extra="allow")
    name: str
    title: str
    having: int
    cases: int
    command: str


class _Document(BaseModel):
    model_config = ConfigDict(extra="allow")
    weights: str
    note: str
    paper_title: str
    splits: list[str]
    rows: list[_Row]
    groups: list[_Group]
    without_tumour: _WithoutTumour
    cases: list[_Measured]
    lacking: list[_Lacking]
    failed: dict[str, str]
    notes: list[str]
    revision: int
    fingerprint: str


def load(store: Store) -> dict[str, Any] | None:
    """The stored document; None before the first one, or when it is no longer whole.

    Raises:
        Unreadable: when it is there and cannot be read now.
    """
    return stored(store, GROUP_IN_STORE, "table1", _Document)
