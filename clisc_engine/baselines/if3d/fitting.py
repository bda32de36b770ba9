"""The code of a volume that the field has not learned from, fitted to a field that stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from clisc_engine.baselines.if3d.network import ImplicitField
from clisc_engine.baselines.if3d.positions import positions
from clisc_engine.models.finite import check_finite
from clisc_engine.settings.baselines.if3d import If3dSettings

STEPS_WITH_ALL = 100
"""Steps after which a code fits only its share of the points; before, no loss says yet what is odd."""

POINTS_AT_ONCE = 65_536
"""When a whole volume is asked. No option changes it, so the arithmetic is always the same."""


@dataclass(frozen=True)
class Points:
    """Voxels of a volume on the device: positions (N, 3) in (-1, 1) float32 and classes (N,) int64."""

    positions: Tensor
    classes: Tensor

    @classmethod
    def of(
        cls, classes: npt.NDArray[np.uint8], chosen: npt.NDArray[np.bool_], device: torch.device
    ) -> Points:
        """The voxels of ``classes`` (Z, Y, X) where ``chosen`` (Z, Y, X), in its order."""
        index = np.flatnonzero(chosen)
        return cls(
            torch.from_numpy(positions(index, classes.shape)).to(device),
            torch.from_numpy(classes.ravel()[index].astype(np.int64)).to(device),
        )


def fit_code(
    field: ImplicitField,
    points: Points,
    settings: If3dSettings,
    generator: np.random.Generator,
    check_stop: Callable[[], None],
) -> Tensor:
    """The code (1, length) under which the field best explains the points; it has no gradient.

    The code starts from N(0, 1 / length) and takes Adam's steps down the mean cross entropy of points drawn
    anew each time; then further ones with more points and a fresh Adam. There is no penalty, and no bound
    on its norm (both as in the original). With ``settings.fit_share`` under 1 only the points of least
    loss count.

    Args:
        field: in evaluation mode, its parameters without gradient.
        points: of the volume's brain.
        settings: steps, points and learning rate.
        generator: of the start and of the points.
        check_stop: called before each step; may raise.
    """
    length = settings.code_length
    start = generator.normal(0, length**-0.5, (1, length)).astype(np.float32)
    code = torch.from_numpy(start).to(points.positions.device).requires_grad_()
    taken = 0
    for steps, count in (
        (settings.fit_steps, settings.fit_points),
        (settings.refine_steps, settings.refine_points),
    ):
        optimiser = torch.optim.Adam([code], lr=settings.fit_learning_rate)
        for _ in range(steps):
            check_stop()
            chosen = torch.from_numpy(generator.integers(len(points.classes), size=count))
            chosen = chosen.to(code.device)
            logits = field(code, points.positions[None, chosen])[0]
            losses = functional.cross_entropy(logits.float(), points.classes[chosen], reduction="none")
            if taken >= STEPS_WITH_ALL:
                losses = losses.topk(max(1, round(settings.fit_share * count)), largest=False).values
            optimiser.zero_grad(set_to_none=True)
            losses.mean().backward()
            optimiser.step()
            taken += 1
    return code.detach()


@torch.inference_mode()
def improbability(field: ImplicitField, code: Tensor, points: Points) -> npt.NDArray[np.float32]:
    """How improbable the field finds each point, ``-ln p(class | code, position)`` (N,) in nats.

    Raises:
        BadInput: when that is not finite.
    """
    found = []
    for at, classes in zip(
        points.positions.split(POINTS_AT_ONCE), points.classes.split(POINTS_AT_ONCE), strict=True
    ):
        found.append(functional.cross_entropy(field(code, at[None])[0].float(), classes, reduction="none"))
    improbable = torch.cat(found)
    check_finite(improbable, "IF3D's field")  # a minimum over a box need not show it
    return improbable.cpu().numpy().astype(np.float32)
