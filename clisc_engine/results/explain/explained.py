"""What `clisc explain` answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from clisc_engine.products import graph
from clisc_engine.project.project import Project
from clisc_engine.results.model_file import TINY_CAUTION
from clisc_engine.results.provenance import Link

UNNAMED = "(its path was not kept)"
"""Stands for the path of a source that is known by its SHA-256 alone."""


@dataclass
class Explained:
    """Where something comes from.

    Attributes:
        what: in a few words.
        known_by: how that was found out.
        file: the file in hand; empty for a case of a project.
        sha256: of it.
        case: the case's name; empty where it is of none.
        product: the array, the network or the table; empty where it is neither.
        chain: all that led to it, in the order of its making.
        notes: sentences on what is not so, or not known.
        project: the folder that the project or the variant had which made it; empty where that is not told.
    """

    what: str
    known_by: str
    file: str = ""
    sha256: str = ""
    case: str = ""
    product: str = ""
    chain: list[Link] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    project: str = ""


def changed_since(writer: str) -> str:
    """The note on a file that is not as clisc wrote it; ``writer`` is the command, or clisc."""
    return f"Its bytes are not those that {writer} wrote: it was changed or replaced since."


def tiny_notes(project: Project) -> list[str]:
    """The note that is due on all that a project of the tiny models made; none for others."""
    return [TINY_CAUTION] if project.settings.made_with == "tiny" else []


def meaning(array: str) -> str:
    """An array with what it is, to stand before the words that tell whose."""
    product = graph.PRODUCTS.get(array)
    return f"{array}: {product.meaning}," if product else array


def link_of(entry: Mapping[str, Any]) -> Link:
    """A link as a sidecar holds it; what another version added is left out."""
    known = {one.name for one in fields(Link)}
    plain = {key: value for key, value in entry.items() if key in known}
    return Link(**{**asdict(Link("", "", "")), **plain})
