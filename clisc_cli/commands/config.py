"""``clisc config show|get|set|diff|explain``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clisc_cli.completion import (
    projects_to_compare,
    setting_keys,
    settings_and_values,
    words_of_settings,
)
from clisc_cli.console import print_json, print_line, result_console
from clisc_cli.named import Directory, folder_and_name, open_if_around
from clisc_cli.options import RunOptions
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
    for key in known_keys():
        note = f"   # {settings.weights}: {_text(changed[key][1])}" if key in changed else ""
        print_line(f"{key} = {_text(value_of(settings, key))}{note}")


@app.command("get")
def get(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[DIR] KEY", help="E.g. amda.t.", autocompletion=setting_keys),
    ],
    json_: Json = False,
    verbose: Verbose = False,
) -> None:
    """Print the value of one setting and nothing else, for scripts: text as it is, all else as JSON.

    Example: clisc config get glioma amda.t
    """
    from clisc_engine.project.project import open_project
    from clisc_engine.settings.help import the_key
    from clisc_engine.settings.keys import value_of

    directory, name = folder_and_name(words, "setting", "KEY")
    key = the_key(name)
    value = value_of(open_project(directory).settings, key)
    if json_:
        print_json({"key": key, "value": value})
        return
    typer.echo(value if isinstance(value, str) else _text(value))


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

    Settings that do not fit each other are refused, so those that go together are given in one call.

    Example: clisc config set glioma amda.t=10 prompts.dilation=5
    """
    from clisc_engine.products.dependence import is_used_at_import
    from clisc_engine.project.project import open_project, project_root
    from clisc_engine.settings.keys import parse_assignment, value_of, with_changes
    from clisc_engine.stages.requirements import check_change

    directory = Path(words.pop(0)) if "=" not in words[0] else None
    if not words:
        raise typer.BadParameter("give at least one KEY=VALUE, e.g. amda.t=10", param_hint="KEY=VALUE")
    if plain := [word for word in words if "=" not in word]:
        raise typer.BadParameter(
            f"{plain[0]!r} is no KEY=VALUE; a project comes first: `clisc config set DIR KEY=VALUE`",
            param_hint="KEY=VALUE",
        )
    changes = dict(parse_assignment(word) for word in words)
    root = project_root(directory)
    options = RunOptions(context)
    options.hold(root)
    project = open_project(root)
    before, fresh = project.settings, _fresh(project)
    settings = with_changes(before, changes, "config set")
    for fault in check_change(project, settings):
        options.terminal().warn(f"as before, not every step can be done: {fault}")
    now = {key: value_of(settings, key) for key in changes}
    project.change_settings(settings, now)
    still = _fresh(project)
    stale = [stage for stage in fresh if stage not in still]
    if json_:
        print_json({"changed": now, "stale": stale})
        return
    console = result_console()
    for key, new in now.items():
        old = value_of(before, key)
        unchanged = " (as it was)" if old == new else f" (was {_text(old)})"
        print_line(f"{key} = {_text(new)}{unchanged}")
    if stale:
        again = project.store.home.in_words("run")
        console.print(f"Stale now: {', '.join(stale)}; {again} makes them anew.", markup=False)
    for_new = [key for key in changes if is_used_at_import(key)]
    if for_new and project.cases():
        console.print(
            f"{', '.join(for_new)}: for cases that are added; the others stay as they were imported.",
            markup=False,
        )


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
        differing = {key: {"here": one, "other": two} for key, (one, two) in found.items()}
        print_json({"against": name, "settings": differing})
        return
    console = result_console()
    for key, (one, two) in found.items():
        print_line(f"{key} = {_text(one)}   # {name}: {_text(two)}")
    if not found:
        console.print(f"No setting differs from {name}.", markup=False)


@app.command("explain")
def explain(
    key: Annotated[
        str,
        typer.Argument(
            metavar="KEY",
            help="E.g. amda.t; a section such as amda; or the end of a key.",
            autocompletion=words_of_settings,
        ),
    ],
    directory: Directory = None,
    json_: Json = False,
    verbose: Verbose = False,
) -> None:
    """Tell what a setting means, which values it takes, and the value of each preset.

    Of a section, or of the end of several keys, each key is told in a line.

    Example: clisc config explain amda.t    clisc config explain prompts
    """
    from dataclasses import asdict

    from clisc_engine.settings.help import explain as explained
    from clisc_engine.settings.help import named_by, purpose_of
    from clisc_engine.settings.keys import value_of

    told = [explained(one) for one in named_by(key)]
    project = open_if_around(directory)
    here = project.settings if project else None
    if len(told) == 1:
        document = {**asdict(told[0]), **({"here": value_of(here, told[0].key)} if here else {})}
        if json_:
            print_json(document)
        else:
            _show_setting(document)
        return
    if json_:
        print_json({"section": purpose_of(key), "keys": [asdict(one) for one in told]})
        return
    if purpose := purpose_of(key):
        print_line(f"{key}: {purpose}")
    for one in told:
        now = f" = {_text(value_of(here, one.key))}" if here else ""
        print_line(f"  {one.key}{now}: {one.meaning}")


def _show_setting(document: dict[str, Any]) -> None:
    print_line(f"{document['key']}: {document['meaning']}")
    if document["section"]:
        section = " ".join(document["section"].split())
        print_line(f"  belongs to  {section}")
    print_line(f"  may be      {document['allowed']}")
    values = {**document["presets"], **({"here": document["here"]} if "here" in document else {})}
    for name, value in values.items():
        print_line(f"  {name:<11} {_text(value)}")


def _fresh(project: Project) -> list[str]:
    from clisc_engine.upkeep.survey import survey

    return [status.stage for status in survey(project) if status.state == "fresh"]


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
