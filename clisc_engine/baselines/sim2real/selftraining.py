"""Stage 2: the network goes on with its own answers on real volumes.

A guess. The paper's abstract says that there is self-training, and the released table of volumes has
columns for a generated normal volume and a mask of each real case; no code of it was released. Ours: half
of each batch is a train case with the mask that stage 1 gave it, if that is large and certain enough. The
other half is simulated, with those cases' normal layers among the grounds and their tumours among the
textures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from clisc_engine.baselines.sim2real.brains import Array, Brain, Mask
from clisc_engine.baselines.sim2real.decomposer import Decomposer, Parts
from clisc_engine.baselines.sim2real.samples import Draw
from clisc_engine.baselines.sim2real.simulation import Sample, layers_of, simulate
from clisc_engine.baselines.sim2real.texture import Source
from clisc_engine.errors import BadInput
from clisc_engine.settings.baselines.sim2real import Sim2RealSettings

SUSPECT = 0.1
"""Voxels of at least this probability count for how certain an answer is."""


@dataclass(frozen=True)
class Answer:
    """What stage 1 found in a case.

    Attributes:
        index: the case's number.
        mask: (Z, Y, X) bool, on the network's grid.
        without: (Z, Y, X) float16, the brain with the normal layer where the mask is.
    """

    index: int
    mask: Mask
    without: npt.NDArray[np.float16]

    @classmethod
    def of(cls, index: int, brain: Brain, parts: Parts) -> Answer:
        """That of the network's layers."""
        without = np.where(parts.mask, parts.normal, brain.image).astype(np.float16)
        return cls(index, parts.mask, without)


def certainty(probability: Array) -> float:
    """Mean |2 p - 1| of the voxels (Z, Y, X) with p over `SUSPECT`, in [0, 1]; 0 when there are none."""
    suspect = probability[probability > SUSPECT]
    return float(np.abs(2 * suspect - 1).mean(dtype=np.float64)) if suspect.size else 0.0


def trusted(volumes_ml: Sequence[float], certainties: Sequence[float], settings: Sim2RealSettings) -> Mask:
    """Which cases (N,) self-training learns from: large enough, and not among the least certain of those.

    Args:
        volumes_ml: of the masks.
        certainties: of the answers, see `certainty`.
        settings: least volume, and the percentage to drop; so many cases are dropped, rounded down.
    """
    large = np.asarray(volumes_ml, float) >= max(settings.stage2_min_ml, 1e-9)
    order = np.argsort(np.where(large, certainties, np.inf), kind="stable")[: int(large.sum())]
    kept = large.copy()
    kept[order[: int(large.sum() * settings.stage2_drop / 100)]] = False
    return kept


def trusted_answers(
    decomposer: Decomposer, brains: Sequence[Brain], settings: Sim2RealSettings
) -> list[Answer]:
    """The answers that self-training learns from.

    Raises:
        BadInput: when the network finds so much tumour in no case.
        Stopped: when asked to stop.
    """
    answers, volumes, certainties = [], [], []
    for index in range(len(brains)):
        decomposer.control.check_stop()
        brain = brains[index]
        parts = decomposer.parts(brain)
        answers.append(Answer.of(index, brain, parts))
        volumes.append(float(parts.mask.sum()) * brain.voxel_ml)
        certainties.append(certainty(parts.probability))
    kept = trusted(volumes, certainties, settings)
    if not kept.any():
        raise BadInput(
            f"Stage 1 of Sim2Real marks {settings.stage2_min_ml:g} ml or more in none of the "
            f"{len(brains)} train cases, so self-training has nothing to learn from; train stage 1 longer "
            "(baselines.sim2real.epochs), or lower baselines.sim2real.stage2_min_ml."
        )
    return [answer for answer, keep in zip(answers, kept, strict=True) if keep]


def self_training_from(
    brains: Sequence[Brain],
    settings: Sim2RealSettings,
    grounds: Sequence[int],
    answers: Sequence[Answer],
) -> Draw:
    """Draws of stage 2: samples of even number are simulated, those of odd number real.

    A simulated one has the ground of stage 1 or a brain without its tumour, by even chance; and the
    texture of any brain or of a found tumour, by even chance.
    """

    def draw(rng: np.random.Generator, index: int) -> tuple[Sample, bool]:
        if index % 2:
            return real_sample(brains, answers[int(rng.integers(len(answers)))]), False
        ground = brains[int(rng.choice(grounds))]
        if rng.random() < 0.5:
            ground = _without_tumour(brains, answers[int(rng.integers(len(answers)))])
        source = Source.of(brains[int(rng.integers(len(brains)))])
        if rng.random() < 0.5:
            answer = answers[int(rng.integers(len(answers)))]
            source = Source.of(brains[answer.index], answer.mask)
        return simulate(rng, ground, source, settings), True

    return draw


def real_sample(brains: Sequence[Brain], answer: Answer) -> Sample:
    """A real volume with the mask that stage 1 gave it; it counts in the whole brain."""
    brain = brains[answer.index]
    everywhere = replace(brain, normal=np.ones(len(brain.normal), bool))
    return layers_of(everywhere, brain.image, answer.mask)


def _without_tumour(brains: Sequence[Brain], answer: Answer) -> Brain:
    """A brain whose found tumour is replaced by its normal layer; all of it counts as normal."""
    brain = brains[answer.index]
    return Brain(answer.without.astype(np.float32), np.ones(len(brain.normal), bool), brain.spacing)
