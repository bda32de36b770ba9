"""SAM's image encoder with fused attention: upstream's layers and weights, far less memory traffic.

Upstream adds its decomposed relative position bias to whole score matrices (800 MB a global block for
ViT-B), and sends the zeros that pad its windows through every layer. Here the bias goes into
``scaled_dot_product_attention``, and padding exists only as keys. Sources: Kirillov et al., "Segment
Anything", ICCV 2023; Li et al., "MViTv2", CVPR 2022, eq. (4), for the bias.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from clisc_engine.models.packages import Attention, Block, ImageEncoderViT, get_rel_pos

SCORES = 2**22
"""So many scores at once on a CPU (16 MB of bias), which then stays near the cores."""


@torch.inference_mode()
def encode(encoder: ImageEncoderViT, pixels: Tensor) -> Tensor:
    """Image embeddings (N, C, h, w) of normalised (N, 3, S, S) pixels: those of ``encoder(pixels)``."""
    tokens = encoder.patch_embed(pixels)
    if encoder.pos_embed is not None:
        tokens = tokens + encoder.pos_embed
    for block in encoder.blocks:
        tokens = _block(block, tokens)
    embeddings: Tensor = encoder.neck(tokens.permute(0, 3, 1, 2))
    return embeddings


def _block(block: Block, tokens: Tensor) -> Tensor:
    """One transformer block on (N, h, w, D) tokens, changed in place."""
    attended = _attention(block.attn, block.norm1(tokens), block.window_size)
    tokens += attended
    tokens += block.mlp(block.norm2(tokens))
    return tokens


def _attention(layer: Attention, tokens: Tensor, window: int) -> Tensor:
    """Self-attention of (N, h, w, D) tokens, within windows of ``window`` tokens a side, 0 for all."""
    count, height, width, _ = tokens.shape
    projected = layer.qkv(tokens)
    if window:
        # A padded token is zero before the projection, so its query, key and value are the bias.
        projected = _to_windows(projected, window, layer.qkv.bias)
    side = tuple(projected.shape[1:3])
    parts = projected.view(len(projected), side[0] * side[1], 3, layer.num_heads, -1)
    query, key, value = parts.permute(2, 0, 3, 1, 4)
    if layer.use_rel_pos:
        found = _with_position(layer, query, key, value, (side[0], side[1]))
    else:
        found = functional.scaled_dot_product_attention(query, key, value, scale=layer.scale)
    merged = found.transpose(1, 2).reshape(len(projected), *side, -1)
    if window:
        merged = _from_windows(merged, count, height, width)
    attended: Tensor = layer.proj(merged)
    return attended


def _with_position(
    layer: Attention, query: Tensor, key: Tensor, value: Tensor, side: tuple[int, int]
) -> Tensor:
    """Attention (N, heads, h * w, C) with the bias of the distances along both axes."""
    height, width = side
    grid = query.unflatten(2, side)
    rows = get_rel_pos(height, height, layer.rel_pos_h)
    columns = get_rel_pos(width, width, layer.rel_pos_w)
    by_row = torch.einsum("nahwc,hkc->nahwk", grid, rows).flatten(2, 3)
    by_column = torch.einsum("nahwc,wkc->nahwk", grid, columns).flatten(2, 3)
    if query.device.type == "cpu":
        return in_pieces(query, key, value, by_row, by_column, layer.scale)
    return folded(query, key, value, by_row, by_column, layer.scale)


def in_pieces(
    query: Tensor, key: Tensor, value: Tensor, by_row: Tensor, by_column: Tensor, scale: float
) -> Tensor:
    """The bias of some heads, or of some queries of one head, given to the fused attention as its mask."""
    found = torch.empty_like(query, memory_format=torch.contiguous_format)
    count, heads, length, _ = query.shape
    many = max(1, SCORES // (count * length * length))
    step = max(1, min(length, SCORES // (count * length)))
    for head in range(0, heads, many):
        here = slice(head, head + many)
        for start in range(0, length, step):
            some = slice(start, start + step)
            bias = by_row[:, here, some, :, None] + by_column[:, here, some, None, :]
            found[:, here, some] = functional.scaled_dot_product_attention(
                query[:, here, some], key[:, here], value[:, here], attn_mask=bias.flatten(3), scale=scale
            )
    return found


def folded(
    query: Tensor, key: Tensor, value: Tensor, by_row: Tensor, by_column: Tensor, scale: float
) -> Tensor:
    """The bias as further channels, so that none of the size of the scores ever exists.

    ``[scale q, by_row, by_column] . [k, e_row, e_column]`` is the biased score, ``e`` being the unit
    vectors of the key's row and column. It triples the products of queries and keys, which an
    accelerator's matrix units have to spare and a CPU has not.
    """
    height, width = by_row.shape[-1], by_column.shape[-1]
    row = torch.eye(height, dtype=key.dtype, device=key.device).repeat_interleave(width, 0)
    column = torch.eye(width, dtype=key.dtype, device=key.device).repeat(height, 1)
    place = torch.cat([row, column], 1).expand(*key.shape[:2], -1, -1)
    queries = torch.cat([query * scale, by_row, by_column], -1)
    keys = torch.cat([key, place], -1)
    fill = -queries.shape[-1] % 8  # fused kernels want channels in eights
    queries, keys = (functional.pad(part, (0, fill)) for part in (queries, keys))
    return functional.scaled_dot_product_attention(queries, keys, value, scale=1.0)


def _to_windows(tokens: Tensor, window: int, padding: Tensor | None) -> Tensor:
    """(N, h, w, D) tokens as (N * windows, window, window, D), padded at the right and the bottom."""
    count, height, width, channels = tokens.shape
    down, across = -(-height // window), -(-width // window)
    if (down * window, across * window) != (height, width):
        padded = tokens.new_zeros(count, down * window, across * window, channels)
        if padding is not None:
            padded[:, height:] = padding.to(tokens)
            padded[:, :height, width:] = padding.to(tokens)
        padded[:, :height, :width] = tokens
        tokens = padded
    parts = tokens.view(count, down, window, across, window, channels).transpose(2, 3)
    return parts.reshape(-1, window, window, channels)


def _from_windows(windows: Tensor, count: int, height: int, width: int) -> Tensor:
    """The way back from `_to_windows`; padding is dropped."""
    window, channels = windows.shape[1], windows.shape[-1]
    down, across = -(-height // window), -(-width // window)
    parts = windows.view(count, down, across, window, window, channels).transpose(2, 3)
    return parts.reshape(count, down * window, across * window, channels)[:, :height, :width]
