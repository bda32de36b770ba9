from functools import partial

import numpy as np
import pytest
import torch
from segment_anything.modeling import ImageEncoderViT
from torch import nn

from clisc_engine.errors import BadInput
from clisc_engine.models import sam_attention
from clisc_engine.models.sam import load_sam

CPU = torch.device("cpu")


def encoder(**options):
    """A small upstream encoder whose every weight, position embeddings too, is drawn."""
    torch.manual_seed(3)
    made = ImageEncoderViT(
        **{
            "img_size": 160,
            "patch_size": 16,
            "embed_dim": 24,
            "depth": 3,
            "num_heads": 3,
            "out_chans": 8,
            "norm_layer": partial(nn.LayerNorm, eps=1e-6),
            "use_rel_pos": True,
            "window_size": 4,
            "global_attn_indexes": (1,),
            **options,
        }
    )
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.3)
    return made.eval()


@pytest.mark.parametrize(
    "options",
    [
        {},  # 10 x 10 tokens in windows of 4: padded on two sides
        {"window_size": 5},  # windows that fit
        {"window_size": 0},
        {"use_rel_pos": False},
        {"use_abs_pos": False},
        {"qkv_bias": False},
    ],
)
@pytest.mark.parametrize("scores", [2**22, 300])
def test_embeddings_are_those_of_upstreams_own_forward(options, scores, monkeypatch):
    monkeypatch.setattr(sam_attention, "SCORES", scores)
    upstream = encoder(**options)
    pixels = torch.randn(3, 3, 160, 160)
    with torch.inference_mode():
        expected = upstream(pixels)
    torch.testing.assert_close(sam_attention.encode(upstream, pixels), expected, atol=2e-5, rtol=1e-5)


def test_the_bias_as_channels_gives_the_attention_of_the_bias_as_a_mask():
    torch.manual_seed(0)
    height, width, channels = 5, 3, 8
    parts = [torch.randn(2, 4, height * width, channels) for _ in range(3)]
    by_row, by_column = (torch.randn(2, 4, height * width, side) for side in (height, width))
    scores = parts[0] @ parts[1].transpose(2, 3) * 0.3
    bias = (by_row[..., :, None] + by_column[..., None, :]).flatten(3)
    expected = (scores + bias).softmax(-1) @ parts[2]
    for form in (sam_attention.folded, sam_attention.in_pieces):
        torch.testing.assert_close(form(*parts, by_row, by_column, 0.3), expected)


def test_an_embedding_does_not_depend_on_its_neighbours_in_the_batch():
    sam = load_sam("tiny", "", CPU)
    slices = np.random.default_rng(0).integers(0, 255, (5, 70, 60), np.uint8)
    together = sam.encode(slices)
    assert together.dtype == np.float16
    for z, one in enumerate(slices):
        assert np.array_equal(sam.encode(one[None])[0], together[z])


def test_sams_own_input_size_changes_nothing():
    slices = np.random.default_rng(0).integers(0, 255, (1, 70, 60), np.uint8)
    sized, plain = load_sam("tiny", "", CPU, image_size=128), load_sam("tiny", "", CPU)
    np.testing.assert_allclose(sized.encode(slices), plain.encode(slices), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("size", [96, 64])
def test_a_smaller_input_has_upstreams_embeddings_of_the_same_network(size):
    sam = load_sam("tiny", "", CPU, image_size=size)
    assert sam.image_size == size
    slices = np.random.default_rng(0).integers(0, 255, (1, size, size), np.uint8)
    pixels = torch.from_numpy(slices)[:, None].expand(-1, 3, -1, -1).float()
    with torch.inference_mode():
        expected = sam.network.image_encoder(sam.network.preprocess(pixels))
    assert expected.shape[-1] == size // 8
    np.testing.assert_allclose(sam.encode(slices), expected.numpy(), atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("size", [100, 144])
def test_sizes_that_sam_cannot_take_are_refused(size):
    with pytest.raises(BadInput, match=r"sam.image_size is \d+; .* multiples of 8 up to 128"):
        load_sam("tiny", "", CPU, image_size=size)
