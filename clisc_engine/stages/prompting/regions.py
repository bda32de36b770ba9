"""The region of interest that a class activation map marks, without any label (paper section 2.2)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from clisc_engine.core.overlap import dice
from clisc_engine.core.roi import averaged_through, cam_roi, opening_shape, otsu_threshold
from clisc_engine.settings.schema import RoiSettings

Mask = npt.NDArray[np.bool_]
THRESHOLDS = tuple(round(0.1 * step, 1) for step in range(1, 9))
"""Tried by ``roi.threshold = "sam"``."""


def without_sam(roi: RoiSettings) -> RoiSettings:
    """The same, with Otsu's threshold in the place of the one that only SAM's masks can choose."""
    return roi.model_copy(update={"threshold": "otsu"}) if roi.threshold == "sam" else roi


def region_of_interest(
    cam: npt.NDArray[np.uint8],
    brain: Mask,
    spacing: tuple[float, float, float],
    roi: RoiSettings,
    predict_mask: Callable[[Mask], npt.NDArray[np.uint8]] | None = None,
) -> Mask:
    """The (Z, Y, X) region that a class activation map marks.

    Args:
        cam: (Z, Y, X) uint8, 255 standing for 1.
        brain: (Z, Y, X) brain voxels.
        spacing: (z, y, x) in mm; thick slices are opened in plane only.
        roi: smoothing, threshold and morphology.
        predict_mask: SAM's mask (Z, Y, X) for a region, needed for ``roi.threshold = "sam"``.

    Raises:
        ValueError: when that is lacking; `without_sam` gives settings that need none.
    """
    shape = opening_shape(cam.shape, spacing) if roi.opening else None
    scaled = averaged_through(cam / np.float32(255), brain, roi.smoothing / spacing[0])

    def region(threshold: float) -> Mask:
        return cam_roi(scaled, threshold, opening=shape, keep=roi.keep_fraction)

    if roi.threshold == "otsu":
        mapped = brain & np.any(scaled, axis=(1, 2), keepdims=True)
        return region(otsu_threshold(scaled[mapped])) if mapped.any() else np.zeros(cam.shape, bool)
    if roi.threshold == "sam":
        if predict_mask is None:
            raise ValueError('roi.threshold = "sam" needs SAM\'s masks')
        regions = [region(threshold) for threshold in THRESHOLDS]
        return max(regions, key=lambda r: dice(predict_mask(r), r) if r.any() else -1.0)
    return region(float(roi.threshold))
