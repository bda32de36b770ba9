"""Random patches of a volume and its label, with MONAI's transforms."""

from __future__ import annotations

from typing import Any


def patch_transform(patch: tuple[int, ...], patches: int, augment: bool) -> Any:
    """Random crops of size ``patch`` (Z, Y, X), half of them centred on the label.

    With ``augment`` they are also rotated in plane by up to 15 degrees, flipped along each axis, and
    changed in intensity. All draws come from MONAI's own generators: `set_random_state` seeds them.

    Returns:
        A MONAI transform from {"image": (1, Z, Y, X), "label": (1, Z, Y, X)} to a list of
        ``patches`` dictionaries of the same keys.
    """
    from monai import transforms as mt

    keys = ["image", "label"]
    steps: list[Any] = [
        mt.SpatialPadd(keys, patch),
        mt.RandCropByPosNegLabeld(
            keys,
            "label",
            patch,
            pos=1,
            neg=1,
            num_samples=patches,
            image_key="image",
            image_threshold=-1e9,
            allow_smaller=True,
        ),
    ]
    if augment:
        steps += [
            mt.RandAffined(
                keys,
                prob=0.3,
                rotate_range=(0.26, 0.0, 0.0),
                mode=("bilinear", "nearest"),
                padding_mode="zeros",
            ),
            *(mt.RandFlipd(keys, prob=0.5, spatial_axis=axis) for axis in range(3)),
            mt.RandScaleIntensityd("image", factors=0.2, prob=0.5),
        ]
    steps.append(mt.ToTensord(keys, track_meta=False))
    return mt.Compose(steps)
