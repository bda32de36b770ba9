"""AMDA's masked copies: the originals, but for a share of the brain that is black or as bright as it is."""

import numpy as np
import pytest

from clisc_engine.running.control import Control
from clisc_engine.settings.keys import with_changes
from clisc_engine.stages.amda import masked_copies
from clisc_engine.stages.classifier.slices import labelled_slices

T = 20


@pytest.fixture
def brightness(finished):
    """The sum over each (certain) train slice as it is, and of its masked copy with a fill."""
    cases, control = finished.cases(("train",)), Control(device="cpu")

    def summed(found):
        return found.slices.numpy().astype(float).sum(axis=(1, 2)), found.labels.numpy()

    def of(fill):
        finished.settings = with_changes(finished.settings, {"amda.t": T, "amda.fill": fill}, "test")
        copies, labels = summed(masked_copies(finished, cases, control))
        return copies / originals, labels

    before = finished.settings
    originals, _ = summed(labelled_slices(finished, cases, control))
    yield of
    finished.settings = before


def test_black_takes_its_share_of_the_light_and_the_others_take_none(brightness):
    black, labels = brightness("black")
    mean, same = brightness("mean")
    around, _ = brightness("around")
    normal = labels == 0
    assert np.array_equal(labels, same) and 0 < normal.sum() < len(labels)
    assert black[normal].mean() == pytest.approx(1 - T / 100, abs=0.05)
    assert mean[normal].mean() == pytest.approx(1, abs=0.05)
    assert around[normal].mean() == pytest.approx(1, abs=0.05)


def test_a_tumour_slice_loses_what_is_bright_in_it(brightness):
    """The region is the tumour's: the mean and the brain around it are darker than what they replace."""
    mean, labels = brightness("mean")
    around, _ = brightness("around")
    black, _ = brightness("black")
    for filled in (mean, around):
        assert filled[labels == 1].mean() < 0.98 and (black <= filled + 1e-9).all()
