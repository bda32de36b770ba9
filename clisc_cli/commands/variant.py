"""``clisc variant new|list|remove|promote``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clisc_cli.completion import settings_and_values, variant_names
from clisc_cli.console import print_json, print_line, result_console
from clisc_cli.named import Directory, folder_and_name
from clisc_cli.options import RunOptions
from clisc_cli.session import Session
from clisc_cli.switches import Json, Quiet, Verbose
from clisc_cli.words import by_value, bytes_in_words
from clisc_engine.files.words import shell_word

if TYPE_CHECKING:
    from clisc_engine.project.pending_promotion import Promotion
    from clisc_engine.upkeep.variant_list import Foreseen, Listed

app = typer.Typer(
    help="Try other settings beside a project's, sharing all that does not depend on them.",
    no_args_is_help=True,
)

Words = Annotated[
    list[str], typer.Argument(metavar="[DIR] NAME", help="A variant.", autocompletion=variant_names)
]


@app.command("new")
def new(
    context: typer.Context,
    words: Annotated[list[str], typer.Argument(metavar="[DIR] NAME", help="What to call it.")],
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A setting that differs.", autocompletion=settings_and_values
        ),
    ] = None,
    over: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Variant that it lies over; else the project.",
            autocompletion=variant_names,
            show_default=False,
        ),
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would have to make, and what it shares.")
    ] = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make a variant: the project with some settings changed. Nothing is copied or computed yet.

    Example: clisc variant new glioma t10 --set amda.t=10    clisc run glioma --variant t10
    """
    if context.ensure_object(Session).is_left_to_rank_0("variant new"):
        return
    from clisc_engine.project import variants
    from clisc_engine.project.project import open_project, project_root
    from clisc_engine.settings.keys import parse_assignment
    from clisc_engine.stages.requirements import check_change
    from clisc_engine.upkeep.variant_list import foresee

    directory, name = folder_and_name(words, "variant", "NAME")
    root = project_root(directory)
    options = RunOptions(context, dry_run=dry_run, json_=json_, quiet=quiet)
    options.settle_what_is_begun(root)
    asked = dict(parse_assignment(text) for text in assignments or [])
    variant = variants.check_new(open_project(root), name, asked, over)
    if variant.parent:
        check_change(variant.parent, variant.settings)
    changes = variants.values_of(variant, asked)
    if not dry_run:
        options.take(variant.root)
        variants.keep(variant, variants.Record(changes=changes, over=over))
    means = foresee(variant)
    if json_:
        print_json({"variant": name, "changes": changes, "over": over, "dry_run": dry_run, **asdict(means)})
        return
    _show_new(name, changes, over, means, dry_run)
    if not dry_run:
        options.terminal().say(f"Next: clisc run {shell_word(root)} --variant {name}")


@app.command("list")
def list_(
    context: typer.Context, directory: Directory = None, json_: Json = False, verbose: Verbose = False
) -> None:
    """List the variants: what each changes and over what, the state of its steps, bytes on disk.

    Example: clisc variant list glioma
    """
    if context.ensure_object(Session).is_left_to_rank_0("variant list"):
        return
    from clisc_engine.project.project import open_project
    from clisc_engine.upkeep.variant_list import list_variants

    found = list_variants(open_project(directory))
    if json_:
        print_json({"variants": [asdict(one) for one in found]})
        return
    console = result_console()
    for one in found:
        print_line(_line(one))
        for state, steps in by_value(one.steps).items():
            print_line(f"  {state}: {', '.join(steps)}")
    if not found:
        console.print("No variants.", markup=False)


@app.command("remove")
def remove(
    context: typer.Context,
    words: Words,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed.")] = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Remove a variant with all that was made in it; never anything of the project.

    Example: clisc variant remove glioma t10
    """
    if context.ensure_object(Session).is_left_to_rank_0("variant remove"):
        return
    from clisc_engine.project import variants
    from clisc_engine.project.project import open_project, project_root
    from clisc_engine.sweeps.record import refuse_if_needed
    from clisc_engine.upkeep.foresight import size_of
    from clisc_engine.upkeep.variant_list import check_may_go

    directory, name = folder_and_name(words, "variant", "NAME")
    project = open_project(project_root(directory))
    if left := variants.half_removed(project, name):
        RunOptions(context, dry_run=dry_run, json_=json_, quiet=quiet).hold(project.root)
        size = sum(map(size_of, left))
        if not dry_run:
            variants.remove_the_rest(project, name)
    else:
        variants.record_of(project, name)
        options = RunOptions(context, dry_run=dry_run, json_=json_, quiet=quiet, variant=name)
        size = size_of(variants.folder_of(project, name))
        options.hold(project.root)
        variants.refuse_while_others_lie_over(project, name)
        refuse_if_needed(project, name)
        check_may_go(project, name)
        if not dry_run:
            variants.remove(project, name)
    if json_:
        print_json({"variant": name, "bytes": size, "dry_run": dry_run})
        return
    verb = "would be removed" if dry_run else "removed"
    print_line(f"{name}: {verb}, {bytes_in_words(size)}")


@app.command("promote")
def promote(
    context: typer.Context,
    words: Words,
    discard: Annotated[
        bool, typer.Option("--discard", help="Do not keep what the project had as a variant.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change, move and be kept or lost.")
    ] = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Let a variant's settings and results become the project's. Nothing is computed again.

    What the project had in their place becomes a variant of its former settings, so that nothing is lost.

    Example: clisc variant promote glioma t10 --dry-run
    """
    if context.ensure_object(Session).is_left_to_rank_0("variant promote"):
        return
    from clisc_engine.project import promotion, variants
    from clisc_engine.project.pending_promotion import pending
    from clisc_engine.project.project import project_root
    from clisc_engine.upkeep.variant_list import check_may_go, replaced_bytes

    directory, name = folder_and_name(words, "variant", "NAME")
    root = project_root(directory)
    options = RunOptions(context, dry_run=dry_run, json_=json_, quiet=quiet)
    begun = pending(root)
    size = replaced_bytes(root, begun) if begun else 0
    project = options.open_to_change(root)  # which completes what was begun
    done = promotion.done_before(project, name, discard=discard)
    if begun and begun.name == name:
        todo = begun
    elif done:
        todo = done
    else:
        todo = promotion.plan(project, name, discard=discard)
        check_may_go(project, name)
        size = replaced_bytes(root, todo)
    followers = [one for one in variants.over_it(project, "") if one not in (name, todo.former)]
    if not dry_run and todo not in (begun, done):
        promotion.promote(project, todo)
    if json_:
        print_json(_promoted(todo, size, followers, dry_run))
    elif todo is done:
        what = f"is the variant {todo.former}" if not todo.discard else "was not kept (--discard)"
        print_line(f"{name}: promoted already; what the project had {what}")
    else:
        _show_promotion(todo, size, followers, dry_run)


def _show_new(name: str, changes: dict[str, Any], over: str, means: Foreseen, dry_run: bool) -> None:
    from clisc_engine.sweeps.sweep import in_words

    print_line(
        f"{name}: {'would be ' if dry_run else ''}made over {over or 'the project'}: {in_words(changes)}"
    )
    for step, products in means.anew.items():
        print_line(f"  to make anew: {step} ({', '.join(products)})")
    if not means.anew:
        print_line("  nothing that is there has to be made anew")
    if means.shared:
        print_line(f"  shared: {', '.join(f'{step} ({count})' for step, count in means.shared.items())}")
    if means.lacking:
        print_line(f"  not done in {over or 'the project'} either: {', '.join(means.lacking)}")


def _promoted(todo: Promotion, size: int, followers: list[str], dry_run: bool) -> dict[str, Any]:
    return {
        "variant": todo.name,
        "changes": todo.changes,
        "before": todo.before,
        "moved": todo.into,
        "replaced": todo.out,
        "replaced_bytes": size,
        "kept_as": "" if todo.discard else todo.former,
        "follow": followers,
        "dry_run": dry_run,
    }


def _show_promotion(todo: Promotion, size: int, followers: list[str], dry_run: bool) -> None:
    from clisc_engine.sweeps.sweep import plain

    would = "would be " if dry_run else ""
    print_line(
        f"{todo.name}: {would}promoted; {len(todo.into)} arrays and files {would}moved into the project"
    )
    for key, value in todo.changes.items():
        print_line(f"  {key}: {plain(todo.before[key])} -> {plain(value)}")
    replaced = f"{len(todo.out)} that they replace, {bytes_in_words(size)}"
    if not todo.discard:
        print_line(f"  {replaced}: {would}kept as the variant {todo.former}, of the former settings")
    elif todo.out:
        print_line(f"  {replaced}: {would}lost (--discard)")
    if followers:
        print_line(f"  over the project, so with its new settings from now on: {', '.join(followers)}")


def _line(one: Listed) -> str:
    from clisc_engine.sweeps.sweep import in_words

    if one.problem:
        return f"{one.name}: {bytes_in_words(one.bytes)}; {one.problem}"
    by = ", by a sweep" if one.by_sweep else ""
    work = f"; at work: {one.at_work}" if one.at_work else ""
    over = one.over or "the project"
    return f"{one.name}: {in_words(one.changes)} over {over}{by}, {bytes_in_words(one.bytes)}{work}"
