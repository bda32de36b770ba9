"""What every table of clisc.toml shares, and the kinds of its values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Percent = Annotated[float, Field(ge=0.0, le=100.0)]
Text = Annotated[str, Field(min_length=1)]


class Section(BaseModel):
    """A table of clisc.toml; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_number_is_true(cls, value: Any, info: ValidationInfo) -> Any:
        """Pydantic would take true for 1 and false for 0."""
        if any(isinstance(one, bool) for one in _values(value)):
            kinds = set(_kinds(cls.model_fields[info.field_name or ""].annotation))
            if {int, float} & kinds:
                raise PydanticCustomError("number", "input should be a number, not true or false")
        return value


def _kinds(annotation: Any) -> Iterator[Any]:
    """A field's type, or those that it is made of."""
    yield annotation
    for part in get_args(annotation):
        yield from _kinds(part)


def _values(value: Any) -> Iterator[Any]:
    """A value, or those in a list."""
    if isinstance(value, list | tuple):
        for one in value:
            yield from _values(one)
    else:
        yield value
