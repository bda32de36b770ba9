"""Switches that commands beside the steps have in common; those of the steps are in options.py."""

from __future__ import annotations

from typing import Annotated

import typer

from clisc_cli.completion import variant_names

Json = Annotated[bool, typer.Option("--json", help="Result as one JSON document.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only results and errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Tracebacks of errors.")]
Variant = Annotated[
    str | None,
    typer.Option(
        "--variant",
        metavar="NAME",
        help="This variant of the project; nothing else is written.",
        autocompletion=variant_names,
        show_default=False,
    ),
]
