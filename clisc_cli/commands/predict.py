"""``clisc predict``."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from clisc_cli.console import print_json, result_console
from clisc_cli.options import Channel, Precision, RunOptions
from clisc_cli.reports import summary

if TYPE_CHECKING:
    from clisc_engine.imaging.casefiles import CaseFiles
    from clisc_engine.stages.prediction import FileSegmenter

Network = Annotated[
    Literal["unet-round1", "unet-round2"],
    typer.Option(help="Which of the project's networks; round 2 is the final one."),
]


def command(
    context: typer.Context,
    source: Annotated[
        Path, typer.Argument(metavar="DIR|MODEL", help="Project folder, or a file by `clisc export model`.")
    ],
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE...", help="FLAIR volumes, or folders of volumes.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the masks; for one image, also a file name.")
    ],
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Write the tumour probability beside each mask.")
    ] = False,
    network: Network = "unet-round2",
    channel: Channel = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    precision: Annotated[Precision, typer.Option(help="Arithmetic of the network.")] = "32",
    allow_skull: Annotated[
        bool, typer.Option("--allow-skull", help="Go on with volumes that look not skull-stripped.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Remake masks that are up to date.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Result as one JSON document.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only results and errors.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more; tracebacks.")] = False,
) -> None:
    """Segment new volumes; each mask lies on its volume's own grid.

    A project's final network does it, or an exported model file that needs no project. Masks that
    are already there, from the same volume by the same network, are kept.

    Example: clisc predict glioma new/case1.nii.gz -o masks    clisc predict brain.clisc new -o masks
    """
    from clisc_engine.errors import CasesFailed
    from clisc_engine.imaging.casefiles import ENDINGS
    from clisc_engine.stages.prediction import open_segmenter
    from clisc_engine.stages.prediction_files import find_images, predict_files

    options = RunOptions(
        context,
        device=device,
        precision=precision,
        force=force,
        json_=json_,
        quiet=quiet,
        verbose=verbose,
    )
    options.session().join()
    control = options.control()
    found = find_images(images, channel)
    segmenter = open_segmenter(source, network, control)
    if allow_skull:
        image = segmenter.card.image.model_copy(update={"allow_skull": True})
        segmenter = replace(segmenter, card=replace(segmenter.card, image=image))
    if out.name.lower().endswith(ENDINGS):
        if len(found) != 1:
            raise typer.BadParameter(f"{len(found)} images need a folder, not one file", param_hint="--out")
        if control.ranks.rank == 0:
            _predict_one(segmenter, found[0], out, probabilities, options)
        return
    report, entries = predict_files(segmenter, found, out, control, probabilities=probabilities)
    if json_:
        print_json({**asdict(report), "out": str(out), "cases": entries})
    else:
        for name, entry in entries.items():
            _line(out / entry["mask"], entry["volume_ml"], name)
        result_console().print(summary(report, dry_run=False), markup=False)
    for name, message in report.failed.items():
        options.terminal().warn(f"{name}: {message}")
    if report.failed:
        raise CasesFailed(
            f"{len(report.failed)} of {len(found)} volumes failed; the masks of the others are in {out}."
        )


def _predict_one(
    segmenter: FileSegmenter, case: CaseFiles, out: Path, probabilities: bool, options: RunOptions
) -> None:
    from clisc_engine.stages.prediction_files import write_prediction

    prediction = segmenter.predict(case.image, case.channel)
    probability = None
    if probabilities:
        stem, dot, ending = out.name.partition(".")
        probability = out.with_name(f"{stem}_probability{dot}{ending}")
    write_prediction(prediction, out, probability)
    for note in prediction.notes:
        options.terminal().say(note)
    if options.json_:
        print_json(
            {"image": str(case.image), "mask": str(out), "volume_ml": round(prediction.volume_ml, 3)}
        )
    else:
        _line(out, prediction.volume_ml, case.image.name)


def _line(mask: Path, volume: float, name: str) -> None:
    size = f"{volume:.1f} ml" if volume else "empty: no tumour found"
    result_console().print(f"{name}: {mask} ({size})", markup=False)
