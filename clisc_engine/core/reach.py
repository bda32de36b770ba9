"""How far a tumour reaches beyond SAM's answer: a network says where, brightness how far."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clisc_engine.core.brain import brain_of

Mask = npt.NDArray[np.bool_]

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9)
"""Of the network's probability: the borders that are tried, the widest first."""

SHARE = 0.35
"""How bright a shell must be, 0 being the rest of the brain and 1 the core.

Chosen on the 15 real masks and on phantoms of the seeds 741 to 743, by the DSC of the bundled models:
without a limit 81.2 and 79.8 %, at 0.25 81.8 and 86.0, at 0.35 81.7 and 88.9, at 0.5 79.8 and 90.2.
"""

FEWEST = 20
"""A shell of more voxels than these can be judged; with fewer, the next one decides."""

RULE = f"shells of {SHARE} of the brightness"
"""What a mask that was made so keeps in its provenance."""


def reach(answer: Mask, probability: npt.NDArray[np.floating], image: npt.NDArray[np.floating]) -> Mask:
    """What a network marks, up to the border beyond which the image is no brighter than the brain.

    On scans, experts outline the fainter oedema around what is bright, which SAM leaves out; where a lesion
    has a sharp border, what a cautious network marks around it is healthy. The two are told apart by the
    shells between ``LEVELS`` outside of SAM's answer: the median of a shell is compared with the medians of
    the core and of the rest of the brain, and the widest border is taken whose shell reaches ``SHARE``.

    Args:
        answer: (Z, Y, X), SAM's.
        probability: (Z, Y, X) in [0, 1], the network's; what is to be left out is 0.
        image: (Z, Y, X) intensities, 0 outside the brain.

    Returns:
        (Z, Y, X) part of what is above ``LEVELS[0]`` and in the brain; all of it where nothing tells the
        core from the brain, none of it where no shell is bright enough.
    """
    brain = brain_of(image)
    marked: Mask = (probability > LEVELS[0]) & brain
    core, rest = _core(answer, marked, probability), brain & ~marked & ~answer
    if not core.any() or not rest.any():
        return marked
    dark, bright = float(np.median(image[rest])), float(np.median(image[core]))
    if bright <= dark:
        return marked
    outside = marked & ~answer
    shell_of = np.digitize(probability[outside], LEVELS, right=True)
    values = image[outside]
    for number, level in enumerate(LEVELS, start=1):
        shell = values[shell_of == number]
        if shell.size > FEWEST and np.median(shell) - dark >= SHARE * (bright - dark):
            return marked & (probability > level)
    return np.zeros_like(marked)


def _core(answer: Mask, marked: Mask, probability: npt.NDArray[np.floating]) -> Mask:
    """What is surely tumour: the best of SAM's answer, or of the network's mask where there is none."""
    both: Mask = answer & (probability > LEVELS[-1])
    if both.any():
        return both
    if answer.any():
        return answer
    surest: Mask = marked & (probability > LEVELS[-1])
    return surest if surest.any() else marked
