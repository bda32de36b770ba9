"""How well the bundled tiny models do on phantoms of seeds that neither was trained on."""

import argparse
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from clisc_engine.core.filtering import dice
from clisc_engine.core.prompts import Kind, roi_prompts
from clisc_engine.imaging.phantom import LesionKind, Phantom, make_phantom
from clisc_engine.imaging.phantom.lesion import KINDS
from clisc_engine.models.clip import load_clip
from clisc_engine.models.sam import load_sam
from clisc_engine.presets import preset
from clisc_engine.tiny.bank import windowed

FIRST_SEED = 700_000  # under the training seeds, beyond those of any demo that people run
SLIVER_MM2 = 100.0  # slices with less tumour than this are borderline, and are counted apart
PROMPTS: tuple[Kind, ...] = ("both", "box", "points")
CPU = torch.device("cpu")
Bytes = NDArray[np.uint8]


def unseen(kind: LesionKind | None, count: int) -> list[Phantom]:
    """Phantoms of one kind of lesion, or healthy ones, with slices and pixels as clinics have them."""
    found: list[Phantom] = []
    for index in range(count):
        rng = np.random.default_rng([FIRST_SEED, index])
        pixel = float(rng.uniform(1.1, 2.0))
        spacing = (float(rng.uniform(3.0, 6.0)), pixel, pixel)
        seed = FIRST_SEED + index + 1000 * (KINDS.index(kind) + 1 if kind else 0)
        found.append(make_phantom(seed, spacing=spacing, kind=kind, tumour=kind is not None))
    return found


def clip_answers(phantoms: Sequence[Phantom]) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """CLIP's answer to each slice with brain, with the paper's prompts, and its tumour in mm2."""
    settings = preset("tiny").label
    clip = load_clip(settings.model, settings.pretrained, CPU)
    text = clip.text_features({"normal": settings.normal_prompts, "tumour": settings.tumour_prompts})
    said, areas = [], []
    for phantom in phantoms:
        brain = (phantom.image != 0).any(axis=(1, 2))
        said.append(clip.probabilities(windowed(phantom.image)[brain], text) > 0.5)
        areas.append(phantom.mask[brain].sum(axis=(1, 2)) * np.prod(phantom.spacing[1:]))
    return np.concatenate(said), np.concatenate(areas).astype(np.float32)


def sam_dice(phantoms: Sequence[Phantom], kind: Kind) -> list[float]:
    """Dice of SAM's masks in each volume, prompted slice by slice from the reference mask."""
    sam = load_sam("tiny", "", CPU)
    scores = []
    for phantom in phantoms:
        slices, answer = windowed(phantom.image), np.zeros(phantom.mask.shape, bool)
        for z in np.flatnonzero(phantom.mask.any(axis=(1, 2))):
            prompts = roi_prompts(phantom.mask[z] != 0, slices[z], kind=kind, dilation=3)
            with torch.inference_mode():
                answer[z] = sam.decode(sam.encode(slices[z : z + 1]), prompts, slices[z].shape)[0]
        scores.append(dice(answer & (phantom.image != 0), phantom.mask))
    return scores


def main(arguments: list[str]) -> None:
    """Print one line a kind of lesion, as a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m clisc_engine.tiny measure")
    parser.add_argument("--cases", type=int, default=20, help="phantoms of each kind")
    options = parser.parse_args(arguments)
    print("| lesion | CLIP: slices right % | without slivers % | SAM: Dice % with both | box | points |")
    print("|---|---|---|---|---|---|")
    everything: list[tuple[NDArray[np.bool_], NDArray[np.float32]]] = []
    for kind in (None, *KINDS):
        phantoms = unseen(kind, options.cases)
        everything.append(clip_answers(phantoms))
        scores = [f"{100 * np.mean(sam_dice(phantoms, p)):.1f}" if kind else "-" for p in PROMPTS]
        print(f"| {kind or 'none'} | {accuracy(*everything[-1])} | {' | '.join(scores)} |", flush=True)
    said, area = (np.concatenate(parts) for parts in zip(*everything, strict=True))
    print(f"| all | {accuracy(said, area)} | | | |")


def accuracy(said: NDArray[np.bool_], area: NDArray[np.float32]) -> str:
    """Percentage of right answers over all slices, and over those without a sliver of tumour."""
    right = said == (area > 0)
    clear = (area == 0) | (area >= SLIVER_MM2)
    return f"{100 * right.mean():.1f} | {100 * right[clear].mean():.1f}"
