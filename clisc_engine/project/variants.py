"""Variants: a project with some settings changed, sharing all that does not depend on the change.

A variant is a folder ``variants/NAME`` of its project with a store, checkpoints, logs and results of its
own. What it lacks is read from what it lies over, its project or another variant; what is written goes
only to its own folder. Freshness is by fingerprint, so what would come out the same is neither made again
nor copied. Only the settings changed are kept (``variant.json``): all others are the project's as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from clisc_engine.errors import BadInput
from clisc_engine.files.atomic import disk_faults, left_of, take_away, take_the_rest_away, write_atomically
from clisc_engine.files.case_names import why_no_case_name
from clisc_engine.files.reading import inside, is_there, read_if_there
from clisc_engine.files.words import shell_word
from clisc_engine.products.dependence import changed_by, is_used_at_import
from clisc_engine.project.lock import LOCK, VARIANTS
from clisc_engine.project.project import SETTINGS_FILE, Project, open_project
from clisc_engine.settings.keys import value_of, with_changes
from clisc_engine.settings.schema import Settings

FILE = "variant.json"
BASE = "base"
"""Stands for the project itself where a variant may be named."""
RESERVED = (BASE, "project")


class Record(BaseModel):
    """What makes a variant.

    Attributes:
        changes: the settings changed, by dotted key.
        over: name of the variant that it lies over; empty for the project.
        by_sweep: whether a sweep made it, and may remove it when no sweep needs it any more.
        promoted: name of the variant that took the project's place when this one got what the project had;
            empty of any other.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    changes: dict[str, Any]
    over: str = ""
    by_sweep: bool = False
    promoted: str = ""


def folder_of(project: Project, name: str) -> Path:
    """The folder of the variant of that name, whether there is one or not."""
    return project.base.root / VARIANTS / name


def variant_names(project: Project) -> list[str]:
    """Names of the project's variants, sorted."""
    return names_in(project.base.root)


def names_in(root: Path) -> list[str]:
    """The same for the project in this folder, which need not be open.

    Raises:
        Unreadable: when they cannot be listed now.
    """
    folders = inside(root / VARIANTS)
    return [path.name for path in folders if not path.name.startswith(".") and is_there(path / FILE)]


def record_in(folder: Path) -> Record:
    """What makes the variant of this folder.

    Raises:
        ValidationError: when its record is not whole, or not there.
        Unreadable: when it cannot be read now.
    """
    return Record.model_validate_json(read_if_there(folder / FILE) or b"")


def lay_over(project: Project, name: str, changes: Mapping[str, Any]) -> Project:
    """The variant ``name`` of a project or a variant, as it is on disk or would be; nothing is written.

    Raises:
        BadInput: when the changes are not valid.
    """
    settings = with_changes(project.settings, changes, f"variant {name}")
    return Project(folder_of(project, name), settings, project)


def keep(variant: Project, record: Record) -> None:
    """Write what makes a variant; nothing happens when that is there already.

    Raises:
        DiskFault: when the disk does not take it.
    """
    path = variant.root / FILE
    unknown = set() if record.promoted else {"promoted"}  # to earlier versions, which refuse such a record
    data = json.dumps(record.model_dump(exclude=unknown), indent=1).encode()
    if read_if_there(path) != data:
        variant.store.check_may_write()
        with disk_faults(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)


def record_of(project: Project, name: str) -> Record:
    """What makes the variant of that name.

    Raises:
        BadInput: when there is none, or its record is not whole.
    """
    path = folder_of(project, name) / FILE
    there = variant_names(project)
    text = read_if_there(path) if name in there else None
    if text is None:
        close = get_close_matches(name, there, n=1, cutoff=0.5)
        meant = f"did you mean {close[0]!r}" if close else f"there are: {', '.join(there) or 'none'}"
        raise BadInput(f"{project.base.root} has no variant {name!r}; {meant}.")
    try:
        return Record.model_validate_json(text)
    except ValidationError:
        raise BadInput(f"{path} does not say what the variant changes; remove that folder.") from None


def open_variant(project: Project, name: str) -> Project:
    """The variant of that name, over all that it lies over.

    Raises:
        BadInput: when there is none, or what it changes is not valid.
    """
    record = record_of(project, name)
    if record.over == name:
        raise BadInput(f"Variant {name!r} lies over itself; remove its folder.")
    below = open_variant(project, record.over) if record.over else project.base
    return lay_over(below, name, record.changes)


def opened(folder: Path) -> Project:
    """The project or the variant in this folder.

    Raises:
        BadInput: when the variant's record is not valid.
        MissingStage: when there is no project.
    """
    if is_there(folder / SETTINGS_FILE):
        return open_project(folder)
    whole = folder.resolve()
    return open_variant(open_project(whole.parent.parent), whole.name)


def name_of(project: Project) -> str:
    """The name of a variant; empty for a project."""
    return project.root.name if project.parent else ""


def changes_of(variant: Project) -> dict[str, Any]:
    """All settings that it changes, those of what it lies over too; none for a project."""
    if variant.parent is None:
        return {}
    return {**changes_of(variant.parent), **record_of(variant, variant.root.name).changes}


def over_it(project: Project, name: str) -> list[str]:
    """The variants that lie right over the one of that name."""
    others = (other for other in variant_names(project) if other != name)
    return [other for other in others if record_of(project, other).over == name]


def refuse_while_others_lie_over(project: Project, name: str) -> None:
    """Refuse to do away with a variant that others read from.

    Raises:
        BadInput: naming them.
    """
    if others := over_it(project, name):
        verb, those = ("lies", "that") if len(others) == 1 else ("lie", "those")
        raise BadInput(f"{', '.join(others)} {verb} over the variant {name!r}; remove {those} first.")


def values_of(variant: Project, keys: Iterable[str]) -> dict[str, Any]:
    """The values of these settings, in the form that settings hold."""
    return {key: value_of(variant.settings, key) for key in keys}


def change_settings(variant: Project, settings: Settings, changes: Mapping[str, Any]) -> None:
    """Adopt validated settings: a variant keeps the changed keys among its own, a project in clisc.toml.

    Raises:
        BadInput: when a sweep made the variant, whose name tells its value; or when a setting is used as
            images are imported.
    """
    if variant.parent is None:
        variant.change_settings(settings, changes)
        return
    record = record_of(variant, variant.root.name)
    if record.by_sweep:
        raise BadInput(
            f"The variant {variant.root.name!r} is a value of a sweep and stays as it is; make one of your "
            f"own with `clisc variant new {shell_word(variant.base.root)} NAME --set KEY=VALUE`."
        )
    own = {key: value_of(settings, key) for key in changes}
    refuse_imported(own)
    keep(variant, record.model_copy(update={"changes": {**record.changes, **own}}))
    variant.settings = settings


def refuse_imported(changes: Mapping[str, Any]) -> None:
    """Refuse settings that images are imported by: all variants share the project's images.

    Raises:
        BadInput: naming the first.
    """
    if imported := [key for key in changes if is_used_at_import(key)]:
        raise BadInput(
            f"{imported[0]} is used when images are imported, so it needs a project of its own: "
            "`clisc init` with --set."
        )


def check_new(project: Project, name: str, changes: Mapping[str, Any], over: str = "") -> Project:
    """The variant that `keep` would make; nothing is written.

    Args:
        project: that it is to be a variant of.
        name: as a case may be called; so it is never that of a sweep's value, which has a ``=``.
        changes: settings by dotted key.
        over: name of the variant that it is to lie over; empty for the project.

    Raises:
        BadInput: when the name is none, or taken by a variant that changes something else; or the changes
            are not valid, are used when images are imported, or change nothing that is made.
    """
    if why := why_no_case_name(name, "the variant's name").replace("a case name", "a variant's name"):
        raise BadInput(why)
    if name.casefold() in RESERVED:
        raise BadInput(
            f"A variant cannot be called {name!r}, which stands for the project; choose another."
        )
    there = {other.casefold(): other for other in variant_names(project)}
    taken = there.get(name.casefold())
    if taken and taken != name:
        raise BadInput(f"{project.base.root} has a variant {taken!r} already; choose another name.")
    folder = folder_of(project, name)
    if not taken and is_there(folder) and not _holds_locks_alone(folder):
        raise BadInput(f"{folder} is there and is no variant; choose another name.")
    if not changes:
        raise BadInput(
            "A variant changes settings: give at least one --set KEY=VALUE, e.g. --set amda.t=10."
        )
    below = open_variant(project, over) if over else project.base
    variant = lay_over(below, name, changes)
    refuse_imported(changes)
    if taken and record_of(project, name) != Record(changes=values_of(variant, changes), over=over):
        raise BadInput(f"{project.base.root} has a variant {name!r} already; choose another name.")
    if not any(changed_by(key) for key in changes):
        raise BadInput(f"Nothing that is made depends on {', '.join(changes)}; it would be the same again.")
    return variant


def remove(project: Project, name: str) -> None:
    """Remove a variant with all that was made in it; one move takes it away, so that no half of it stays.

    Raises:
        DiskFault: when the disk does not do so.
    """
    take_away(folder_of(project, name))


def half_removed(project: Project, name: str) -> list[Path]:
    """What is left of a variant whose removal was cut short; nothing while there is one of that name."""
    return [] if name in variant_names(project) else left_of(folder_of(project, name))


def remove_the_rest(project: Project, name: str) -> None:
    """Complete a removal that was cut short.

    Raises:
        DiskFault: when the disk does not do so.
    """
    take_the_rest_away(folder_of(project, name))


def _holds_locks_alone(folder: Path) -> bool:
    """Whether a folder is what a command leaves that was killed before it had made the variant there."""
    return folder.is_dir() and all(path.name.startswith(LOCK) for path in inside(folder))
