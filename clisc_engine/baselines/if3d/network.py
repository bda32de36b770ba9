"""The implicit field, after DeepSDF (Park et al., CVPR 2019), and the codes of what it learned from."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from clisc_engine.baselines.if3d.positions import fourier_features
from clisc_engine.settings.baselines.if3d import If3dSettings


class ImplicitField(nn.Module):
    """A code and a position in, logits of the classes of intensity out.

    Hidden layers with weight normalisation, ReLU and dropout; the input is joined again in the middle, to
    a layer that is narrower by as much.
    """

    def __init__(self, settings: If3dSettings) -> None:
        """With random weights, from torch's generator."""
        super().__init__()
        self.frequencies, self.dropout = settings.frequencies, settings.dropout
        self.joined = settings.layers // 2
        width, inputs = settings.width, settings.inputs
        outputs = [width - inputs if i == self.joined - 1 else width for i in range(settings.layers)]
        self.hidden = nn.ModuleList(
            weight_norm(nn.Linear(inputs if i == 0 else width, n)) for i, n in enumerate(outputs)
        )
        self.last = nn.Linear(width, settings.classes)

    def forward(self, codes: Tensor, points: Tensor) -> Tensor:
        """Logits (B, P, classes) at positions (B, P, 3) in [-1, 1] under codes (B, length)."""
        features = fourier_features(points, self.frequencies)
        given = torch.cat([codes[:, None].expand(-1, points.shape[1], -1), features], dim=-1)
        found = given
        for number, layer in enumerate(self.hidden):
            if number == self.joined:
                found = torch.cat([found, given], dim=-1)
            found = functional.dropout(layer(found).relu(), self.dropout, self.training)
        return self.last(found)  # type: ignore[no-any-return]


class AutoDecoder(nn.Module):
    """A field under training with a code for each volume, and the centres of its classes.

    Attributes:
        field: the network.
        codes: (volumes, length), drawn from N(0, 1 / length).
        centres: (classes,) intensities in [0, 1], ascending; fitted beforehand and kept with the weights.
    """

    centres: Tensor

    def __init__(self, settings: If3dSettings, volumes: int) -> None:
        """With random weights and codes, from torch's generator; the centres are 0."""
        super().__init__()
        self.field = ImplicitField(settings)
        self.codes = nn.Embedding(volumes, settings.code_length)
        nn.init.normal_(self.codes.weight, 0, settings.code_length**-0.5)
        self.register_buffer("centres", torch.zeros(settings.classes))

    def forward(self, points: Tensor) -> Tensor:
        """Logits (B, P, classes) at points (B, P, 4).

        A point is the number of its volume, the same for all P, and its position in [-1, 1]: one tensor,
        since ranks share it. Under training codes longer than 1 are first cut back to 1 (the original
        does so to those that it looks up).
        """
        if self.training:
            with torch.no_grad():
                self.codes.weight.renorm_(2, 0, 1.0)
        return self.field(self.codes(points[:, 0, 0].long()), points[..., 1:])  # type: ignore[no-any-return]
