"""The part of `verify` that looks at a store's groups: whether each still says that it is one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clisc_engine.errors import Unreadable
from clisc_engine.files.reading import inside, is_there, shown_folders, walk
from clisc_engine.products.graph import GROUPS
from clisc_engine.project.integrity import metadata_problem
from clisc_engine.project.project import STORE
from clisc_engine.upkeep.findings import Finding, unreadable


def group_findings(store: Path, *, of_variant: bool) -> Iterator[Finding]:
    """Groups of a store that no longer say that they are.

    Args:
        store: its folder.
        of_variant: whether it is a variant's, whose groups of cases hold no record; those of a project
            are looked at with the cases.
    """
    away: list[Unreadable] = []
    cases = shown_folders(store / "cases")
    folders = [store, store / "cases", *walk(store / "metrics", away.append)]
    folders += cases if of_variant else []
    folders += [case / group for case in cases for group in GROUPS]
    for folder in folders:
        try:
            if is_there(folder) and folder.is_dir() and (problem := metadata_problem(folder)):
                place = (Path(STORE) / folder.relative_to(store)).as_posix()
                # A writer that was killed, or whose disk failed, had made the folder and no more.
                begun = all(path.name.startswith(".") for path in inside(folder))
                yield Finding(place, "group", "left over" if begun else "damaged", problem)
        except Unreadable as error:
            away.append(error)
    for missed in away:
        yield unreadable(store.parent, missed, "group")
