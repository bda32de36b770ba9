"""What the arguments and options of a call name: a project, a variant, a case, splits, a channel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from clisc_cli.completion import case_arguments, split_names

if TYPE_CHECKING:
    from clisc_engine.project.project import Project

Split = Literal["train", "valid", "test"]
ALL_SPLITS: tuple[Split, ...] = ("train", "valid", "test")

Directory = Annotated[
    Path | None,
    typer.Argument(
        metavar="[DIR]",
        help="Project folder; else $CLISC_PROJECT, else the nearest parent with a clisc.toml.",
        show_default=False,
    ),
]

CaseName = Annotated[
    str | None,
    typer.Argument(metavar="[CASE]", help="One case.", show_default=False, autocompletion=case_arguments),
]

DirectoryOrCase = Annotated[
    Path | None,
    typer.Argument(
        metavar="[DIR]",
        help="Project folder; inside a project it can be left out.",
        show_default=False,
        autocompletion=case_arguments,
    ),
]


def some_names(value: list[str] | None) -> list[str] | None:
    """The values of ``--cases`` again: each names a case, for none would mean all.

    Raises:
        BadParameter: for one that does not.
    """
    if any(not text.replace(",", " ").strip() for text in value or ()):
        raise typer.BadParameter("names no case; leave it out to take all", param_hint="--cases")
    return value


def names_in(values: Iterable[str]) -> tuple[str, ...]:
    """The case names in the values of ``--cases``, each as cases are called."""
    from clisc_engine.files.case_names import normal

    return tuple(normal(name) for text in values for name in text.split(",") if name.strip())


def some_splits(value: str | None) -> str | None:
    """The value of ``--splits`` again: it names a split.

    Raises:
        BadParameter: when it does not.
    """
    if value is not None and not value.replace(",", " ").strip():
        raise typer.BadParameter("names no split; leave it out to take all", param_hint="--splits")
    return value


Splits = Annotated[
    str | None,
    typer.Option(
        metavar="LIST",
        help="Only these splits, e.g. train or train,test.",
        callback=some_splits,
        autocompletion=split_names,
        show_default=False,
    ),
]

Channel = Annotated[
    str | None,
    typer.Option(
        metavar="N|NAME",
        help="Which channel is FLAIR, of 4-D images and of nnU-Net's; else what dataset.json says.",
        show_default=False,
    ),
]

Check = Annotated[
    bool, typer.Option("--check", help="With --dry-run: read the voxels too, as the import would.")
]


def refuse_check_alone(check: bool, dry_run: bool) -> None:
    """An import checks everything anyway.

    Raises:
        typer.BadParameter: when ``--check`` is given without ``--dry-run``.
    """
    if check and not dry_run:
        raise typer.BadParameter("goes with --dry-run; an import checks everything", param_hint="--check")


FollowLinks = Annotated[
    bool,
    typer.Option(
        "--follow-links",
        help="Take what links out of a folder lead to, as in folders of datalad, git-annex and DVC.",
    ),
]


ShareReferences = Annotated[
    bool,
    typer.Option(
        "--share-references",
        help="Let cases whose images differ have the same mask, as two reconstructions of one scan do.",
    ),
]


def open_named(directory: Path | None, variant: str | None) -> Project:
    """The project, or the variant of it that is named.

    Raises:
        BadInput: when it has no such variant.
    """
    from clisc_engine.project.project import open_project
    from clisc_engine.project.variants import open_variant

    project = open_project(directory)
    return open_variant(project, variant) if variant else project


def open_if_around(directory: Path | None) -> Project | None:
    """The project that is named; else the one around, None without one.

    Raises:
        MissingStage: when the folder that is named is no project's.
    """
    from clisc_engine.errors import MissingStage
    from clisc_engine.project.project import open_project

    try:
        return open_project(directory)
    except MissingStage:
        if directory is not None:
            raise
        return None


def folder_and_name(words: Sequence[str], what: str, hint: str) -> tuple[Path | None, str]:
    """The project's folder, if it is given, and the one name after it.

    Args:
        words: at least one.
        what: is named, e.g. ``variant``.
        hint: what the help calls the name.

    Raises:
        BadParameter: for more than one name.
    """
    if len(words) > 2:
        raise typer.BadParameter(f"name one {what}, after the project's folder", param_hint=hint)
    return (Path(words[0]) if len(words) == 2 else None), words[-1]


def project_and_case(
    directory: Path | None, case: str | None, variant: str | None = None
) -> tuple[Project, str | None]:
    """The project or variant, and the case named after it; inside a project its folder can be left out.

    Raises:
        BadInput: when the project has no such case, or no such variant.
    """
    from clisc_engine.errors import MissingStage
    from clisc_engine.files.case_names import normal

    if directory is not None and case is None and not directory.is_dir():
        try:
            project, case = open_named(None, variant), str(directory)
        except MissingStage:
            project = open_named(directory, variant)
    else:
        project = open_named(directory, variant)
    if case is not None:
        case = project.case(normal(case)).info.name
    return project, case


def chosen_splits(text: str | None, default: tuple[str, ...] = ALL_SPLITS) -> tuple[str, ...]:
    """The splits named by ``--splits``, or the default."""
    names = tuple(part.strip() for part in text.split(",")) if text else default
    if unknown := [name for name in names if name not in ALL_SPLITS]:
        raise typer.BadParameter(f"{unknown[0]!r} is not one of train, valid, test", param_hint="--splits")
    return names
