"""From a stored image to its map: a code is fitted, and what the field then finds improbable is pooled."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from clisc_engine.baselines.if3d.fitting import Points, fit_code, improbability
from clisc_engine.baselines.if3d.grid import on_grid
from clisc_engine.baselines.if3d.network import AutoDecoder
from clisc_engine.baselines.if3d.pooling import pooled
from clisc_engine.models.unet import resized
from clisc_engine.settings.baselines.if3d import If3dSettings


def improbability_map(
    module: AutoDecoder,
    image: npt.NDArray[np.float32],
    spacing: Sequence[float],
    settings: If3dSettings,
    generator: np.random.Generator,
    check_stop: Callable[[], None],
) -> npt.NDArray[np.float32]:
    """The map (Z, Y, X) in nats of a stored image (Z, Y, X), 0 outside the brain.

    Args:
        module: trained, in evaluation mode, its parameters without gradient.
        image: brain crop, background exactly 0.
        spacing: (z, y, x) in mm.
        settings: those that it was trained with.
        generator: of the code's fit.
        check_stop: called before each step; may raise.
    """
    grid = on_grid(image, spacing, settings)
    classes = grid.classes(module.centres.cpu().numpy(), settings)
    points = Points.of(classes, grid.brain, module.centres.device)
    code = fit_code(module.field, points, settings, generator, check_stop)
    surprise = np.zeros(classes.shape, np.float32)
    surprise[grid.brain] = improbability(module.field, code, points)
    found = resized(
        pooled(surprise, grid.spacing, settings.min_pool_mm, settings.mean_pool_mm), image.shape
    )
    return np.where(image != 0, found, 0).astype(np.float32)
