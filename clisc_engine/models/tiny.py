"""The tiny models' real architectures, built from the JSON files bundled beside their weights."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from clisc_engine.models.packages import (
    CLIP,
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)

WEIGHTS = Path(__file__).parent.parent / "weights"


def read_config(name: str) -> dict[str, Any]:
    """Read the bundled configuration ``tiny_clip`` or ``tiny_sam``."""
    config: dict[str, Any] = json.loads((WEIGHTS / f"{name}.json").read_text(encoding="utf-8"))
    return config


def build_clip(config: dict[str, Any]) -> CLIP:
    """An open_clip CLIP with a ModifiedResNet image tower, random weights."""
    vision = {**config["vision_cfg"], "layers": tuple(config["vision_cfg"]["layers"])}
    return CLIP(embed_dim=config["embed_dim"], vision_cfg=vision, text_cfg=config["text_cfg"])


def build_sam(config: dict[str, Any]) -> Sam:
    """A segment_anything Sam of the sizes in ``config``, random weights."""
    size, patch, width = config["image_size"], config["patch_size"], config["prompt_embed_dim"]
    grid = size // patch
    encoder = ImageEncoderViT(
        img_size=size,
        patch_size=patch,
        embed_dim=config["encoder_embed_dim"],
        depth=config["encoder_depth"],
        num_heads=config["encoder_num_heads"],
        mlp_ratio=config["encoder_mlp_ratio"],
        out_chans=width,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=config["encoder_window_size"],
        global_attn_indexes=tuple(config["encoder_global_attn_indexes"]),
    )
    prompts = PromptEncoder(
        embed_dim=width,
        image_embedding_size=(grid, grid),
        input_image_size=(size, size),
        mask_in_chans=config["mask_in_chans"],
    )
    decoder = MaskDecoder(
        num_multimask_outputs=config["num_multimask_outputs"],
        transformer=TwoWayTransformer(
            depth=config["decoder_depth"],
            embedding_dim=width,
            num_heads=config["decoder_num_heads"],
            mlp_dim=config["decoder_mlp_dim"],
        ),
        transformer_dim=width,
        iou_head_depth=config["iou_head_depth"],
        iou_head_hidden_dim=config["iou_head_hidden_dim"],
    )
    return Sam(encoder, prompts, decoder, config["pixel_mean"], config["pixel_std"])


def export(model: nn.Module, name: str, note: dict[str, str], folder: Path = WEIGHTS) -> Path:
    """Write ``model`` as float16 safetensors with provenance in its metadata."""
    from safetensors.torch import save_file

    # Buffers such as the text tower's causal mask are rebuilt by the constructor.
    state = {
        key: (value.half() if torch.is_floating_point(value) else value).contiguous()
        for key, value in model.state_dict().items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    partial_path = path.with_suffix(".part")
    save_file(state, str(partial_path), metadata={"data": "procedural phantoms only", **note})
    partial_path.replace(path)
    return path


def load(model: nn.Module, name: str, folder: Path = WEIGHTS) -> None:
    """Load bundled float16 weights into a float32 ``model``, strictly."""
    from safetensors.torch import load_file

    model.load_state_dict(load_file(str(folder / f"{name}.safetensors")), strict=True)
