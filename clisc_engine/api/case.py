"""One case of a project, as scripts read it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from clisc_engine.api.listing import as_html
from clisc_engine.errors import BadInput
from clisc_engine.products.graph import ARRAYS
from clisc_engine.products.kinds import AMDA_MAPS, IMAGE, LABELS, PROBABILITY, RAW_MAPS
from clisc_engine.project.project import CaseArrays
from clisc_engine.running.spec import missing

if TYPE_CHECKING:
    import SimpleITK as sitk

_HELD: dict[type, type] = {np.bool_: np.uint8, np.float16: np.float32, np.longdouble: np.float64}
"""What an image holds in the place of numbers that SimpleITK does not know."""

MAPS = {"cam": RAW_MAPS, "amda": AMDA_MAPS}
"""The maps that `Case.map` gives, by the step that makes them."""


@dataclass(frozen=True, repr=False, eq=False)
class Case:
    """One case of a project: its stored volume and what the steps made of it.

    Arrays are (Z, Y, X) on the stored grid, which is the axial, brain-cropped part of the source's;
    `on_source_grid` brings them back. Reference masks are not here: `Project.evaluate` alone reads them.
    """

    _arrays: CaseArrays

    @property
    def name(self) -> str:
        """The case's name."""
        return self._arrays.info.name

    @property
    def split(self) -> str:
        """Train, valid or test."""
        return self._arrays.info.split

    @property
    def spacing(self) -> tuple[float, float, float]:
        """(z, y, x) in mm of the stored grid."""
        return self._arrays.info.spacing

    @property
    def source(self) -> Path:
        """The file or DICOM folder that was imported."""
        return Path(self._arrays.info.source)

    @property
    def masks(self) -> list[str]:
        """The masks that there are, as `mask` takes their names."""
        names = self._arrays.store.children(f"cases/{self.name}/masks")
        return [name for name in names if self._arrays.seal(f"masks/{name}") is not None]

    @property
    def image(self) -> npt.NDArray[np.float32]:
        """The normalised volume: brain with mean 0 and deviation 1, background exactly 0."""
        return self._read(IMAGE).astype(np.float32)

    @property
    def probabilities(self) -> npt.NDArray[np.float32]:
        """(Z,) CLIP's probability that a slice shows a tumour, in [0, 1]."""
        return self._read(PROBABILITY).astype(np.float32)

    @property
    def labels(self) -> npt.NDArray[np.uint8]:
        """(Z,) the slices' labels: 0 normal, 1 tumour, 255 uncertain."""
        return self._read(LABELS).astype(np.uint8)

    def map(self, step: Literal["cam", "amda"] = "amda") -> npt.NDArray[np.float32]:
        """The class activation map of a step, in [0, 1].

        Raises:
            MissingStage: when the step has not run.
            BadInput: when it makes none.
        """
        if step not in MAPS:
            raise BadInput(f"{step!r} makes no maps; those that do are {' and '.join(MAPS)}.")
        return self._read(MAPS[step]).astype(np.float32) / np.float32(255)

    def mask(self, which: str = "round2") -> npt.NDArray[np.uint8]:
        """A mask, 0 or 1: ``sam``, ``round1``, ``sam-round1``, or ``round2``, which is the result.

        Raises:
            MissingStage: when it is not made yet.
            BadInput: when there are no such masks.
        """
        array = f"masks/{which}"
        if array not in ARRAYS and which not in self.masks:
            there = ", ".join(self.masks) or "none yet"
            raise BadInput(f"There are no masks {which!r}; case {self.name} has {there}.")
        return (self._read(array) != 0).astype(np.uint8)

    def volume_ml(self, which: str = "round2") -> float:
        """Volume of a mask in millilitres."""
        return float(self.mask(which).sum() * np.prod(self.spacing) / 1000)

    def on_source_grid(self, array: npt.NDArray[Any]) -> sitk.Image:
        """A stored (Z, Y, X) array as an image on the source's own grid; 0 outside the stored box.

        Raises:
            BadInput: when it has another shape than the case's arrays, or holds no real numbers.
        """
        from clisc_engine.imaging.geometry import to_sitk
        from clisc_engine.imaging.placement import Placement, restore

        placement = Placement.from_dict(self._arrays.info.placement)
        array, shape = np.asarray(array), tuple(stop - start for start, stop in placement.crop)
        if array.shape != shape or array.dtype.kind not in "biuf":
            raise BadInput(
                f"The array has the shape {array.shape} and holds {array.dtype}; those of case {self.name} "
                f"have the shape {shape}, (z, y, x), and real numbers."
            )
        held = _HELD.get(array.dtype.type, array.dtype.newbyteorder("="))
        return to_sitk(restore(array.astype(held), placement), placement.source)

    def __repr__(self) -> str:
        """Name, split, spacing and masks."""
        facts = ", ".join(f"{name} {value}" for name, value in self._facts().items() if name != "source")
        return f"<clisc case {self.name}: {facts}>"

    def _repr_html_(self) -> str:
        return f"<b>{escape(self.name)}</b>" + as_html(("", ""), self._facts().items())

    def _facts(self) -> dict[str, str]:
        spacing = " x ".join(f"{value:g}" for value in self.spacing)
        return {
            "split": self.split,
            "spacing": f"{spacing} mm",
            "masks": ", ".join(self.masks) or "none yet",
            "source": str(self.source),
        }

    def _read(self, array: str) -> npt.NDArray[Any]:
        if self._arrays.seal(array) is None:
            raise missing(self._arrays, array)
        return self._arrays.read(array)
