"""How much disk a project will take, told from its settings and the grids of its images before it runs.

Networks count by their parameters, which follow from the settings. Arrays are compressed, so they count by
what brain voxels took in real projects: an adult's brain of 1 mm FLAIR volumes from public data sets.
Predictions beyond the steps (variants, rivals, exports, reports) are not in it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clisc_engine.files.sizes import bytes_below
from clisc_engine.project.project import STORE, Project
from clisc_engine.settings.schema import Settings

BRAIN_MM3 = 1.43e6
"""Of an adult's brain: the mean of five volumes of BraTS 2021, which had 1.34 to 1.62 million."""
MOST_OF_GRID = 0.46
"""A brain's share of the box around it, so a smaller grid is no whole brain."""
HEAD_MM = 138.0
"""From the lowest slice of a brain to the highest."""
TUMOUR_SLICES = 0.47
"""Share of a brain's slices that were given to SAM, on the same volumes."""
IMAGE, REFERENCE = 1.85, 0.016
MAPS, MASKS = 0.61, 0.047
"""Bytes a brain voxel of the compressed arrays: both maps, and the masks of SAM and both rounds."""
RECORDS = 17_000
"""Bytes of a case's records."""
TINY_EMBEDDING, EMBEDDING = 49_152, 2 * 256 * 64 * 64
"""Bytes a slice of SAM's embeddings in half precision, of the tiny SAM and of ViT-B, L and H."""
TRUNKS = {"resnet50": 23_508_032, "resnet18": 11_176_512}
"""Parameters of the classifiers' trunks."""
TINY_CLASSIFIER = 609_000
FLOAT = 4
ADAM, MOMENTUM = 3, 2
"""A training's state by the size of its weights: with the optimiser's two moments, or one."""
OTHERS = 150_000
"""Logs and tables."""


@dataclass(frozen=True)
class Grid:
    """What an image's header tells: its size in voxels and their spacing in mm, both along (x, y, z)."""

    size: Sequence[int]
    spacing: Sequence[float]
    has_reference: bool = False


@dataclass(frozen=True)
class Forecast:
    """Bytes that a project takes once all steps are done.

    Attributes:
        store: of the arrays.
        checkpoints: of networks, and of the states of finished trainings that `clisc clean` may remove.
        cache: of SAM's embeddings at most, which may be removed too.
        training: more than that while a U-Net is trained.
        there: what there is of it already.
        free: on the disk now.
    """

    store: int
    checkpoints: int
    cache: int
    training: int
    there: int
    free: int

    @property
    def total(self) -> int:
        """In the end."""
        return self.store + self.checkpoints + self.cache + OTHERS

    @property
    def suffices(self) -> bool:
        """Whether the disk has room for what is still to come."""
        return self.total + self.training - self.there <= self.free


def forecast(root: Path, settings: Settings, grids: Iterable[Grid]) -> Forecast:
    """The size of a project in ``root``, which need not be there, with these images."""
    grids = list(grids)
    unet = unet_parameters(settings.unet.channels) * FLOAT
    classifier = _classifier_parameters(settings) * FLOAT
    kept = ADAM if settings.unet.optimiser == "adamw" else MOMENTUM
    embedding = TINY_EMBEDDING if settings.sam.model == "tiny" else EMBEDDING
    views = 2 if settings.sam.mirror else 1
    slices = sum(_slices(grid) for grid in grids) * TUMOUR_SLICES
    there = [root / name for name in (STORE, "checkpoints", "cache", "logs", "results")]
    return Forecast(
        store=round(sum(_of_case(grid, settings) for grid in grids)),
        checkpoints=2 * unet + 2 * (1 + ADAM) * classifier,
        cache=round(min(settings.sam.cache_gb * 1e9, slices * views * embedding)),
        training=2 * kept * unet,
        there=sum(bytes_below(folder) for folder in there),
        free=shutil.disk_usage(_existing(root)).free,
    )


def of_project(project: Project) -> Forecast:
    """The same of a project that is there."""
    return forecast(project.root, project.settings, grids_of(project))


def grids_of(project: Project) -> list[Grid]:
    """Of its cases' source images."""
    sources = [(case.info, case.info.placement["source"]) for case in project.cases()]
    return [Grid(source["size"], source["spacing"], info.has_reference) for info, source in sources]


def unet_parameters(channels: Sequence[int]) -> int:
    """Of the 3-D U-Net of these channels."""
    return _levels(1, 2, list(channels))


def _levels(into: int, out: int, channels: Sequence[int]) -> int:
    """Of a level with all below it; each level halves some axis, so its shortcut is a 3x3x3 convolution."""
    here, below = channels[:2]
    deepest, is_top = len(channels) == 2, into == 1
    rest = _unit(here, below) + here * below + below if deepest else _levels(here, here, channels[1:])
    down = _unit(into, here) + _convolution(into, here)
    up = _convolution(here + (below if deepest else here), out) + 1
    return down + rest + up + _convolution(out, out) + (0 if is_top else 1)


def _unit(before: int, after: int) -> int:
    """Two convolutions, each with a slope of PReLU, without the shortcut."""
    return _convolution(before, after) + _convolution(after, after) + 2


def _convolution(before: int, after: int) -> int:
    return before * after * 27 + after


def _classifier_parameters(settings: Settings) -> int:
    chosen = settings.classifier
    if chosen.backbone == "clip":
        return TINY_CLASSIFIER if settings.weights == "tiny" else TRUNKS["resnet50"]
    width = 512 if chosen.backbone == "resnet18" else 2048
    head = width * 256 + 256 + 256 * 2 + 2 if chosen.head == "mlp" else width * 2 + 2
    return TRUNKS[chosen.backbone] + head


def _of_case(grid: Grid, settings: Settings) -> float:
    x, y, z = grid.spacing
    across = settings.image.resample_in_plane
    voxel = (across * across if across else x * y) * z
    whole = float(grid.size[0] * grid.size[1] * grid.size[2]) * x * y * z
    voxels = min(BRAIN_MM3, MOST_OF_GRID * whole) / voxel
    return voxels * (IMAGE + MAPS + MASKS + REFERENCE * grid.has_reference) + RECORDS


def _slices(grid: Grid) -> float:
    return min(grid.size[2], HEAD_MM / grid.spacing[2])


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())
