"""Thresholds of maps that no pixel's label chose."""

import numpy as np
import pytest

from clisc_engine.core.thresholds import agreeing


def slices(*peaks):
    """Slices of 12 x 12 pixels with a square of 6 x 6 that is as high as given, and one hot pixel."""
    found = np.zeros((len(peaks), 12, 12), np.float32)
    for index, peak in enumerate(peaks):
        found[index, 2:8, 2:8] = peak
        found[index, 10, 10] = 9.0
    return found


def test_the_threshold_separates_slices_with_a_lesion_from_those_without():
    maps = slices(1.0, 2.0, 5.0, 6.0)
    maps[:, 10, 10] = 0
    value = agreeing([maps[:2], maps[2:]], [np.array([False, False]), np.array([True, True])], [1.0, 1.0])
    assert 2.0 <= value < 5.0


def test_a_single_hot_pixel_is_no_lesion():
    maps = slices(0.0, 0.0, 5.0, 6.0)
    maps[2:, 10, 10] = 0
    value = agreeing([maps], [np.array([False, False, True, True])], [1.0])
    assert 0.0 <= value < 5.0, "slices with the pixel alone count as empty at any threshold"


def test_areas_count_in_millimetres():
    maps = slices(3.0, 3.0)
    labels = [np.array([True]), np.array([False])]
    # 36 pixels of 0.25 mm2 are 9 mm2, under the 20 asked; of 1 mm2 they are over it.
    assert agreeing([maps[:1], maps[1:]], labels, [1.0, 0.25]) < 3.0


def test_labels_that_are_all_the_same_choose_nothing():
    with pytest.raises(ValueError, match="same label"):
        agreeing([slices(1.0, 2.0)], [np.array([True, True])], [1.0])
