"""A promotion of a variant as it is written down before it is carried out (`promotion`).

Who reads a project in which one was cut short is not to take what lies between two places for lost.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from clisc_engine.errors import BadInput, Home, Unreadable
from clisc_engine.files.reading import read_if_there
from clisc_engine.project.lock import VARIANTS

FILE = "variant-promotion.json"


class Promotion(BaseModel):
    """What is to be done.

    Attributes:
        name: the variant that is promoted.
        former: the variant that gets what the project had.
        discard: remove it in the end.
        changes: settings that become the project's, by dotted key.
        before: what they were.
        out: what moves out of the project first, as paths within it.
        into: what moves from the variant into the project then.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    former: str
    discard: bool = False
    changes: dict[str, Any]
    before: dict[str, Any]
    out: list[str]
    into: list[str]

    @property
    def unsettled(self) -> frozenset[str]:
        """The places, as paths within the project, that may lack what moves while it is under way."""
        moved = {*self.out, *self.into}
        folders = [f"{VARIANTS}/{name}" for name in (self.name, self.former)]
        return frozenset({*moved, *(f"{folder}/{path}" for folder in folders for path in moved)})

    def __str__(self) -> str:
        return (
            f"The promotion of the variant {self.name!r} was cut short; the next command that writes here "
            "completes it."
        )


def pending(root: Path) -> Promotion | None:
    """The promotion that was cut short in the project at ``root``; None when there is none.

    Raises:
        Unreadable: when it is there and cannot be read now.
        BadInput: when it is not whole.
    """
    text = read_if_there(root / FILE)
    if text is None:
        return None
    if (found := parse(text)) is None:
        raise BadInput(
            f"{root / FILE} does not say what was to be done; remove it, then look at "
            f"{Home(root).in_words('status')} and {Home(root).in_words('variant list')}."
        )
    return found


def parse(text: bytes) -> Promotion | None:
    """A promotion as it was written down; None when it is not whole."""
    try:
        return Promotion.model_validate_json(text)
    except ValidationError:
        return None


def told(root: Path) -> str:
    """What is to be said of the promotion that was cut short in the project at ``root``; empty without one.

    Raises:
        Unreadable: when it is there and cannot be read now.
    """
    try:
        return str(pending(root) or "")
    except Unreadable:
        raise
    except BadInput as error:
        return str(error)
