"""SAM ViT-B at 1024 pixels against segment_anything's own predictor, slice by slice."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from segment_anything import SamPredictor, sam_model_registry

from benchmarks.measure import Row, operations, peak_gb, plain_then_ours, product_rate, randomise, seconds
from benchmarks.projects import brain_box, project_of, sam_file
from benchmarks.volumes import brain
from clisc_engine.core.prompts import Prompt
from clisc_engine.imaging.window import equalise
from clisc_engine.models import sam_attention
from clisc_engine.models.sam import load_sam
from clisc_engine.running.control import Control, Precision
from clisc_engine.running.device import autocast
from clisc_engine.settings.schema import PromptSettings, WindowSettings
from clisc_engine.stages.classifier.slices import windowed
from clisc_engine.stages.prompting.sam_masks import open_sam
from clisc_engine.stages.prompting.slice_prompts import slice_prompts

Slice: TypeAlias = npt.NDArray[np.uint8]
CPU = torch.device("cpu")
SLICES = 2


def encoder() -> list[Row]:
    """The image encoder alone, in float32 and bfloat16."""
    network = sam_model_registry["vit_b"](checkpoint=None).eval().image_encoder
    randomise(network.named_parameters())
    pixels = torch.randn(1, 3, 1024, 1024)

    @torch.inference_mode()
    def plain() -> torch.Tensor:
        return network(pixels)

    def ours() -> torch.Tensor:
        return sam_attention.encode(network, pixels)

    def half() -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return sam_attention.encode(network, pixels)

    found: dict[str, torch.Tensor] = {}
    rate = product_rate()
    took, upstream = plain_then_ours(
        lambda: found.update(ours=ours()), lambda: found.update(plain=plain()), rounds=1
    )
    rate = max(rate, product_rate())
    apart = (found["ours"] - found["plain"]).abs().max().item()
    with torch.device("meta"):  # counts without computing
        abstract = sam_model_registry["vit_b"](checkpoint=None).image_encoder
        counted = operations(lambda: abstract(torch.empty_like(pixels, device="meta")))
    note = (
        f"embeddings differ by {apart:.1e} at most; IoU of tiny SAM's masks {agreement('32'):.5f}; "
        f"{counted / 1e9:.0f} GFLOP"
    )
    floor = counted / rate
    exact = Row("SAM encoder, float32", "slice", took, upstream, 1.5, floor, 1.8, peak_gb(ours), note)
    rough = seconds(half)
    note = f"IoU of tiny SAM's masks {agreement('bf16'):.4f}"
    return [exact, Row("SAM encoder, bfloat16", "slice", rough, upstream, note=note)]


def volume() -> list[Row]:
    """Prompting SAM on the slices of a volume, and prompting it again."""
    with tempfile.TemporaryDirectory() as folder:
        image, whole = brain(seed=2)
        lesion = whole[brain_box(image)]
        middle = len(lesion) // 2
        lesion[:middle] = 0
        lesion[middle + SLICES :] = 0
        changes = {"sam.checkpoint": str(sam_file(Path(folder)))}
        project = project_of(Path(folder) / "project", [image], changes)
        (case,) = project.cases()
        control = Control(device="cpu")
        stored, roi, prompts = case.read("image"), lesion != 0, project.settings.prompts
        opened = open_sam(project, control)
        prompter = opened.prompter(case, stored)
        predictor = SamPredictor(prompter.sam.network)
        assert prompter.embeddings is not None
        straight, mirrored = (replace(kept, case="another") for kept in prompter.embeddings)
        # Finds none of the first one's embeddings.
        other = replace(prompter, embeddings=(straight, mirrored))

        def first() -> npt.NDArray[np.uint8]:
            return other.predict_mask(roi, prompts, 10)

        def plain() -> npt.NDArray[np.bool_]:
            return slice_by_slice(predictor, stored, asked)

        def asked(z: int, slice_: Slice) -> list[Prompt]:
            return slice_prompts(roi[z], slice_, prompts, 10, (0, z)) if roi[z].any() else []

        upstream = seconds(plain)
        peak = peak_gb(lambda: prompter.predict_mask(roi, prompts, 10))
        took = seconds(first)
        again = min(
            seconds(lambda: opened.prompter(case, stored).predict_mask(roi, prompts, 0)) for _ in range(2)
        )
        return [
            Row("SAM on a volume's slices", "slice", took / SLICES, upstream / SLICES, 1.5, peak_gb=peak),
            Row("the same again, with the cache", "slice", again / SLICES, upstream / SLICES, 20.0),
        ]


def slice_by_slice(
    predictor: SamPredictor,
    image: npt.NDArray[np.floating],
    prompts: Callable[[int, Slice], list[Prompt]],
) -> npt.NDArray[np.bool_]:
    """SAM's (Z, Y, X) answer through upstream's predictor, one slice after the other."""
    mask = np.zeros(image.shape, bool)
    for z, slice_ in enumerate(windowed(image, WindowSettings())):
        for prompt in prompts(z, slice_):
            mask[z] |= upstream_mask(predictor, equalise(slice_), prompt)
    return mask


def upstream_mask(predictor: SamPredictor, slice_: Slice, prompt: Prompt) -> npt.NDArray[np.bool_]:
    """Upstream's (Y, X) answer to one prompt."""
    return upstream_logits(predictor, slice_, prompt) > predictor.model.mask_threshold


def upstream_logits(predictor: SamPredictor, slice_: Slice, prompt: Prompt) -> npt.NDArray[np.float32]:
    """What upstream's answer (Y, X) to one prompt is thresholded from."""
    predictor.set_image(np.repeat(slice_[..., None], 3, axis=2))
    found, _, _ = predictor.predict(
        point_coords=prompt.points,
        point_labels=prompt.point_labels,
        box=np.array(prompt.box),
        multimask_output=False,
        return_logits=True,
    )
    return np.asarray(found[0])


def agreement(precision: Precision) -> float:
    """Intersection over union of the tiny SAM's masks (trained weights) with upstream's in float32."""
    sam = load_sam("tiny", "", CPU)
    predictor = SamPredictor(sam.network)
    image, lesion = brain((24, 160, 128), seed=5)
    shared = either = 0
    for z, slice_ in enumerate(windowed(image.astype(np.float32), WindowSettings())):
        if not lesion[z].any():
            continue
        for prompt in slice_prompts(lesion[z] != 0, slice_, PromptSettings(), 3, (0, z)):
            expected = upstream_mask(predictor, slice_, prompt)
            with autocast(CPU, precision):
                found = sam.decode(sam.encode(slice_[None]), [prompt], slice_.shape)[0]
            shared += int((expected & found).sum())
            either += int((expected | found).sum())
    return shared / either
