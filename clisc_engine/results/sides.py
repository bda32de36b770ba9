"""The two sides of a comparison: projects, variants and earlier evaluations, as a line names them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.files.words import shell_word
from clisc_engine.products.declared import ROWS
from clisc_engine.products.graph import EVALUATE
from clisc_engine.project.project import SETTINGS_FILE, Project, open_project
from clisc_engine.project.variants import BASE, FILE, name_of, open_variant, opened, variant_names
from clisc_engine.stages.evaluation import document as evaluation_document
from clisc_engine.stages.evaluation import history
from clisc_engine.stages.evaluation.staleness import mark_rows
from clisc_engine.upkeep.survey import survey

_MARKED = re.compile(r"(.*)@([0-9a-f]{4,16})")


@dataclass(frozen=True)
class Side:
    """One side.

    Attributes:
        label: for people.
        project: the project or variant.
        past: what was measured; its rows are marked by today's settings, if it is the evaluation of now.
        settings: all settings by dotted key: today's, or those of then; None where they are not known.
        outdated: why `evaluate` would measure anew; empty when it would not, or for an earlier evaluation.
    """

    label: str
    project: Project
    past: history.Past
    settings: dict[str, Any] | None
    outdated: str

    @cached_property
    def known_as(self) -> dict[str, str]:
        """The names that cases were imported under, by the names that the evaluation has."""
        now = {case.info.name: case.info.identity for case in self.project.cases()}
        return {**now, **self.past.known_as}

    def name_of(self, case: str) -> str:
        """The name that a case has in the project now, by the one that it was imported under."""
        found = (one.info.name for one in self.project.cases() if one.info.identity == case)
        return next(found, case)


def sides_of(words: Sequence[str]) -> tuple[Side, Side]:
    """The sides of ``[DIR] [A] B``.

    Each side is ``base`` or ``.`` for the project itself, the name of one of its variants, or the folder of
    a project or of a variant; ``@FINGERPRINT`` behind it names an earlier evaluation. Without A it is the
    project itself. The project is the first of three words, or of two if only the first is a folder, else
    the one around.

    Raises:
        BadInput: when a word names nothing, or may mean two things, or both sides are the same.
        MissingStage: when there is no project, or a side was never evaluated.
    """
    home, first, second = _split(words)
    one, other = _located(home, first), _located(home, second)
    if (one[0].root.resolve(), one[1]) == (other[0].root.resolve(), other[1]):
        raise BadInput(f"{first} and {second} are the same evaluation; name another side.")
    lacking = [
        _command(project)
        for project, mark in (one, other)
        if not mark and evaluation_document.load(project.store) is None
    ]
    if lacking:
        commands = " and ".join(f"`{command}`" for command in lacking)
        raise MissingStage(f"There is nothing to compare yet; run {commands} first.")
    within = one[0].base.root.resolve() == other[0].base.root.resolve()
    return _side(*one, within=within), _side(*other, within=within)


def _split(words: Sequence[str]) -> tuple[Project | None, str, str]:
    """The project that names are looked up in, if one was named, and both sides."""
    if len(words) == 3:
        return open_project(Path(words[0])), words[1], words[2]
    if len(words) == 1:
        _refuse_one_side_alone(words[0])
        return None, BASE, words[0]
    first, second = words
    if not _is_folder(first):
        return None, first, second
    if not _is_folder(second):
        return open_project(Path(first)), BASE, second
    if (Path(first) / SETTINGS_FILE).is_file() and second in variant_names(open_project(Path(first))):
        raise BadInput(
            f"{second} is a variant of {first} and a folder here; write {BASE} {second} after {first}, "
            f"or ./{second}."
        )
    return None, first, second


def _refuse_one_side_alone(word: str) -> None:
    """Say what else belongs on the line where a folder is named and no project is around.

    Raises:
        MissingStage: when it is so.
    """
    if not _is_folder(word):
        return
    try:
        open_project(None)
    except MissingStage:
        raise MissingStage(
            f"{word} is one side, and there is no project here that would be the other; name both: `clisc "
            "compare DIR B`, where B is a variant of DIR, another project's folder, or an earlier "
            "evaluation, @FINGERPRINT."
        ) from None


def _located(home: Project | None, word: str) -> tuple[Project, str]:
    """The project or variant that a word names, and the fingerprint behind it."""
    marked = None if _is_folder(word) else _MARKED.fullmatch(word)
    name, mark = (marked[1], marked[2]) if marked else (word, "")
    if name not in ("", BASE, ".") and _is_folder(name) and not (home and name in variant_names(home)):
        return opened(Path(name)), mark
    try:
        project = home or open_project(None)
    except MissingStage:
        raise MissingStage(
            f"{name or word} is no project's folder, and there is no project here to look it up in; name "
            "the project first: `clisc compare DIR A B`."
        ) from None
    return (project.base if name in ("", BASE, ".") else open_variant(project, name)), mark


def _is_folder(word: str) -> bool:
    return any((Path(word) / file).is_file() for file in (SETTINGS_FILE, FILE))


def _side(project: Project, mark: str, *, within: bool) -> Side:
    label = (name_of(project) or BASE) if within else _place(project)
    found = history.find(project, mark) if mark else history.current(project)
    if not found.current:
        return Side(f"{label}@{found.fingerprint[:8]}", project, found, found.settings, "")
    marked = mark_rows(project, found.document, ROWS)
    stage = next(status for status in survey(project) if status.stage == EVALUATE)
    outdated = next((item.why for item in stage.items if not item.case and item.state != "fresh"), "")
    settings = history.settings_of(project)
    return Side(label, project, found.with_document(marked), settings, outdated)


def _place(project: Project) -> str:
    base = project.base.root
    return f"{base}, {name_of(project)}" if project.parent else str(base)


def _command(project: Project) -> str:
    variant = f" --variant {name_of(project)}" if project.parent else ""
    return f"clisc evaluate {shell_word(project.base.root)}{variant}"
