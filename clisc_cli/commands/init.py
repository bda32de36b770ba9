"""``clisc init``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from clisc_cli.completion import brain_extractors
from clisc_cli.console import Terminal, print_json, result_console
from clisc_cli.named import Channel, FollowLinks
from clisc_cli.options import RunOptions, with_run_options
from clisc_cli.reports import disk_in_words
from clisc_cli.words import counted

if TYPE_CHECKING:
    from rich.table import Table

    from clisc_engine.importing.brains import Extraction
    from clisc_engine.importing.preview import Planned
    from clisc_engine.settings.schema import Settings
    from clisc_engine.stages.init import Imported
    from clisc_engine.upkeep.forecast import Forecast


NOT_HEEDED = ("device", "precision", "batch_size", "variant")
"""Shared options that an import has no use for."""


@partial(with_run_options, without=NOT_HEEDED)
def command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Project folder to make.")],
    images: Annotated[str, typer.Option(help="Folder or quoted glob of FLAIR volumes, or a CSV manifest.")],
    references: Annotated[
        str | None, typer.Option(help="Folder or quoted glob of masks, for evaluate only.")
    ] = None,
    split: Annotated[
        Path | None, typer.Option(help="CSV (case,split) or JSON with train, valid, test.")
    ] = None,
    split_ratio: Annotated[
        str | None, typer.Option(help="Shares of train:valid:test; 7:1:2 without it.", show_default=False)
    ] = None,
    weights: Annotated[
        Literal["tiny", "paper"] | None,
        typer.Option(help="Models; without it: paper if all its files are present."),
    ] = None,
    preset: Annotated[
        Literal["paper", "fast", "medical", "tiny"] | None,
        typer.Option(
            help="Settings to start from: the paper's; fast, the same models with fewer epochs than the "
            "paper's; medical, BiomedCLIP and MedSAM; tiny."
        ),
    ] = None,
    channel: Channel = None,
    follow_links: FollowLinks = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Import the rest when files are bad; list them.")
    ] = False,
    add: Annotated[
        bool, typer.Option("--add", help="Import cases that the project does not have yet.")
    ] = False,
    brain_extraction: Annotated[
        str | None,
        typer.Option(
            "--brain-extraction",
            metavar="NAME|COMMAND",
            help="For scans with skulls: hd-bet, synthstrip, bet, or a command with {input} and {output}, "
            "0 outside the brain.",
            autocompletion=brain_extractors,
            show_default=False,
        ),
    ] = None,
    *,
    options: RunOptions,
) -> None:
    """Import FLAIR volumes into a new project, or add references or cases to one.

    With --dry-run it shows what would be imported, from file names and headers, and writes nothing. A
    project keeps its images, splits and settings: what is given otherwise is named and not taken.

    Example: clisc init glioma --images BraTS2020 --references BraTS2020
    """
    from clisc_engine.settings.presets import check_start
    from clisc_engine.stages.init import Request, initialise

    extraction = _extraction(brain_extraction)
    _refuse_what_a_shell_made_of_a_pattern(directory, options)
    options.hold(directory)
    settings = _settings(directory, weights, preset, options)
    check_start(settings)
    asked = _asked(weights, preset, options)
    control = options.control()
    request = Request(
        directory,
        images,
        references,
        split,
        split_ratio,
        skip_bad,
        channel,
        add,
        asked,
        cases=control.cases,
        follow_links=follow_links,
        brain_extraction=extraction,
    )
    imported = initialise(request, settings, control)
    show_imported(imported, options)


def _extraction(text: str | None) -> Extraction | None:
    """How brains are to be extracted; None when they are not."""
    if text is None:
        return None
    from clisc_engine.importing.brains import Extraction

    return Extraction.of(text)


def show_imported(imported: Imported, options: RunOptions) -> None:
    """Print what was imported."""
    terminal = Terminal(quiet=options.quiet)
    for name, message in imported.skipped.items():
        terminal.warn(f"skipped {name}: {message}")
    for warning in imported.warnings:
        terminal.warn(warning)
    for note in (*imported.remarks, *(note for told in imported.notes.values() for note in told)):
        terminal.say(note)
    planned = _planned(imported, terminal) if options.dry_run else []
    disk = _disk(imported, planned)
    if options.json_:
        print_json(_document(imported, planned, disk, options))
        return
    counts = Counter(imported.splits.values())
    shares = ", ".join(f"{counts[s]} {s}" for s in ("train", "valid", "test"))
    console = result_console()
    cases = counted(len(imported.splits), "case")
    console.print(f"init: {cases} ({shares}) {_verb(imported, options)}", markup=False)
    if planned:
        if not console.is_terminal:
            console.width = 400  # a pipe's lines may be long; a folded file name helps nobody
        console.print(_table(planned))
        terminal.say("Names and headers say so; voxels are looked at when it is imported.")
        if disk:
            terminal.say(disk_in_words(disk))
    elif not imported.fresh and not options.dry_run:
        if counts["train"] <= FEW:
            terminal.say(few_volumes(counts["train"], len(imported.splits) - counts["train"]))
        if disk:
            terminal.say(disk_in_words(disk))
        terminal.say(f"Next: clisc label {imported.project.root}")
    if options.dry_run:
        for one in imported.left_out:
            terminal.say(f"left out: {one.path} ({one.reason})")


FEW = 4
"""Train cases up to which a network learns little more than it knew."""


def few_volumes(train: int, others: int) -> str:
    """What to expect of a project with so few train cases, and so many others."""
    told = (
        f"{counted(train, 'train case')}: the network learns from so many pseudo-labels alone, so its "
        "masks may be no better than `clisc predict bundled IMAGE -o MASK`."
    )
    return f"{told} --split-ratio 1:0:0 puts every case into train." if others else told


def _verb(imported: Imported, options: RunOptions) -> str:
    if imported.fresh:
        return "already imported, nothing to do"
    if not (imported.added or imported.references):
        return "would be imported" if options.dry_run else "imported"
    new = (len(imported.added), "case"), (len(imported.references), "reference")
    would = "would be added" if options.dry_run else "added"
    return "in all, " + " and ".join(counted(n, what) for n, what in new if n) + f" {would}"


def _document(
    imported: Imported, planned: Sequence[Planned], disk: Forecast | None, options: RunOptions
) -> dict[str, Any]:
    """What ``--json`` prints."""
    second = imported.fresh or imported.added or imported.references
    left_out = [{"path": str(one.path), "reason": one.reason} for one in imported.left_out]
    return {
        "project": str(imported.project.root),
        "weights": imported.project.settings.weights,
        "splits": imported.splits,
        "skipped": imported.skipped,
        "notes": imported.notes,
        "remarks": imported.remarks,
        "warnings": imported.warnings,
        "left_out": left_out,
        "added": imported.added,
        "references": imported.references,
        "fresh": [name for name in imported.splits if name not in imported.added] if second else [],
        **({"cases": [asdict(case) for case in planned]} if options.dry_run else {}),
        **({"disk": asdict(disk)} if disk else {}),
    }


def _planned(imported: Imported, terminal: Terminal) -> list[Planned]:
    """The cases of a dry run; what speaks against one is a warning."""
    from clisc_engine.importing.preview import preview

    planned = preview(imported)
    for case in planned:
        if case.problem:
            terminal.warn(f"{case.case}: {case.problem}")
    return planned


def _disk(imported: Imported, planned: Sequence[Planned]) -> Forecast | None:
    """How much disk the project takes in the end; None where no header tells, or nothing is new."""
    from clisc_engine.upkeep.forecast import Grid, forecast, grids_of

    project = imported.project
    known = [case for case in planned if case.size and case.spacing]
    grids = [Grid(case.size, case.spacing, bool(case.reference)) for case in known]
    if not planned or imported.added:
        grids += grids_of(project)
    return forecast(project.root, project.settings, grids) if grids and not imported.fresh else None


def _table(planned: Sequence[Planned]) -> Table:
    """One row a case; columns that would be empty are left out."""
    from rich.markup import escape
    from rich.table import Table

    columns = {
        "case": [case.case for case in planned],
        "split": [case.split for case in planned],
        "voxels": [" x ".join(map(str, case.size)) for case in planned],
        "mm": [" x ".join(f"{mm:.3g}" for mm in case.spacing) for case in planned],
        "channel": ["" if case.channel is None else str(case.channel) for case in planned],
        "image": [Path(case.image).name for case in planned],
        "reference": [Path(case.reference).name for case in planned],
    }
    shown = {name: values for name, values in columns.items() if any(values)}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in shown:
        table.add_column(name, overflow="fold")
    for row in zip(*shown.values(), strict=True):
        table.add_row(*map(escape, row))
    return table


def _refuse_what_a_shell_made_of_a_pattern(directory: Path, options: RunOptions) -> None:
    """Say what to do when a pattern without quotes became many arguments."""
    further = [Path(word) for word in options.context.args]
    if not further and not directory.is_file():
        return
    files = [path for path in (directory, *further) if path.is_file() or len(further) > 1]
    hint = (
        "; quote a pattern, or the shell puts all files that match in its place: --images "
        "'folder/*.nii.gz', --references 'folder/*_seg.nii.gz'"
        if files
        else ""
    )
    if further and all("=" in str(word) for word in further):
        raise typer.BadParameter(f"--set takes one setting; give each its own: --set {further[0]}")
    if further:
        raise typer.BadParameter(f"Got unexpected extra arguments ({further[0]} ...){hint}")
    raise typer.BadParameter(f"{directory} is a file, no folder for a project{hint}", param_hint="DIR")


def _asked(weights: str | None, name: str | None, options: RunOptions) -> frozenset[str]:
    """The settings that this call names by itself; a preset names all."""
    from clisc_engine.settings.keys import known_keys

    preset = known_keys() if name is not None else []
    return frozenset([*preset, *(["weights"] if weights else []), *options.changes()])


def _settings(
    directory: Path, weights: Literal["tiny", "paper"] | None, name: str | None, options: RunOptions
) -> Settings:
    """The preset with --set and --seed; says which weights a new project takes for good."""
    from clisc_engine.models.paper_files import paper_files_present
    from clisc_engine.project.project import SETTINGS_FILE
    from clisc_engine.settings.keys import with_changes
    from clisc_engine.settings.presets import preset

    if name is not None:
        chosen = preset(name)
        if weights not in (None, chosen.weights):
            raise typer.BadParameter(
                f"--preset {name} has --weights {chosen.weights}", param_hint="--weights"
            )
        if name == "fast":
            options.terminal().say("Preset: fast, with fewer epochs than the paper's; so are its results.")
        if name == "medical":
            options.terminal().say("Preset: medical, with BiomedCLIP and MedSAM; the paper took others.")
        return with_changes(chosen, options.changes(), "--set")
    kind = weights or ("paper" if paper_files_present(preset("paper")) else "tiny")
    if weights is None and not (directory / SETTINGS_FILE).is_file():
        why = "all full-size files are present" if kind == "paper" else "full-size files are missing"
        options.terminal().say(f"Weights: {kind} ({why}); --weights chooses otherwise.")
    return with_changes(preset(kind), options.changes(), "--set")
