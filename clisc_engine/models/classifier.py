"""The slice classifier: a pretrained ResNet with a two-class head, and its inner activations."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from clisc_engine.errors import BadInput
from clisc_engine.models.clip import ClipModel
from clisc_engine.models.clip_tower import no_resnet
from clisc_engine.models.packages import ModifiedResNet, resnet18, resnet50
from clisc_engine.models.weights import find, take_state

LAYERS = ("layer1", "layer2", "layer3", "layer4")
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HIDDEN = 256


class SliceClassifier(nn.Module):
    """Stem, four residual stages, global average pooling and a head with two outputs.

    Attributes:
        image_size: side of the square input in pixels.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        stem: nn.Module,
        stages: Sequence[nn.Module],
        head: nn.Module,
        image_size: int,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        """Put the parts together; ``mean`` and ``std`` normalise inputs on the scale 0 to 1."""
        super().__init__()
        self.stem = stem
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.head = head
        self.image_size = image_size
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)

    def prepare(self, squared: Tensor) -> Tensor:
        """(N, S, S) uint8 slices as the network's (N, 3, S, S) input."""
        grey = squared[:, None].expand(-1, 3, -1, -1).float() / 255
        prepared: Tensor = (grey - self.mean) / self.std
        return prepared

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits (N, 2) for normal and tumour."""
        return self.forward_features(pixels, ())[0]

    def forward_features(self, pixels: Tensor, layers: Sequence[str]) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits, and the activations (N, K, h, w) of the named layers.

        With frozen parameters, activations from the first named layer on require gradients, so that
        one backward pass reaches them and goes no further down.
        """
        features: dict[str, Tensor] = {}
        current = self.stem(pixels)
        for name in LAYERS:
            current = getattr(self, name)(current)
            if name in layers:
                if not current.requires_grad:
                    current = current.detach().requires_grad_()
                features[name] = current
        logits: Tensor = self.head(current.mean(dim=(2, 3)))
        return logits, features

    def class_weights(self) -> Tensor:
        """Weights (2, K) of a linear head, for CAM.

        Raises:
            BadInput: when the head is not linear.
        """
        if not isinstance(self.head, nn.Linear):
            raise BadInput('cam.method = "cam" needs classifier.head = "linear".')
        return self.head.weight.detach()


def build_classifier(
    backbone: Literal["resnet50", "resnet18", "clip"],
    *,
    pretrained: str | None,
    clip: ClipModel | None,
    head: Literal["mlp", "linear"],
    dropout: float,
    image_size: int,
) -> SliceClassifier:
    """A classifier with a pretrained trunk and a new head; what is drawn comes from torch's generator.

    Args:
        backbone: torchvision's ResNet-50 or ResNet-18, or ``clip``, the ResNet image tower of a CLIP.
        pretrained: ``imagenet`` (a known file in the models folder), a file in torchvision's format,
            or None for random weights.
        clip: the CLIP whose tower is copied, for ``clip``.
        head: ``mlp`` has a hidden layer of 256 units with dropout.
        dropout: its rate.
        image_size: side of the input in pixels.

    Raises:
        MissingWeights: when the file is not on this machine.
        BadInput: when CLIP's tower is not a ResNet, or the file does not fit.
    """
    if backbone == "clip":
        stem, stages, channels, normalisation = _clip_trunk(clip)
    else:
        stem, stages, channels = _torchvision_trunk(backbone, pretrained)
        normalisation = IMAGENET
    mean, std = normalisation
    return SliceClassifier(stem, stages, _head(head, channels, dropout), image_size, mean, std)


def _torchvision_trunk(backbone: str, pretrained: str | None) -> tuple[nn.Module, list[nn.Module], int]:
    network = {"resnet18": resnet18, "resnet50": resnet50}[backbone](weights=None)
    if pretrained is not None:
        path = find("" if pretrained == "imagenet" else pretrained, backbone)
        take_state(network, path, f"a {backbone}")
    stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
    return stem, [getattr(network, name) for name in LAYERS], network.fc.in_features


def _clip_trunk(
    clip: ClipModel | None,
) -> tuple[nn.Module, list[nn.Module], int, tuple[tuple[float, float, float], tuple[float, float, float]]]:
    tower = getattr(clip.network, "visual", None) if clip else None
    if clip is None or not isinstance(tower, ModifiedResNet):
        raise no_resnet()
    tower = copy.deepcopy(tower).float()
    stem = nn.Sequential(
        *(getattr(tower, f"{part}{i}") for i in (1, 2, 3) for part in ("conv", "bn", "act")),
        tower.avgpool,
    )
    channels = tower.attnpool.q_proj.in_features
    stages = [getattr(tower, name) for name in LAYERS]
    return stem, stages, channels, (clip.mean, clip.std)


def _head(kind: str, channels: int, dropout: float) -> nn.Module:
    """A head whose last layer starts at zero, so that its two outputs stay each other's mirror image.

    Cross entropy sees the difference of the outputs alone. What both have in common would stay as it
    was drawn, and the gradient of the tumour's output, which is what is mapped, would carry it.
    """
    last = nn.Linear(channels if kind == "linear" else HIDDEN, 2)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    if kind == "linear":
        return last
    return nn.Sequential(nn.Linear(channels, HIDDEN), nn.ReLU(), nn.Dropout(dropout), last)
