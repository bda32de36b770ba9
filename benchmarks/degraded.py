"""`python -m benchmarks.degraded FOLDER`: the bundled models on real volumes made worse on purpose.

The folder holds ``NAME_flair.nii.gz`` with ``NAME_seg.nii.gz``. Each volume is segmented as it is and as a
scanner, a protocol or a careless preparation could have given it. Its mask is changed with its grid alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage, stats

import clisc_engine as clisc
from benchmarks.real import interval
from clisc_engine.core.overlap import dice
from clisc_engine.core.seeds import case_seed

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
AXIAL, CORONAL, SAGITTAL = 0, 1, 2


@dataclass(frozen=True)
class Scan:
    """A skull-stripped volume with its expert's mask.

    Attributes:
        name: of its file.
        image: (Z, Y, X), z to the head, y to the back, x to the left; background 0.
        mask: (Z, Y, X), of the same grid.
        spacing: (z, y, x) in mm.
    """

    name: str
    image: Floats
    mask: Mask
    spacing: tuple[float, ...]

    @property
    def brain(self) -> Mask:
        """Where the volume is not background."""
        return self.image > 0


def read(image: Path, mask: Path) -> Scan:
    """A volume and its mask, turned to the axes of `Scan`."""
    volume, drawn = (sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS") for path in (image, mask))
    array = sitk.GetArrayFromImage(volume).astype(float)
    z, y, x = volume.GetSpacing()[::-1]
    return Scan(
        image.name, np.maximum(array - array[0, 0, 0], 0), sitk.GetArrayFromImage(drawn) > 0, (z, y, x)
    )


def thick(scan: Scan, axis: int, count: int) -> Scan:
    """Slices across an axis averaged by ``count``; a voxel belongs to what more than half of it shows."""

    def averaged(values: npt.NDArray[np.generic]) -> Floats:
        whole = np.moveaxis(values.astype(float), axis, 0)
        whole = whole[: len(whole) // count * count]
        return np.moveaxis(whole.reshape(-1, count, *whole.shape[1:]).mean(axis=1), 0, axis)

    spacing = list(scan.spacing)
    spacing[axis] *= count
    image = np.where(averaged(scan.brain) >= 0.5, averaged(scan.image), 0)
    return replace(scan, image=image, mask=averaged(scan.mask) > 0.5, spacing=tuple(spacing))


def coarse(scan: Scan, count: int) -> Scan:
    """Voxels averaged by ``count`` along each axis."""
    for axis in (AXIAL, CORONAL, SAGITTAL):
        scan = thick(scan, axis, count)
    return scan


def noisy(scan: Scan, share: float) -> Scan:
    """Rician noise whose standard deviation is a share of the brain's 95th percentile."""
    rng = np.random.default_rng(case_seed(0, scan.name))
    deviation = share * np.percentile(scan.image[scan.brain], 95)
    real, imaginary = rng.normal(0, deviation, (2, *scan.image.shape))
    return _inside(scan, np.hypot(scan.image + real, imaginary))


def shaded(scan: Scan, strength: float, knots: int) -> Scan:
    """A smooth field that multiplies by up to ``exp(strength)``, or divides, where it is strongest.

    It passes through so many random ``knots`` along each axis: two slope from end to end, three may turn.
    """
    drawn = np.random.default_rng(case_seed(0, scan.name)).normal(size=(knots,) * 3)
    factors = [side / knots for side in scan.image.shape]
    field = ndimage.zoom(drawn, factors, order=min(knots - 1, 3), mode="nearest", grid_mode=True)
    field -= field[scan.brain].mean()
    return _inside(scan, scan.image * np.exp(strength * field / np.abs(field[scan.brain]).max()))


def contrast(scan: Scan, exponent: float) -> Scan:
    """Intensities, as shares of the brightest, to a power."""
    top = scan.image.max()
    return _inside(scan, top * (scan.image / top) ** exponent)


def turned(scan: Scan, axes: tuple[int, int], degrees: float) -> Scan:
    """The head turned in the plane of two axes."""
    turn = partial(ndimage.rotate, angle=degrees, axes=axes, reshape=False, order=1)
    image = np.where(turn(scan.brain.astype(float)) >= 0.5, turn(scan.image), 0)
    return replace(scan, image=image, mask=turn(scan.mask.astype(float)) > 0.5)


def cut(scan: Scan, below: float = 0, above: float = 0) -> Scan:
    """So many mm of the brain missing at its lower and upper end."""
    shown = np.flatnonzero(scan.brain.any(axis=(1, 2)))
    first = shown[0] + round(below / scan.spacing[0])
    last = shown[-1] - round(above / scan.spacing[0])
    return replace(scan, image=scan.image[first : last + 1], mask=scan.mask[first : last + 1])


def stripped(scan: Scan, depth: float) -> Scan:
    """So many mm of the brain's surface lost, as by a careless extraction."""
    inside = ndimage.distance_transform_edt(ndimage.binary_fill_holes(scan.brain), sampling=scan.spacing)
    return replace(scan, image=np.where(inside > depth, scan.image, 0))


def mirrored(scan: Scan) -> Scan:
    """Left and right exchanged."""
    return replace(scan, image=scan.image[:, :, ::-1], mask=scan.mask[:, :, ::-1])


def ghosted(scan: Scan, share: float) -> Scan:
    """A fainter copy 20 pixels before and behind, as a head that moved leaves."""
    copies = np.roll(scan.image, 20, axis=CORONAL) + np.roll(scan.image, -20, axis=CORONAL)
    return _inside(scan, scan.image + share * copies)


def blurred(scan: Scan, width: float) -> Scan:
    """A Gaussian of so many mm within the brain."""
    sigma = [width / side for side in scan.spacing]
    weight = ndimage.gaussian_filter(scan.brain.astype(float), sigma)
    return _inside(scan, ndimage.gaussian_filter(scan.image, sigma) / np.maximum(weight, 1e-6))


def _inside(scan: Scan, image: Floats) -> Scan:
    return replace(scan, image=np.where(scan.brain, image, 0))


CHANGES: dict[str, Callable[[Scan], Scan]] = {
    "axial slices of 3 mm": partial(thick, axis=AXIAL, count=3),
    "axial slices of 5 mm": partial(thick, axis=AXIAL, count=5),
    "axial slices of 7 mm": partial(thick, axis=AXIAL, count=7),
    "sagittal slices of 5 mm": partial(thick, axis=SAGITTAL, count=5),
    "coronal slices of 5 mm": partial(thick, axis=CORONAL, count=5),
    "voxels of 2 mm": partial(coarse, count=2),
    "voxels of 3 mm": partial(coarse, count=3),
    "noise of 5 %": partial(noisy, share=0.05),
    "noise of 10 %": partial(noisy, share=0.1),
    "sloping shade, up to 1.2 times": partial(shaded, strength=np.log(1.2), knots=2),
    "sloping shade, up to 1.5 times": partial(shaded, strength=np.log(1.5), knots=2),
    "turning shade, up to 1.2 times": partial(shaded, strength=np.log(1.2), knots=3),
    "turning shade, up to 1.35 times": partial(shaded, strength=np.log(1.35), knots=3),
    "contrast, to the power 0.7": partial(contrast, exponent=0.7),
    "contrast, to the power 1.4": partial(contrast, exponent=1.4),
    "blurred by 1.5 mm": partial(blurred, width=1.5),
    "a moved head's ghosts of 10 %": partial(ghosted, share=0.1),
    "turned by 15 degrees to a side": partial(turned, axes=(AXIAL, SAGITTAL), degrees=15),
    "nodding by 15 degrees": partial(turned, axes=(AXIAL, CORONAL), degrees=15),
    "turned by 15 degrees, axially": partial(turned, axes=(CORONAL, SAGITTAL), degrees=15),
    "mirrored": mirrored,
    "without the upper 30 mm": partial(cut, above=30),
    "without the lower 40 mm": partial(cut, below=40),
    "4 mm of the surface stripped": partial(stripped, depth=4),
}
"""What is done to the volumes, whose voxels are 1 mm."""


def main(arguments: Sequence[str]) -> None:
    """Segment every volume in every way, and print the table as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.degraded", description=__doc__)
    parser.add_argument("folder", type=Path, help="of *_flair.nii.gz and *_seg.nii.gz")
    folder = parser.parse_args(arguments).folder
    scans = [
        read(mask.with_name(mask.name.replace("_seg.", "_flair.")), mask)
        for mask in sorted(folder.glob("*_seg.nii.gz"))
    ]
    print("| volumes | DSC % | 95 % of cases | change | p | most lost by one |")
    print("|---|---|---|---|---|---|")
    plain = np.array([measured(scan) for scan in scans])
    print(row("as it is", plain, plain - plain), flush=True)
    for title, change in CHANGES.items():
        values = np.array([measured(change(scan)) for scan in scans])
        print(row(title, values, values - plain), flush=True)


def measured(scan: Scan) -> float:
    """DSC in % of what the bundled models mark."""
    found = clisc.predict("bundled", scan.image.astype(np.float32), spacing=scan.spacing)
    return 100 * dice(found.mask, scan.mask)


def row(title: str, values: Floats, changed: Floats) -> str:
    """A row of the table; ``changed`` by case against the volumes as they are."""
    low, high = interval(values)
    cells = [title, f"{values.mean():.1f}", f"{low:.1f} to {high:.1f}"]
    if changed.any():
        p = stats.wilcoxon(changed).pvalue
        cells += [f"{changed.mean():+.1f}", f"{p:.3f}", f"{changed.min():+.1f}"]
    else:
        cells += ["", "", ""]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main(sys.argv[1:])
