"""What the shell offers after Tab, and the scripts that ask for it.

``python -m clisc_cli.completion FOLDER`` writes the scripts for bash, zsh, fish and PowerShell.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

SCRIPTS = {"bash": "clisc.bash", "zsh": "_clisc", "fish": "clisc.fish", "powershell": "clisc.ps1"}


def setting_keys(incomplete: str) -> list[str]:
    """Keys for ``--set``, each with its equals sign."""
    from clisc_engine.settings_keys import known_keys

    return [f"{key}=" for key in known_keys() if key.startswith(incomplete)]


def plain_setting_keys(incomplete: str) -> list[str]:
    """Keys of settings."""
    return [key[:-1] for key in setting_keys(incomplete)]


def model_names(incomplete: str) -> list[str]:
    """Names of the published weight files."""
    from clisc_engine.models.weights import KNOWN

    return [entry.name for entry in KNOWN.values() if entry.name.startswith(incomplete)]


def case_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Cases of the project for ``--cases``, after the ones already typed before a comma."""
    # While a line is incomplete, its words are left in args rather than parsed.
    directory = ctx.params.get("directory") or next(iter(ctx.args), None)
    typed, comma, start = incomplete.rpartition(",")
    taken = typed.split(",")
    return [
        f"{typed}{comma}{name}"
        for name in _cases(directory)
        if name.startswith(start) and name not in taken
    ]


def case_arguments(ctx: typer.Context, incomplete: str) -> list[str]:
    """Cases of the project, for a command that takes one by name."""
    directory = ctx.params.get("directory") or next(iter(ctx.args), None)
    return [name for name in _cases(directory) if name.startswith(incomplete)]


def scripts() -> dict[str, str]:
    """The completion script of each shell by file name."""
    from typer._completion_shared import get_completion_script

    return {
        file: get_completion_script(prog_name="clisc", complete_var="_CLISC_COMPLETE", shell=shell) + "\n"
        for shell, file in SCRIPTS.items()
    }


def _cases(directory: Path | str | None) -> list[str]:
    """Case names without opening the store: its folders say them, and Tab must be fast."""
    here = Path.cwd()
    named = directory or os.environ.get("CLISC_PROJECT")
    candidates = [Path(named)] if named else [here, *here.parents]
    root = next((path for path in candidates if (path / "clisc.toml").is_file()), None)
    folder = root / "store.zarr" / "cases" if root else None
    return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder else []


if __name__ == "__main__":
    for name, text in scripts().items():
        (Path(sys.argv[1]) / name).write_text(text, encoding="utf-8")
