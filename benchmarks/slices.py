"""CLIP and Layer-CAM over a volume's slices against the same, one image at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import open_clip
import torch
from PIL import Image
from pytorch_grad_cam import LayerCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch.nn import functional

from benchmarks.measure import Row, operations, peak_gb, plain_then_ours, product_rate
from benchmarks.volumes import brain
from clisc_engine.core.labelling import TUMOUR
from clisc_engine.imaging.window import square
from clisc_engine.models.classifier import SliceClassifier, build_classifier
from clisc_engine.models.clip import ClipModel
from clisc_engine.running.control import Control
from clisc_engine.settings.label import NORMAL_PROMPT, TUMOUR_PROMPT
from clisc_engine.settings.presets import preset
from clisc_engine.settings.schema import WindowSettings
from clisc_engine.stages.cam import slice_maps
from clisc_engine.stages.classifier.slices import windowed
from clisc_engine.stages.classifier.training import frozen

SLICES = 32
CONTROL = Control(device="cpu")


def shown() -> npt.NDArray[np.uint8]:
    """Slices (N, Y, X) through the middle of a brain."""
    image, _ = brain(seed=1)
    return windowed(image.astype(np.float32), WindowSettings())[60 : 60 + SLICES]


def label() -> list[Row]:
    """CLIP ViT-B/32: both prompts against each slice."""
    slices = shown()
    network, _, preprocess = open_clip.create_model_and_transforms("ViT-B-32", pretrained=None)
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    clip = ClipModel(network.eval(), tokenizer, 224, mean, std, "", torch.device("cpu"))
    text = clip.text_features({"normal": [NORMAL_PROMPT], "tumour": [TUMOUR_PROMPT]})

    def ours() -> npt.NDArray[np.float32]:
        return clip.probabilities(slices, text)

    @torch.inference_mode()
    def plain() -> list[float]:
        found = []
        for slice_ in slices:
            pixels = preprocess(Image.fromarray(slice_).convert("RGB"))[None]
            image = functional.normalize(network.encode_image(pixels), dim=-1)
            logits = network.logit_scale.exp() * image @ text.T
            found.append(float(logits.softmax(-1)[0, 1]))
        return found

    rate = product_rate()
    took, one_by_one = plain_then_ours(ours, plain, rounds=3)
    floor = operations(ours) / max(rate, product_rate())
    parts = (took / SLICES, one_by_one / SLICES, None, floor / SLICES, 1.3, peak_gb(ours))
    return [Row("CLIP ViT-B/32", "slice", *parts)]


def cam() -> list[Row]:
    """Layer-CAM of ResNet-50's layer3 at 224 pixels."""
    torch.manual_seed(0)
    module = build_classifier(
        "resnet50", pretrained=None, clip=None, head="mlp", dropout=0.5, image_size=224
    ).eval()
    squared = square(shown(), 224)
    settings = preset("paper").cam
    target = [ClassifierOutputTarget(TUMOUR)]

    def ours() -> npt.NDArray[np.float32]:
        frozen(module.to(memory_format=torch.channels_last))  # as a project's classifier is
        return slice_maps(module, squared, settings, CONTROL)

    def plain() -> list[npt.NDArray[np.float32]]:
        for parameter in module.parameters():
            parameter.requires_grad_(True)  # as those of a trained network do
        with LayerCAM(model=module, target_layers=[module.layer3]) as package:
            pixels = module.prepare(torch.from_numpy(squared))
            return [package(input_tensor=one[None], targets=target)[0] for one in pixels]

    rate = product_rate()
    took, one_by_one = plain_then_ours(ours, plain, rounds=2)
    floor = cam_operations(module, squared) / max(rate, product_rate())
    row = Row(
        "Layer-CAM of ResNet-50",
        "slice",
        took / SLICES,
        one_by_one / SLICES,
        2.0,
        floor / SLICES,
        None,
        peak_gb(ours),
    )
    return [row]


def cam_operations(module: SliceClassifier, squared: npt.NDArray[np.uint8]) -> int:
    """Forward through all layers, and back from the head through layer4, as much as once more forward."""
    with torch.no_grad():
        features = torch.zeros(len(squared), 1024, 14, 14)  # what layer3 gives
        back = operations(lambda: module.head(module.layer4(features).mean(dim=(2, 3))))
        return operations(lambda: module(module.prepare(torch.from_numpy(squared)))) + back
