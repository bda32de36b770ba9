"""``clisc models list|path|verify|pull``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clisc_cli.completion import model_names
from clisc_cli.console import print_json, print_line, result_console
from clisc_cli.options import RunOptions
from clisc_cli.switches import Json, Quiet, Verbose
from clisc_cli.words import bytes_in_words, counted

if TYPE_CHECKING:
    from clisc_engine.models.known import Known

app = typer.Typer(
    help="Full-size weight files: which, where, whether whole, from where.", no_args_is_help=True
)

PAPER = ("clip-vit-b-32", "sam-vit-b", "resnet50")
"""What --weights paper needs."""
PULL = ("clisc", "models", "pull")
MEDICAL = ("biomedclip", "medsam", "resnet50")
"""What --preset medical needs."""
WORDS = {True: "whole", False: "DAMAGED", None: "unverified"}
"""By whether a file is the published one; None when no digest of it is known."""

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME...]", help="As `list` names them.", autocompletion=model_names),
]


@app.command("list")
def list_(json_: Json = False, verbose: Verbose = False) -> None:
    """List the known weight files and where they are.

    Any file in segment_anything's format is taken with --set sam.checkpoint=FILE, and any CLIP in a folder
    as open_clip writes it with --set label.model=local-dir:FOLDER.

    Example: clisc models list
    """
    from clisc_engine.models.known import KNOWN
    from clisc_engine.models.weights import models_folder

    entries = [_described(entry) for entry in KNOWN.values()]
    if json_:
        print_json({"folder": str(models_folder()), "models": entries})
        return
    console = result_console()
    for entry in entries:
        uses = [word for word in ("--weights paper", "--preset medical") if entry[word.split()[1]]]
        wanted = f", for {' and '.join(uses)}" if uses else ""
        where = entry["path"] or "not here"
        print_line(
            f"{entry['name']:<14} {bytes_in_words(entry['size']):>9}  {entry['licence']:<13} {where}"
        )
        print_line(f"{'':<14} {entry['what']}{wanted}: {entry['page']}")
    lacking = [entry["size"] for entry in entries if entry["paper"] and not entry["path"]]
    if lacking:
        files = f"{counted(len(lacking), 'file')}, {bytes_in_words(sum(lacking))}"
        console.print(
            f"To fetch for --weights paper: {files}; `clisc models pull` does so.", soft_wrap=True
        )
    print_line(f"Folder: {models_folder()} (CLISC_MODELS sets it). The tiny models come with clisc.")


@app.command("path")
def path(
    name: Annotated[
        str | None,
        typer.Argument(help="A model; the folder without.", show_default=False, autocompletion=model_names),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Print the models folder, or the file of one model.

    Example: clisc models path sam-vit-b
    """
    from clisc_engine.models.weights import MissingWeights, models_folder, present

    if name is None:
        typer.echo(models_folder())
        return
    (entry,) = _chosen([name])
    found = present(entry)
    if found is None:
        raise MissingWeights(
            f"{entry.what} is not on this machine; `clisc models pull {name}` fetches it.",
            run=[*PULL, name],
        )
    typer.echo(found)


@app.command("verify")
def verify(names: Names = None, json_: Json = False, verbose: Verbose = False) -> None:
    """Compare the files that are here with their published digests.

    Of BiomedCLIP none is known here: it is shown as unverified, with --json together with its SHA-256.

    Example: clisc models verify
    """
    from clisc_engine.errors import BadInput
    from clisc_engine.files.digest import sha256_of
    from clisc_engine.models.known import is_published
    from clisc_engine.models.weights import MissingWeights, present

    results: list[dict[str, Any]] = []
    for entry in _chosen(names):
        found = present(entry)
        if found is not None:
            good = is_published(entry, found)
            results.append(
                {"name": entry.name, "path": str(found), "sha256": sha256_of(found), "good": good}
            )
        elif names:
            results.append({"name": entry.name, "path": "", "sha256": "", "good": False})
    if json_:
        print_json({"models": results})
    else:
        for result in results:
            word = WORDS[result["good"]] if result["path"] else "not here"
            text = f"{result['name']:<14} {word:<10} {result['path']}"
            print_line(text)
        if not results:
            result_console().print("No known weight file is on this machine.")
    if lacking := [result["name"] for result in results if not result["path"]]:
        raise MissingWeights(
            f"Not here: {', '.join(lacking)}; `clisc models pull` fetches files.", run=[*PULL, *lacking]
        )
    if bad := [result["name"] for result in results if result["good"] is False]:
        again = [*PULL, "--force", *bad]
        raise BadInput(
            f"{', '.join(bad)}: not the published file; fetch it with `{' '.join(again)}`.", run=again
        )


@app.command("pull")
def pull(
    context: typer.Context,
    names: Names = None,
    mirror: Annotated[
        str, typer.Option(metavar="URL", help="A folder on a server that holds the files by their names.")
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Fetch what is already here.")] = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Fetch weight files into the models folder; without names, those of --weights paper.

    A pull that broke off goes on where it stopped. https_proxy is honoured.

    Example: clisc models pull sam-vit-b    CLISC_MODELS=/shared/models clisc models pull
    """
    from clisc_engine.models.download import pull as fetch
    from clisc_engine.models.weights import models_folder, present

    control = RunOptions(context, quiet=quiet, verbose=verbose).control()
    fetched: dict[str, str] = {}
    for entry in _chosen(names or list(PAPER)):
        found = present(entry)
        if found is None or force:
            lacking = [part for part in entry.parts() if force or present(part) is None]
            for part in lacking:
                fetch(part, models_folder(), control, mirror=mirror)
            found = present(entry)
        else:
            control.progress.say(f"{entry.name} is already here")
        if entry.digest is None:
            control.progress.say(f"{entry.name}: no digest of it is known here, so it is not verified")
        fetched[entry.name] = str(found)
        if not json_:
            print_line(f"{entry.name}: {found}")
    if json_:
        print_json({"models": [{"name": name, "path": path} for name, path in fetched.items()]})


def _chosen(names: list[str] | None) -> list[Known]:
    """The known files of these names; all of them by default."""
    from clisc_engine.errors import BadInput
    from clisc_engine.models.known import KNOWN

    entries = {entry.name: entry for entry in KNOWN.values()}
    if unknown := [name for name in names or [] if name not in entries]:
        raise BadInput(f"There is no model {unknown[0]!r}; there are {', '.join(entries)}.")
    return [entries[name] for name in names or entries]


def _described(entry: Known) -> dict[str, Any]:
    from clisc_engine.models.weights import present

    found: Path | None = present(entry)
    algorithm, digest = entry.digest or ("", "")
    return {
        "name": entry.name,
        "what": entry.what,
        "paper": entry.name in PAPER,
        "medical": entry.name in MEDICAL,
        "size": entry.size,
        "licence": entry.licence,
        "url": entry.url,
        "page": entry.page,
        "sha256": digest if algorithm == "sha256" else "",
        "md5": digest if algorithm == "md5" else "",
        "path": str(found) if found else "",
    }
