"""Which DSC to expect of a volume's mask, told without a label by how far SAM and the network agree on it.

S3F takes that agreement for quality (paper section 2.3). A line fitted on volumes with references says
which DSC such agreement went along with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Expected:
    """The DSC to expect of a mask, in percent, and the interval that it may lie in."""

    dsc: float
    low: float
    high: float


@dataclass(frozen=True)
class Calibration:
    """What agreement went along with which DSC, on volumes with references.

    Attributes:
        constant: expected DSC in percent where the two agree on nothing.
        slope: percentage points that full agreement adds.
        margin: half the width of the interval, in percentage points.
        coverage: the share of the volumes behind it, each left out in turn, that the interval held.
        volumes: how many there were.
    """

    constant: float
    slope: float
    margin: float
    coverage: float
    volumes: int

    def expect(self, agreement: float) -> Expected:
        """The DSC to expect at an agreement in [0, 1]; all three figures lie in [0, 100]."""
        value = self.constant + self.slope * agreement
        low, dsc, high = np.clip([value - self.margin, value, value + self.margin], 0, 100).tolist()
        return Expected(dsc, low, high)
