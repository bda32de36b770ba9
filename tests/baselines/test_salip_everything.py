"""SAM's everything mode against segment_anything's own generator, with the bundled SAM."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from segment_anything import SamAutomaticMaskGenerator, SamPredictor

from clisc_engine.baselines.salip.everything import find_parts
from clisc_engine.imaging.phantom import make_phantom
from clisc_engine.imaging.window import window_to_uint8
from clisc_engine.models.sam import load_sam
from clisc_engine.running.batch_size import BatchSize
from clisc_engine.running.control import Control
from clisc_engine.settings.baselines.salip import SalipSettings

CPU = torch.device("cpu")


class SingleMasks(SamPredictor):
    """Upstream's predictor, asked for one mask a point, the only one that the bundled SAM learned."""

    def predict_torch(self, *args, **options):
        return super().predict_torch(*args, **{**options, "multimask_output": False})


@pytest.fixture(scope="module")
def sam():
    return load_sam("tiny", "", CPU)


@pytest.fixture(scope="module")
def slice_():
    phantom = make_phantom(
        71, shape=(14, 150, 126), spacing=(9.0, 1.3, 1.3), thickness=5.0, kind="solid", volume_ml=100
    )
    brain = phantom.image * (phantom.image > 0)
    return window_to_uint8(brain, 0.5, 99.9)[int(np.argmax(phantom.mask.sum(axis=(1, 2))))]


def decided(sam):
    """The same with multimask tokens that mean what they say; untrained, their logits are all near 0."""
    network = copy.deepcopy(sam.network)
    for mlp in network.mask_decoder.output_hypernetworks_mlps[1:]:
        mlp.layers[-1].weight.data *= 100
        mlp.layers[-1].bias.data *= 100
    return replace(sam, network=network)


def upstreams(sam, slice_, settings):
    """The masks of segment_anything's generator, its embeddings rounded as ours are."""
    generator = SamAutomaticMaskGenerator(
        sam.network,
        points_per_side=settings.points_per_side,
        pred_iou_thresh=settings.predicted_iou,
        stability_score_thresh=settings.stability,
        box_nms_thresh=settings.nms,
        crop_nms_thresh=settings.nms,
        crop_n_layers=settings.crop_layers,
        crop_n_points_downscale_factor=settings.downscale,
    )
    if not settings.multimask:
        generator.predictor = SingleMasks(sam.network)
    rounded = sam.network.image_encoder.register_forward_hook(lambda *said: said[2].half().float())
    try:
        return [one["segmentation"] for one in generator.generate(np.repeat(slice_[..., None], 3, axis=2))]
    finally:
        rounded.remove()


def ours(sam, slice_, settings, points=64):
    embedding = sam.encode(slice_[None])[0]
    batch = BatchSize(points, "points", Control(device="cpu"))
    return find_parts(sam, slice_, embedding, sam.encode, settings, batch)


def iou(one, other):
    return (one & other).sum() / max((one | other).sum(), 1)


def paired(found, expected):
    """Whether each mask has exactly one partner on the other side."""
    table = np.array([[iou(one, other) > 0.99 for other in expected] for one in found])
    return (table.sum(axis=0) == 1).all() and (table.sum(axis=1) == 1).all()


@pytest.mark.parametrize(
    "settings",
    [
        {"crop_layers": 0, "predicted_iou": 0.1, "stability": 0.5},
        {"crop_layers": 0, "predicted_iou": 0.8, "stability": 0.0},
        {"crop_layers": 0, "predicted_iou": 0.0, "stability": 0.6},
        {"crop_layers": 1, "predicted_iou": 0.1, "stability": 0.5},
        {"crop_layers": 1, "predicted_iou": 0.0, "stability": 0.5, "multimask": True},
    ],
    ids=["one layer", "any stability", "any IoU", "crops", "three masks a point"],
)
def test_parts_are_those_of_upstreams_generator(sam, slice_, settings):
    chosen = SalipSettings(**{"points_per_side": 8, "nms": 0.9, "multimask": False, **settings})
    if chosen.multimask:
        sam = decided(sam)
    expected, found = upstreams(sam, slice_, chosen), ours(sam, slice_, chosen)
    assert len(found) == len(expected) >= 2
    assert found.shape[1:] == slice_.shape
    assert paired(found, expected)


def test_what_crops_show_is_put_back_in_its_place_as_upstream_does(sam, slice_):
    enlarged = np.kron(slice_, np.ones((4, 4), np.uint8))  # parts that end near a crop's edge do not count
    rules = {"points_per_side": 8, "predicted_iou": 0.0, "stability": 0.3, "multimask": False, "nms": 0.9}
    whole, crops = (SalipSettings(crop_layers=n, **rules) for n in (0, 1))
    found = ours(sam, enlarged, crops)
    assert not paired(found, ours(sam, enlarged, whole)), "crops add parts, or take others' places"
    assert paired(found, upstreams(sam, enlarged, crops))


def test_parts_do_not_depend_on_how_many_points_go_at_once(sam, slice_):
    settings = SalipSettings(
        points_per_side=8, crop_layers=0, multimask=False, predicted_iou=0.1, stability=0.5, nms=0.9
    )
    together, few = ours(sam, slice_, settings), ours(sam, slice_, settings, points=7)
    assert len(together) == len(few) >= 2 and paired(few, together)


def test_nothing_good_enough_is_no_part(sam, slice_):
    settings = SalipSettings(points_per_side=2, crop_layers=0, multimask=False, predicted_iou=1.0)
    assert ours(sam, slice_, settings).shape == (0, *slice_.shape)


def test_a_grid_that_leaves_crops_without_a_point_is_refused():
    with pytest.raises(ValueError, match="no point in a crop of layer 2"):
        SalipSettings(points_per_side=8, crop_layers=2, downscale=3)
