"""Where a mask ends: a network says about where, the image's brightness where exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from clisc_engine.core.averaging import averaged_within
from clisc_engine.core.boxes import Box, filled, moved
from clisc_engine.core.brain import brain_of
from clisc_engine.core.roi import Components, largest_component, surest_component

Mask = npt.NDArray[np.bool_]

LEAVES, JOINS = 0.35, 0.6
"""Of the way from the brain's brightness to the lesion's: below the one a marked voxel leaves, above the
other an unmarked one joins. Halfway lies the border of a lesion that a scanner has blurred; the two differ,
for what a network says counts too.

Chosen on the 15 real masks and on phantoms of seed 762, as was the width of 4 mm in the tiny preset; from
0.3 to 0.4, from 0.6 to 0.7 and from 3 to 6 mm the DSC of either changes by less than a point.
"""

BLUR = 1.0
"""mm of the Gaussian that quietens noise before a voxel is judged."""

RULE = f"leaves below {LEAVES}, joins above {JOINS}, of what a blur of {BLUR} mm leaves"
"""What a mask that was made so keeps in its provenance."""


def tumour_mask(
    probability: npt.NDArray[np.floating],
    image: npt.NDArray[np.floating],
    spacing: Sequence[float],
    *,
    border: float,
    largest_alone: bool,
    rival_share: float,
) -> npt.NDArray[np.uint8]:
    """Mask (Z, Y, X), 0 or 1, of a network's tumour probability: above 0.5 and in the brain.

    Args:
        probability: (Z, Y, X) in [0, 1].
        image: (Z, Y, X) intensities, 0 outside the brain.
        spacing: (z, y, x) in mm.
        border: how far brightness moves its border, in mm; see `by_brightness`.
        largest_alone: keep its largest component, or the surest of several.
        rival_share: how large that one must be, as a share of the largest; see `surest_component`. At 1 the
            largest is kept.
    """
    mask: Mask = (probability > 0.5) & brain_of(image)
    mask = by_brightness(mask, image, spacing, border)
    if largest_alone and mask.any():
        if rival_share < 1:
            mask = surest_component(mask, probability, rival_share)
        else:
            mask = largest_component(mask)
    return mask.astype(np.uint8)


def by_brightness(
    mask: Mask, image: npt.NDArray[np.floating], spacing: Sequence[float], width: float
) -> Mask:
    """A mask whose border lies where the image darkens, at most ``width`` from where it lay.

    A network cannot place a border more finely than its grid. Within ``width`` of it, each voxel is
    compared with the brain outside of the mask (0) and with the core of its lesion (1), by their medians:
    see `LEAVES` and `JOINS`. What lies deeper stays, whatever its brightness: lesions have dark cores. Each
    component (26-neighbourhood) is a lesion of its own, so that a faint one does not suffer from a bright
    one. Not of the paper.

    Args:
        mask: (Z, Y, X).
        image: (Z, Y, X) intensities, 0 outside the brain.
        spacing: (z, y, x) in mm.
        width: in mm; 0 leaves the mask as it is.

    Returns:
        (Z, Y, X), in the brain; as it was around a lesion that is no brighter than the brain.
    """
    from scipy import ndimage

    brain = brain_of(image)
    rest = brain & ~mask
    if width == 0 or not mask.any() or not rest.any():
        return mask
    dark = float(np.median(image[rest].astype(np.float32)))
    lesions = Components.of(mask)
    found = mask & brain
    for number, span in enumerate(ndimage.find_objects(lesions.labels), start=1):
        place = moved(span, (side.start for side in lesions.box))
        box = _grown(place, mask.shape, spacing, width + 4 * BLUR)
        near = image[box].astype(np.float32)
        own = moved(place, (-side.start for side in box))
        lesion = filled(near.shape, own, lesions.labels[span] == number)
        leaves, joins = _moves(lesion, own, near, dark, spacing, width)
        found[box] &= ~leaves
        found[box] |= joins & rest[box]
    return found


def _moves(
    lesion: Mask,
    own: Box,
    image: npt.NDArray[np.floating],
    dark: float,
    spacing: Sequence[float],
    width: float,
) -> tuple[Mask, Mask]:
    """Which voxels of a lesion, which fills the box ``own``, leave it, and which around it join it."""
    from scipy import ndimage

    depth = np.zeros(lesion.shape)
    padded = np.pad(lesion[own], 1)
    depth[own] = ndimage.distance_transform_edt(padded, sampling=spacing)[1:-1, 1:-1, 1:-1]
    away = ndimage.distance_transform_edt(~lesion, sampling=spacing)
    core = depth >= min(width, depth.max() / 2)
    quiet = averaged_within(image, image != 0, [BLUR / step for step in spacing])
    bright = float(np.median(quiet[core]))
    if bright <= dark:
        return np.zeros_like(lesion), np.zeros_like(lesion)
    share = (quiet - dark) / (bright - dark)
    return lesion & (depth <= width) & (share < LEAVES), ~lesion & (away <= width) & (share > JOINS)


def _grown(span: Box, shape: tuple[int, ...], spacing: Sequence[float], margin: float) -> Box:
    """A box with ``margin`` mm more on each side, as far as the volume goes."""
    extra = [int(np.ceil(margin / step)) for step in spacing]
    return tuple(
        slice(max(0, part.start - more), min(size, part.stop + more))
        for part, more, size in zip(span, extra, shape, strict=True)
    )
