"""``clisc init``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from clisc_cli.completion import brain_extractors
from clisc_cli.imported import show_imported
from clisc_cli.named import Channel, Check, FollowLinks, ShareReferences, refuse_check_alone
from clisc_cli.options import RunOptions, with_run_options

if TYPE_CHECKING:
    from clisc_engine.importing.brains import Extraction
    from clisc_engine.settings.schema import Settings
    from clisc_engine.stages.init import Imported


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
    share_references: ShareReferences = False,
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
    check: Check = False,
    *,
    options: RunOptions,
) -> None:
    """Import FLAIR volumes into a new project, or add references or cases to one.

    With --dry-run it shows what would be imported, from file names and headers, and writes nothing; with
    --check too it reads the voxels, and names the files that an import would refuse. A project keeps its
    images, splits and settings: what is given otherwise is named and not taken.

    Example: clisc init glioma --images BraTS2020 --references BraTS2020
    """
    from clisc_engine.products.graph import STAGES
    from clisc_engine.stages.init import Request, initialise
    from clisc_engine.stages.requirements import check_settings

    refuse_check_alone(check, options.dry_run)
    extraction = _extraction(brain_extraction)
    _refuse_what_a_shell_made_of_a_pattern(directory, options)
    options.hold(directory)
    settings = _settings(directory, weights, preset, options)
    check_settings(settings, STAGES)
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
        share_references=share_references,
        brain_extraction=extraction,
    )
    imported = initialise(request, settings, control)
    imported.warnings += _weights_that_lack(imported)
    show_imported(imported, request, control, options, check=check)


def _weights_that_lack(imported: Imported) -> list[str]:
    """The first weight file that a new project's steps will lack, as it is told by `run`."""
    from clisc_engine.errors import BadInput
    from clisc_engine.products.graph import STAGES
    from clisc_engine.stages.requirements import find_weights

    if imported.fresh or imported.added or imported.references:
        return []
    try:
        find_weights(imported.project, STAGES)
    except BadInput as lack:
        return [str(lack)]
    return []


def _extraction(text: str | None) -> Extraction | None:
    """How brains are to be extracted; None when they are not."""
    if text is None:
        return None
    from clisc_engine.importing.brains import Extraction

    return Extraction.of(text)


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
