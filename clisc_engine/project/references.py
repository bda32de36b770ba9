"""The reference masks of a project: kept apart from its other arrays, read by no step before `evaluate`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clisc_engine.products.kinds import REFERENCE
from clisc_engine.project.case_record import CaseInfo
from clisc_engine.project.store import Seal, Store

SOURCE_GRID = "source"
"""What the seal of a reference on its image's own grid says under ``grid``."""


def is_on_source_grid(seal: Seal | None) -> bool:
    """Whether a reference with this seal lies on the whole grid of its image's file."""
    return seal is not None and seal.made_from.get("grid") == SOURCE_GRID


@dataclass(frozen=True)
class References:
    """The one door to reference masks, opened by `evaluate` and by the rows of Table 1 that are marked so.

    A reference lies on the whole grid of its image's file. Versions up to 0.1.0 kept it cropped to the
    brain, as the stored image is; its seal does not name the grid then.
    """

    store: Store

    def read(self, case: CaseInfo) -> npt.NDArray[np.uint8]:
        """The (Z, Y, X) reference mask on the grid of the case's file, 0 or 1.

        Of one that was kept cropped, nothing is known outside the crop: it is 0 there.
        """
        mask = self._read(case)
        if self.is_whole(case):
            return mask
        from clisc_engine.imaging.placement import Placement, restore

        whole: npt.NDArray[np.uint8] = restore(mask, Placement.from_dict(case.placement))
        return whole

    def read_cropped(self, case: CaseInfo) -> npt.NDArray[np.uint8]:
        """The same on the stored image's (Z, Y, X) grid, to be drawn over it."""
        mask = self._read(case)
        if not self.is_whole(case):
            return mask
        from clisc_engine.imaging.placement import Placement, stored_part

        return stored_part(mask, Placement.from_dict(case.placement))

    def is_whole(self, case: CaseInfo) -> bool:
        """Whether the reference lies on the whole grid of the case's file."""
        return is_on_source_grid(self.store.seal(f"cases/{case.name}/{REFERENCE}"))

    def _read(self, case: CaseInfo) -> npt.NDArray[np.uint8]:
        return self.store.read(f"cases/{case.name}/{REFERENCE}").astype(np.uint8)

    def fingerprint(self, case: CaseInfo) -> str:
        """Fingerprint of the case's reference, empty when it has none."""
        stamp = self.store.stamp(f"cases/{case.name}/{REFERENCE}")
        return stamp.fingerprint if stamp else ""
