"""SAM's everything mode: all parts of a slice, from a grid of points.

As in segment_anything's ``SamAutomaticMaskGenerator`` (Kirillov et al., ICCV 2023, appendix B), with its
grids, crops and scores; ours are the decoding through `SamModel`, which takes an embedding that is already
there, and that parts which SAM itself expects to be poor are dropped before they are enlarged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from clisc_engine.models.packages import amg, nms
from clisc_engine.models.sam import Embeddings, SamModel
from clisc_engine.running.batch_size import BatchSize
from clisc_engine.settings.baselines.salip import SalipSettings

CROP_OVERLAP = 512 / 1500
"""Share of the shorter side by which crops of layer 1 overlap (upstream's default)."""

STABILITY_OFFSET = 1.0
"""A stable part hardly changes when its logits are cut so much higher or lower (upstream's default)."""

Encode = Callable[[npt.NDArray[np.uint8]], Embeddings]
"""The embeddings (1, C, h, w) of a crop (1, Y, X)."""


@dataclass(frozen=True)
class Parts:
    """Parts of a slice, or of a crop of it.

    Attributes:
        masks: (N, Y, X) bool.
        boxes: (N, 4) float, (x0, y0, x1, y1) with the last column and row inside.
        scores: (N,), the higher, the sooner a part survives its duplicates.
    """

    masks: Tensor
    boxes: Tensor
    scores: Tensor

    def pick(self, chosen: Tensor) -> Parts:
        """Those at these indices, or those marked."""
        return Parts(self.masks[chosen], self.boxes[chosen], self.scores[chosen])

    def without_duplicates(self, overlap: float) -> Parts:
        """Non-maximum suppression: best first, without those whose boxes overlap more with a better one."""
        return self.pick(nms(self.boxes, self.scores, overlap))

    @classmethod
    def together(cls, parts: list[Parts]) -> Parts:
        """One after the other."""
        masks, boxes = torch.cat([p.masks for p in parts]), torch.cat([p.boxes for p in parts])
        return cls(masks, boxes, torch.cat([p.scores for p in parts]))


def find_parts(
    sam: SamModel,
    slice_: npt.NDArray[np.uint8],
    embedding: npt.NDArray[np.float16],
    encode: Encode,
    settings: SalipSettings,
    batch: BatchSize,
) -> npt.NDArray[np.bool_]:
    """The masks (N, Y, X) of the parts that SAM finds in a slice, N may be 0.

    Args:
        sam: the model.
        slice_: (Y, X), as SAM sees it.
        embedding: (C, h, w) of the whole slice.
        encode: makes the embeddings of its crops.
        settings: the grid, and which parts are kept.
        batch: how many points SAM gets at once.
    """
    height, width = slice_.shape
    crops, layers = amg.generate_crop_boxes((height, width), settings.crop_layers, CROP_OVERLAP)
    grids = amg.build_all_layer_point_grids(
        settings.points_per_side, settings.crop_layers, settings.downscale
    )
    found = []
    for crop, layer in zip(crops, layers, strict=True):
        x0, y0, x1, y1 = crop
        inner = embedding if layer == 0 else encode(slice_[None, y0:y1, x0:x1])[0]
        points = grids[layer] * np.array([x1 - x0, y1 - y0])
        parts = _of_crop(sam, inner, points, crop, (height, width), settings, batch)
        if len(crops) > 1:  # between crops the part of the smaller one survives
            area = float((x1 - x0) * (y1 - y0))
            parts = Parts(parts.masks, parts.boxes, torch.full_like(parts.scores, 1 / area))
        found.append(parts)
    whole = Parts.together(found)
    if len(crops) > 1:
        whole = whole.without_duplicates(settings.nms)
    return whole.masks.cpu().numpy()


def _of_crop(
    sam: SamModel,
    embedding: npt.NDArray[np.float16],
    points: npt.NDArray[np.float64],
    crop: list[int],
    whole: tuple[int, int],
    settings: SalipSettings,
    batch: BatchSize,
) -> Parts:
    """The parts of one crop, on the grid of the whole slice (Y, X)."""
    found: list[Parts] = []

    def decode(part: slice) -> None:
        found.append(_of_points(sam, embedding, points[part], crop, whole, settings))

    batch.run(len(points), decode)
    return Parts.together(found).without_duplicates(settings.nms)


def _of_points(
    sam: SamModel,
    embedding: npt.NDArray[np.float16],
    points: npt.NDArray[np.float64],
    crop: list[int],
    whole: tuple[int, int],
    settings: SalipSettings,
) -> Parts:
    """The parts that some points (K, 2) of a crop show, duplicates among them."""
    x0, y0, x1, y1 = crop
    shape = (y1 - y0, x1 - x0)
    low, quality = sam.candidates(embedding, points, shape, multimask=settings.multimask)
    if settings.predicted_iou > 0:
        good = quality > settings.predicted_iou
        low, quality = low[good], quality[good]
    logits = sam.enlarge(low, shape)
    cut = sam.network.mask_threshold
    if settings.stability > 0:
        stable = amg.calculate_stability_score(logits, cut, STABILITY_OFFSET) >= settings.stability
        logits, quality = logits[stable], quality[stable]
    masks = logits > cut
    boxes = amg.batched_mask_to_box(masks)
    height, width = whole
    cut_off = amg.is_box_near_crop_edge(boxes, crop, [0, 0, width, height])
    parts = Parts(
        amg.uncrop_masks(masks, crop, height, width), amg.uncrop_boxes_xyxy(boxes, crop).float(), quality
    )
    return parts.pick(~cut_off)
