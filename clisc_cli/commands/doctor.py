"""``clisc doctor``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from clisc_cli.completion import devices
from clisc_cli.console import print_json, print_line, result_console
from clisc_cli.named import Directory, open_if_around
from clisc_cli.switches import Json, Verbose

MARKS = {"good": ("green", "good"), "note": ("yellow", "note"), "problem": ("red", "PROBLEM")}


def command(
    directory: Directory = None,
    device: Annotated[
        str, typer.Option(help="Where the models are tried: auto, cpu, cuda, ...", autocompletion=devices)
    ] = "auto",
    json_: Json = False,
    verbose: Verbose = False,
) -> None:
    """Examine this machine: packages, devices, memory, disk, and one slice through each model.

    Example: clisc doctor
    """
    from clisc_engine.errors import BadInput
    from clisc_engine.running.device import check_device_name
    from clisc_engine.upkeep.doctor import examine

    check_device_name(device)
    checks = []
    for check in examine(open_if_around(directory), device):
        checks.append(check)
        if not json_:
            colour, word = MARKS[check.state]
            console = result_console()
            console.print(f"[{colour}]{word:<8}[/]", end="", soft_wrap=True)
            print_line(f"{check.name}: {check.found}")
            if check.advice:
                print_line(f"        {check.advice}")
    if json_:
        print_json({"checks": [asdict(check) for check in checks]})
    if problems := [check.name for check in checks if check.state == "problem"]:
        raise BadInput(f"{len(problems)} problem(s): {', '.join(problems)}; what to do stands beside each.")
