"""Named sets of settings: the paper's, a fast first look, medical models, and for the bundled tiny ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from clisc_engine.core.levels import level_strides
from clisc_engine.errors import BadInput
from clisc_engine.settings.medical import BIOMEDCLIP, MEDSAM
from clisc_engine.settings.schema import TINY as TINY_MODEL
from clisc_engine.settings.schema import Settings

TINY: Mapping[str, Any] = {
    "weights": "tiny",
    "label": {"model": "tiny", "pretrained": "", "smoothing": 8.0},
    "classifier": {
        "backbone": "clip",
        "pretrained": "none",
        "image_size": 128,
        "head": "linear",
        "epochs": 10,
        "batch_size": 16,
        "learning_rate": 3e-4,
        "decay_every": 7,
        "slices_per_epoch": 400,
        "passes": 1.0,
    },
    "cam": {"layers": ["layer2"]},
    "amda": {"fill": "around"},
    "roi": {"smoothing": 4.0},
    "prompts": {"dilation": 3, "region": "map+bundled"},
    "sam": {
        "model": "tiny",
        "equalise": False,
        "mirror": True,
        "border": 4.0,
        "batch_size": 16,
        "cache_gb": 1.0,
    },
    "unet": {
        "patch": [32, 64, 64],
        "spacing": [4.0, 2.5, 2.5],
        "start": "bundled",
        "epochs": 30,
        "patches_per_epoch": 24,
        "optimiser": "adamw",
        "learning_rate": 0.001,
        "augment": "wide",
        "border": 4.0,
        "rival_share": 0.2,
    },
    "s3f": {"start": "round1", "epochs": 15, "learning_rate": 0.0005},
}
"""What the tiny preset changes; everything else is as in the paper preset."""


PAPER: Mapping[str, Any] = {"weights": "paper", "cam": {"slices": "tumour"}}
"""What the paper gives and the defaults do not: a project of 0.1.0, whose clisc.toml lacks a key that is
newer, goes on as it was made."""

FAST: Mapping[str, Any] = {
    **PAPER,
    "classifier": {"epochs": 20, "slices_per_epoch": 4000},
    "unet": {"epochs": 100},
    "s3f": {"epochs": 50},
}
"""The full-size models with a tenth and a quarter of the paper's epochs: for a first look at one's data."""

MEDICAL: Mapping[str, Any] = {
    **PAPER,
    "label": {
        "model": BIOMEDCLIP,
        "pretrained": "",
    },
    "prompts": {"kind": "box"},
    "sam": {"model": MEDSAM, "equalise": False},
}
"""BiomedCLIP and MedSAM for the paper's CLIP and SAM. MedSAM learned from boxes alone, and from slices with
the histograms that they had."""

PRESETS: Mapping[str, Mapping[str, Any]] = {"paper": PAPER, "fast": FAST, "medical": MEDICAL, "tiny": TINY}


def preset(name: str) -> Settings:
    """The settings of a preset: paper, fast, medical or tiny."""
    return Settings.model_validate(dict(PRESETS[name]))


def check_unet(settings: Settings) -> None:
    """Refuse a U-Net that cannot be trained, or cannot start from the bundled one.

    Raises:
        BadInput: naming the settings that do not fit each other.
    """
    unet, own = settings.unet, preset("tiny").unet
    strides = level_strides(len(unet.channels) - 1, unet.spacing)
    steps = [math.prod(along) for along in zip(*strides, strict=True)]
    if any(side % step for side, step in zip(unet.patch, steps, strict=True)) or unet.patch == steps:
        raise BadInput(
            f"unet.patch {unet.patch} does not fit the {len(unet.channels)} levels of unet.channels: its "
            f"sides must be multiples of {steps}, and one of them a larger one; give a larger patch, or "
            "fewer channels."
        )
    if unet.start == "bundled" and (unet.channels, unet.spacing) != (own.channels, own.spacing):
        raise BadInput(
            f"unet.start = 'bundled' needs the bundled network's unet.channels {own.channels} and "
            f"unet.spacing {own.spacing}; give these, or unet.start=scratch."
        )


def files_not_read(settings: Settings) -> list[str]:
    """Why a weight file that the settings name would be passed over, a sentence each."""
    classifier, sam, found = settings.classifier, settings.sam, []
    if sam.model == TINY_MODEL and sam.checkpoint:
        found.append(
            "sam.checkpoint is not read with sam.model = 'tiny'; give the model that it is of, such as "
            "sam.model=vit_b, or sam.checkpoint= for none."
        )
    if classifier.backbone == "clip" and classifier.pretrained not in ("imagenet", "none", ""):
        found.append(
            "classifier.pretrained is not read with classifier.backbone = 'clip'; give the network that it "
            "is of, such as classifier.backbone=resnet50, or classifier.pretrained=none."
        )
    return found


def check_prompts(settings: Settings) -> None:
    """Refuse prompts by which CLIP cannot tell the classes: each slice would be as probably either.

    Raises:
        BadInput: when those of both classes are the same.
    """
    if sorted(settings.label.normal_prompts) == sorted(settings.label.tumour_prompts):
        raise BadInput(
            "label.normal_prompts and label.tumour_prompts are the same, so that every slice is as "
            "probably normal as tumour; give each class phrasings of its own."
        )


def check_classifier(settings: Settings) -> None:
    """Refuse a classifier that cannot be trained, or cannot give the maps that are asked for.

    Of a single slice of fewer than 64 pixels the last layer has one value a channel, too few for batch
    normalisation. CAM's maps are of that layer, under a linear head.

    Raises:
        BadInput: naming the settings that do not fit each other.
    """
    classifier = settings.classifier
    if classifier.batch_size == 1 and classifier.image_size < 64:
        raise BadInput(
            f"classifier.batch_size = 1 does not go with classifier.image_size = {classifier.image_size}: "
            "batch normalisation needs several values a channel; give larger batches, or 64 pixels."
        )
    if settings.cam.method != "cam":
        return
    if classifier.head != "linear" or settings.cam.layers != ["layer4"]:
        raise BadInput(
            'cam.method = "cam" needs classifier.head = "linear" and cam.layers = ["layer4"]; give these, '
            "or cam.method=layercam."
        )
