"""How well the bundled tiny models do on phantoms of seeds that neither was trained on."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from clisc_engine.core.labelling import TUMOUR, UNCERTAIN
from clisc_engine.core.overlap import dice
from clisc_engine.core.prompts import Kind, roi_prompts
from clisc_engine.imaging.phantom import LesionKind, Phantom, make_phantom
from clisc_engine.imaging.phantom.lesion import KINDS
from clisc_engine.models.clip import load_clip
from clisc_engine.models.sam import load_sam
from clisc_engine.models.slice_labels import labels_of
from clisc_engine.settings.presets import preset
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


@dataclass(frozen=True)
class Answers:
    """For each slice with brain: CLIP's answer, the label that `label` makes of it, its tumour in mm2."""

    said: NDArray[np.bool_]
    label: NDArray[np.uint8]
    area: NDArray[np.float32]


def clip_answers(phantoms: Sequence[Phantom]) -> Answers:
    """What CLIP says with the paper's prompts, and the labels after threshold and vote."""
    settings = preset("tiny").label
    clip = load_clip(*settings.clips()[0], CPU)
    text = clip.text_features({"normal": settings.normal_prompts, "tumour": settings.tumour_prompts})
    found = []
    for phantom in phantoms:
        brain = (phantom.image != 0).any(axis=(1, 2))
        probability = np.zeros(len(brain), np.float32)
        probability[brain] = clip.probabilities(windowed(phantom.image)[brain], text)
        labels = labels_of(probability, brain, phantom.spacing[0], settings)
        area = phantom.mask.sum(axis=(1, 2)) * np.float32(np.prod(phantom.spacing[1:]))
        found.append(Answers(probability[brain] > 0.5, labels[brain], area[brain]))
    return joined(found)


def joined(parts: Sequence[Answers]) -> Answers:
    """The answers of several volumes as those of one."""
    columns = zip(*((a.said, a.label, a.area) for a in parts), strict=True)
    return Answers(*(np.concatenate(column) for column in columns))


def sam_dice(phantoms: Sequence[Phantom]) -> dict[Kind, list[float]]:
    """Dice of SAM's masks in each volume, by kind of prompt from the reference, asked both ways round."""
    sam = load_sam("tiny", "", CPU)
    scores: dict[Kind, list[float]] = {kind: [] for kind in PROMPTS}
    for phantom in phantoms:
        slices = windowed(phantom.image)
        answers = {kind: np.zeros(phantom.mask.shape, bool) for kind in PROMPTS}
        for z in np.flatnonzero(phantom.mask.any(axis=(1, 2))):
            seen = slices[z : z + 1]
            with torch.inference_mode():
                views = sam.encode(seen), sam.encode(seen[:, :, ::-1])
                for kind, answer in answers.items():
                    prompts = roi_prompts(phantom.mask[z] != 0, slices[z], kind=kind, dilation=3)
                    answer[z] = sam.decode(views[0], prompts, slices[z].shape, views[1])[0]
        for kind, answer in answers.items():
            scores[kind].append(dice(answer & (phantom.image != 0), phantom.mask))
    return scores


def main(arguments: list[str]) -> None:
    """Print one line a kind of lesion, as a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m clisc_engine.tiny measure")
    parser.add_argument("--cases", type=int, default=20, help="phantoms of each kind")
    options = parser.parse_args(arguments)
    print(
        "| lesion | CLIP: slices right % | without slivers % | labels right % | labelled % "
        "| SAM: Dice % with both | box | points |"
    )
    print("|---|---|---|---|---|---|---|---|")
    everything: list[Answers] = []
    for kind in (None, *KINDS):
        phantoms = unseen(kind, options.cases)
        everything.append(clip_answers(phantoms))
        found = sam_dice(phantoms) if kind else {}
        scores = [f"{100 * np.mean(found[prompt]):.1f}" if kind else "-" for prompt in PROMPTS]
        print(f"| {kind or 'none'} | {accuracy(everything[-1])} | {' | '.join(scores)} |", flush=True)
    print(f"| all | {accuracy(joined(everything))} | | | |")


def accuracy(answers: Answers) -> str:
    """Percentages: answers right, the same without slivers of tumour, labels right, slices labelled."""
    ill = answers.area > 0
    right, labelled = answers.said == ill, answers.label != UNCERTAIN
    clear = ~ill | (answers.area >= SLIVER_MM2)
    agreed = (answers.label == TUMOUR)[labelled] == ill[labelled]
    return " | ".join(f"{100 * part.mean():.1f}" for part in (right, right[clear], agreed, labelled))
