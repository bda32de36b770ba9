"""Random patches of a volume and its label, with MONAI's transforms."""

from __future__ import annotations

from typing import Any

from clisc_engine.settings.schema import Augmentation

KEYS = ("image", "label")
LEFT_RIGHT = 2
NO_SIGNAL = 3.0
"""Standard deviations from no signal to a FLAIR brain's mean (2.6 to 3.9); coils shade by a factor."""


def patch_transform(patch: tuple[int, ...], patches: int, augment: Augmentation) -> Any:
    """Random crops of size ``patch`` (Z, Y, X), half of them centred on the label.

    With ``augment`` they are changed at random too. All draws come from MONAI's own generators:
    `set_random_state` seeds them.

    Returns:
        A MONAI transform from {"image": (1, Z, Y, X), "label": (1, Z, Y, X)} to a list of
        ``patches`` dictionaries of the same keys.
    """
    from monai import transforms as mt

    crop = mt.RandCropByPosNegLabeld(
        KEYS,
        "label",
        patch,
        pos=1,
        neg=1,
        num_samples=patches,
        image_key="image",
        image_threshold=-1e9,
        allow_smaller=True,
    )
    changes = {"none": list, "paper": _paper, "wide": _wide}[augment]()
    return mt.Compose([mt.SpatialPadd(KEYS, patch), crop, *changes, mt.ToTensord(KEYS, track_meta=False)])


def _paper() -> list[Any]:
    """Rotation in plane by up to 15 degrees, flips along each axis, another contrast."""
    from monai import transforms as mt

    return [
        _affine(0.3, turn=(0.26, 0.0, 0.0), stretch=0.0),
        *(mt.RandFlipd(KEYS, prob=0.5, spatial_axis=axis) for axis in range(3)),
        mt.RandScaleIntensityd("image", factors=0.2, prob=0.5),
    ]


def _wide() -> list[Any]:
    """A head as another scanner may show it: turned, larger, mirrored, shaded; never upside down."""
    from monai import transforms as mt

    return [
        _affine(0.7, turn=(0.26, 0.1, 0.1), stretch=0.15),
        mt.RandFlipd(KEYS, prob=0.5, spatial_axis=LEFT_RIGHT),
        mt.ShiftIntensityd("image", offset=NO_SIGNAL),
        mt.RandBiasFieldd("image", degree=3, coeff_range=(-0.15, 0.15), prob=0.7),
        mt.ShiftIntensityd("image", offset=-NO_SIGNAL),
        mt.RandScaleIntensityd("image", factors=0.35, prob=0.5),
        mt.RandShiftIntensityd("image", offsets=0.4, prob=0.5),
    ]


def _affine(chance: float, turn: tuple[float, float, float], stretch: float) -> Any:
    """Turn about the (z, y, x) axes by up to ``turn`` radians, and scale by up to ``stretch``."""
    from monai import transforms as mt

    return mt.RandAffined(
        KEYS,
        prob=chance,
        rotate_range=turn,
        scale_range=(stretch,) * 3,
        mode=("bilinear", "nearest"),
        padding_mode="zeros",
    )
