"""What the shell offers after Tab, and the scripts that ask for it.

``python -m clisc_cli.completion FOLDER`` writes the scripts for bash, zsh, fish and PowerShell.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

BASH = Path(__file__).with_name("bash_completion.sh")
"""Our own, since Typer's script for Bash cannot complete KEY=VALUE."""

SCRIPTS = {"bash": "clisc.bash", "zsh": "_clisc", "fish": "clisc.fish", "powershell": "clisc.ps1"}


def settings_and_values(incomplete: str) -> list[str]:
    """``KEY=`` for ``--set``, and after the equals sign the values that the key's declaration names."""
    from clisc_engine.settings.help import choices
    from clisc_engine.settings.keys import known_keys

    key, equals, start = incomplete.partition("=")
    if not equals:
        return [f"{known}=" for known in known_keys() if known.startswith(key)]
    values = choices(key) if key in known_keys() else []
    return [f"{key}={value}" for value in values if value.startswith(start)]


def project_or_settings(incomplete: str) -> list[str]:
    """The same for the arguments of `sweep`; the value after the last comma is completed."""
    typed, comma, start = incomplete.rpartition(",")
    key = typed.partition("=")[0]
    if not comma or "=" not in typed:
        return settings_and_values(incomplete)
    taken = typed.partition("=")[2].split(",")
    values = [found.partition("=")[2] for found in settings_and_values(f"{key}={start}")]
    return [f"{typed},{value}" for value in values if value not in taken]


def rows(incomplete: str) -> list[str]:
    """Rows of Tables 1 and 2."""
    from clisc_engine.products.dependence import MEASURED

    return [row for row in MEASURED if row.startswith(incomplete)]


def sweep_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Sweeps of the project."""
    return _names_in(ctx, "sweeps", incomplete)


def variant_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Variants of the project."""
    return _names_in(ctx, "variants", incomplete)


def sides(ctx: typer.Context, incomplete: str) -> list[str]:
    """What `compare` takes within a project: the project itself, and its variants."""
    return [name for name in ("base", *_names_in(ctx, "variants", "")) if name.startswith(incomplete)]


def _names_in(ctx: typer.Context, folder: str, incomplete: str) -> list[str]:
    """Names of the folders in one of the project's; words may begin with the project."""
    typed = next(iter(ctx.params.get("words") or ()), None)
    root = _root(typed or _directory(ctx))
    place = root / folder if root else None
    found = [path.name for path in place.iterdir()] if place and place.is_dir() else []
    return sorted(name for name in found if name.startswith(incomplete) and not name.startswith("."))


def setting_keys(incomplete: str) -> list[str]:
    """Keys of settings."""
    from clisc_engine.settings.keys import known_keys

    return [key for key in known_keys() if key.startswith(incomplete)]


def words_of_settings(incomplete: str) -> list[str]:
    """Keys of settings, and sections of them."""
    from clisc_engine.settings.help import sections

    found = [name for name in sections() if name.startswith(incomplete)]
    return [*found, *setting_keys(incomplete)]


def devices(incomplete: str) -> list[str]:
    """Where networks can run; a number may follow cuda: and is not known here."""
    return [name for name in ("auto", "cpu", "cuda", "cuda:0", "mps") if name.startswith(incomplete)]


def split_names(incomplete: str) -> list[str]:
    """Splits for ``--splits``, after the ones already typed before a comma."""
    typed, comma, start = incomplete.rpartition(",")
    taken = typed.split(",")
    names = [name for name in ("train", "valid", "test") if name.startswith(start) and name not in taken]
    return [f"{typed}{comma}{name}" for name in names]


def brain_extractors(incomplete: str) -> list[str]:
    """Programs that `init` knows by name."""
    return [name for name in ("hd-bet", "synthstrip", "bet") if name.startswith(incomplete)]


def sources_of_predictions(incomplete: str) -> list[str]:
    """The word for the network that comes along; a shell adds files and folders."""
    return [name for name in ("bundled",) if name.startswith(incomplete)]


def projects_to_compare(incomplete: str) -> list[str]:
    """Names of presets; a shell adds the folders."""
    from clisc_engine.settings.presets import PRESETS

    return [name for name in PRESETS if name.startswith(incomplete)]


def masks_of_the_project(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of masks that some case has, and of those that the method makes."""
    from clisc_engine.products.graph import ARRAYS

    folder = _cases_folder(_directory(ctx))
    found = {path.name for path in folder.glob("*/masks/*")} if folder else set()
    made = [name for name, array in ARRAYS.items() if not array.command.startswith("baseline")]
    found |= {name.removeprefix("masks/") for name in made if name.startswith("masks/")}
    return sorted(name for name in found if name.startswith(incomplete) and name != "zarr.json")


def model_names(incomplete: str) -> list[str]:
    """Names of the published weight files."""
    from clisc_engine.models.known import KNOWN

    return [entry.name for entry in KNOWN.values() if entry.name.startswith(incomplete)]


def case_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Cases of the project for ``--cases``, after the ones already typed before a comma."""
    typed, comma, start = incomplete.rpartition(",")
    taken = typed.split(",")
    return [
        f"{typed}{comma}{name}"
        for name in _cases(_directory(ctx))
        if name.startswith(start) and name not in taken
    ]


def case_arguments(ctx: typer.Context, incomplete: str) -> list[str]:
    """Cases of the project, for a command that takes one by name."""
    return [name for name in _cases(_directory(ctx)) if name.startswith(incomplete)]


def case_words(ctx: typer.Context, incomplete: str) -> list[str]:
    """Cases, and splits, for the words of `cases`."""
    typed = next(iter(ctx.params.get("words") or ()), None)
    names = _cases(_root(typed or _directory(ctx)))
    return [name for name in (*names, "train", "valid", "test") if name.startswith(incomplete)]


def scripts() -> dict[str, str]:
    """The completion script of each shell by file name."""
    from typer._completion_shared import get_completion_script

    made = {
        file: get_completion_script(prog_name="clisc", complete_var="_CLISC_COMPLETE", shell=shell) + "\n"
        for shell, file in SCRIPTS.items()
    }
    return {**made, SCRIPTS["bash"]: BASH.read_text(encoding="utf-8")}


def _directory(ctx: typer.Context) -> Path | str | None:
    """The project named on the line; while a line is incomplete, its words are left in args."""
    return ctx.params.get("directory") or next(iter(ctx.args), None)


def _cases(directory: Path | str | None) -> list[str]:
    """Case names without opening the store: its folders say them, and Tab must be fast."""
    folder = _cases_folder(directory)
    return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder else []


def _root(directory: Path | str | None) -> Path | None:
    here = Path.cwd()
    named = directory or os.environ.get("CLISC_PROJECT")
    candidates = [here, *here.parents]
    if named and (Path(named) / "clisc.toml").is_file():
        candidates = [Path(named)]
    return next((path for path in candidates if (path / "clisc.toml").is_file()), None)


def _cases_folder(directory: Path | str | None) -> Path | None:
    root = _root(directory)
    folder = root / "store.zarr" / "cases" if root else None
    return folder if folder and folder.is_dir() else None


if __name__ == "__main__":
    for name, text in scripts().items():
        (Path(sys.argv[1]) / name).write_text(text, encoding="utf-8")
