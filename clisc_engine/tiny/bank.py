"""A bank of phantoms on disk: made once, read by all trainings.

Each shard holds the slices of some volumes, brain-boxed, windowed to 8 bits, padded to squares and resized
to `SIZE`, with their masks on the same grid, for CLIP and SAM. Beside it, ``volumes/`` holds each phantom
as a project's U-Net sees it. Three of four phantoms have the template's anatomy and gliomas of all kinds;
the others are those of the demo.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from clisc_engine.core.boxes import bounding_box
from clisc_engine.imaging.phantom import Phantom, make_phantom
from clisc_engine.imaging.phantom.lesion import GLIOMAS
from clisc_engine.imaging.phantom.template import TemplateBrain, read_template
from clisc_engine.imaging.window import square, window_to_uint8
from clisc_engine.models.unet import at_spacing
from clisc_engine.settings.presets import preset

SIZE = 160
FIRST_TRAINING_SEED = 6_000_000  # seeds below are for demos, tests and measurements
VOLUMES_PER_SHARD = 20
SLICES_PER_VOLUME = 22
TEMPLATE_SHARE = 0.75
LOW, HIGH = 0.5, 99.9  # percentiles of the brain that become 1 and 255

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Slices:
    """Square slices (N, S, S) 0..255, masks 0|1, tumour area (N,) mm2, side of a pixel (N,) mm."""

    images: Bytes
    masks: Bytes
    area: NDArray[np.float32]
    pixel: NDArray[np.float32]


def windowed(image: NDArray[np.float32]) -> Bytes:
    """The 8-bit slices that a project with the default window shows of a volume."""
    return window_to_uint8(image, LOW, HIGH)


def squared(stack: Bytes, size: int, smooth: bool) -> Bytes:
    """Pad (N, Y, X) to centred squares and resize to (N, size, size): greys where ``smooth``, else 0|1."""
    if smooth:
        return square(stack, size)
    return (square(stack.astype(np.float32), size) > 0.5).astype(np.uint8)


def brain_boxed(image: NDArray[np.float32], mask: Bytes) -> tuple[NDArray[np.float32], Bytes]:
    """Both arrays cut to the bounding box of the brain."""
    window = bounding_box(image != 0)
    return image[window], mask[window]


def training_phantom(seed: int, template: TemplateBrain) -> Phantom:
    """The training phantom of a seed, slices 2 to 6 mm apart."""
    rng = np.random.default_rng([seed, 1])
    pixel = float(rng.uniform(1.1, 2.0))
    spacing = (float(rng.uniform(2.0, 6.0)), pixel, pixel)
    tumour = bool(rng.random() < 0.9)
    if rng.random() < TEMPLATE_SHARE:
        return make_phantom(seed, spacing=spacing, tumour=tumour, anatomy=template, lesions=GLIOMAS)
    return make_phantom(seed, spacing=spacing, tumour=tumour)


def phantom_slices(phantom: Phantom, rng: np.random.Generator) -> Slices:
    """The slices of one phantom, at most `SLICES_PER_VOLUME`, tumour slices first."""
    image, mask = brain_boxed(phantom.image, phantom.mask)
    pixel = phantom.spacing[1]
    side = max(image.shape[1:]) * pixel / SIZE
    area = mask.sum((1, 2)).astype(np.float32) * pixel**2
    filled = (image != 0).sum((1, 2)) * pixel**2 > 300
    order = rng.permutation(np.flatnonzero(filled))
    ill = order[area[order] > 0][: SLICES_PER_VOLUME * 2 // 3]
    well = order[area[order] == 0][: SLICES_PER_VOLUME - len(ill)]
    chosen = np.concatenate([ill, well])
    images = squared(windowed(image)[chosen], SIZE, smooth=True)
    masks = squared(mask[chosen], SIZE, smooth=False)
    return Slices(images, masks, area[chosen], np.full(len(chosen), side, np.float32))


def network_volume(phantom: Phantom) -> tuple[NDArray[np.float16], Bytes]:
    """Image and mask (Z, Y, X) as a project of the tiny preset gives them to its U-Net."""
    brain = phantom.image != 0
    clipped = np.minimum(phantom.image, np.percentile(phantom.image[brain], HIGH))
    inside = clipped[brain]
    image = np.where(brain, (clipped - inside.mean()) / inside.std(), 0)
    wanted = preset("tiny").unet.spacing
    mask = at_spacing(phantom.mask, phantom.spacing, wanted) > 0.5
    return at_spacing(image, phantom.spacing, wanted).astype(np.float16), mask.astype(np.uint8)


def make_shard(folder: Path, first_seed: int, template: TemplateBrain) -> None:
    """Write the volumes and the shard of the `VOLUMES_PER_SHARD` phantoms that begin at ``first_seed``."""
    parts = []
    for seed in range(first_seed, first_seed + VOLUMES_PER_SHARD):
        phantom = training_phantom(seed, template)
        parts.append(phantom_slices(phantom, np.random.default_rng([seed, 2])))
        image, mask = network_volume(phantom)
        np.savez(folder / "volumes" / f"{seed}.npz", image=image, mask=mask)
    path = folder / f"{first_seed}.npz"
    np.savez_compressed(
        path.with_suffix(".part.npz"),
        images=np.concatenate([part.images for part in parts]),
        masks=np.concatenate([part.masks for part in parts]),
        area=np.concatenate([part.area for part in parts]),
        pixel=np.concatenate([part.pixel for part in parts]),
    )
    path.with_suffix(".part.npz").replace(path)


def read_bank(folder: Path) -> Slices:
    """All shards of ``folder`` as one.

    Raises:
        FileNotFoundError: when there is none.
    """
    parts = [np.load(path) for path in sorted(folder.glob("*.npz")) if ".part" not in path.name]
    if not parts:
        raise FileNotFoundError(f"no bank shards in {folder}")
    fields = ("images", "masks", "area", "pixel")
    return Slices(*(np.concatenate([part[name] for part in parts]) for name in fields))


def main(arguments: list[str]) -> None:
    """Make shards ``--start`` to ``--stop``, skipping those already there."""
    parser = argparse.ArgumentParser(prog="python -m clisc_engine.tiny bank")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--stop", type=int, default=40)
    options = parser.parse_args(arguments)
    (options.folder / "volumes").mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    template = read_template()
    for shard in range(options.start, options.stop):
        first = FIRST_TRAINING_SEED + shard * VOLUMES_PER_SHARD
        if not (options.folder / f"{first}.npz").exists():
            make_shard(options.folder, first, template)
            print(f"shard {shard} done", flush=True)
