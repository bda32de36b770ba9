"""SAM with a smaller input than it was trained for: an approximation that saves most of the time."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from clisc_engine.models.packages import Sam
from clisc_engine.models.sam_input import check_side


def resize_input(network: Sam, size: int) -> None:
    """Let SAM take ``size`` x ``size`` pixels; its position embeddings are interpolated once, in place.

    Absolute ones over the grid of tokens (bicubic), those of global attention over the distances
    (linear). Windows keep their size and their embeddings.

    Raises:
        BadInput: when the size is no multiple of SAM's patches, or larger than its own input.
    """
    encoder = network.image_encoder
    patch = encoder.img_size // network.prompt_encoder.image_embedding_size[0]
    check_side(size, encoder.img_size, patch)
    side = size // patch
    with torch.no_grad():
        if encoder.pos_embed is not None:
            grid = encoder.pos_embed.permute(0, 3, 1, 2)
            smaller = functional.interpolate(grid, (side, side), mode="bicubic", antialias=True)
            encoder.pos_embed = nn.Parameter(smaller.permute(0, 2, 3, 1).contiguous())
        for block in encoder.blocks:
            if block.attn.use_rel_pos and not block.window_size:
                block.attn.rel_pos_h = _over_distances(block.attn.rel_pos_h, side)
                block.attn.rel_pos_w = _over_distances(block.attn.rel_pos_w, side)
    encoder.img_size = size
    network.prompt_encoder.image_embedding_size = (side, side)
    network.prompt_encoder.input_image_size = (size, size)


def _over_distances(table: torch.Tensor, side: int) -> nn.Parameter:
    """Relative position embeddings (2 n - 1, C) for ``side`` tokens a side."""
    found = functional.interpolate(table.T[None], 2 * side - 1, mode="linear")
    return nn.Parameter(found[0].T.contiguous())
