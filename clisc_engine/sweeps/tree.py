"""The tree of a sweep: the project at its root, a level a setting, the points as its leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clisc_engine.files.reading import is_there
from clisc_engine.project import variants
from clisc_engine.project.project import Project
from clisc_engine.settings.keys import value_of
from clisc_engine.sweeps.sweep import Axis, folder_name

PROJECT = "project"
"""Name of a point at which the project itself is."""


@dataclass(frozen=True)
class Node:
    """A project or a variant in the tree, from which further settings may branch off.

    Attributes:
        project: it.
        changes: what differs from the project at the root, by key.
        values: the values of the settings that are settled here, by key.
        later: settings that branch off below it; none at a point.
    """

    project: Project
    changes: Mapping[str, Any]
    values: Mapping[str, Any]
    later: tuple[Axis, ...]

    @property
    def name(self) -> str:
        """Of its variant."""
        return folder_name(self.changes) or PROJECT

    @property
    def is_variant(self) -> bool:
        """Whether it has a folder of its own."""
        return self.project.parent is not None

    def children(self, *, own_folders: bool = False) -> Iterator[Node]:
        """The nodes of the next setting's values.

        One that sets what is set already is this node, unless it has a folder from before, or is to have
        one because this node may not be written.
        """
        axis, *later = self.later
        for value in axis.values:
            changes = {**self.changes, axis.key: value}
            name = folder_name(changes)
            there = is_there(variants.folder_of(self.project, name) / variants.FILE)
            same = value_of(self.project.settings, axis.key) == value
            alone = same and not there and not (own_folders and not later)
            child = self.project if alone else variants.lay_over(self.project, name, {axis.key: value})
            yield Node(
                child,
                self.changes if alone else changes,
                {**self.values, axis.key: value},
                tuple(later),
            )

    def record(self) -> variants.Record:
        """What makes its variant."""
        *below, (key, value) = self.changes.items()
        return variants.Record(changes={key: value}, over=folder_name(dict(below)), by_sweep=True)


def point_name(leaf: Node) -> str:
    """Name of a point: by its values, whether or not it has a folder of its own."""
    return folder_name(leaf.values)


def key_of(values: Mapping[str, Any]) -> str:
    """The values of a node as a key, whatever their order."""
    return repr(sorted((key, repr(value)) for key, value in values.items()))
