"""What `init` records of a case, kept with its group in the store and checked when it is read."""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from clisc_engine.files.case_names import is_case_name
from clisc_engine.products.kinds import IMAGE

if TYPE_CHECKING:
    from clisc_engine.project.store import Store

SPLITS = ("train", "valid", "test")
RECORD = "case"
"""The attribute of a case's group that holds its record."""

_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Count = Annotated[int, Field(gt=0)]
_Code = Annotated[int, Field(ge=-(2**15), lt=2**15)]


@dataclass(frozen=True)
class CaseInfo:
    """What `init` recorded of a case.

    Attributes:
        name: the case's name, unique in the project.
        split: train, valid or test.
        spacing: (z, y, x) in mm of the stored image.
        placement: the way back to the input's own grid (`imaging.placement.Placement`).
        source: the image file that was given.
        sha256: hash of its content.
        has_reference: whether a reference mask was given.
        reference_source: the mask file that was given, empty without one.
        reference_sha256: hash of its content.
        channel: which volume of a 4-D image file was taken, counted from 0.
        imported_as: the name under which it was imported, where it was renamed since; else empty.
    """

    name: str
    split: str
    spacing: tuple[_Positive, _Positive, _Positive]
    placement: dict[str, Any]
    source: str
    sha256: str
    has_reference: bool
    reference_source: str = ""
    reference_sha256: str = ""
    channel: int | None = None
    imported_as: str = ""

    @property
    def identity(self) -> str:
        """The name by which seeds and the provenance of networks know it; a new name does not change it."""
        return self.imported_as or self.name

    @classmethod
    def parse(cls, found: object) -> CaseInfo | None:
        """A case's record as the store holds it; None when it is not whole."""
        try:
            info = _case_adapter().validate_python(found)
            _place_adapter().validate_python(info.placement)
        except ValidationError:
            return None
        return info if is_case_name(info.name) and info.split in SPLITS else None


def recorded(store: Store, name: str) -> CaseInfo | None:
    """The record in the case's folder of this name; None when there is none, or one that is not whole.

    Raises:
        Unreadable: when it cannot be read now.
    """
    return CaseInfo.parse(store.attributes(f"cases/{name}").get(RECORD))


def replace_record(store: Store, name: str, info: CaseInfo) -> None:
    """Replace the record in a case's folder, the copy that its image keeps first; no voxel is touched."""
    record = {RECORD: asdict(info)}
    if store.seal(f"cases/{name}/{IMAGE}") is not None:
        store.change_attributes(f"cases/{name}/{IMAGE}", record)
    store.write_group(f"cases/{name}", record)


_NOTHING_ELSE = ConfigDict(extra="forbid")


@with_config(_NOTHING_ELSE)
class _Forms(TypedDict):
    """The plain values of an `imaging.forms.Forms`."""

    version: Literal[1, 2]
    units: Annotated[int, Field(ge=0, le=255)]
    pixdim: Annotated[list[_Finite], Field(min_length=4, max_length=4)]
    qform_code: _Code
    sform_code: _Code
    quatern: tuple[_Finite, _Finite, _Finite]
    qoffset: tuple[_Finite, _Finite, _Finite]
    srow: Annotated[list[_Finite], Field(min_length=12, max_length=12)]


class _Grid(TypedDict):
    """The plain values of an `imaging.geometry.Geometry`."""

    size: tuple[_Count, _Count, _Count]
    spacing: tuple[_Positive, _Positive, _Positive]
    origin: tuple[_Finite, _Finite, _Finite]
    direction: Annotated[list[_Finite], Field(min_length=9, max_length=9)]
    forms: NotRequired[_Forms | None]


@with_config(_NOTHING_ELSE)
class _Place(TypedDict):
    """The plain values of an `imaging.placement.Placement`."""

    source: _Grid
    grid: _Grid
    crop: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


def _crop_lies_in_the_grid(place: _Place) -> _Place:
    for (start, stop), size in zip(place["crop"], reversed(place["grid"]["size"]), strict=True):
        if not 0 <= start < stop <= size:
            raise ValueError("the crop does not lie in the grid")
    return place


@functools.cache
def _case_adapter() -> TypeAdapter[CaseInfo]:
    return TypeAdapter(CaseInfo)


@functools.cache
def _place_adapter() -> TypeAdapter[_Place]:
    return TypeAdapter(Annotated[_Place, AfterValidator(_crop_lies_in_the_grid)])
