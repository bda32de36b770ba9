"""Reference masks: what their values mean, on which grid they lie, and which files cannot be one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from clisc_engine.errors import BadInput
from clisc_engine.imaging.geometry import Geometry, Volume, difference
from clisc_engine.imaging.header import read_header
from clisc_engine.imaging.volume import read_voxels

Mask = npt.NDArray[np.bool_]

BORDER = 0.5
"""Between background and tumour, where a mask holds values from 0 to 1."""

ROUNDING = 1e-4
"""How far a label may be from its whole number: files that were scaled, or went through float32."""

KNOWN_LABELS = 4
"""Labels of a tumour's parts, at most, in the data sets that people have (BraTS: 3 or 4)."""

MOST_LABELS = 16
"""Different labels that a mask may hold; atlases and scans hold more."""

OEDEMA, ENHANCING = 2, {3, 4}
"""BraTS' labels of a part that nearly every glioma has in FLAIR, and of the part that takes up contrast (4
until 2021, 3 since). A mask with the second and without the first marks a part of the tumour."""

NOT_COUNTED = 255
"""As the label of a single region it is a tumour; beside others it often means "leave this out"."""

MOST_OF_THE_BRAIN = 0.6
"""Share of the brain that a tumour may fill. In 15 masks by experts (BraTS 2017 to 2021) it is 14.2 % at
most; a brain mask fills all of it, and an inverted one what such a tumour leaves."""

MOST_ML = 1000.0
"""Volume of it, for images with a skull, of which a brain mask fills less. The largest of the same masks
has 195 ml; brain masks of adults have more than a litre."""

FAINT = 0.01
"""What a map of probabilities stays under in most of the brain; a scan scaled to [0, 1] does not."""


def read_mask(path: Path) -> Volume:
    """Read a mask of whole-number labels, each of which counts as tumour, or of values from 0 to 1.

    Returns:
        uint8 voxels, 0 or 1.

    Raises:
        BadInput: for a file that `read_voxels` refuses, or whose values are no mask's.
    """
    volume = _voxels(path)
    mask, notes = _decided(volume)
    return replace(volume, array=mask.astype(np.uint8), notes=(*volume.notes, *notes))


def read_reference(path: Path, grid: Geometry, brain: Mask) -> Volume:
    """Read a case's mask onto the grid of its image, and see whether it can be a tumour's.

    Args:
        path: the mask's file; its voxels may be in another order, e.g. RAS where the image is LPS.
        grid: of the image.
        brain: (Z, Y, X) brain voxels on that grid.

    Returns:
        uint8 voxels on ``grid``, 0 or 1; outside the brain too.

    Raises:
        BadInput: as for `read_mask`; when the mask lies on another grid; when it fills most of the
            brain, or all that it marks lies outside it.
    """
    volume = on_grid(_voxels(path), grid)
    mask, notes = _decided(volume)
    told = _check_extent(volume, mask, brain)
    return replace(volume, array=mask.astype(np.uint8), notes=(*volume.notes, *notes, *told))


def on_grid(volume: Volume, grid: Geometry) -> Volume:
    """The same voxels at the same places, in the order that the grid has them.

    Raises:
        BadInput: when the volume's voxels do not lie on the grid's.
    """
    if not (found := difference(volume.geometry, grid)):
        return replace(volume, geometry=grid)
    turned = _turned(volume, grid)
    if turned is not None:
        found = difference(turned.geometry, grid)
    if turned is None or found:
        raise BadInput(
            f"{volume.source} does not lie on its image's grid: {found}. Resample it onto the image "
            "with nearest-neighbour interpolation, or give the mask that was drawn on it."
        )
    note = (
        f"{volume.source} holds its voxels in another order ({_code(volume.geometry)}) than its image "
        f"({_code(grid)}); they lie at the same places, and were turned."
    )
    return replace(turned, geometry=grid, notes=(*volume.notes, note))


def _voxels(path: Path) -> Volume:
    try:
        return read_voxels(path)
    except BadInput as error:
        if _is_4d(path):
            raise BadInput(
                f"{path} is a 4-D file, so it is no mask of one image; give one 3-D mask with 0 for "
                "background and whole numbers for tumour."
            ) from error
        raise


def _is_4d(path: Path) -> bool:
    with suppress(BadInput):
        return path.is_file() and len(read_header(path).size) > 3
    return False


def _decided(volume: Volume) -> tuple[Mask, tuple[str, ...]]:
    """Which voxels are tumour, and what is to be said of it."""
    found = np.unique(volume.array[volume.array != 0])
    mask: Mask = volume.array > BORDER
    if not found.size:
        return mask, ()
    if found[0] < -ROUNDING:
        raise BadInput(
            f"{volume.source} holds negative values, down to {found[0]:g}, so it is no mask: a mask holds "
            "0, and whole numbers above it for tumour. A mask that was resampled needs nearest-neighbour "
            "interpolation."
        )
    if (np.abs(found - np.rint(found)) > ROUNDING).any():
        return mask, (_cut_at_the_border(volume, mask, found),)
    labels = np.unique(np.rint(found[found > BORDER]).astype(np.int64)).tolist()
    return mask, _of_labels(volume.source, labels)


def _cut_at_the_border(volume: Volume, mask: Mask, found: npt.NDArray[np.number]) -> str:
    """What is to be said of a mask with values from 0 to 1."""
    if found[-1] > 1 + ROUNDING:
        raise BadInput(
            f"{volume.source} holds values between whole numbers, up to {found[-1]:g}, so it is no mask: "
            "a scan does, or a mask of several labels that was interpolated. Give the mask itself, "
            "resampled with nearest-neighbour interpolation where it must be."
        )
    if not mask.any():
        raise BadInput(
            f"{volume.source} holds values from 0 to {found[-1]:g}, none above {BORDER:g}, so it would "
            "mark nothing. Write it as 0 and 1."
        )
    return (
        f"{volume.source} holds values between 0 and 1; those above {BORDER:g} count as tumour "
        f"({int(mask.sum())} voxels of {int((volume.array != 0).sum())} that are not 0)."
    )


def _of_labels(source: str, labels: list[int]) -> tuple[str, ...]:
    """What is to be said of a mask with these labels.

    Raises:
        BadInput: when they are not those of a tumour's mask.
    """
    if len(labels) > MOST_LABELS:
        raise BadInput(
            f"{source} holds {len(labels)} different values from {labels[0]} to {labels[-1]}, so it is no "
            "mask of a tumour but a scan, a map or an atlas. If each of them is a tumour, write them as 1."
        )
    if NOT_COUNTED in labels and len(labels) > 1:
        raise BadInput(
            f"{source} holds {NOT_COUNTED} beside {_listed(labels[:-1])}. Where {NOT_COUNTED} means that a "
            "voxel is not counted, clisc cannot leave it out; write 0 or 1 there."
        )
    if len(labels) > KNOWN_LABELS:
        return (f"{source} holds the labels {_listed(labels)}; each of them counts as tumour.",)
    if OEDEMA not in labels and ENHANCING & set(labels):
        return (
            f"{source} holds {_listed(labels)} and no {OEDEMA}, the oedema in BraTS' masks; what it marks "
            "is measured as the whole tumour, which it should be.",
        )
    return ()


def _check_extent(volume: Volume, mask: Mask, brain: Mask) -> tuple[str, ...]:
    """What is to be said of where a mask lies.

    Raises:
        BadInput: when no tumour lies so.
    """
    source, marked = volume.source, int(mask.sum())
    if not marked:
        return (f"{source} marks no tumour; `clisc evaluate` counts such cases apart.",)
    inside = int((mask & brain).sum())
    share = inside / int(brain.sum())
    ml = inside * float(np.prod(volume.geometry.spacing)) / 1000
    if share > MOST_OF_THE_BRAIN or ml > MOST_ML:
        raise BadInput(
            f"{source} marks {share:.0%} of the brain, {ml:.0f} ml, as a brain mask or an inverted mask "
            f"does; clisc takes up to {MOST_OF_THE_BRAIN:.0%} and {MOST_ML:.0f} ml for a tumour. Give the "
            "tumour's mask, with 0 everywhere else."
        )
    if not inside:
        raise BadInput(
            f"All {marked} voxels that {source} marks lie outside its image's brain; look whether they "
            "belong together, and whether the brain extraction took the tumour away."
        )
    if volume.array.dtype.kind == "f" and (volume.array[brain] > FAINT).mean() > MOST_OF_THE_BRAIN:
        raise BadInput(
            f"{source} is above 0 in most of the brain, as a scan scaled to 0 to 1 is; a mask is 0 outside "
            "the tumour. Give the tumour's mask, or cut a map of probabilities yourself."
        )
    if marked == inside:
        return ()
    return (
        f"{marked - inside} of the {marked} voxels that {source} marks lie outside the brain; `clisc "
        "evaluate` measures on the whole volume, with them.",
    )


def _turned(volume: Volume, grid: Geometry) -> Volume | None:
    """The volume with its axes in the order and direction of the grid's; None when they are no such pair.

    Nothing is interpolated: axes change places and are read backwards.
    """
    own = np.array(volume.geometry.direction).reshape(3, 3)
    cosines = np.array(grid.direction).reshape(3, 3).T @ own
    axes = np.abs(cosines).argmax(axis=1).tolist()
    if sorted(axes) != [0, 1, 2]:
        return None
    signs = [float(np.sign(cosines[axis, own_axis])) for axis, own_axis in enumerate(axes)]
    size, spacing = volume.geometry.size, volume.geometry.spacing
    origin = np.array(volume.geometry.origin)
    for axis, sign in zip(axes, signs, strict=True):
        if sign < 0:
            origin = origin + own[:, axis] * spacing[axis] * (size[axis] - 1)
    array = volume.array.transpose([2 - axes[2 - place] for place in range(3)])
    array = np.flip(array, tuple(place for place in range(3) if signs[2 - place] < 0))
    direction = np.stack([sign * own[:, axis] for axis, sign in zip(axes, signs, strict=True)], axis=1)
    turned = Geometry(
        size=tuple(size[axis] for axis in axes),
        spacing=tuple(spacing[axis] for axis in axes),
        origin=tuple(origin.tolist()),
        direction=tuple(direction.ravel().tolist()),
    )
    return replace(volume, array=np.ascontiguousarray(array), geometry=turned)


def _code(geometry: Geometry) -> str:
    """Three letters for where the axes run, e.g. LPS."""
    code: str = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(geometry.direction)
    return code


def _listed(labels: list[int]) -> str:
    return ", ".join(map(str, labels))
