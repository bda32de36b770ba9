"""How far a mask reaches beyond SAM's answer: lesions of known brightness in a plain brain."""

import numpy as np
import pytest

from clisc_engine.core.reach import reach

BRAIN, CORE = 1.0, 3.0
SIDE = 40


def scene(*shells, core=CORE):
    """Slabs along x: the core that SAM answers, then one shell a level, each of its own brightness."""
    image = np.full((4, 12, SIDE), BRAIN)
    probability, answer = np.zeros(image.shape), np.zeros(image.shape, bool)
    answer[..., :6] = True
    image[..., :6], probability[..., :6] = core, 0.99
    for number, (level, brightness) in enumerate(shells):
        at = slice(6 + 2 * number, 8 + 2 * number)
        image[..., at], probability[..., at] = brightness, level
    return answer, probability, image


def extent(answer, probability, image):
    """How far along x the found part goes, from the first voxel on; all of it is one piece."""
    found = reach(answer, probability, image)
    assert (found == found[:1, :1]).all()
    line = found[0, 0]
    assert line[: line.sum()].all()
    return int(line.sum())


def test_oedema_fainter_than_the_core_counts_and_what_looks_like_brain_does_not():
    # (3 - 1) * 0.35 + 1 = 1.7 is what a shell needs.
    assert extent(*scene((0.85, 2.5), (0.75, 2.0), (0.65, 1.8), (0.55, 1.6))) == 12
    assert extent(*scene((0.85, 2.5), (0.75, 2.0), (0.65, 1.8), (0.55, 1.8))) == 14
    assert extent(*scene((0.85, 1.1), (0.75, 1.0), (0.65, 1.0), (0.55, 1.0))) == 0


def test_a_dark_core_within_a_bright_border_is_filled():
    assert extent(*scene((0.95, 0.2), (0.85, 0.2), (0.75, 2.5), (0.55, 1.0))) == 12


def test_brightness_is_relative_so_another_scale_gives_the_same():
    answer, probability, image = scene((0.85, 2.5), (0.65, 1.8), (0.55, 1.2))
    scaled = reach(answer, probability, 1000 * image + 70)
    assert np.array_equal(scaled, reach(answer, probability, image)) and scaled.any()


def test_outside_the_brain_and_below_one_half_nothing_counts():
    answer, probability, image = scene((0.85, 2.5), (0.45, 2.5))
    image[:2] = 0
    found = reach(answer, probability, image)
    assert not found[:2].any() and found[2:, :, :8].all() and not found[..., 8:].any()


@pytest.mark.parametrize("core", [BRAIN, 0.5])
def test_where_the_core_is_no_brighter_than_the_brain_the_network_is_believed(core):
    answer, probability, image = scene((0.85, 0.9), (0.55, 0.9), core=core)
    assert np.array_equal(reach(answer, probability, image), probability > 0.5)


def test_without_an_answer_the_networks_surest_part_is_the_core():
    _, probability, image = scene((0.85, 2.5), (0.55, 1.1))
    nothing = np.zeros(image.shape, bool)
    found = reach(nothing, probability, image)
    assert found[..., :6].all() and found[..., 6:8].all() and not found[..., 8:].any()


def test_where_the_network_marks_nothing_there_is_nothing_to_add():
    answer, probability, image = scene()
    assert not reach(answer, np.zeros_like(probability), image).any()
    assert not reach(np.zeros_like(answer), np.zeros_like(probability), np.zeros_like(image)).any()
