"""What can be drawn of one case: its slices, maps, masks and prompts, and the slices worth drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from clisc_engine.baselines.table1.measured import measured_in_table1
from clisc_engine.core.brain import brain_of
from clisc_engine.core.prompts import Prompt
from clisc_engine.core.seeds import case_seed
from clisc_engine.files.words import ml_in_words
from clisc_engine.imaging.axial import AxialView
from clisc_engine.imaging.placement import Placement
from clisc_engine.models.weights import MissingWeights
from clisc_engine.products.kinds import AMDA_MAPS, IMAGE, LABELS, PROBABILITY, SAM_MASKS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.results.layers import REFERENCE_LAYER, SAM_LAYER, STEPS, Layer
from clisc_engine.running.spec import why_not_fresh
from clisc_engine.settings.schema import Settings
from clisc_engine.stages import recipes
from clisc_engine.stages.classifier.slices import windowed
from clisc_engine.stages.evaluation.measured import Measured, measured
from clisc_engine.stages.prompting.regions import region_of_interest, without_sam
from clisc_engine.stages.prompting.slice_prompts import slice_prompts

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class CasePicture:
    """What is drawn of a case.

    Attributes:
        name: of the case.
        split: train, valid or test.
        slices: (Z, Y, X) uint8, windowed.
        voxel_ml: volume of a stored voxel in ml.
        view: which sides of the patient the edges are, the pixels' size, and the first slice's place.
        chosen: the slices to draw, in order.
        probability: (Z,) CLIP's, empty when not labelled.
        labels: (Z,) 0, 1, 255.
        maps: (Z, Y, X) class activation maps by array name.
        masks: (Z, Y, X) masks by array name.
        prompts: SAM's prompts, of the slices that have any.
        measured: the reference and DSCs, of a case that was evaluated.
        layers: those that get a column if they have something to show, in order.
    """

    name: str
    split: str
    slices: npt.NDArray[np.uint8]
    voxel_ml: float
    view: AxialView
    chosen: list[int]
    probability: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]
    maps: dict[str, npt.NDArray[np.uint8]] = field(default_factory=dict)
    masks: dict[str, Mask] = field(default_factory=dict)
    prompts: dict[int, list[Prompt]] = field(default_factory=dict)
    measured: Measured = field(default_factory=Measured)
    layers: tuple[Layer, ...] = STEPS

    @property
    def steps(self) -> list[Layer]:
        """The layers that have something to show, in order."""
        return [layer for layer in self.layers if layer.array in self.maps or layer.array in self.masks]

    @property
    def reference(self) -> Mask | None:
        """The (Z, Y, X) reference, None unless the case was evaluated."""
        return self.measured.reference

    def volume_ml(self, layer: Layer) -> float | None:
        """Volume of a layer's mask in ml, of the whole reference; None where there is no mask."""
        if layer is REFERENCE_LAYER:
            return None if self.reference is None else self.measured.volume_ml
        mask = self.masks.get(layer.array) if layer.kind == "mask" else None
        return None if mask is None else float(mask.sum()) * self.voxel_ml

    def figures(self, layer: Layer | None) -> str:
        """Volume and DSC of a step's column in words, both of the whole volume; empty without any."""
        found = layer or REFERENCE_LAYER
        volume, score = self.volume_ml(found), self.measured.scores.get(found.array)
        words = [] if volume is None else [ml_in_words(volume)]
        if score is not None:
            cut = f", {self.measured.cut}" if found.kind == "map" and self.measured.cut else ""
            words.append(f"DSC {score:.1f} %{cut}")
        elif found.array in self.measured.outdated:
            words.append("DSC: evaluate again")
        return ", ".join(words)

    def column_title(self, layer: Layer | None) -> str:
        """The title of a step's column of slices; None stands for the first column, the bare slices."""
        if layer is None:
            return "FLAIR" if self.reference is None else "FLAIR, reference"
        return "prompts, SAM's mask" if layer is SAM_LAYER and self.prompts else layer.title


def case_picture(project: Project, name: str, rows: int, layers: tuple[Layer, ...] = STEPS) -> CasePicture:
    """Gather what there is of a case; ``rows`` slices, spread over the lesion that was found.

    Args:
        project: the project.
        name: of the case.
        rows: how many slices.
        layers: what may get a column: the method's steps, or the rows of Table 1.

    Raises:
        BadInput: when there is no such case.
    """
    case = project.case(name)
    image = case.read(IMAGE)
    maps = {s.array: case.read(s.array) for s in layers if s.kind == "map" and case.seal(s.array)}
    masks = {s.array: case.read(s.array) != 0 for s in layers if s.kind == "mask" and case.seal(s.array)}
    slices = windowed(image, project.settings.window)
    labelled = case.seal(PROBABILITY) is not None
    regions = [*masks.values(), *(heat > 127 for heat in maps.values())]
    chosen = chosen_slices(brain_of(image), regions, rows)
    return CasePicture(
        name=name,
        split=case.info.split,
        slices=slices,
        voxel_ml=float(np.prod(case.info.spacing)) / 1000,
        view=AxialView.of(Placement.from_dict(case.info.placement)),
        chosen=chosen,
        probability=case.read(PROBABILITY) if labelled else np.zeros(0, np.float32),
        labels=case.read(LABELS) if labelled else np.zeros(0, np.uint8),
        maps=maps,
        masks=masks,
        prompts=_prompts(project, case, image, slices, maps),
        measured=_measured(project, case, layers),
        layers=layers,
    )


def _measured(project: Project, case: CaseArrays, layers: tuple[Layer, ...]) -> Measured:
    """By the table whose rows the layers are."""
    return measured(project, case) if layers == STEPS else measured_in_table1(project, case)


def chosen_slices(brain: Mask, regions: Sequence[Mask], count: int) -> list[int]:
    """Slices spread over where the regions lie, denser where more of them do; else over the brain.

    Args:
        brain: (Z, Y, X).
        regions: (Z, Y, X) masks; each counts the same, however large it is.
        count: how many slices at most.
    """
    areas = [mask.sum(axis=(1, 2)) for mask in regions if mask.any()] or [brain.any(axis=(1, 2))]
    share = np.sum([area / area.sum() for area in areas], axis=0)
    cumulative = np.cumsum(share) / share.sum()
    targets = (np.arange(count) + 0.5) / count
    return sorted({int(z) for z in np.searchsorted(cumulative, targets)})


def _is_of_others(settings: Settings, case: CaseArrays) -> bool:
    """Whether SAM's mask would come out otherwise now: then nobody knows which prompts it was given."""
    if case.stamp(SAM_MASKS) is None:
        return False
    try:
        return bool(why_not_fresh(recipes.array(settings, SAM_MASKS), case))
    except MissingWeights:
        return False


def _prompts(
    project: Project,
    case: CaseArrays,
    image: npt.NDArray[Any],
    slices: npt.NDArray[np.uint8],
    maps: dict[str, npt.NDArray[np.uint8]],
) -> dict[int, list[Prompt]]:
    """The prompts of the maps; none where SAM's mask is of others, or where the bundled network has a say.

    That network is not asked here. Nor is SAM, so ``roi.threshold = "sam"`` is drawn as otsu.
    """
    settings = project.settings
    if AMDA_MAPS not in maps or settings.prompts.region != "map" or _is_of_others(settings, case):
        return {}
    chosen = without_sam(settings.roi)
    roi = region_of_interest(maps[AMDA_MAPS], brain_of(image), case.info.spacing, chosen)
    seed = case_seed(settings.seed, case.info.identity)
    return {
        z: slice_prompts(roi[z], slices[z], settings.prompts, settings.prompts.dilation, (seed, z))
        for z in np.flatnonzero(roi.any(axis=(1, 2))).tolist()
    }
