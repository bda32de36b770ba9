"""The two forms in which a NIfTI header says where its voxels lie, and the affines that they mean."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Affine: TypeAlias = npt.NDArray[np.float64]
"""4 x 4, from voxel indices (x, y, z) to mm to the right, the front and up (RAS), as NIfTI has it."""

MILLIMETRES = {1: 1e3, 3: 1e-3}
"""Of NIfTI's units of length, metres and microns. 2 is mm; 0 is unknown and taken as mm, as readers do."""

UNIT_NAMES = {1: "metres", 3: "microns"}

LONG_QUATERNION = 1e-3
"""By how much rounding may make a unit quaternion's square longer than 1."""


@dataclass(frozen=True)
class Forms:
    """The fields of a NIfTI header that place its voxels, just as the file has them.

    They go on to the masks made for it, so that every viewer lays them over the scan.

    Attributes:
        version: of NIfTI, 1 or 2.
        units: ``xyzt_units``.
        pixdim: the qform's handedness and the spacing along x, y and z, in the file's unit.
        qform_code: 0 where there is no qform.
        sform_code: 0 where there is no sform.
        quatern: b, c and d of the qform's quaternion.
        qoffset: the qform's x, y and z.
        srow: the sform's three rows.
    """

    version: int
    units: int
    pixdim: tuple[float, ...]
    qform_code: int
    sform_code: int
    quatern: tuple[float, ...]
    qoffset: tuple[float, ...]
    srow: tuple[float, ...]

    @classmethod
    def of(cls, header: Any) -> Forms:
        """Those of a nibabel header. What is no number in a form that does not count becomes 0."""
        return cls(
            version=1 if header["sizeof_hdr"] == 348 else 2,
            units=int(header["xyzt_units"]),
            pixdim=_numbers(header["pixdim"][:4], keep=True),
            qform_code=int(header["qform_code"]),
            sform_code=int(header["sform_code"]),
            quatern=_numbers([header[f"quatern_{c}"] for c in "bcd"], keep=header["qform_code"] > 0),
            qoffset=_numbers([header[f"qoffset_{c}"] for c in "xyz"], keep=header["qform_code"] > 0),
            srow=_numbers([header[f"srow_{c}"] for c in "xyz"], keep=header["sform_code"] > 0),
        )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Forms:
        """From plain values as ``dataclasses.asdict`` gives them, also after a round trip through JSON."""
        kept: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**kept)

    def put(self, header: Any) -> None:
        """Set them in a nibabel header of the same version."""
        header["xyzt_units"] = self.units
        header["pixdim"][:4] = self.pixdim
        header["qform_code"], header["sform_code"] = self.qform_code, self.sform_code
        for index, axis in enumerate("xyz"):
            header[f"quatern_{'bcd'[index]}"] = self.quatern[index]
            header[f"qoffset_{axis}"] = self.qoffset[index]
            header[f"srow_{axis}"] = self.srow[4 * index : 4 * index + 4]

    @property
    def scale(self) -> float:
        """Millimetres of the file's unit."""
        return MILLIMETRES.get(self.units & 7, 1.0)

    @property
    def spacing(self) -> tuple[float, ...]:
        """Millimetres along x, y and z, as ``pixdim`` has them; no zero or negative one is mended."""
        return tuple(value * self.scale for value in self.pixdim[1:])

    def affines(self, size: tuple[int, ...]) -> dict[str, Affine]:
        """The affine of each form that counts, by name; the first is the one to use.

        That is the sform, then the qform, as in nibabel, FSL and SPM. Without either it is nibabel's for
        the bare spacing, named "spacing", and then ITK's, named "ITK". What is not finite in the header is
        not finite here.
        """
        from nibabel.volumeutils import shape_zoom_affine

        found = {}
        if self.sform_code > 0:
            found["sform"] = np.vstack([np.reshape(self.srow, (3, 4)), [0, 0, 0, 1]])
        if self.qform_code > 0:
            found["qform"] = self._qform()
        if not found:
            found["spacing"] = shape_zoom_affine(size[:3], self.pixdim[1:], x_flip=True)
            found["ITK"] = np.diag([-self.pixdim[1], -self.pixdim[2], self.pixdim[3], 1.0])
        return {name: np.diag([*[self.scale] * 3, 1.0]) @ affine for name, affine in found.items()}

    def code(self, form: str) -> int:
        """The code of the form of this name."""
        return self.sform_code if form == "sform" else self.qform_code

    def _qform(self) -> Affine:
        """NaN where the quaternion or the handedness is none."""
        from nibabel.quaternions import quat2mat

        affine = np.full((4, 4), np.nan)
        affine[3] = 0, 0, 0, 1
        affine[:3, 3] = self.qoffset
        imaginary, hand = np.array(self.quatern), self.pixdim[0]
        square = float(imaginary @ imaginary)
        if square <= 1 + LONG_QUATERNION and hand in (-1, 0, 1):
            real = math.sqrt(max(0.0, 1 - square))
            rotation = quat2mat(np.array([real, *(imaginary / max(1.0, math.sqrt(square)))]))
            affine[:3, :3] = rotation * (np.array(self.pixdim[1:]) * (1, 1, -1 if hand < 0 else 1))
        return affine


def apart(first: Affine, second: Affine, size: tuple[int, ...]) -> float:
    """How far apart two affines put any voxel of a volume: voxels of the first along one of its axes."""
    corners = np.array([*itertools.product(*[(0, n - 1) for n in size[:3]])], float)
    moved = corners @ (second - first)[:3, :3].T + (second - first)[:3, 3]
    return float(np.abs(np.linalg.solve(first[:3, :3], moved.T)).max())


def _numbers(values: Any, *, keep: bool) -> tuple[float, ...]:
    numbers = [float(value) for value in np.ravel(values)]
    return tuple(value if keep or math.isfinite(value) else 0.0 for value in numbers)
