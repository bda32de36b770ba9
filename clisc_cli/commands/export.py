"""``clisc export masks|bids|dicom-seg|nnunet|csv|model|bundle``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clisc_cli.commands.predict import Network
from clisc_cli.completion import masks_of_the_project
from clisc_cli.console import Terminal, print_json, result_console
from clisc_cli.named import Directory, Splits, chosen_splits, open_named
from clisc_cli.options import RunOptions, with_run_options
from clisc_cli.places import file_of_kind, folder
from clisc_cli.reports import show_report, warn_of_stale_network
from clisc_cli.switches import Json, Quiet, Variant, Verbose
from clisc_cli.words import counted
from clisc_engine.files.words import shell_word

if TYPE_CHECKING:
    from clisc_engine.project.project import Project

app = typer.Typer(help="Masks, data sets, tables and models for other tools.", no_args_is_help=True)

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder to write into.")]
Kind = Annotated[
    str,
    typer.Option(
        "--masks", help="Which: round2 (the result), sam, ...", autocompletion=masks_of_the_project
    ),
]


@app.command("masks")
@partial(with_run_options, without=("batch_size",))
def masks(
    out: Out,
    directory: Directory = None,
    kind: Annotated[
        str,
        typer.Option(
            "--masks",
            help="Which: sam, round1, sam-round1, round2 (the result), ...",
            autocompletion=masks_of_the_project,
        ),
    ] = "round2",
    splits: Splits = None,
    *,
    options: RunOptions,
) -> None:
    """Write masks as NIfTI on the grid of the volumes that `init` read, as CASE_sam.nii.gz and the like.

    Predictions that are lacking are made first. A sidecar (.json, in BIDS' words) tells where each mask
    comes from; `clisc explain` reads it.

    Example: clisc export masks glioma -o masks --splits test
    """
    from clisc_engine.imaging.endings import ENDINGS
    from clisc_engine.results.export import export_masks

    folder(out, ENDINGS)
    project = options.open_project(directory)
    _warn_if_stale(project, kind, options)
    show_report(export_masks(project, kind, out, options.control(), chosen_splits(splits)), options)
    if not options.dry_run:
        options.terminal().say(f"Masks are in {out}, each with a sidecar that says where it comes from")


@app.command("bids")
@partial(with_run_options, without=("batch_size",))
def bids(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the data set, e.g. BIDS/derivatives/clisc.")
    ],
    directory: Directory = None,
    kind: Kind = "round2",
    splits: Splits = None,
    *,
    options: RunOptions,
) -> None:
    """Write masks as a BIDS derivatives data set, each with a JSON file of what it was made from.

    Images of a BIDS data set keep their entities and are referred to; of others the case is the subject.

    Example: clisc export bids glioma -o bids/derivatives/clisc
    """
    from clisc_engine.imaging.endings import ENDINGS
    from clisc_engine.results.export_bids import export_bids

    folder(out, ENDINGS)
    project = options.open_project(directory)
    _warn_if_stale(project, kind, options)
    show_report(export_bids(project, kind, out, options.control(), chosen_splits(splits)), options)
    if not options.dry_run:
        options.terminal().say(f"The data set is {out}")


@app.command("dicom-seg")
@partial(with_run_options, without=("batch_size",))
def dicom_seg(
    out: Out,
    directory: Directory = None,
    kind: Kind = "round2",
    splits: Splits = None,
    *,
    options: RunOptions,
) -> None:
    """Write masks as DICOM Segmentations that refer to their images, for cases that came from DICOM.

    They hold the patient's name and ID as the images do. Sources must be as `init` read them.

    Example: clisc export dicom-seg glioma -o segmentations
    """
    from clisc_engine.files.words import listed
    from clisc_engine.imaging.endings import ENDINGS
    from clisc_engine.results.export_dicom_seg import export_dicom_seg

    folder(out, ENDINGS)
    project = options.open_project(directory)
    _warn_if_stale(project, kind, options)
    report, others = export_dicom_seg(project, kind, out, options.control(), chosen_splits(splits))
    if others:
        options.terminal().warn(
            f"{counted(len(others), 'case')} left out, whose images are no DICOM: {listed(others, 5)}"
        )
    show_report(report, options)
    if not options.dry_run:
        options.terminal().say(f"The segmentations are in {out}")


@app.command("nnunet")
@partial(with_run_options, without=("batch_size",))
def nnunet(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of raw data sets, e.g. $nnUNet_raw.")],
    directory: Directory = None,
    kind: Annotated[
        str,
        typer.Option(
            "--masks", help="The pseudo-labels: round1, sam, ...", autocompletion=masks_of_the_project
        ),
    ] = "round1",
    number: Annotated[int, typer.Option("--id", min=1, max=999, help="Number of the data set.")] = 501,
    name: Annotated[str, typer.Option(help="Name of the data set.")] = "CLISC",
    stored_images: Annotated[
        bool, typer.Option("--stored-images", help="The project's normalised images, not the source files.")
    ] = False,
    *,
    options: RunOptions,
) -> None:
    """Write an nnU-Net v2 raw data set of images and pseudo-labels.

    Volumes that S3F dropped are left out when the pseudo-labels are round 1's.

    Example: clisc export nnunet glioma -o nnUNet_raw --id 501 --name Glioma
    """
    from clisc_engine.results.export_nnunet import export_nnunet

    folder(out)
    project = options.open_project(directory)
    _warn_if_stale(project, kind, options)
    report, made = export_nnunet(
        project, kind, out, options.control(), number=number, name=name, stored_images=stored_images
    )
    dropped = f", {len(report.fresh)} that S3F dropped left out" if report.fresh else ""
    if options.json_:
        document = {"folder": str(made), "cases": report.done, "dropped": report.fresh}
        print_json({**document, **({"planned": report.planned} if options.dry_run else {})})
    elif options.dry_run:
        show_report(report, options)
    else:
        result_console().print(f"{made}: {counted(len(report.done), 'case')}{dropped}", markup=False)
        options.terminal().say(f"Next: nnUNetv2_plan_and_preprocess -d {number} --verify_dataset_integrity")


@app.command("csv")
def tables(
    out: Out,
    directory: Directory = None,
    variant: Variant = None,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write slice labels, volumes, similarities and metrics as CSV tables.

    Example: clisc export csv glioma -o tables
    """
    from clisc_engine.results.export_tables import export_tables

    folder(out)
    written = [str(path) for path in export_tables(open_named(directory, variant), out)]
    if json_:
        print_json({"files": written})
        return
    for path in written:
        result_console().print(path, markup=False)
    Terminal(quiet=quiet).say(f"Wrote {counted(len(written), 'table')} into {out}")


@app.command("model")
def model(
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write, named *.clisc.")],
    directory: Directory = None,
    network: Network = "unet-round2",
    variant: Variant = None,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write a network as one file that `clisc predict` takes without the project.

    It holds weights, preprocessing, patch size, settings and provenance; no case names, no voxels.

    Example: clisc export model glioma -o brain.clisc
    """
    from clisc_engine.results.model_file import ENDING
    from clisc_engine.results.trained import export_model

    file_of_kind(out, (ENDING,), "a model")
    project = open_named(directory, variant)
    card = export_model(project, network, out)
    warn_of_stale_network(project, network, Terminal(quiet=quiet))
    if json_:
        print_json({"file": str(out), "network": card.network, "fingerprint": card.fingerprint})
        return
    size = out.stat().st_size / 1e6
    result_console().print(
        f"{out}: {card.network}, {counted(card.training_volumes, 'volume')}, {size:.1f} MB", markup=False
    )
    Terminal(quiet=quiet).say(f"Next: clisc predict {shell_word(out)} IMAGE -o MASKS")


@app.command("bundle")
def bundle(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the bundle.")],
    directory: Directory = None,
    network: Network = "unet-round2",
    variant: Variant = None,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write a network as a MONAI Bundle, for MONAI Label, 3D Slicer and `python -m monai.bundle run`.

    It carries weights, preprocessing and provenance, and runs without clisc; no case names, no voxels.

    Example: clisc export bundle glioma -o brain-bundle
    """
    from clisc_engine.imaging.endings import ENDINGS
    from clisc_engine.results.bundle.write import export_bundle

    folder(out, ENDINGS)
    project = open_named(directory, variant)
    card = export_bundle(project, network, out)
    warn_of_stale_network(project, network, Terminal(quiet=quiet))
    if json_:
        print_json({"folder": str(out), "network": card.network, "fingerprint": card.fingerprint})
        return
    volumes = counted(card.training_volumes, "volume")
    result_console().print(f"{out}: {card.network}, {volumes}", markup=False)
    Terminal(quiet=quiet).say(f"MONAI Label, 3D Slicer and `python -m monai.bundle run` take {out}")


def _warn_if_stale(project: Project, masks: str, options: RunOptions) -> None:
    from clisc_engine.results.export import stale_steps

    if steps := stale_steps(project, f"masks/{masks}"):
        home = project.store.home
        options.terminal().warn(
            f"these masks are as they were made, but {', '.join(steps)} would now give others; "
            f"{home.in_words('status')} says why, and {home.in_words('run')} makes them anew."
        )
