"""``clisc explain``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clisc_cli.completion import case_arguments, masks_of_the_project
from clisc_cli.console import print_json, print_line
from clisc_cli.named import CaseName, open_if_around, project_and_case
from clisc_cli.switches import Json, Variant
from clisc_cli.words import counted, seconds_in_words, time_in_words

if TYPE_CHECKING:
    from clisc_engine.project.project import Project
    from clisc_engine.results.explain.explained import Explained
    from clisc_engine.results.provenance import Link

_OTHER_ENDINGS = (".dcm", ".clisc", ".csv", ".json", ".html", ".png")
"""Of files that are told of, besides images."""


def command(
    what: Annotated[
        Path,
        typer.Argument(
            metavar="FILE|DIR",
            help="A mask, probability, model, report or table in hand; or a project, before a case.",
            autocompletion=case_arguments,
        ),
    ],
    case: CaseName = None,
    project: Annotated[
        Path | None,
        typer.Option(
            help="Project that may know the file; else the one that it lies in, or the one around.",
            show_default=False,
        ),
    ] = None,
    masks: Annotated[
        str | None,
        typer.Option(
            "--masks",
            help="Which of a case's masks; else the last step's.",
            autocompletion=masks_of_the_project,
            show_default=False,
        ),
    ] = None,
    variant: Variant = None,
    again: Annotated[
        bool, typer.Option("--commands", help="Print the commands that make it again, for a shell.")
    ] = False,
    json_: Json = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="All settings, cases and fingerprints; tracebacks.")
    ] = False,
) -> None:
    """Tell where a result comes from: source files, each step's settings, seed, weights, versions, device.

    Example: clisc explain masks/patient-007_sam.nii.gz    clisc explain glioma patient-007 --commands
    """
    found, home = _explained(what, case, project, masks, variant)
    if again:
        lines = _commands(found, home)
        if json_:
            print_json({"commands": lines})
        for line in lines if not json_ else ():
            typer.echo(line)
        return
    if json_:
        print_json(asdict(found))
        return
    _show(found, verbose)


def _explained(
    what: Path, case: str | None, named: Path | None, masks: str | None, variant: str | None
) -> tuple[Explained, Project | None]:
    from clisc_engine.results.explain.case import explain_case
    from clisc_engine.results.explain.file import explain_file, project_of

    if what.is_file() and case is None:
        if masks is not None:
            raise typer.BadParameter("chooses among a case's masks", param_hint="--masks")
        if variant is not None:
            raise typer.BadParameter("goes with a case; a file tells itself", param_hint="--variant")
        project = _that_may_know(what, named)
        found = explain_file(what, project)
        return found, project if named is not None else project_of(found) or project
    if what.is_file() and case is not None:
        raise typer.BadParameter(
            f"a file tells itself, without a case; {case} takes a call of its own", param_hint="CASE"
        )
    project, name = _named(what, case, variant)
    if name is None:
        raise typer.BadParameter("name a file, or a case after the project", param_hint="CASE")
    return explain_case(project, name, f"masks/{masks}" if masks else ""), project


def _that_may_know(file: Path, named: Path | None) -> Project | None:
    """The project that is named, else the one that the file lies in, else the one around."""
    from clisc_engine.results.explain.own_files import project_around

    around = project_around(file) if named is None else None
    return around or open_if_around(named)


def _named(what: Path, case: str | None, variant: str | None) -> tuple[Project, str | None]:
    """The project and the case; a file's name that is neither is told as that of a missing file."""
    from clisc_engine.errors import BadInput, MissingStage, Unreadable

    try:
        return project_and_case(what, case, variant)
    except Unreadable:
        raise
    except (BadInput, MissingStage) as error:
        no_project = isinstance(error, MissingStage)
        if case is None and not what.exists() and _names_a_file(what, no_project):
            raise BadInput(f"{what} does not exist.") from None
        raise


def _names_a_file(what: Path, no_project: bool) -> bool:
    """Whether it is no case's name, which may have a dot; without a project around it cannot be one."""
    from clisc_engine.imaging.endings import ENDINGS

    known = what.name.lower().endswith((*ENDINGS, *_OTHER_ENDINGS))
    return known or (bool(what.suffix) and (no_project or what.name != str(what)))


def _commands(found: Explained, project: Project | None) -> list[str]:
    from clisc_engine.errors import BadInput
    from clisc_engine.products.graph import NETWORKS
    from clisc_engine.results.again import commands, prediction

    last = found.chain[-1].kind if found.chain else ""
    predicting: list[str] = []
    if last == "file":
        if found.chain[-2].kind != "network":
            raise BadInput(" ".join(found.notes))
        predicting = prediction(found.chain, probability="probability" in found.what)
        if found.chain[-2].product not in NETWORKS:  # it came with clisc, and needs no project
            return predicting
    if project is None:
        where = f" It was made in {found.project}, where it is not any more." if found.project else ""
        raise BadInput(
            "The commands need the project, which knows the source files of the cases that networks learnt "
            f"from: name it with --project.{where}"
        )
    if last in ("source", "table") or (last == "network" and not found.product):  # of a whole project
        raise BadInput(
            f"The commands make a mask or a network again, and this is {found.what.rstrip(',')}; name a "
            "mask, or a case after the project."
        )
    if not found.chain:
        raise BadInput(" ".join(found.notes) or "Nothing is known of what made it.")
    case = "" if predicting else found.case  # a scan's, whose name a case of the project may have, too
    return commands(project, found.chain, case, found.product) + predicting


def _show(found: Explained, verbose: bool) -> None:
    if found.file:
        print_line(f"{found.file} (SHA-256 {found.sha256 if verbose else found.sha256[:16]})")
    print_line(f"{found.what} known by {found.known_by}")
    for link in found.chain:
        print_line("")
        for line in _lines(link, found.case, verbose):
            print_line(line)
    for note in found.notes:
        print_line("")
        print_line(f"Note: {note}")


def _lines(link: Link, case: str, verbose: bool) -> list[str]:
    """A link in words, its first line without an indent."""
    if link.kind == "source":
        return ["source", *(f"  {path}  SHA-256 {digest}" for path, digest in link.files.items())]
    when = f", {time_in_words(link.time)}" if link.time else ""
    took = f", took {seconds_in_words(link.seconds)}" if link.seconds else ""
    by = f"clisc {link.command} {link.version}" if link.command else f"clisc {link.version}"
    of = f" of {link.case}, which a network learnt from" if link.case not in ("", case) else ""
    lines = [f"{link.product}{of}  ({by.rstrip()}{when}{took})"]
    if link.made_from:
        lines.append(f"  from      {', '.join(link.made_from)}")
    for split, names in link.learnt_from.items():
        shown = ", ".join(names) if verbose or len(names) < 7 else f"{', '.join(names[:6])} ..."
        lines.append(f"  learnt    {counted(len(names), f'{split} case')}: {shown}")
    for name, weights in link.weights.items():
        digest = weights["sha256"] if verbose else weights["sha256"][:16]
        lines.append(f"  weights   {name}: {weights['model'] or 'file'}, SHA-256 {digest}")
    if link.device:
        lines.append(f"  on        {link.device}, precision {link.precision}")
    if link.options:
        lines.append(f"  options   {' '.join(link.options)}")
    if link.settings:
        lines += _settings(link.settings, verbose)
    if verbose:
        lines.append(f"  seal      {link.fingerprint}")
    if link.stale:
        lines.append(f"  stale     {link.stale}")
    return lines


def _settings(settings: Mapping[str, Any], verbose: bool) -> list[str]:
    words = [f"{key} = {value}" for key, value in settings.items()]
    if verbose:
        return [f"  setting   {word}" for word in words]
    seed = f", seed = {settings['seed']}" if "seed" in settings else ""
    others = [word for word in words if not word.startswith("seed = ")]
    more = f" and {len(others) - 4} more (-v)" if len(others) > 4 else ""
    return [f"  settings  {', '.join(others[:4])}{more}{seed}"]
