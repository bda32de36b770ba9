"""A variational autoencoder of 2-D slices whose encoder is ResNet-18's four stages.

Silva-Rodriguez et al., MedIA 80 (2022) 102526 and BMVC 2021. Both versions are here as their code has
them: MedIA's without max-pool, and BMVC's with one, each with its own decoder. The sizes in the docstrings
are those of a 224 x 224 input and a width of 64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn

from clisc_engine.baselines.vae.decoders import PlainDecoder, ResidualDecoder
from clisc_engine.models.packages import BasicBlock

Attention: TypeAlias = Callable[[Tensor, Tensor, bool], Tensor]
"""An attention map (B, h, w) of stage 1's features (B, C, h, w) and the latent means (B, L); the flag asks
for a map whose own gradient can be taken."""


class Encoder(nn.Module):
    """From slices to the mean and log-variance of their latent codes.

    A 7 x 7 convolution of stride 2 without bias, normalisation or activation leads to the four stages,
    as in the authors' code; with ``pooled`` a max-pool comes between.
    """

    def __init__(self, image_size: int, width: int, latent: int, *, pooled: bool) -> None:
        """Draw its weights: the stages' as torchvision draws those of a ResNet."""
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 7, stride=2, padding=3, bias=False)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1) if pooled else nn.Identity()
        self.layer1 = _stage(width, width, stride=1)
        self.layer2 = _stage(width, 2 * width, stride=2)
        self.layer3 = _stage(2 * width, 4 * width, stride=2)
        self.layer4 = _stage(4 * width, 8 * width, stride=2)
        self.side = image_size // (32 if pooled else 16)
        self.mu = nn.Linear(8 * width * self.side**2, latent)
        self.log_variance = nn.Linear(8 * width * self.side**2, latent)

    def first(self, slices: Tensor) -> Tensor:
        """Stage 1's features (B, 64, 112, 112), pooled (B, 64, 56, 56), of slices (B, 1, 224, 224)."""
        features: Tensor = self.layer1(self.pool(self.conv1(slices)))
        return features

    def rest(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The latent means and log-variances, (B, L) each, of stage 1's features."""
        deepest = self.layer4(self.layer3(self.layer2(features))).flatten(1)
        return self.mu(deepest), self.log_variance(deepest)


@dataclass(frozen=True)
class Outputs:
    """What the network says of a batch.

    Attributes:
        logits: of the reconstruction, (B, 1, S, S).
        mu: latent means, (B, L).
        log_variance: of the latent codes, (B, L).
        attention: stage 1's map, (B, h, w).
    """

    logits: Tensor
    mu: Tensor
    log_variance: Tensor
    attention: Tensor

    def packed(self) -> Tensor:
        """All in one tensor (B, N), as ranks exchange it."""
        parts = (self.logits, self.mu, self.log_variance, self.attention)
        return torch.cat([part.flatten(1) for part in parts], dim=1)


class Vae(nn.Module):
    """The autoencoder with an attention map on its first stage.

    Attributes:
        histogram: counts (256,) of the normal slices' grey values, to which all slices are matched. It
            belongs to what was learned, so it is kept with the weights.
    """

    histogram: Tensor

    def __init__(
        self, image_size: int, width: int, latent: int, *, pooled: bool, attention: Attention
    ) -> None:
        """Draw its weights from torch's generator.

        Args:
            image_size: S, a multiple of 32.
            width: channels of stage 1.
            latent: L.
            pooled: BMVC's network instead of MedIA's.
            attention: how stage 1 is mapped.
        """
        super().__init__()
        self.image_size, self.latent, self._attention = image_size, latent, attention
        self.encoder = Encoder(image_size, width, latent, pooled=pooled)
        decoder = PlainDecoder if pooled else ResidualDecoder
        self.decoder = decoder(latent, width, self.encoder.side)
        self.stage = image_size // (4 if pooled else 2)
        self.register_buffer("histogram", torch.zeros(256, dtype=torch.float64))

    def forward(self, slices: Tensor) -> Tensor:
        """The packed `Outputs` (B, N) of slices (B, 1, S, S) in [0, 1]; the code is drawn in training."""
        features = self.encoder.first(slices)
        mu, log_variance = self.encoder.rest(features)
        code = mu
        if self.training:
            code = mu + torch.randn_like(mu) * torch.exp(0.5 * log_variance)
        attention = self._attention(features, mu, True)
        return Outputs(self.decoder(code), mu, log_variance, attention).packed()

    def unpacked(self, packed: Tensor) -> Outputs:
        """The parts of a packed batch (B, N)."""
        size, count = self.image_size, len(packed)
        logits, mu, log_variance, attention = packed.split(
            [size**2, self.latent, self.latent, self.stage**2], dim=1
        )
        return Outputs(
            logits.reshape(count, 1, size, size),
            mu,
            log_variance,
            attention.reshape(count, self.stage, self.stage),
        )

    def attention(self, slices: Tensor) -> Tensor:
        """The attention maps (B, h, w) of slices (B, 1, S, S), without gradient."""
        with torch.no_grad():
            features = self.encoder.first(slices)
        with torch.enable_grad():
            features.requires_grad_()
            mu, _ = self.encoder.rest(features)
            return self._attention(features, mu, False).detach()


def _stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """Two residual blocks, as in ResNet-18."""
    shortcut = None
    if stride != 1:
        shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
        )
    stage = nn.Sequential(BasicBlock(inputs, outputs, stride, shortcut), BasicBlock(outputs, outputs))
    for part in stage.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
    return stage
