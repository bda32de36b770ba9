"""The figures of the paper's Table 1: BraTS 2020, FLAIR, whole tumour, 75 test cases [paper]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clisc_engine.core.metrics import SIZE_GROUPS

TITLE = "paper, BraTS 2020"


@dataclass(frozen=True)
class Published:
    """One row of the paper's Table 1: mean and standard deviation.

    Attributes:
        row: as the paper calls it.
        dsc: in percent.
        hd95: in mm.
        groups: DSC in percent of Tiny, Small, Medium, Large and Huge tumours.
    """

    row: str
    dsc: tuple[float, float]
    hd95: tuple[float, float]
    groups: tuple[tuple[float, float], ...]

    def plain(self) -> dict[str, object]:
        """The same as plain values."""
        return {
            "row": self.row,
            "dsc_mean": self.dsc[0],
            "dsc_std": self.dsc[1],
            "hd95_mean": self.hd95[0],
            "hd95_std": self.hd95[1],
            "groups": {
                group: {"dsc_mean": mean, "dsc_std": deviation}
                for group, (mean, deviation) in zip(SIZE_GROUPS, self.groups, strict=True)
            },
        }


PAPER: Mapping[str, Published] = {
    "salip": Published(
        "SaLIP",
        (56.03, 23.09),
        (33.17, 29.51),
        ((42.17, 28.26), (49.56, 24.29), (56.64, 21.11), (63.28, 18.25), (67.13, 19.62)),
    ),
    "amcons": Published(
        "AMCons",
        (64.37, 21.08),
        (24.11, 17.92),
        ((51.37, 25.93), (57.22, 24.94), (66.38, 22.93), (68.62, 17.34), (70.10, 15.32)),
    ),
    "gradcamcons": Published(
        "GradCAMCons",
        (66.01, 25.69),
        (18.71, 16.43),
        ((52.23, 29.18), (59.52, 27.67), (64.33, 21.76), (69.14, 20.39), (72.29, 13.98)),
    ),
    "if3d": Published(
        "3D IF",
        (67.15, 8.89),
        (20.64, 11.27),
        ((62.49, 10.76), (65.58, 8.86), (69.32, 9.93), (72.19, 8.16), (73.43, 8.27)),
    ),
    "sim2real": Published(
        "Sim2Real",
        (74.86, 15.26),
        (24.64, 25.95),
        ((68.51, 17.29), (72.54, 14.97), (75.21, 12.32), (79.95, 10.53), (82.76, 8.51)),
    ),
    "full": Published(
        "CLISC",
        (85.60, 9.26),
        (6.72, 5.41),
        ((79.67, 9.58), (82.49, 9.46), (86.10, 10.57), (89.39, 6.10), (89.93, 4.81)),
    ),
    "sam-reference": Published(
        "SAM",
        (80.59, 9.25),
        (9.03, 5.12),
        ((75.43, 10.37), (78.92, 10.19), (81.36, 10.77), (84.62, 8.63), (86.33, 4.58)),
    ),
    "supervised": Published(
        "Fullsup",
        (87.97, 9.35),
        (7.49, 13.24),
        ((77.39, 12.71), (85.54, 8.01), (91.51, 5.44), (91.93, 4.14), (92.78, 2.80)),
    ),
}
"""The rows that the paper has; ``sim2real-stage1``, ``otsu`` and a user's own are not among them."""


def titled(row: Mapping[str, Any]) -> str:
    """A row's title, with the paper's name for it where that is another."""
    name = (row["paper"] or {}).get("row", row["title"])
    return str(row["title"]) if name == row["title"] else f"{row['title']} (paper: {name})"
