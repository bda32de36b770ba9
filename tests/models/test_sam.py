import numpy as np
import pytest
import torch
from segment_anything import SamPredictor, sam_model_registry

from clisc_engine.core.prompts import roi_prompts
from clisc_engine.errors import BadInput
from clisc_engine.models.sam import load_sam
from clisc_engine.models.weights import MissingWeights

SHAPE = (90, 70)
CPU = torch.device("cpu")


def slices(n, seed=0):
    """Dark noise with a bright region, which the tiny SAM takes for a tumour."""
    rng = np.random.default_rng(seed)
    return np.where(
        regions(n), rng.integers(200, 255, (n, *SHAPE)), rng.integers(60, 110, (n, *SHAPE))
    ).astype(np.uint8)


def regions(n):
    found = np.zeros((n, *SHAPE), bool)
    for index in range(n):
        found[index, 20 + 3 * index : 50 + index, 12 + index : 40 - index] = True
    return found


@pytest.fixture(scope="module")
def sam():
    return load_sam("tiny", "", CPU)


@pytest.mark.parametrize("kind", ["both", "box", "points"])
@pytest.mark.parametrize("foreground", ["center", "bright5"])
def test_masks_are_those_of_upstreams_predictor_slice_by_slice(sam, kind, foreground):
    images = slices(4)
    prompts = [
        roi_prompts(roi, image, kind=kind, foreground=foreground, dilation=3)[0]
        for roi, image in zip(regions(4), images, strict=True)
    ]
    ours = sam.decode(sam.encode(images), prompts, SHAPE)
    predictor = SamPredictor(sam.network)
    for image, prompt, mask in zip(images, prompts, ours, strict=True):
        predictor.set_image(np.repeat(image[..., None], 3, axis=2))
        expected, _, _ = predictor.predict(
            point_coords=prompt.points if len(prompt.points) else None,
            point_labels=prompt.point_labels if len(prompt.points) else None,
            box=np.array(prompt.box) if prompt.box else None,
            multimask_output=False,
        )
        assert mask.shape == SHAPE and mask.any()
        assert (mask != expected[0]).mean() < 1e-3


def test_asked_both_ways_the_answer_does_not_depend_on_the_slices_side(sam):
    """A slice and its mirror image get mirrored masks; asked one way alone they do not."""
    images = slices(3)
    prompts = [roi_prompts(r, i, dilation=3)[0] for r, i in zip(regions(3), images, strict=True)]
    turned = [prompt.mirrored(SHAPE[1]) for prompt in prompts]
    straight, mirrored = sam.encode(images), sam.encode(images[:, :, ::-1])
    both = sam.decode(straight, prompts, SHAPE, mirrored)
    assert both.any() and np.array_equal(sam.decode(mirrored, turned, SHAPE, straight)[:, :, ::-1], both)
    alone = sam.decode(straight, prompts, SHAPE)
    other = sam.decode(mirrored, turned, SHAPE)[:, :, ::-1]
    assert (alone != other).any()
    assert both[alone & other].all() and not both[~alone & ~other].any()


def test_prompts_with_different_numbers_of_points_share_a_batch(sam):
    images = slices(2)
    few = np.zeros(SHAPE, bool)
    few[30:31, 30:32] = True
    rois = [few, regions(1)[0]]
    prompts = [roi_prompts(r, i, foreground="bright5")[0] for r, i in zip(rois, images, strict=True)]
    together = sam.decode(sam.encode(images), prompts, SHAPE)
    for index in range(2):
        alone = sam.decode(sam.encode(images[index : index + 1]), prompts[index : index + 1], SHAPE)
        assert (alone[0] != together[index]).mean() < 1e-3


def test_half_precision_keeps_the_masks(sam):
    images = slices(3)
    prompts = [roi_prompts(r, i, dilation=3)[0] for r, i in zip(regions(3), images, strict=True)]
    exact = sam.decode(sam.encode(images), prompts, SHAPE)
    with torch.autocast("cpu", torch.bfloat16):
        rough = sam.decode(sam.encode(images), prompts, SHAPE)
    assert (exact & rough).sum() / (exact | rough).sum() > 0.95


@pytest.mark.parametrize("part", ["image_encoder", "mask_decoder"])
def test_numbers_beyond_half_precision_are_no_empty_mask(part):
    """As `--precision 16` meets them: what overflows is neither in a mask nor outside it."""
    sam = load_sam("tiny", "", CPU)
    images = slices(1)
    prompts = roi_prompts(regions(1)[0], images[0], dilation=3)
    with torch.no_grad():
        for weights in getattr(sam.network, part).parameters():
            weights.mul_(1e4)
    with torch.autocast("cpu", torch.float16), pytest.raises(BadInput, match=r"SAM's output.*precision 16"):
        sam.decode(sam.encode(images), prompts, SHAPE)


def test_no_prompts_give_no_masks(sam):
    assert sam.decode(np.zeros(0, np.float16), [], SHAPE).shape == (0, *SHAPE)


def test_a_missing_checkpoint_says_which_whence_and_where_to(monkeypatch, tmp_path):
    monkeypatch.setenv("CLISC_MODELS", str(tmp_path))
    with pytest.raises(MissingWeights) as error:
        load_sam("vit_b", "", CPU)
    for part in ("sam_vit_b_01ec64.pth", "segment_anything", str(tmp_path)):
        assert part in str(error.value)
    assert error.value.exit_code == 3


def test_full_size_checkpoint_in_the_upstream_format(monkeypatch, tmp_path):
    torch.manual_seed(0)
    network = sam_model_registry["vit_b"](checkpoint=None)
    torch.save(network.state_dict(), tmp_path / "sam_vit_b_01ec64.pth")
    monkeypatch.setenv("CLISC_MODELS", str(tmp_path))
    loaded = load_sam("vit_b", "", CPU)
    assert loaded.image_size == 1024
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[name], value), name
    by_path = load_sam("vit_b", str(tmp_path / "sam_vit_b_01ec64.pth"), CPU)
    assert by_path.digest == loaded.digest


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(BadInput, match=r"other.pth does not hold a SAM vit_b"):
        load_sam("vit_b", str(tmp_path / "other.pth"), CPU)
