"""A trained network applied to new volumes, from a project or from an exported model file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from clisc_engine.batch_size import BatchSize
from clisc_engine.case_names import Names
from clisc_engine.checkpoints import Checkpoint
from clisc_engine.control import Control
from clisc_engine.errors import BadInput, DiskFault, MissingStage, Stopped
from clisc_engine.fingerprint import fingerprint, settings_used
from clisc_engine.imaging.discover import CaseFiles, case_name, find_cases
from clisc_engine.imaging.preprocess import restore
from clisc_engine.imaging.volume import Geometry, write_image, write_mask
from clisc_engine.model_file import ENDING, ModelCard, read_card, read_tensors, write_model
from clisc_engine.models.device import pick_device
from clisc_engine.models.unet import build_unet
from clisc_engine.models.weights import sha256_of
from clisc_engine.project import Project, open_project
from clisc_engine.runner import Report
from clisc_engine.settings import Settings
from clisc_engine.stages.importing import read_normalised
from clisc_engine.stages.unet_training import mask_of, tumour_probability
from clisc_engine.store import write_atomically

RECORD = "predictions.json"


@dataclass(frozen=True)
class Prediction:
    """A volume's result on the grid of its own file.

    Attributes:
        mask: (Z, Y, X) uint8.
        probability: (Z, Y, X) float32, 0 outside the brain.
        geometry: the file's grid.
        volume_ml: of the mask.
    """

    mask: npt.NDArray[np.uint8]
    probability: npt.NDArray[np.float32]
    geometry: Geometry
    volume_ml: float


@dataclass(frozen=True)
class Segmenter:
    """A network in evaluation mode, with what it says of itself and the device it is on.

    ``windows`` is how many windows the network gets at once, for all volumes.
    """

    module: nn.Module
    card: ModelCard
    device: torch.device
    windows: BatchSize

    def predict(self, path: Path) -> Prediction:
        """Segment one file.

        Raises:
            BadInput: when the file cannot be used.
        """
        image, placement = read_normalised(path, self.card.image, "--allow-skull")
        inside = tumour_probability(
            self.module, image, placement.spacing, self.card.unet, self.windows, self.device
        )
        inside[image == 0] = 0
        mask = restore(mask_of(inside, image, self.card.unet), placement)
        voxel = float(np.prod(placement.source.spacing))
        return Prediction(mask, restore(inside, placement), placement.source, mask.sum() * voxel / 1000)


def open_segmenter(source: Path, network: str, control: Control) -> Segmenter:
    """The network of a project (``unet-round1`` or ``unet-round2``), or of a model file.

    Raises:
        MissingStage: when there is no project, or it has not trained the network.
        BadInput: when the file is no model.
    """
    if source.suffix == ENDING or source.is_file():
        if not source.is_file():
            raise BadInput(f"The model file {source} does not exist.")
        card, tensors = read_card(source), read_tensors(source)
    else:
        project = open_project(source)
        card = card_of(project, network)
        tensors = Checkpoint(project.checkpoints, network).tensors()
    device = pick_device(control.device)
    module = build_unet(card.unet.channels, card.unet.spacing)
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise BadInput(
            f"{source}: its weights do not fit its network: {str(error).splitlines()[0]}"
        ) from error
    windows = BatchSize(card.unet.batch_size, "windows", control)
    return Segmenter(module.eval().to(device), card, device, windows)


def card_of(project: Project, network: str) -> ModelCard:
    """What a project's network would say of itself.

    Raises:
        MissingStage: when it is not trained.
    """
    checkpoint = Checkpoint(project.checkpoints, network)
    origin = checkpoint.made_from()
    if origin is None:
        raise MissingStage(
            f"{network} is not trained yet; run `clisc run` first"
            + (
                ", or take the first round's with --network unet-round1."
                if network != "unet-round1"
                else "."
            )
        )
    settings = project.settings
    trained = datetime.fromtimestamp(checkpoint.weights.stat().st_mtime, timezone.utc)
    return ModelCard(
        network=network,
        image=settings.image,
        unet=settings.unet,
        weights=settings.weights,
        trained=trained.isoformat(timespec="seconds"),
        training_volumes=sum(key.startswith("train/") and key.endswith("/image") for key in origin),
        origin={key: value for key, value in origin.items() if "/" not in key},
        fingerprint=fingerprint(origin),
    )


def export_model(project: Project, network: str, path: Path) -> ModelCard:
    """Write a network of the project as one file that `open_segmenter` reads."""
    card = card_of(project, network)
    write_model(path, card, Checkpoint(project.checkpoints, network).tensors())
    return card


def find_images(paths: Sequence[Path]) -> list[CaseFiles]:
    """The volumes that were named, and those in the folders that were named, by case name.

    Raises:
        BadInput: when there is none, or two have the same case name.
    """
    names = Names()
    found: list[CaseFiles] = []
    for path in paths:
        if not path.exists():
            raise BadInput(f"{path} does not exist.")
        cases = find_cases(str(path), None) if path.is_dir() else [CaseFiles(case_name(path), path, None)]
        found += [replace(case, name=names.take(case.name, str(case.image))) for case in cases]
    return found


def predict_files(
    segmenter: Segmenter, images: Sequence[CaseFiles], out: Path, control: Control, *, probabilities: bool
) -> tuple[Report, dict[str, dict[str, Any]]]:
    """Write ``<case>_seg.nii.gz`` into the folder ``out`` for each volume; bad ones are reported.

    A volume whose result is already there, from the same file by the same network, is left as it is.

    Returns:
        What was done, and by case the entries of ``out``'s predictions.json.

    Raises:
        BadInput: when the only volume cannot be used.
    """
    out.mkdir(parents=True, exist_ok=True)
    record, report = _record(out), Report("predict")
    started = datetime.now()
    network = _identity(segmenter)
    control.progress.begin("predict", len(images), "volume")
    try:
        for case in images:
            control.check_stop()
            try:
                _predict_file(segmenter, case, out, control, probabilities, network, record, report)
            except (Stopped, DiskFault):
                raise
            except BadInput as error:
                if len(images) == 1:
                    raise
                report.failed[case.name] = str(error)
            control.progress.advance(case.name)
    finally:
        control.progress.end()
    report.seconds = (datetime.now() - started).total_seconds()
    return report, {case.name: record[case.name] for case in images if case.name in record}


def write_prediction(prediction: Prediction, mask: Path, probability: Path | None) -> None:
    """Write a result as image files on its own grid."""
    mask.parent.mkdir(parents=True, exist_ok=True)
    if probability is not None:
        write_image(probability, prediction.probability, prediction.geometry)
    write_mask(mask, prediction.mask, prediction.geometry)


def _predict_file(
    segmenter: Segmenter,
    case: CaseFiles,
    out: Path,
    control: Control,
    probabilities: bool,
    network: str,
    record: dict[str, dict[str, Any]],
    report: Report,
) -> None:
    mask = out / f"{case.name}_seg.nii.gz"
    probability = out / f"{case.name}_probability.nii.gz" if probabilities else None
    digest = sha256_of(case.image) if case.image.is_file() else ""
    made_from = {"network": network, "image": digest}
    before = record.get(case.name, {})
    complete = mask.is_file() and (probability is None or probability.is_file())
    if digest and complete and before.get("made_from") == made_from and not control.force:
        report.fresh.append(case.name)
        return
    prediction = segmenter.predict(case.image)
    write_prediction(prediction, mask, probability)
    record[case.name] = {
        "image": str(case.image),
        "mask": mask.name,
        "volume_ml": round(prediction.volume_ml, 3),
        "made_from": made_from,
    }
    write_atomically(out / RECORD, json.dumps(record, indent=1).encode())
    report.done.append(case.name)


def _identity(segmenter: Segmenter) -> str:
    """Fingerprint of the network with its preprocessing and inference."""
    settings = Settings(image=segmenter.card.image, unet=segmenter.card.unet)
    return fingerprint({"network": segmenter.card.fingerprint, **settings_used(settings, "image", "unet")})


def _record(out: Path) -> dict[str, dict[str, Any]]:
    """The entries of earlier calls; those that are not whole are left out, so their volumes come anew."""
    try:
        found = json.loads((out / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    whole = {"image", "mask", "volume_ml", "made_from"}
    entries = found.items() if isinstance(found, dict) else ()
    return {
        name: entry
        for name, entry in entries
        if isinstance(entry, dict) and entry.keys() == whole and isinstance(entry["volume_ml"], float)
    }
