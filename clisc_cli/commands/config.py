"""``clisc config show|set|diff|explain``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clisc_cli.completion import projects_to_compare, setting_keys, settings_and_values
from clisc_cli.console import print_json, result_console
from clisc_cli.options import Directory, RunOptions
from clisc_cli.switches import Json, Verbose

if TYPE_CHECKING:
    from clisc_engine.project.project import Project

app = typer.Typer(help="See, change, compare and understand settings.", no_args_is_help=True)


@app.command("show")
def show(directory: Directory = None, json_: Json = False, verbose: Verbose = False) -> None:
    """List every setting; what differs from the preset is marked.

    Example: clisc config show glioma
    """
    from clisc_engine.project.project import open_project
    from clisc_engine.settings.keys import differences, known_keys, value_of
    from clisc_engine.settings.presets import preset

    settings = open_project(directory).settings
    if json_:
        print_json(settings.model_dump())
        return
    changed = differences(settings, preset(settings.weights))
    console = result_console()
    for key in known_keys():
        note = f"   # {settings.weights}: {_text(changed[key][1])}" if key in changed else ""
        console.print(f"{key} = {_text(value_of(settings, key))}{note}", markup=False, soft_wrap=True)


@app.command("set")
def set_(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(metavar="[DIR] KEY=VALUE...", help="Changes.", autocompletion=settings_and_values),
    ],
    json_: Json = False,
    verbose: Verbose = False,
) -> None:
    """Change settings in clisc.toml, and say which steps become stale.

    Example: clisc config set glioma amda.t=10 prompts.dilation=5
    """
    from clisc_engine.project.project import open_project, project_root
    from clisc_engine.settings.keys import parse_assignment, value_of, with_changes

    directory = Path(words.pop(0)) if "=" not in words[0] else None
    if not words:
        raise typer.BadParameter("give at least one KEY=VALUE, e.g. amda.t=10", param_hint="KEY=VALUE")
    changes = dict(parse_assignment(word) for word in words)
    root = project_root(directory)
    RunOptions(context).hold(root)
    project = open_project(root)
    before, fresh = project.settings, _fresh(project)
    settings = with_changes(before, changes, "config set")
    project.change_settings(settings, {key: value_of(settings, key) for key in changes})
    stale = [stage for stage in fresh if stage not in _fresh(project)]
    if json_:
        print_json({"changed": {key: value_of(settings, key) for key in changes}, "stale": stale})
        return
    console = result_console()
    for key in changes:
        old, new = value_of(before, key), value_of(settings, key)
        unchanged = " (as it was)" if old == new else f" (was {_text(old)})"
        console.print(f"{key} = {_text(new)}{unchanged}", markup=False, soft_wrap=True)
    if stale:
        console.print(f"Stale now: {', '.join(stale)}; `clisc run` makes them anew.", markup=False)


@app.command("diff")
def diff(
    directory: Directory = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="paper, fast, medical, tiny, or another project; else the project's preset.",
            autocompletion=projects_to_compare,
        ),
    ] = None,
    json_: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show the settings that differ from a preset or from another project.

    Example: clisc config diff glioma --against paper
    """
    from clisc_engine.project.project import open_project
    from clisc_engine.settings.keys import differences
    from clisc_engine.settings.presets import PRESETS, preset

    settings = open_project(directory).settings
    name = against or settings.weights
    other = preset(name) if name in PRESETS else open_project(Path(name)).settings
    found = differences(settings, other)
    if json_:
        print_json({key: {"here": one, name: two} for key, (one, two) in found.items()})
        return
    console = result_console()
    for key, (one, two) in found.items():
        console.print(f"{key} = {_text(one)}   # {name}: {_text(two)}", markup=False, soft_wrap=True)
    if not found:
        console.print(f"No setting differs from {name}.", markup=False)


@app.command("explain")
def explain(
    key: Annotated[str, typer.Argument(help="E.g. amda.t.", autocompletion=setting_keys)],
    directory: Directory = None,
    json_: Json = False,
    verbose: Verbose = False,
) -> None:
    """Tell what a setting means, which values it takes, and the value of each preset.

    Example: clisc config explain amda.t
    """
    from dataclasses import asdict

    from clisc_engine.errors import MissingStage
    from clisc_engine.project.project import open_project
    from clisc_engine.settings.help import explain as explained
    from clisc_engine.settings.keys import value_of

    told = explained(key)
    document: dict[str, Any] = asdict(told)
    try:
        document["here"] = value_of(open_project(directory).settings, key)
    except MissingStage:
        if directory is not None:
            raise
    if json_:
        print_json(document)
        return
    console = result_console()
    console.print(f"{key}: {told.meaning}", markup=False, soft_wrap=True)
    if told.section:
        console.print(f"  belongs to  {' '.join(told.section.split())}", markup=False, soft_wrap=True)
    console.print(f"  may be      {told.allowed}", markup=False, soft_wrap=True)
    for name, value in told.presets.items():
        console.print(f"  {name:<11} {_text(value)}", markup=False, soft_wrap=True)
    if "here" in document:
        console.print(f"  {'here':<11} {_text(document['here'])}", markup=False, soft_wrap=True)


def _fresh(project: Project) -> list[str]:
    from clisc_engine.upkeep.survey import survey

    return [status.stage for status in survey(project) if status.state == "fresh"]


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
