"""The U-Net with residual units (Kerfoot et al., STACOM 2018), as MONAI has it, in PyTorch alone.

MONAI takes more than twice as long to import as PyTorch, and all that a network of it needs is here.
Names of weights, their order and the draws that initialise them are MONAI's, so that a network of either is
one of the other to the bit; tests compare them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from clisc_engine.models.few_planes import Conv3d, ConvTranspose3d
from clisc_engine.models.instance_norm import InstanceNorm
from clisc_engine.models.prelu import PReLU

Stride = Sequence[int]
"""Of a halving, (z, y, x), each 1 or 2."""
STILL: Stride = (1, 1, 1)


def convolution(
    before: int, after: int, activation: nn.Module | None, *, stride: Stride = STILL, up: bool = False
) -> nn.Sequential:
    """A 3x3x3 convolution, then instance normalisation and the activation; without one, it is bare.

    Args:
        before: channels of its input.
        after: channels of its output.
        activation: what follows the normalisation.
        stride: of the convolution.
        up: whether it is transposed, and so enlarges by ``stride``.
    """
    layer: nn.Module
    if up:
        room = tuple(step - 1 for step in stride)
        layer = ConvTranspose3d(before, after, 3, tuple(stride), 1, room)  # type: ignore[arg-type]
    else:
        layer = Conv3d(before, after, 3, tuple(stride), 1)  # type: ignore[arg-type]
    found = nn.Sequential()
    found.add_module("conv", layer)
    if activation is not None:
        then = nn.Sequential()
        then.add_module("N", InstanceNorm(after))
        then.add_module("A", activation)
        found.add_module("adn", then)
    return found


class ResidualUnit(nn.Module):
    """Convolutions, to whose outcome the input is added, or what another convolution makes of it."""

    def __init__(
        self, before: int, after: int, *, count: int = 2, stride: Stride = STILL, bare: bool = False
    ) -> None:
        """The first of ``count`` convolutions has the stride; with ``bare`` nothing follows the last."""
        super().__init__()
        self.conv = nn.Sequential()
        for number in range(count):
            activation = None if bare and number == count - 1 else PReLU()
            channels, own = (before, stride) if number == 0 else (after, STILL)
            self.conv.add_module(f"unit{number}", convolution(channels, after, activation, stride=own))
        still = all(step == 1 for step in stride)
        self.residual: nn.Module = nn.Identity()
        if still and before != after:
            self.residual = nn.Conv3d(before, after, 1)
        elif not still:
            self.residual = Conv3d(before, after, 3, tuple(stride), 1)  # type: ignore[arg-type]

    def forward(self, volumes: Tensor) -> Tensor:
        """(B, after, ...) of volumes (B, before, ...)."""
        added: Tensor = self.residual(volumes)
        found: Tensor = self.conv(volumes)
        return found + added


class Beside(nn.Module):
    """What a module makes of its input, beside that input."""

    def __init__(self, submodule: nn.Module) -> None:
        """The module is the rest of the network, from the next level down."""
        super().__init__()
        self.submodule = submodule

    def forward(self, volumes: Tensor) -> Tensor:
        """Both, one after the other along the channels."""
        return torch.cat([volumes, self.submodule(volumes)], dim=1)


class ResidualUNet(nn.Module):
    """A U-Net of residual units, from volumes (B, I, Z, Y, X) to logits (B, O, Z, Y, X)."""

    def __init__(self, into: int, out: int, channels: Sequence[int], strides: Sequence[Stride]) -> None:
        """The whole network.

        Args:
            into: channels of its input.
            out: channels of its output.
            channels: of the levels, finest first; two at least.
            strides: from each level to the next.
        """
        super().__init__()
        self.model = _levels(into, out, channels, strides, top=True)

    def forward(self, volumes: Tensor) -> Tensor:
        """The logits; sides are divisible by the product of the strides along them."""
        found: Tensor = self.model(volumes)
        return found


def _levels(
    into: int, out: int, channels: Sequence[int], strides: Sequence[Stride], *, top: bool
) -> nn.Sequential:
    """A level with all that lie below it. The lower ones come first, since the seed's draws do."""
    here, below = channels[:2]
    deepest = len(channels) == 2
    rest = (
        ResidualUnit(here, below) if deepest else _levels(here, here, channels[1:], strides[1:], top=False)
    )
    down = ResidualUnit(into, here, stride=strides[0])
    up = nn.Sequential(
        convolution(here + (below if deepest else here), out, PReLU(), stride=strides[0], up=True),
        ResidualUnit(out, out, count=1, bare=top),
    )
    return nn.Sequential(down, Beside(rest), up)
