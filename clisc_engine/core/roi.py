"""Regions of interest from class activation maps: threshold, opening, large components."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clisc_engine.core.averaging import averaged_within
from clisc_engine.core.boxes import Box, bounding_box, filled

Mask = npt.NDArray[np.bool_]
Shape3 = tuple[int, int, int]


def otsu_threshold(values: npt.NDArray[np.floating], bins: int = 256) -> float:
    """Otsu's threshold of values in [0, 1] (IEEE Trans. SMC 1979).

    The threshold maximises the variance between the two classes of a ``bins``-bin histogram and is
    the upper edge of the lower class; among equal maxima the middle one is taken.
    """
    counts, edges = np.histogram(values, bins=bins, range=(0.0, 1.0))
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1].astype(float)
    above = counts.sum() - below
    sums = np.cumsum(counts * centres)
    valid = (below > 0) & (above > 0)
    if not valid.any():
        return float(edges[1:][np.argmax(counts)])
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = sums[:-1] / below - (sums[-1] - sums[:-1]) / above
    between = np.where(valid, below * above * difference**2, -1.0)
    best = np.flatnonzero(between >= between.max() * (1 - 1e-12))
    return float(edges[1 + best[len(best) // 2]])


def averaged_through(cam: npt.NDArray[np.floating], brain: Mask, sigma: float) -> npt.NDArray[np.floating]:
    """A volume's maps, each averaged with those of the slices around it by a Gaussian of their distance.

    Maps are made a slice at a time, each stretched to its own maximum, and so jump from one slice to the
    next; a tumour goes on over several. Brain is averaged over brain alone, so it does not fade where the
    head ends; a slice without a map counts as 0. Not of the paper.

    Args:
        cam: (Z, Y, X) in [0, 1].
        brain: (Z, Y, X) brain voxels.
        sigma: standard deviation in slices; 0 leaves all as it is.

    Returns:
        (Z, Y, X) in [0, 1], 0 outside the brain unless left as it is.
    """
    if sigma == 0:
        return cam
    return averaged_within(cam, brain, (sigma, 0, 0))


def opening_shape(shape: tuple[int, ...], spacing: tuple[float, float, float]) -> Shape3:
    """The 3 x 3 x 3 cube of the released code, or 1 x 3 x 3 where slices are thick or few.

    Opening through slices that are more than twice as thick as a pixel is wide would erase all that
    spans fewer than three of them, i.e. lesions of a centimetre and more.
    """
    thick = spacing[0] > 2 * max(spacing[1:])
    return (1, 3, 3) if thick or shape[0] < 9 else (3, 3, 3)


def cam_roi(
    cam: npt.NDArray[np.floating],
    threshold: float,
    *,
    opening: Shape3 | None = (3, 3, 3),
    keep: float = 1 / 3,
) -> Mask:
    """The region that a volume's maps mark.

    Args:
        cam: (Z, Y, X) in [0, 1].
        threshold: values above it belong to the region.
        opening: size of the cuboid of the morphological opening, None for none.
        keep: components of at least this share of the largest one are kept.

    Returns:
        (Z, Y, X) bool.
    """
    from scipy import ndimage

    region = cam > threshold
    if opening is not None and region.any():
        box = bounding_box(region)
        region = filled(region.shape, box, ndimage.binary_opening(region[box], np.ones(opening, bool)))
    return large_components(region, keep)


def large_components(mask: Mask, keep: float) -> Mask:
    """Components (26-neighbourhood) of at least ``keep`` times the largest one's size."""
    if (found := Components.of(mask)).are_many:
        return found.those((found.sizes >= keep * found.sizes.max()) & (found.sizes > 0))
    return mask.astype(bool)


def joined(region: Mask, marked: Mask) -> Mask:
    """A region with those components (26-neighbourhood) of another mask that it touches.

    Args:
        region: (Z, Y, X), says where.
        marked: (Z, Y, X), says how far: what of it lies apart from the region is left out.
    """
    found = Components.of(marked)
    touched = np.bincount(found.labels[region[found.box]], minlength=len(found.sizes)) > 0
    return region | found.those(touched & (found.sizes > 0))


def surest_component(mask: Mask, probability: npt.NDArray[np.floating], share: float) -> Mask:
    """Of the large components (26-neighbourhood) the one that a network is surest of.

    What a network mistakes for a lesion may be larger than the lesion, but there it hesitates. Not of the
    paper.

    Args:
        mask: (Z, Y, X).
        probability: (Z, Y, X) in [0, 1]; a component is as sure as the mean of those of its voxels that are
            above 0.5, so that what brightness has joined to it does not count.
        share: components of at least this share of the largest one's size rival with it.
    """
    if not (found := Components.of(mask)).are_many:
        return mask.astype(bool)
    probability = probability[found.box]
    marked = found.labels * (probability > 0.5)
    total = np.bincount(marked.ravel(), probability.ravel(), len(found.sizes))
    sureness = total / np.maximum(np.bincount(marked.ravel(), minlength=len(found.sizes)), 1)
    rivals = found.sizes >= share * found.sizes.max()
    return found.number(int(np.where(rivals, sureness, -1).argmax()))


def largest_component(mask: Mask) -> Mask:
    """The largest component (26-neighbourhood); of several equal ones the first."""
    if (found := Components.of(mask)).are_many:
        return found.number(int(found.sizes.argmax()))
    return mask.astype(bool)


class Components(NamedTuple):
    """The components of a mask, in the order in which their first voxels come; corners connect, too.

    Attributes:
        shape: of the mask.
        box: around all of them, since they fill but a small part of a volume.
        labels: the number of each voxel's component in the box; 0 is outside.
        sizes: of each, in voxels; that of number 0 counts as 0.
    """

    shape: tuple[int, ...]
    box: Box
    labels: npt.NDArray[np.int32]
    sizes: npt.NDArray[np.intp]

    @classmethod
    def of(cls, mask: Mask) -> Components:
        """Those of a mask of any number of axes."""
        from scipy import ndimage

        box = bounding_box(mask) if mask.any() else (slice(0, 0),) * mask.ndim
        labels, count = ndimage.label(mask[box], np.ones((3,) * mask.ndim, bool))
        sizes = np.bincount(labels.ravel(), minlength=count + 1)
        sizes[0] = 0
        return cls(mask.shape, box, labels, sizes)

    @property
    def are_many(self) -> bool:
        """Whether there is more than one."""
        return len(self.sizes) > 2

    def those(self, chosen: npt.NDArray[np.bool_]) -> Mask:
        """The mask of the chosen ones, by number."""
        return filled(self.shape, self.box, chosen[self.labels])

    def number(self, number: int) -> Mask:
        """The mask of one."""
        return filled(self.shape, self.box, self.labels == number)
