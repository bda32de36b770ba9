"""``clisc predict``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from clisc_cli.completion import devices, sources_of_predictions
from clisc_cli.console import print_json, print_line, result_console
from clisc_cli.named import Channel, FollowLinks
from clisc_cli.options import Precision, RunOptions
from clisc_cli.places import file_of_kind, folder, not_an_input
from clisc_cli.reports import summary, warn_of_stale_network
from clisc_cli.switches import Json, Quiet, Variant
from clisc_engine.files.words import shell_word

if TYPE_CHECKING:
    from clisc_engine.results.segmenter import FileSegmenter
    from clisc_engine.running.control import Control

Network = Annotated[
    Literal["unet-round1", "unet-round2"],
    typer.Option(help="Which of the project's networks; round 2 is the final one."),
]


def command(
    context: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="DIR|MODEL|bundled",
            help="Project folder, a file by `clisc export model`, or the network that comes with clisc.",
            autocompletion=sources_of_predictions,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the masks; for one image, also a file name.")
    ],
    images: Annotated[
        list[Path] | None, typer.Argument(metavar="IMAGE...", help="FLAIR volumes, or folders of volumes.")
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Write the tumour probability beside each mask.")
    ] = False,
    network: Network = "unet-round2",
    variant: Variant = None,
    channel: Channel = None,
    follow_links: FollowLinks = False,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.", autocompletion=devices)
    ] = "auto",
    precision: Annotated[Precision, typer.Option(help="Arithmetic of the network.")] = "32",
    allow_skull: Annotated[
        bool, typer.Option("--allow-skull", help="Go on with volumes that look not skull-stripped.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Remake masks that are up to date; replace those that clisc did not write."
        ),
    ] = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more; tracebacks.")] = False,
) -> None:
    """Segment new volumes; each mask lies on its volume's own grid.

    A project's final network does it, or an exported model file that needs no project, or the bundled
    models, which know phantoms alone. Masks that are already there, from the same volume by the same
    network, are kept.

    Example: clisc predict glioma new/case1.nii.gz -o masks    clisc predict bundled scan.nii -o masks
    """
    from clisc_engine.imaging.endings import ENDINGS, WRITTEN

    if not images:
        raise typer.BadParameter(_no_image(source, out), param_hint="IMAGE...")
    to_a_file = out.name.lower().endswith(ENDINGS)
    not_an_input(out, [path for path in (source, *images) if path.is_file()])
    if to_a_file:
        file_of_kind(out, WRITTEN, "a mask")
    else:
        folder(out)
    options = RunOptions(
        context,
        device=device,
        precision=precision,
        force=force,
        json_=json_,
        quiet=quiet,
        verbose=verbose,
        variant=variant,
    )
    options.session().join()
    ask = _Asked(
        source,
        images,
        channel,
        follow_links,
        network,
        allow_skull,
        probabilities,
        options,
        options.control(),
    )
    if to_a_file:
        _predict_one(ask, out)
    else:
        _predict_all(ask, out)


def _no_image(source: Path, out: Path) -> str:
    """What to say when one path alone is given: most often it is the image, as other programs have it."""
    from clisc_engine.imaging.endings import ENDINGS
    from clisc_engine.project.project import SETTINGS_FILE

    is_image = source.name.lower().endswith(ENDINGS)
    is_folder = source.is_dir() and not (source / SETTINGS_FILE).exists()
    if not (is_image or is_folder):
        return f"name the volumes to segment after {source}, or a folder of them."
    what = "an image" if is_image else "no project"
    return (
        f"{source} is {what}; put before it what is to segment it: a project, a model file, or the word "
        "bundled for the network that comes with clisc: "
        f"`clisc predict bundled {shell_word(source)} -o {shell_word(out)}`."
    )


@dataclass(frozen=True)
class _Asked:
    """What was asked for on the line."""

    source: Path
    images: Sequence[Path]
    channel: str | None
    follow_links: bool
    network: str
    allow_skull: bool
    probabilities: bool
    options: RunOptions
    control: Control

    def segmenter(self) -> FileSegmenter:
        from clisc_engine.results.model_file import TINY_CAUTION
        from clisc_engine.results.segmenter import open_segmenter

        segmenter = open_segmenter(self.source, self.network, self.control, self.options.variant or "")
        if segmenter.project is not None:
            warn_of_stale_network(segmenter.project, self.network, self.options.terminal())
        if segmenter.card.weights == "tiny":
            self.options.terminal().say(TINY_CAUTION)
        return segmenter.with_skulls() if self.allow_skull else segmenter


def _predict_all(ask: _Asked, out: Path) -> None:
    """A mask of each volume, in a folder.

    Raises:
        CasesFailed: when some volumes failed.
    """
    from clisc_engine.errors import BadInput, CasesFailed
    from clisc_engine.results.predict import predict_files
    from clisc_engine.results.predict_inputs import find_images
    from clisc_engine.results.segmenter import inputs_behind

    terminal = ask.options.terminal()
    unnamed: dict[Path, str] = {}
    remarks: list[str] = []
    found = find_images(ask.images, ask.channel, unnamed, remarks, follow_links=ask.follow_links)
    for remark in remarks:
        terminal.warn(remark)
    if not found:
        raise BadInput(" ".join(unnamed.values()))
    report, entries = predict_files(
        ask.segmenter(),
        found,
        out,
        ask.control,
        probabilities=ask.probabilities,
        inputs=inputs_behind(ask.source),
    )
    report.failed |= {str(path): why for path, why in unnamed.items()}
    if ask.options.json_:
        print_json({**asdict(report), "out": str(out), "remarks": remarks, "cases": entries})
    else:
        for name, entry in entries.items():
            _line(out / entry["mask"], entry["volume_ml"], name)
        result_console().print(summary(report, dry_run=False), markup=False)
    for name, message in report.failed.items():
        terminal.warn(message if message.startswith(name) else f"{name}: {message}")
    if report.failed:
        count = len(found) + len(unnamed)
        raise CasesFailed(
            f"{len(report.failed)} of {count} volumes failed; the masks of the others are in {out}."
        )


def _predict_one(ask: _Asked, out: Path) -> None:
    """One mask, of the file name that was given."""
    from clisc_engine.results.predict_file import outputs_of_one, predict_file, probability_beside
    from clisc_engine.results.predict_inputs import find_the_image
    from clisc_engine.results.segmenter import inputs_behind

    found = find_the_image(ask.images, ask.channel, follow_links=ask.follow_links)
    if len(found) != 1:
        raise typer.BadParameter(f"{len(found)} images need a folder, not one file", param_hint="--out")
    (case,) = found
    not_an_input(out, [case.image])
    if ask.control.ranks.rank:
        return
    outputs = outputs_of_one(case, inputs_behind(ask.source), force=ask.control.force)
    outputs.check([out, probability_beside(out)] if ask.probabilities else [out])
    prediction = predict_file(ask.segmenter(), case, out, outputs, probabilities=ask.probabilities)
    for note in prediction.notes:
        ask.options.terminal().say(note)
    if ask.options.json_:
        print_json(
            {"image": str(case.image), "mask": str(out), "volume_ml": round(prediction.volume_ml, 3)}
        )
    else:
        _line(out, prediction.volume_ml, case.image.name)


def _line(mask: Path, volume: float, name: str) -> None:
    size = f"{volume:.1f} ml" if volume else "empty: no tumour found"
    print_line(f"{name}: {mask} ({size})")
