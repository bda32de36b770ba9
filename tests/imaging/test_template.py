"""Phantoms with the anatomy of the ICBM 152 template: what every brain drawn from it must hold."""

import numpy as np
import pytest

from clisc_engine.imaging.phantom import make_phantom
from clisc_engine.imaging.phantom.lesion import GLIOMAS

pytest.importorskip("nilearn")

STEP = (4.0, 3.0, 3.0)


@pytest.fixture(scope="module")
def template():
    from clisc_engine.imaging.phantom.template import read_template

    return read_template()


def grid():
    axes = [(np.arange(n) - (n - 1) / 2) * d for n, d in zip((38, 64, 52), STEP, strict=True)]
    return [axis.astype(np.float32) for axis in np.meshgrid(*axes, indexing="ij")]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_tissues_fill_the_brain_and_nothing_else(template, seed):
    brain = template(np.random.default_rng(seed), *grid(), STEP)
    whole = brain.csf + brain.grey + brain.white
    assert np.allclose(whole[brain.brain], 1, atol=1e-4) and not whole[~brain.brain].any()
    assert min(part.min() for part in (brain.csf, brain.grey, brain.white)) >= -1e-6
    millilitres = {
        name: float(getattr(brain, name).sum() * np.prod(STEP) / 1000) for name in ("csf", "grey", "white")
    }
    assert 1300 < brain.brain.sum() * np.prod(STEP) / 1000 < 2200
    assert millilitres["grey"] > 300 and millilitres["white"] > 250
    assert 2 < brain.ventricle.sum() * np.prod(STEP) / 1000 < 200
    assert brain.depth[brain.brain].min() > 0 > brain.depth[~brain.brain].max()


def test_the_cerebellum_is_below_and_behind_and_no_side_is_the_others_mirror(template):
    z, y, x = grid()
    brain = template(np.random.default_rng(4), z, y, x, STEP)
    weight = brain.cerebellum / brain.cerebellum.sum()
    assert (z * weight).sum() < -20 and (y * weight).sum() > 20 and abs((x * weight).sum()) < 15
    grey, mirrored = brain.grey[brain.brain], brain.grey[..., ::-1][brain.brain]
    assert 0.05 < np.corrcoef(grey, mirrored)[0, 1] < 0.95


def test_a_phantom_of_the_template_is_one_volume_a_seed_and_holds_its_lesion(template):
    drawn = [
        make_phantom(seed, spacing=(6.0, 2.5, 2.5), anatomy=template, lesions=GLIOMAS, volume_ml=80.0)
        for seed in (9, 9, 10)
    ]
    assert np.array_equal(drawn[0].image, drawn[1].image)
    assert drawn[0].image.shape != drawn[2].image.shape or not np.array_equal(
        drawn[0].image, drawn[2].image
    )
    for phantom in drawn:
        assert phantom.mask.any() and not phantom.mask[phantom.image == 0].any()
