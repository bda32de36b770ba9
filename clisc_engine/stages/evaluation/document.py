"""The document of an evaluation as the store keeps it; read here without a voxel or a heavy import."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from clisc_engine.errors import BadInput, Unreadable
from clisc_engine.products.declared import ROWS
from clisc_engine.project.store import Store
from clisc_engine.stages.evaluation.told import lacking_rows

GROUP_IN_STORE = "metrics/evaluation"


def _known(row: str) -> str:
    if row not in ROWS:
        raise ValueError(f"not one of {', '.join(ROWS)}")
    return row


_Row = Annotated[str, AfterValidator(_known)]


class _Measured(BaseModel):
    """One case in one row."""

    model_config = ConfigDict(extra="allow")
    case: str
    name: _Row
    group: str
    dsc: float | None
    hd95: float | None
    empty: bool


class _Summary(BaseModel):
    """One row of a table."""

    model_config = ConfigDict(extra="allow")
    name: _Row
    dsc_mean: float | None
    dsc_std: float | None
    hd95_mean: float | None
    hd95_std: float | None
    n: int
    empty: int


class _FalsePositives(BaseModel):
    """One row on the cases without tumour."""

    model_config = ConfigDict(extra="allow")
    name: _Row
    n: int
    false_positives: int
    volume_ml_mean: float | None
    volume_ml: dict[str, float]


class _WithoutTumour(BaseModel):
    cases: list[str] = []
    rows: list[_FalsePositives] = []


class _Document(BaseModel):
    model_config = ConfigDict(extra="allow")
    weights: str
    note: str
    rows: list[_Summary]
    groups: list[_Summary]
    without_tumour: _WithoutTumour = _WithoutTumour()
    cases: list[_Measured]
    failed: dict[str, str]
    notes: list[str] = []
    revision: int = 1
    fingerprint: str


def load(store: Store) -> dict[str, Any] | None:
    """The stored document; None before the first evaluation, or when it is no longer whole.

    One of version 0.1.0, which told no case without tumour from the others, gets the parts it lacks.

    Raises:
        Unreadable: when it is there and cannot be read now.
    """
    return completed(stored(store, GROUP_IN_STORE, "evaluation", _Document))


def whole(found: object) -> dict[str, Any] | None:
    """A document that was kept elsewhere; None when it is none."""
    try:
        _Document.model_validate(found)
    except ValidationError:
        return None
    return completed(found) if isinstance(found, dict) else None


def completed(found: dict[str, Any] | None) -> dict[str, Any] | None:
    """The document with the parts that one of version 0.1.0 lacks."""
    lacking = {
        "without_tumour": {"cases": [], "rows": []},
        "notes": [],
        "revision": 1,
        "time": "",
        "stale": {"rows": [], "renew": []},
        "leaks": {},
        "splits": [],
        "chosen": [],
        "seen": False,
    }
    if found is None:
        return None
    return {**lacking, "lacking": lacking_rows(found["rows"]), **found}


def stored(store: Store, group: str, key: str, form: type[BaseModel]) -> dict[str, Any] | None:
    """A document among a group's attributes as it is kept; None when there is none of this form.

    A variant has its own or none: what was measured of its project tells of other masks.

    Raises:
        Unreadable: when it is there and cannot be read now.
    """
    try:
        found = store.own_attributes(group).get(key)
    except Unreadable:
        raise
    except BadInput:
        return None
    try:
        form.model_validate(found)
    except ValidationError:
        return None
    return found if isinstance(found, dict) else None
