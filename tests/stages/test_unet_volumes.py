"""Trainings see the same volumes whatever part of them is held in memory."""

import pytest
import torch

from clisc_engine.core.overlap import dice
from clisc_engine.running.control import Control
from clisc_engine.settings.keys import with_changes
from clisc_engine.stages.unet.learning import SegmentationTask
from clisc_engine.stages.unet.volumes import Volumes
from clisc_engine.training.data_parallel import DataParallel
from tests.support.small import contents, differing, run_stages


def opened(project, limit, spacing=()):
    return Volumes(project.cases(("train",)), "masks/sam", spacing, limit, Control())


@pytest.mark.parametrize("spacing", [(), (9.0, 4.0, 4.0)])
def test_volumes_come_in_the_order_asked_for_held_or_not(finished, spacing):
    order = [2, 0, 0, 1, 2]
    size = sum(part.nbytes for part in next(opened(finished, 0, spacing).in_turn([0])).values())
    every = {limit: list(opened(finished, limit, spacing).in_turn(order)) for limit in (0, 1.5 * size, 1e9)}
    for found in every.values():
        assert len(found) == len(order)
        for volume, other in zip(found, every[0], strict=True):
            assert torch.equal(volume["image"], other["image"])
            assert torch.equal(volume["label"], other["label"])
    assert not torch.equal(every[0][0]["image"], every[0][1]["image"])


def test_held_volumes_are_not_read_again(copied):
    size = sum(part.nbytes for part in next(opened(copied, 0).in_turn([0])).values())
    volumes = opened(copied, 1.5 * size)
    for case in ("p0", "p1"):
        copied.store.remove(f"cases/{case}/image")
    assert next(volumes.in_turn([0]))["image"].any()
    with pytest.raises(Exception, match="p1/image is missing"):
        list(volumes.in_turn([1]))


class Bright(torch.nn.Module):
    """Calls tumour what is brighter than one standard deviation over the mean."""

    def __init__(self):
        super().__init__()
        self.least = torch.nn.Parameter(torch.ones(()))

    def forward(self, volumes):
        return torch.cat([torch.zeros_like(volumes), volumes - self.least], dim=1)


def test_the_epoch_is_chosen_by_masks_as_predictions_make_them(finished):
    changes = {"unet.spacing": [], "unet.border": 4.0, "unet.patch": [16, 64, 64]}
    settings = with_changes(finished.settings, changes, "test").unet
    module, control, cases = Bright(), Control(device="cpu"), finished.cases(("train",))
    ranks = DataParallel(module, control.ranks, 2)
    task = SegmentationTask.of(module, opened(finished, 0), settings, 0, control, ranks)
    masks = [task.segmenter.mask(case.read("image"), case.info.spacing) for case in cases]
    expected = [dice(mask, case.read("masks/sam")) for mask, case in zip(masks, cases, strict=True)]
    assert task.agreement(opened(finished, 0)) == pytest.approx(sum(expected) / len(expected))
    assert 0 < expected[0] < 1


def test_a_volume_that_nobody_waits_for_does_not_matter(finished):
    assert len(list(zip(range(2), opened(finished, 0).in_turn([0, 1, 2]), strict=False))) == 2


def test_a_network_is_the_same_without_volumes_in_memory(copied, finished):
    copied.settings = with_changes(copied.settings, {"training.memory_gb": 0}, "test")
    run_stages(copied, "train", force=True)
    weights = {k: v for k, v in contents(finished).items() if k.startswith("unet-round1/")}
    again = {k: v for k, v in contents(copied).items() if k.startswith("unet-round1/")}
    assert weights and not differing(weights, again)
