"""Rendering of what a stage did."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from clisc_cli.console import Terminal, print_json, result_console
from clisc_cli.options import RunOptions
from clisc_cli.words import by_value, bytes_in_words, counted
from clisc_engine.files.words import listed, shell_word

if TYPE_CHECKING:
    from clisc_engine.project.project import Project
    from clisc_engine.running.runner import Report
    from clisc_engine.upkeep.forecast import Forecast


def show_report(report: Report, options: RunOptions, *, silent: bool = False) -> None:
    """Print a stage's outcome, unless ``silent``; fail with exit code 5 when some cases failed.

    Raises:
        CasesFailed: naming them.
    """
    if options.json_:
        print_json(asdict(report))
    elif not silent:
        result_console().print(summary(report, options.dry_run), markup=False)
    if options.dry_run and not options.json_ and not silent:
        for reason, names in by_value(report.planned).items():
            result_console().print(f"  {listed(names, 6)}: {reason}", markup=False)
    others = len(report.done) + len(report.fresh)
    hint = f", e.g. with --cases {','.join(report.failed)}"
    fail_if_cases_failed(report.stage, report.failed, others, hint, options)


def disk_in_words(found: Forecast) -> str:
    """How much disk a project takes once all is done."""
    parts = {"store.zarr": found.store, "checkpoints": found.checkpoints, "cache": found.cache}
    told = ", ".join(f"{name} {bytes_in_words(size)}" for name, size in parts.items())
    more = f", and {bytes_in_words(found.training)} more while a U-Net is trained" if found.training else ""
    there = f"; {bytes_in_words(found.there)} of it is there" if found.there else ""
    room = f"{bytes_in_words(found.free)} is free"
    if not found.suffices:
        room = f"only {room}: make room, or name another disk"
    return (
        f"Disk: about {bytes_in_words(found.total)} once all steps are done ({told}){more}{there}; {room}."
    )


def point_to_first_masks(report: Report, project: Project, options: RunOptions) -> None:
    """After `prompt-sam`, say that there are masks to look at, long before the network has learned.

    Or that none of them marks anything.
    """
    from clisc_engine.products.kinds import SAM_MASKS

    if report.stage == "prompt-sam" and report.done and not options.dry_run:
        if not any(project.case(name).read(SAM_MASKS).any() for name in report.done):
            options.terminal().say(
                f"SAM's masks of {counted(len(report.done), 'case')} are all empty: no map marks a region "
                "that prompts it."
            )
            return
        root = shell_word(project.base.root)
        variant = f" --variant {options.variant}" if options.variant else ""
        options.terminal().say(
            f"First masks are there: `clisc show {root}{variant}` draws a case, "
            f"`clisc export masks {root} --masks sam -o MASKS{variant}` writes them; training comes next."
        )


def warn_of_stale_network(project: Project, network: str, terminal: Terminal) -> None:
    """Say of a network that is used or exported that the settings now ask for another one."""
    from clisc_engine.results.export import stale_steps

    if steps := stale_steps(project, network):
        home = project.store.home
        terminal.warn(
            f"{network} is as it was trained, but {', '.join(steps)} would now give another one; "
            f"{home.in_words('status')} says why, and {home.in_words('run')} trains it anew."
        )


def fail_if_cases_failed(
    stage: str, failed: dict[str, str], others: int, hint: str, options: RunOptions
) -> None:
    """Name the failed cases with their errors, if there are any.

    Raises:
        CasesFailed: with the hint.
        BadInput: when none could be done for want of memory, or another limit of the process.
    """
    from clisc_engine.errors import BadInput, CasesFailed
    from clisc_engine.files.limits import explain

    terminal = options.terminal()
    for name, message in failed.items():
        terminal.warn(f"{name}: {message}")
    limit = next((told for message in failed.values() if (told := explain(RuntimeError(message)))), "")
    if limit and not others:
        raise BadInput(f"{stage}: no case could be done. {limit}")
    if failed:
        raise CasesFailed(
            f"{stage}: {len(failed)} of {counted(len(failed) + others, 'case')} failed; "
            f"the others are kept. Mend the cause and run it again{hint}. {limit}".rstrip()
        )


def summary(report: Report, dry_run: bool) -> str:
    """What a stage did, in a line."""
    if dry_run:
        return f"{report.stage}: {len(report.planned)} to do, {len(report.fresh)} up to date"
    if not report.done and not report.failed:
        return f"{report.stage}: all {len(report.fresh)} up to date, nothing to do"
    parts = [f"{len(report.done)} done"]
    if report.fresh:
        parts.append(f"{len(report.fresh)} up to date")
    if report.failed:
        parts.append(f"{len(report.failed)} failed")
    return f"{report.stage}: {', '.join(parts)} in {report.seconds:.1f} s"
