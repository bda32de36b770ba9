"""The 8-bit slices that CLIP, the classifier and SAM see."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from clisc_engine.imaging.window import window_to_uint8
from clisc_engine.settings.schema import WindowSettings


def windowed(image: npt.NDArray[Any], window: WindowSettings) -> npt.NDArray[np.uint8]:
    """The (Z, Y, X) uint8 slices of a stored image; background 0, brain 1 to 255."""
    return window_to_uint8(image.astype(np.float32), window.low, window.high)
