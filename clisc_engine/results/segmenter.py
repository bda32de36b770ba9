"""A trained network applied to new volumes, from a project or from an exported model file."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from clisc_engine.errors import BadInput
from clisc_engine.imaging.geometry import Geometry, Volume
from clisc_engine.imaging.placement import restore
from clisc_engine.outputs.inputs import Inputs
from clisc_engine.project.fingerprint import fingerprint, settings_used
from clisc_engine.project.project import SETTINGS_FILE, Project, open_project
from clisc_engine.project.variants import open_variant
from clisc_engine.results.bundle.write import METADATA
from clisc_engine.results.bundled import bundled_card, names_the_bundled_network
from clisc_engine.results.model_file import ENDING, AskedSam, ModelCard, read_card, read_tensors
from clisc_engine.results.trained import card_of
from clisc_engine.running.control import Control
from clisc_engine.running.device import device_in_words
from clisc_engine.settings.schema import Settings
from clisc_engine.stages import recipes

if TYPE_CHECKING:
    import torch

    from clisc_engine.importing.cases import Normalised
    from clisc_engine.models.segmenter import Segmenter
    from clisc_engine.stages.prompting.with_sam import WithSam

ALLOW = "--allow-skull, in Python allow_skull=True"
"""What lets volumes with a skull pass, for messages."""


@dataclass(frozen=True)
class Prediction:
    """A volume's result on the grid of its own file.

    Attributes:
        mask: (Z, Y, X) uint8.
        probability: (Z, Y, X) float32, 0 outside the brain.
        geometry: the file's grid.
        volume_ml: of the mask.
        notes: sentences for the user about the file.
    """

    mask: npt.NDArray[np.uint8]
    probability: npt.NDArray[np.float32]
    geometry: Geometry
    volume_ml: float
    notes: tuple[str, ...]


@dataclass(frozen=True)
class FileSegmenter:
    """A trained network that segments image files; it is loaded when it is first needed.

    Attributes:
        card: its preprocessing, settings and provenance.
        make: loads it, ready to run.
        control: of the run: device and precision.
        project: whose it is, or the variant; None of a model file's and the bundled one.
    """

    card: ModelCard
    make: Callable[[], Segmenter | WithSam]
    control: Control
    project: Project | None = None

    def load(self) -> None:
        """Load the network now, for what is wrong with it concerns every volume.

        Raises:
            Unreadable: when its weights cannot be read now.
            BadInput: when they are damaged or do not fit the card's network, or there is no such device.
        """
        self._segmenter  # noqa: B018 - kept from now on

    @functools.cached_property
    def _segmenter(self) -> Segmenter | WithSam:
        return self.make()

    def with_skulls(self) -> FileSegmenter:
        """The same, but for volumes that look not skull-stripped, which it takes as they are."""
        return replace(self, card=with_skulls(self.card))

    @property
    def identity(self) -> str:
        """Fingerprint of the network with its preprocessing and inference."""
        return identity_of(self.card)

    def arithmetic(self) -> dict[str, str]:
        """On what it runs and how exactly, for records: a mask is up to date whatever they are."""
        return {"device": device_in_words(self.control.device), "precision": self.control.precision}

    def predict(self, path: Path, channel: int | None = None) -> Prediction:
        """Segment one file; of a 4-D file, one channel.

        Raises:
            BadInput: when the file cannot be used.
        """
        from clisc_engine.importing.cases import read_normalised

        return self._predict(read_normalised(path, channel, self.card.image, ALLOW))

    def predict_volume(self, volume: Volume) -> Prediction:
        """Segment one volume that is in memory.

        Raises:
            BadInput: when it cannot be used.
        """
        from clisc_engine.importing.cases import normalised

        return self._predict(normalised(volume, Path(volume.source), self.card.image, ALLOW))

    def _predict(self, read: Normalised) -> Prediction:
        image, placement = read.image, read.placement
        inside = self._segmenter.probability(image, placement.spacing)
        inside[image == 0] = 0
        mask = restore(self._segmenter.mask_of(inside, image, placement.spacing), placement)
        voxel = float(np.prod(placement.source.spacing))
        volume_ml = mask.sum() * voxel / 1000
        return Prediction(mask, restore(inside, placement), placement.source, volume_ml, read.notes)


def with_skulls(card: ModelCard) -> ModelCard:
    """The same network for volumes that look not skull-stripped, too."""
    return replace(card, image=card.image.model_copy(update={"allow_skull": True}))


def identity_of(card: ModelCard) -> str:
    """Fingerprint of a network with its preprocessing and inference: what records of predictions keep."""
    settings = settings_of(card)
    used = settings_used(settings, "image", "unet")
    if card.asks:
        used |= recipes.asking(settings, card.asks.digest)
    return fingerprint({"network": card.fingerprint, **used})


def settings_of(card: ModelCard) -> Settings:
    """The settings by which a network's volumes are prepared and predicted."""
    asks = card.asks
    asked = {"sam": asks.sam, "prompts": asks.prompts, "window": asks.window} if asks else {}
    return Settings(image=card.image, unet=card.unet, **asked)


def open_segmenter(source: Path, network: str, control: Control, variant: str = "") -> FileSegmenter:
    """The network of a project (``unet-round1`` or ``unet-round2``), of a model file, or the bundled one.

    It is not loaded yet.

    Args:
        source: the project, the model file, or the word ``bundled``.
        network: of a project.
        control: of the run.
        variant: the project's variant whose network it is; empty for its own.

    Raises:
        MissingStage: when there is no project, or it has not trained the network.
        BadInput: when the file is no model, or ``bundled`` is the name of a path too; when there is no such
            variant; or the folder is a MONAI Bundle.
    """
    if variant and (names_the_bundled_network(source) or _is_model_file(source)):
        raise BadInput(f"{source} is no project, so it has no variant {variant!r}; leave --variant out.")
    if names_the_bundled_network(source):
        return FileSegmenter(bundled_card(), partial(_bundled, control), control)
    if _is_model_file(source):
        if not source.is_file():
            raise BadInput(f"The model file {source} does not exist.")
        card = read_card(source)
        make = partial(_trained, card, source, partial(read_tensors, source), control)
        return FileSegmenter(card, make, control)
    _refuse_a_bundle(source)
    project = open_project(source)
    project = open_variant(project, variant) if variant else project
    card = card_of(project, network)
    tensors = project.checkpoint(network).tensors
    return FileSegmenter(card, partial(_trained, card, source, tensors, control), control, project)


def _bundled(control: Control) -> WithSam:
    from clisc_engine.stages.prompting.with_sam import bundled_models

    return bundled_models(control)


def _trained(
    card: ModelCard, source: Path, tensors: Callable[[], dict[str, torch.Tensor]], control: Control
) -> Segmenter | WithSam:
    """The card's network with the weights that ``tensors`` reads from a project or a model file."""
    from clisc_engine.models.segmenter import Segmenter
    from clisc_engine.models.unet import build_unet

    unet = card.unet
    module = build_unet(unet.channels, unet.spacing)
    try:
        module.load_state_dict(tensors())
    except RuntimeError as error:
        why = " ".join(str(error).split())[:200]
        raise BadInput(
            f"{source}: its weights do not fit its network ({why}); export or train it again."
        ) from error
    segmenter = Segmenter.of(module.eval(), unet, control)
    return _with_sam(segmenter, card, card.asks, control) if card.asks else segmenter


def _with_sam(segmenter: Segmenter, card: ModelCard, asks: AskedSam, control: Control) -> WithSam:
    """The network with the SAM that its predictions prompt.

    Raises:
        MissingWeights: when SAM's file is not on this machine.
        BadInput: when it is another one.
    """
    from clisc_engine.models.sam import load_sam
    from clisc_engine.stages.prompting.sam_masks import SamBatchSizes
    from clisc_engine.stages.prompting.with_sam import WithSam

    sam = load_sam(asks.sam.model, asks.sam.checkpoint, segmenter.device, asks.sam.image_size)
    if sam.digest != asks.digest:
        raise BadInput(
            f"The network asks a SAM {asks.sam.model} whose file has the SHA-256 {asks.digest}; the one on "
            f"this machine has {sam.digest}. Put that file in the place of this one."
        )
    settings = settings_of(card)
    return WithSam(segmenter, sam, settings, control, SamBatchSizes.of(settings, control))


def _is_model_file(source: Path) -> bool:
    """Whether this names a model file, there or not, rather than a project."""
    return source.suffix == ENDING or source.is_file()


def _refuse_a_bundle(source: Path) -> None:
    """Say what a folder is that `clisc export bundle` or another wrote; a project may hold one."""
    if (source / METADATA).is_file() and not (source / SETTINGS_FILE).is_file():
        raise BadInput(
            f"{source} is a MONAI Bundle, which clisc writes and does not read; run it as its "
            "docs/README.md says (`python -m monai.bundle run`), or name its project here, or a model file "
            "that `clisc export model` wrote."
        )


def inputs_behind(source: Path) -> Inputs:
    """What no prediction may replace: a model file, or what a project was made from.

    Raises:
        MissingStage: when there is neither.
    """
    if names_the_bundled_network(source):
        return Inputs(())
    if _is_model_file(source):
        return Inputs([source])
    return Inputs.of_project(open_project(source))
