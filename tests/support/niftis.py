"""NIfTI files of every kind, and what two other readers make of the masks that come of them."""

import nibabel
import numpy as np
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

PLACED = (
    *("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y"),
    *("qoffset_z", "srow_x", "srow_y", "srow_z", "xyzt_units"),
)
"""The fields of a header that place its voxels, besides ``pixdim``."""

AFFINE = np.diag([0.9, 1.1, 4.0, 1.0])
AFFINE[:3, 3] = (-12, 9, -20)


def affine(angles=(0, 0, 0), spacing=(0.9, 1.1, 4.0), origin=(-12.0, 9.0, -20.0), signs=(1, 1, 1)):
    """4 x 4, RAS."""
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() * np.multiply(
        spacing, signs
    )
    turned[:3, 3] = origin
    return turned


def nifti(
    path,
    array,
    *,
    qform=AFFINE,
    sform=AFFINE,
    codes=(1, 1),
    kind=nibabel.Nifti1Image,
    units="mm",
    order="<",
):
    """Write (Z, Y, X) voxels with both forms and their codes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = kind.header_class(endianness=order)
    header.set_data_dtype(array.dtype)
    image = kind(array.transpose(2, 1, 0), None, header)
    image.header.set_qform(qform, codes[0], strip_shears=True)
    image.header.set_sform(sform, codes[1])
    image.header["qform_code"], image.header["sform_code"] = codes
    image.header["xyzt_units"] = {"mm": 2, "m": 1, "um": 3, "": 0}[units]
    nibabel.save(image, path)
    return path


def placed_alike(mask, source):
    """That a mask's header places it bit for bit as its source's does, in the eyes of both readers."""
    ours, theirs = nibabel.load(mask), nibabel.load(source)
    assert ours.header["sizeof_hdr"] == theirs.header["sizeof_hdr"]
    for field in PLACED:
        assert ours.header[field].tolist() == theirs.header[field].tolist(), field
    assert ours.header["pixdim"][:4].tolist() == theirs.header["pixdim"][:4].tolist()
    np.testing.assert_array_equal(ours.affine, theirs.affine)
    assert ours.shape == theirs.shape[:3]
    try:
        scan = sitk.ReadImage(str(source))
    except RuntimeError:
        return  # a file that SimpleITK does not read
    if scan.GetDimension() == 4:
        scan = scan[..., 0]
    found = sitk.ReadImage(str(mask))
    assert found.GetSize() == scan.GetSize()[:3] and found.GetOrigin() == scan.GetOrigin()[:3]
    assert found.GetSpacing() == scan.GetSpacing()[:3]
    corner = [n - 1 for n in found.GetSize()]
    np.testing.assert_array_equal(
        found.TransformIndexToPhysicalPoint(corner), scan.TransformIndexToPhysicalPoint(corner)
    )
