"""Random patches of a volume and its label, changed at random.

They are those that MONAI's dictionary transforms of the same names draw from the same seed, to the bit:
networks that were trained with them stay what they are. Tests compare the two; MONAI itself takes more than
twice as long to import as PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from clisc_engine.settings.schema import Augmentation

LEFT_RIGHT = 2
NO_SIGNAL = 3.0
"""Standard deviations from no signal to a FLAIR brain's mean (2.6 to 3.9); coils shade by a factor."""
DEGREE = 3
"""Of the polynomials of a bias field."""
_SEEDS = 2**32


class Patch(NamedTuple):
    """Part of a volume: image and label, (1, Z, Y, X) each."""

    image: Tensor
    label: Tensor


class Change(Protocol):
    """What is done to a patch, by draws of its own."""

    def seed(self, seed: int) -> None:
        """Begin the draws anew."""

    def __call__(self, patch: Patch) -> Patch:
        """The patch changed, or as it is where chance has it so."""


class Patches:
    """Random patches of volumes, half of them centred on the label; all draws follow from the seed."""

    def __init__(self, size: Sequence[int], count: int, augment: Augmentation) -> None:
        """Patches of ``size`` (Z, Y, X), ``count`` of each volume, changed as ``augment`` says."""
        self.size, self.count = tuple(size), count
        self._changes: list[Change] = {"none": list, "paper": _paper, "wide": _wide}[augment]()
        self._random = np.random.RandomState(0)

    def seed(self, seed: int) -> None:
        """Begin the draws anew; each step has its own, so that one more does not shift the others'."""
        seeds = np.random.RandomState(seed)
        self._random = np.random.RandomState(int(seeds.randint(_SEEDS, dtype="uint32")))
        for change in self._changes:
            if not isinstance(change, Shift):
                change.seed(int(seeds.randint(_SEEDS, dtype="uint32")))

    def __call__(self, volume: Patch) -> list[Patch]:
        """The patches of a whole volume, which is padded with 0 where it is smaller."""
        image, label = (_padded(part, self.size) for part in volume)
        inside = label.reshape(-1) != 0
        on_label = torch.nonzero(inside)[:, 0]
        elsewhere = torch.nonzero(~inside)[:, 0]
        starts = [self._start(on_label, elsewhere, image.shape[1:]) for _ in range(self.count)]
        boxes = [
            (slice(None), *(slice(low, low + side) for low, side in zip(start, self.size, strict=True)))
            for start in starts
        ]
        patches = [Patch(image[box], label[box]) for box in boxes]
        for change in self._changes:
            patches = [change(patch) for patch in patches]
        return patches

    def _start(self, on_label: Tensor, elsewhere: Tensor, shape: Sequence[int]) -> list[int]:
        """The first corner of a patch inside a volume of this shape, its centre drawn from either part."""
        share = 0.5 if len(on_label) and len(elsewhere) else float(len(on_label) > 0)
        voxels = on_label if self._random.rand() < share else elsewhere
        centre = np.unravel_index(int(voxels[self._random.randint(len(voxels))]), tuple(shape))
        return [
            min(max(int(middle), side // 2), length - (side - side // 2)) - side // 2
            for middle, side, length in zip(centre, self.size, shape, strict=True)
        ]


def _paper() -> list[Change]:
    """Rotation in plane by up to 15 degrees, flips along each axis, another contrast."""
    return [
        Turn(0.3, turn=(0.26, 0.0, 0.0), stretch=0.0),
        *(Flip(0.5, axis) for axis in range(3)),
        Contrast(0.5, 0.2),
    ]


def _wide() -> list[Change]:
    """A head as another scanner may show it: turned, larger, mirrored, shaded; never upside down."""
    return [
        Turn(0.7, turn=(0.26, 0.1, 0.1), stretch=0.15),
        Flip(0.5, LEFT_RIGHT),
        Shift(NO_SIGNAL),
        Shade(0.7, 0.15),
        Shift(-NO_SIGNAL),
        Contrast(0.5, 0.35),
        Brightness(0.5, 0.4),
    ]


class _ByChance:
    """Done with a probability. Whether it is done, and how, are drawn from two generators of one seed."""

    def __init__(self, chance: float) -> None:
        """With the probability ``chance``."""
        self.chance = chance
        self.seed(0)

    def seed(self, seed: int) -> None:
        """Begin the draws anew."""
        self._whether, self.how = np.random.RandomState(seed), np.random.RandomState(seed)

    def comes_up(self) -> bool:
        """Draw whether it is done this time; each draw of how then begins with one that says nothing."""
        if not self._whether.rand() < self.chance:
            return False
        self.how.rand()
        return True


class Turn(_ByChance):
    """Turn about the (z, y, x) axes by up to ``turn`` radians, and scale by up to ``stretch``."""

    def __init__(self, chance: float, turn: tuple[float, float, float], stretch: float) -> None:
        """With the probability ``chance``."""
        super().__init__(chance)
        self.turn, self.stretch = turn, stretch

    def __call__(self, patch: Patch) -> Patch:
        """The label takes the nearest voxel, the image is interpolated; both are float32 then."""
        done = self._whether.rand() < self.chance
        self._draw()
        if not done:
            return Patch(patch.image.float(), patch.label.float())
        grid = _grid(patch.image.shape[1:], *self._draw())
        found = []
        for part, mode in zip(patch, ("bilinear", "nearest"), strict=True):
            self._draw()
            moved = functional.grid_sample(
                part.double()[None], grid, mode=mode, padding_mode="zeros", align_corners=False
            )
            found.append(moved[0].float())
        return Patch(*found)

    def _draw(self) -> tuple[list[float], list[float]]:
        """Angles and scales; MONAI draws them once for each part, too, and takes those in between."""
        angles = [self.how.uniform(-most, most) for most in self.turn]
        scales = [self.how.uniform(-self.stretch, self.stretch) + 1.0 for _ in range(3)]
        return angles, scales


class Flip(_ByChance):
    """Mirror both parts along an axis of (Z, Y, X)."""

    def __init__(self, chance: float, axis: int) -> None:
        """With the probability ``chance``."""
        super().__init__(chance)
        self.axis = axis

    def __call__(self, patch: Patch) -> Patch:
        """Mirrored, or as it is."""
        return Patch(*(part.flip(1 + self.axis) for part in patch)) if self.comes_up() else patch


class Contrast(_ByChance):
    """Multiply the image by up to 1 + ``most``, or down to 1 - ``most``."""

    def __init__(self, chance: float, most: float) -> None:
        """With the probability ``chance``."""
        super().__init__(chance)
        self.most = most

    def __call__(self, patch: Patch) -> Patch:
        """With another contrast, or as it is."""
        if not self.comes_up():
            return patch
        return patch._replace(image=patch.image * (1 + self.how.uniform(-self.most, self.most)))


class Brightness(_ByChance):
    """Add to the image between -``most`` and ``most``."""

    def __init__(self, chance: float, most: float) -> None:
        """With the probability ``chance``."""
        super().__init__(chance)
        self.most = most

    def __call__(self, patch: Patch) -> Patch:
        """Brighter or darker, or as it is."""
        if not self.comes_up():
            return patch
        return patch._replace(image=patch.image + self.how.uniform(-self.most, self.most))


class Shift:
    """Add the same to every image."""

    def __init__(self, offset: float) -> None:
        """That is ``offset``."""
        self.offset = offset

    def seed(self, seed: int) -> None:
        """Nothing is drawn."""

    def __call__(self, patch: Patch) -> Patch:
        """The patch, shifted."""
        return patch._replace(image=patch.image + self.offset)


class Shade(_ByChance):
    """Multiply the image by the exponential of a smooth field: Legendre polynomials in z, y and x."""

    def __init__(self, chance: float, most: float) -> None:
        """With the probability ``chance``, and coefficients between -``most`` and ``most``."""
        super().__init__(chance)
        self.most = most

    def __call__(self, patch: Patch) -> Patch:
        """Shaded as coils shade, or as it is."""
        if not self.comes_up():
            return patch
        powers = [
            (i, j, k)
            for i in range(DEGREE + 1)
            for j in range(DEGREE + 1 - i)
            for k in range(DEGREE + 1 - i - j)
        ]
        coefficients = np.zeros((DEGREE + 1,) * 3)
        coefficients[tuple(np.transpose(powers))] = self.how.uniform(-self.most, self.most, len(powers))
        z, y, x = (np.linspace(-1.0, 1.0, side, dtype=np.float32) for side in patch.image.shape[1:])
        field = np.exp(np.polynomial.legendre.leggrid3d(z, y, x, coefficients))
        return patch._replace(
            image=torch.from_numpy((patch.image.numpy() * field[None]).astype(np.float32))
        )


def _grid(shape: Sequence[int], angles: Sequence[float], scales: Sequence[float]) -> Tensor:
    """Where the voxels of a turned and scaled patch come from: (1, Z, Y, X, 3), for `grid_sample`."""
    affine = torch.eye(4)
    for axis, angle in enumerate(angles):
        sin, cos = (f(torch.as_tensor(angle, dtype=torch.float32)) for f in (torch.sin, torch.cos))
        turn = torch.eye(4)
        first, second = ((1, 2), (0, 2), (0, 1))[axis]
        turn[first, first] = turn[second, second] = cos
        turn[first, second], turn[second, first] = (sin, -sin) if axis == 1 else (-sin, sin)
        affine = affine @ turn
    affine = affine @ torch.diag(torch.as_tensor([*scales, 1.0]))
    sides = [torch.linspace(-(n - 1.0) / 2.0, (n - 1.0) / 2.0, n, dtype=torch.float64) for n in shape]
    places = torch.stack(
        [*torch.meshgrid(*sides, indexing="ij"), torch.ones(tuple(shape), dtype=torch.float64)]
    )
    moved = (affine @ places.float().view(4, -1)).view(4, *shape)
    grid = moved[[2, 1, 0]].movedim(0, -1).double().clone()
    for axis, side in enumerate(reversed(shape)):
        grid[..., axis] *= 2.0 / max(2, side)
    return grid[None]


def _padded(part: Tensor, size: Sequence[int]) -> Tensor:
    """(1, Z, Y, X) with zeros on both sides where it is smaller than ``size``."""
    lacking = [max(side - n, 0) for side, n in zip(size, part.shape[1:], strict=True)]
    if not any(lacking):
        return part
    return functional.pad(part, [side for n in reversed(lacking) for side in (n // 2, n - n // 2)])
