"""Where a normalised volume holds brain."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def brain_of(image: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """The voxels of an image of any shape that are not background, which is exactly 0.

    Those of half precision, as volumes are stored, are told by their bits but for the sign: NumPy converts
    each before it compares them, which takes ten times as long.
    """
    if image.dtype == np.float16:
        return np.asarray(image.view(np.uint16) << 1 != 0)
    return np.asarray(image != 0)
