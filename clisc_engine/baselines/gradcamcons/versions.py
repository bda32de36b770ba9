"""The two published versions of GradCAMCons. Their numbers belong to different scales of the loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from clisc_engine.settings.baselines.gradcamcons import GradcamconsSettings

STEPS_BEFORE = 400
"""BMVC's steps before the constraint, about."""


@dataclass(frozen=True)
class Version:
    """A version's network, scale and numbers.

    Attributes:
        pooled: the encoder's max-pool, and with it the decoder.
        means: the losses are means over pixels and latent numbers; else sums over them.
        weight: of the constraint.
        uncovered: share p of a slice that attention may leave out.
        sharpness: t of the log-barrier.
        batch_size: slices a step.
        warm_up_epochs: first epochs without the constraint; 0 takes as many as `STEPS_BEFORE` need.
    """

    pooled: bool
    means: bool
    weight: float
    uncovered: float
    sharpness: float
    batch_size: int
    warm_up_epochs: int

    def warm_up(self, slices: int) -> int:
        """The first epochs without the constraint, with so many slices in an epoch.

        By BMVC's code: the epochs of 400 steps, rounded, and the one after.
        """
        return self.warm_up_epochs or round(STEPS_BEFORE * self.batch_size / max(slices, 1)) + 1


PUBLISHED: Mapping[str, Version] = {
    "gradient": Version(
        pooled=True,
        means=True,
        weight=10.0,
        uncovered=0.2,
        sharpness=20.0,
        batch_size=32,
        warm_up_epochs=0,
    ),
    "activation": Version(
        pooled=False,
        means=False,
        weight=1000.0,
        uncovered=0.01,
        sharpness=10.0,
        batch_size=8,
        warm_up_epochs=51,
    ),
}
"""BMVC 2021 and MedIA 2022, by ``weighting``; both from the authors' code."""


def version_of(settings: GradcamconsSettings) -> Version:
    """The version that the settings choose, with those of its numbers that they give themselves."""
    published = PUBLISHED[settings.weighting]
    return replace(
        published,
        weight=settings.constraint_weight or published.weight,
        uncovered=settings.uncovered or published.uncovered,
        sharpness=settings.sharpness or published.sharpness,
        batch_size=settings.batch_size or published.batch_size,
        warm_up_epochs=settings.warm_up_epochs or published.warm_up_epochs,
    )
