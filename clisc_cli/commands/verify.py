"""``clisc verify``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clisc_cli.completion import case_names
from clisc_cli.console import print_json, print_line, result_console
from clisc_cli.named import Directory
from clisc_cli.options import RunOptions
from clisc_cli.switches import Json, Quiet
from clisc_engine.files.words import shell_word

if TYPE_CHECKING:
    from clisc_engine.upkeep.findings import Verified


def command(
    context: typer.Context,
    directory: Directory = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Take away what is damaged, so that it can be made again.")
    ] = False,
    cases: Annotated[
        list[str] | None,
        typer.Option(
            "--cases",
            metavar="NAMES",
            help="Only these cases (commas), and no checkpoints.",
            autocompletion=case_names,
        ),
    ] = None,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Read back every finished array and checkpoint; say what is damaged.

    Example: clisc verify glioma --repair
    """
    from clisc_engine.errors import BadInput
    from clisc_engine.project.project import project_root
    from clisc_engine.upkeep.repair import repair as see_to
    from clisc_engine.upkeep.verify import verify

    options = RunOptions(context, cases=cases or [], json_=json_, quiet=quiet, verbose=verbose)
    root = project_root(directory)
    if repair:
        options.hold(root)
    control = options.control()
    found = verify(root, control)
    if repair:
        see_to(root, found, control)
    show_verified(root, found, options)
    if found.faults:
        lost = [fault for fault in found.faults if fault.state != "unreadable"]
        first = (lost or found.faults)[0]
        rest = "cannot be repaired" if repair else "damaged or missing" if lost else "cannot be read now"
        seen_to, word = bool(lost) and not repair and not first.needs_its_owner, shell_word(root)
        raise BadInput(
            f"{len(found.faults)} {rest} in {root}, first {first.path}; "
            + (f"`clisc verify {word} --repair` sees to it." if seen_to else f"{first.remedy}."),
            run=["clisc", "verify", str(root), "--repair"] if seen_to else None,
        )


def show_verified(root: Path, found: Verified, options: RunOptions) -> None:
    """Print what was read, and a line for each finding."""
    if options.json_:
        print_json(
            {
                "project": str(root),
                "clean": not found.faults,
                "arrays": found.arrays,
                "checkpoints": found.checkpoints,
                "findings": [asdict(finding) for finding in found.findings],
                "seconds": found.seconds,
            }
        )
        return
    console = result_console()
    console.print(
        f"verify: {found.arrays} arrays and {found.checkpoints} checkpoints read, {_summary(found)}",
        markup=False,
    )
    for finding in found.findings:
        state = "repaired" if finding.repaired else finding.state
        remedy = f" ({finding.remedy})" if finding.remedy else ""
        print_line(f"  {state}: {finding.path}: {finding.problem}{remedy}")


def _summary(found: Verified) -> str:
    repaired = sum(finding.repaired for finding in found.findings)
    away = sum(fault.state == "unreadable" for fault in found.faults)
    lost = len(found.faults) - away
    parts = [f"{lost} damaged or missing"] if lost else [] if away else ["all whole"]
    parts += [f"{away} that cannot be read now"] if away else []
    return ", ".join([*parts, f"{repaired} repaired"] if repaired else parts)
