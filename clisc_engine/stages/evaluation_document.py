"""The document of an evaluation as the store keeps it; read here without a voxel or a heavy import."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from clisc_engine.products.declared import ROWS
from clisc_engine.store import Store

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
    dsc: float
    hd95: float
    empty: bool


class _Summary(BaseModel):
    """One row of a table."""

    model_config = ConfigDict(extra="allow")
    name: _Row
    dsc_mean: float
    dsc_std: float
    hd95_mean: float
    hd95_std: float
    n: int
    empty: int


class _Document(BaseModel):
    model_config = ConfigDict(extra="allow")
    weights: str
    note: str
    rows: list[_Summary]
    groups: list[_Summary]
    cases: list[_Measured]
    failed: dict[str, str]
    fingerprint: str


def load(store: Store) -> dict[str, Any] | None:
    """The stored document; None before the first evaluation, or when it is no longer whole.

    Raises:
        Unreadable: when it is there and cannot be read now.
    """
    found = store.attributes(GROUP_IN_STORE).get("evaluation")
    try:
        _Document.model_validate(found)
    except ValidationError:
        return None
    return dict(found) if isinstance(found, dict) else None
