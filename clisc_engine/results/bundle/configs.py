"""A bundle's configuration: what ``python -m monai.bundle run``, MONAI Label and people read of it."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from clisc_engine.core.levels import level_strides
from clisc_engine.files.words import counted
from clisc_engine.results.model_file import TINY_CAUTION, ModelCard
from clisc_engine.version import VERSION

PACKAGES = ("nibabel", "scipy", "SimpleITK")
"""What a bundle needs beside MONAI, torch and numpy."""

TO_RUN = {"pytorch-ignite": "0.4.11", "fire": "0.5.0"}
"""What MONAI needs to run a bundle from the command line, at the least."""

_CAUTION = "Trained on pseudo-labels, without labels of people. Research software, not a medical device."


def inference(card: ModelCard) -> dict[str, Any]:
    """configs/inference.json: every volume of ``dataset_dir`` gets its mask in ``output_dir``."""
    unet, image = card.unet, card.image
    resize = list(unet.patch) if unet.inference == "resize" else None
    return {
        "imports": ["$import glob", "$import os"],
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/images'",
        "output_dir": "$@bundle_root + '/eval'",
        "datalist": "$sorted(glob.glob(os.path.join(@dataset_dir, '*.nii*')))",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "ckpt_path": "$@bundle_root + '/models/model.pt'",
        "network_def": {
            "_target_": "scripts.TumourUNet",
            "spatial_dims": 3,
            "in_channels": 1,
            "out_channels": 2,
            "channels": list(unet.channels),
            "strides": [list(stride) for stride in level_strides(len(unet.channels) - 1, unet.spacing)],
            "num_res_units": 2,
        },
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "image"},
                {"_target_": "EnsureChannelFirstd", "keys": "image"},
                {
                    "_target_": "scripts.Prepare",
                    "keys": "image",
                    "clip_percentile": image.clip_percentile,
                    "resample_in_plane": image.resample_in_plane,
                    "allow_skull": image.allow_skull,
                    "spacing": list(unet.spacing),
                    "resize": resize,
                },
            ],
        },
        "dataset": {
            "_target_": "Dataset",
            "data": "$[{'image': path} for path in @datalist]",
            "transform": "@preprocessing",
        },
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "num_workers": 0},
        "inferer": {"_target_": "SimpleInferer"} if resize else _windows(card),
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {
                    "_target_": "scripts.Restore",
                    "keys": "pred",
                    "ref_image": "image",
                    "border": unet.border,
                    "largest_component": unet.largest_component,
                    "rival_share": unet.rival_share,
                },
                {
                    "_target_": "SaveImaged",
                    "keys": "pred",
                    "output_dir": "@output_dir",
                    "output_postfix": "seg",
                    "output_dtype": "$np.uint8",
                    "resample": False,
                    "separate_folder": False,
                },
            ],
        },
        "handlers": [
            {
                "_target_": "CheckpointLoader",
                "load_path": "@ckpt_path",
                "load_dict": {"model": "@network"},
                "map_location": "@device",
            }
        ],
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "val_handlers": "@handlers",
            "amp": False,
        },
        "run": ["$@evaluator.run()"],
    }


def described(card: ModelCard) -> dict[str, Any]:
    """configs/metadata.json."""
    about = {"num_channels": 1, "spatial_shape": list(card.unet.patch), "dtype": "float32"}
    return {
        "version": card.version,
        "changelog": {card.version: f"exported by clisc {VERSION}"},
        "monai_version": metadata.version("monai"),
        "pytorch_version": metadata.version("torch").partition("+")[0],
        "numpy_version": metadata.version("numpy"),
        "required_packages_version": {name: metadata.version(name) for name in PACKAGES} | TO_RUN,
        "name": "CLISC brain tumour segmentation",
        "task": "Segmentation of brain tumours in skull-stripped FLAIR MRI",
        "description": f"The network {card.network} of a clisc project: a 3-D U-Net. {_caution(card)}",
        "authors": "the users of clisc who trained it",
        "copyright": "theirs; the code is Apache-2.0",
        "data_type": "nibabel",
        "image_classes": "single channel, FLAIR, skull-stripped",
        "pred_classes": "2 channels: background and tumour, probabilities",
        "intended_use": _caution(card),
        "references": [
            "CLISC: Bridging CLIP and SAM by Enhanced CAM for Unsupervised Brain Tumor Segmentation "
            "(ISBI 2025)"
        ],
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "format": "magnitude",
                    "modality": "MR",
                    **about,
                    "value_range": [],
                    "is_patch_data": card.unet.inference == "sliding",
                    "channel_def": {"0": "FLAIR"},
                }
            },
            "outputs": {
                "pred": {
                    "type": "image",
                    "format": "segmentation",
                    **about,
                    "num_channels": 2,
                    "value_range": [0, 1],
                    "is_patch_data": card.unet.inference == "sliding",
                    "channel_def": {"0": "background", "1": "tumour"},
                }
            },
        },
        "clisc": {
            "network": card.network,
            "fingerprint": card.fingerprint,
            "trained": card.trained,
            "training_volumes": card.training_volumes,
            "weights": card.weights,
            "origin": card.origin,
        },
    }


def readme(card: ModelCard) -> str:
    """docs/README.md."""
    needed = " ".join(("monai", *PACKAGES, *TO_RUN))
    volumes = counted(card.training_volumes, "volume")
    return f"""# Brain tumours in FLAIR MRI

A 3-D U-Net that clisc {card.version} trained on {volumes}. {_caution(card)}

It takes skull-stripped FLAIR volumes as NIfTI and gives a mask of 0 and 1 on each one's own grid, the same
as `clisc predict` with this network. It needs no clisc: `scripts/` carries the preprocessing.

    pip install {needed}
    cd THIS_FOLDER
    python -m monai.bundle run --config_file configs/inference.json --dataset_dir IMAGES --output_dir MASKS

For MONAI Label and 3D Slicer put this folder among the models of the app `monaibundle`. For TorchScript:

    python -m monai.bundle ckpt_export --net_id network_def --filepath models/model.ts \\
        --ckpt_file models/model.pt --meta_file configs/metadata.json --config_file configs/inference.json

What made the network stands in `configs/metadata.json` under `clisc`.
"""


def _caution(card: ModelCard) -> str:
    """What whoever gets the bundle should know; the tiny models are named as everywhere."""
    return f"{_CAUTION} {TINY_CAUTION}" if card.weights == "tiny" else _CAUTION


def _windows(card: ModelCard) -> dict[str, Any]:
    return {
        "_target_": "SlidingWindowInferer",
        "roi_size": list(card.unet.patch),
        "sw_batch_size": card.unet.batch_size,
        "overlap": card.unet.overlap,
        "mode": "gaussian",
    }
