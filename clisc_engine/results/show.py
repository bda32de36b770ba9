"""A picture of one case: what each step made of it, slice by slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from clisc_engine.core.prompts import Prompt
from clisc_engine.core.seeds import case_seed
from clisc_engine.outputs.inputs import Inputs
from clisc_engine.outputs.outputs import Made, Outputs
from clisc_engine.products.kinds import AMDA_MAPS, LABELS, PROBABILITY, RAW_MAPS, ROUND1, ROUND2, SAM_MASKS
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.stages.classifier.slices import windowed
from clisc_engine.stages.evaluation.measured import measured
from clisc_engine.stages.prompting.regions import region_of_interest, without_sam
from clisc_engine.stages.prompting.sam_masks import slice_prompts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Mask = npt.NDArray[np.bool_]

BACKGROUND, INK, FAINT = "#101418", "#e8ecf0", "#8a949e"
COLOURS = {SAM_MASKS: "#35b8ff", ROUND1: "#ffd23f", ROUND2: "#ff4f8b"}
REFERENCE = "#ffffff"
"""With these, any two layers stay apart for people with any colour-vision deficiency."""
BOX = "#c9d3dc"

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".pdf", ".svg")
"""Endings of the files that a picture can be written to."""


@dataclass(frozen=True)
class CasePicture:
    """What is drawn of a case.

    Attributes:
        name: of the case.
        split: train, valid or test.
        slices: (Z, Y, X) uint8, windowed.
        aspect: height of a pixel over its width.
        chosen: the slices to draw, in order.
        probability: (Z,) CLIP's, empty when not labelled.
        labels: (Z,) 0, 1, 255.
        maps: (Z, Y, X) class activation maps by array name.
        masks: (Z, Y, X) masks by array name.
        prompts: SAM's prompts, of the slices that have any.
        reference: (Z, Y, X), None unless the project was evaluated on this case.
        scores: DSC in percent by array, where it was evaluated.
    """

    name: str
    split: str
    slices: npt.NDArray[np.uint8]
    aspect: float
    chosen: list[int]
    probability: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]
    maps: dict[str, npt.NDArray[np.uint8]] = field(default_factory=dict)
    masks: dict[str, Mask] = field(default_factory=dict)
    prompts: dict[int, list[Prompt]] = field(default_factory=dict)
    reference: Mask | None = None
    scores: dict[str, float] = field(default_factory=dict)


def case_picture(project: Project, name: str, rows: int) -> CasePicture:
    """Gather what there is of a case; ``rows`` slices, spread over the lesion that was found.

    Raises:
        BadInput: when there is no such case.
    """
    case = project.case(name)
    image = case.read("image")
    maps = {array: case.read(array) for array in (RAW_MAPS, AMDA_MAPS) if case.seal(array)}
    masks = {array: case.read(array) != 0 for array in COLOURS if case.seal(array)}
    slices = windowed(image, project.settings.window)
    labelled = case.seal(PROBABILITY) is not None
    regions = [*masks.values(), *(heat > 127 for heat in maps.values())]
    chosen = chosen_slices(image != 0, regions, rows)
    reference, scores = measured(project, case)
    return CasePicture(
        name=name,
        split=case.info.split,
        slices=slices,
        aspect=case.info.spacing[1] / case.info.spacing[2],
        chosen=chosen,
        probability=case.read(PROBABILITY) if labelled else np.zeros(0, np.float32),
        labels=case.read(LABELS) if labelled else np.zeros(0, np.uint8),
        maps=maps,
        masks=masks,
        prompts=_prompts(project, case, image, slices, maps),
        reference=reference,
        scores=scores,
    )


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


def draw_case(picture: CasePicture, weights: str) -> Figure:
    """The picture as a figure: one row a slice, one column a step, CLIP's probability below."""
    from matplotlib.figure import Figure

    columns = _columns(picture)
    height, width = picture.slices.shape[1:]
    cell = 2.1
    tall = min(cell * picture.aspect * height / width, 1.6 * cell)
    strip = 1.5 if picture.probability.size else 0.0
    total = 1.0 + len(picture.chosen) * tall + strip
    figure = Figure(figsize=(cell * max(len(columns), 3) + 0.6, total), facecolor=BACKGROUND, dpi=110)
    grid = figure.add_gridspec(
        len(picture.chosen),
        len(columns),
        left=0.06,
        right=0.99,
        top=1 - 0.9 / total,
        bottom=(strip + 0.08) / total,
        hspace=0.03,
        wspace=0.03,
    )
    for row, z in enumerate(picture.chosen):
        for column, (title, colour, array) in enumerate(columns):
            axes = figure.add_subplot(grid[row, column])
            _draw_slice(axes, picture, z, array)
            if row == 0:
                axes.set_title(title, color=colour, fontsize=9, pad=5)
            if column == 0:
                axes.set_ylabel(f"z {z}", color=FAINT, fontsize=8, rotation=0, ha="right", va="center")
    caution = "   ·   tiny models: for demos and tests" if weights == "tiny" else ""
    title = f"{picture.name}   ·   {picture.split}{caution}"
    figure.text(0.06, 1 - 0.22 / total, title, color=INK, fontsize=11, va="top")
    if strip:
        axes = figure.add_axes((0.06, 0.42 / total, 0.93, (strip - 0.62) / total))
        _draw_probability(axes, picture)
    return figure


def show_case(project: Project, name: str, rows: int, path: Path) -> CasePicture:
    """Draw a case into a file, whose ending says the format: one of `PICTURES`.

    Raises:
        BadInput: when there is no such case; or, before it is drawn, when there is a file that clisc did
            not write.
    """
    outputs = Outputs(Inputs.of_project(project), "Choose another file with -o, or move that one away.")
    outputs.check([path])
    picture = case_picture(project, name, rows)
    data = picture_bytes(draw_case(picture, project.settings.weights), path.suffix.lower())
    made_from = {"case": name, "image": project.case(name).info.sha256}
    outputs.put_bytes(path, data, Made("picture", made_from))
    return picture


def picture_bytes(figure: Figure, ending: str = ".png") -> bytes:
    """A figure as the bytes of a file with one of the endings `PICTURES`."""
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=ending.removeprefix("."), facecolor=figure.get_facecolor())
    return buffer.getvalue()


def _prompts(
    project: Project,
    case: CaseArrays,
    image: npt.NDArray[Any],
    slices: npt.NDArray[np.uint8],
    maps: dict[str, npt.NDArray[np.uint8]],
) -> dict[int, list[Prompt]]:
    """The prompts of the maps. SAM is not asked, so ``roi.threshold = "sam"`` is drawn as otsu."""
    settings = project.settings
    if AMDA_MAPS not in maps:
        return {}
    chosen = without_sam(settings.roi)
    roi = region_of_interest(maps[AMDA_MAPS], image != 0, case.info.spacing, chosen)
    seed = case_seed(settings.seed, case.info.name)
    return {
        z: slice_prompts(roi[z], slices[z], settings.prompts, settings.prompts.dilation, (seed, z))
        for z in np.flatnonzero(roi.any(axis=(1, 2))).tolist()
    }


def _columns(picture: CasePicture) -> list[tuple[str, str, str]]:
    """Title, colour and array of each column that has something to show."""
    names = {
        RAW_MAPS: "CAM",
        AMDA_MAPS: "CAM with AMDA",
        SAM_MASKS: "prompts, SAM's mask",
        ROUND1: "round 1",
        ROUND2: "final",
    }
    found = [("FLAIR" if picture.reference is None else "FLAIR, reference", INK, "")]
    for array, title in names.items():
        if array in picture.maps or array in picture.masks:
            score = f"\nDSC {picture.scores[array]:.1f} %" if array in picture.scores else ""
            found.append((title + score, COLOURS.get(array, INK), array))
    return found


def _draw_slice(axes: Axes, picture: CasePicture, z: int, array: str) -> None:
    axes.set_facecolor("black")
    axes.imshow(picture.slices[z], cmap="gray", vmin=0, vmax=255, aspect=picture.aspect)
    if array in picture.maps:
        heat = picture.maps[array][z] / 255
        axes.imshow(heat, cmap="inferno", vmin=0, vmax=1, alpha=0.75 * np.sqrt(heat), aspect=picture.aspect)
    if array in picture.masks:
        _outline(axes, picture.masks[array][z], COLOURS[array])
    if array == SAM_MASKS:
        _draw_prompts(axes, picture.prompts.get(z, []))
    if not array and picture.reference is not None:
        _outline(axes, picture.reference[z], REFERENCE)
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)


def _outline(axes: Axes, mask: Mask, colour: str) -> None:
    if mask.any():
        padded = np.pad(mask.astype(float), 1)
        y, x = np.arange(-1, mask.shape[0] + 1), np.arange(-1, mask.shape[1] + 1)
        axes.contour(x, y, padded, levels=[0.5], colors=[colour], linewidths=1.3)
        axes.set_xlim(-0.5, mask.shape[1] - 0.5)
        axes.set_ylim(mask.shape[0] - 0.5, -0.5)


def _draw_prompts(axes: Axes, prompts: Sequence[Prompt]) -> None:
    from matplotlib.patches import Rectangle

    for prompt in prompts:
        if prompt.box is not None:
            x0, y0, x1, y1 = prompt.box
            frame = Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=BOX, linewidth=0.9)
            frame.set_linestyle("--")
            axes.add_patch(frame)
        for (x, y), label in zip(prompt.points, prompt.point_labels, strict=True):
            marker = "+" if label else "x"
            axes.plot(x, y, marker, color=BOX, markersize=6 if label else 4, markeredgewidth=1.2)


def _draw_probability(axes: Axes, picture: CasePicture) -> None:
    """CLIP's probability along z; the drawn slices are marked."""
    axes.set_facecolor(BACKGROUND)
    z = np.arange(len(picture.probability))
    colours = [{0: "#4a5560", 1: COLOURS[SAM_MASKS]}.get(int(v), "#8d7a3f") for v in picture.labels]
    axes.bar(z, picture.probability, color=colours, width=0.9)
    axes.plot(picture.chosen, [1.07] * len(picture.chosen), "v", color=INK, markersize=4, clip_on=False)
    axes.set_xlim(-0.6, len(z) - 0.4)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1])
    axes.tick_params(colors=FAINT, labelsize=7, length=2)
    for side in axes.spines.values():
        side.set_color("#3a444e")
    axes.set_xlabel(
        "slice z: CLIP's tumour probability (blue: labelled tumour, grey: normal, ochre: uncertain)",
        color=FAINT,
        fontsize=8,
    )
