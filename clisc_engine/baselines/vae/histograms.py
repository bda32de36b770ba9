"""Grey values matched to a pooled histogram, background kept."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.integer] | npt.NDArray[np.floating]
Slices = npt.NDArray[np.uint8]


def counts_of(slices: Slices) -> npt.NDArray[np.int64]:
    """How often each grey value occurs, (256,); background, which is 0, is not counted."""
    counts = np.bincount(slices.ravel(), minlength=256)
    counts[0] = 0
    return counts


def matching_table(own: Counts, reference: Counts) -> npt.NDArray[np.uint8]:
    """The new value (256,) of each grey value, by which ``own`` counts become like the ``reference``.

    A value goes to where the reference's cumulative share reaches its own, interpolated between the
    values that the reference has. 0 stays 0, and nothing else becomes 0. Without counts on either side
    all values stay.
    """
    table = np.arange(256, dtype=np.uint8)
    if not own.sum() or not reference.sum():
        return table
    values = np.flatnonzero(reference)
    shares = np.cumsum(reference)[values] / reference.sum()
    matched = np.interp(np.cumsum(own) / own.sum(), shares, values)
    table[1:] = np.rint(np.clip(matched[1:], 1, 255))
    return table


def matched(slices: Slices, reference: Counts, by: str) -> Slices:
    """Slices (Z, Y, X) of one volume, matched to the reference's counts (256,).

    Args:
        slices: of the whole volume, background 0.
        reference: the normal slices' counts.
        by: ``volume`` for one table, ``slice`` for one each, ``none`` for none.
    """
    if by == "none":
        return slices
    if by == "volume":
        return matching_table(counts_of(slices), reference)[slices]
    tables = [matching_table(counts_of(one), reference) for one in slices]
    return np.stack([table[one] for table, one in zip(tables, slices, strict=True)])
