"""What a DICOM Segmentation of clisc's says of its own making; `segmentation` writes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pydicom
from pydicom.uid import SegmentationStorage

from clisc_engine.errors import BadInput

_TAGS = (
    *("SOPClassUID", "Manufacturer", "SoftwareVersions", "ContentDate", "ContentTime"),
    *("SegmentSequence", "ReferencedSeriesSequence"),
)


@dataclass(frozen=True)
class Told:
    """The origin of a segmentation.

    Attributes:
        name: of the mask, e.g. ``round2``.
        fingerprint: of all that made it.
        weights: the preset of models; empty where it is not told.
        version: of clisc that wrote the file.
        time: when the mask was made, UTC in ISO 8601; empty where it is not told.
        series: UID of the series that it was drawn on.
    """

    name: str
    fingerprint: str
    weights: str
    version: str
    time: str
    series: str


def origin_in(path: Path) -> Told | None:
    """What a DICOM file says of its making; None when it is no segmentation of clisc's.

    Raises:
        BadInput: when the system does not let it be read.
    """
    try:
        with pydicom.dcmread(path, specific_tags=list(_TAGS)) as read:
            if read.get("SOPClassUID") != SegmentationStorage or read.get("Manufacturer") != "clisc":
                return None
            algorithm = read.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
            facts = dict(
                fact.split("=", 1) for fact in str(algorithm.AlgorithmParameters).split(",") if "=" in fact
            )
            made = f"{read.get('ContentDate', '')}{read.get('ContentTime', '')}".partition(".")[0]
            return Told(
                facts["masks"],
                facts["fingerprint"],
                facts.get("weights", ""),
                str(read.get("SoftwareVersions", "")),
                _utc(made),
                str(read.ReferencedSeriesSequence[0].SeriesInstanceUID),
            )
    except OSError as error:
        raise BadInput(f"Cannot read {path}: {error.strerror or error}.") from error
    except Exception:  # whatever pydicom meets in a damaged file, or in one of another program's
        return None


def _utc(stamp: str) -> str:
    """A time that `segmentation` wrote from a seal's, whose times are UTC."""
    try:
        made = datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return ""
    return made.isoformat(timespec="seconds")
