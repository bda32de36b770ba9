"""DICOM that is read: where its voxels lie, and what values they have."""

import shutil
import subprocess
import warnings

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless

from clisc_engine.errors import BadInput
from clisc_engine.imaging.header import read_header
from clisc_engine.imaging.volume import read_volume
from tests.support.dicoms import (
    AXIAL,
    CORONAL,
    GAP,
    PIXEL,
    SAGITTAL,
    SERIES,
    group,
    head,
    multi_frame,
    place,
    slice_of,
    stack,
    text,
    turned,
    write,
)

WAYS = {
    "axial": AXIAL,
    "sagittal": SAGITTAL,
    "coronal": CORONAL,
    "oblique": turned(17),
    "oblique sagittal": turned(-9, SAGITTAL),
    "from head to feet": (1, 0, 0, 0, -1, 0),
    "doubly oblique": turned(40, CORONAL),
}


def place_of_mark(volume):
    """Where the voxel of the highest value lies, in mm (LPS), as SimpleITK reckons it."""
    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing(volume.geometry.spacing)
    image.SetOrigin(volume.geometry.origin)
    image.SetDirection(volume.geometry.direction)
    z, y, x = np.unravel_index(volume.array.argmax(), volume.array.shape)
    return image.TransformIndexToPhysicalPoint((int(x), int(y), int(z)))


def mark_in(array, axes):
    """Where that voxel lies, reckoned by hand from what was written."""
    k, j, i = np.unravel_index(array.argmax(), array.shape)
    return place(k, axes) + j * PIXEL[0] * np.array(axes[3:]) + i * PIXEL[1] * np.array(axes[:3])


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_a_series_lies_where_its_headers_say(tmp_path, way, shuffled):
    axes, array = WAYS[way], head()
    slices = stack(array, axes)
    folder = write(tmp_path / "a", slices[::-1] if shuffled else slices)
    volume = read_volume(folder)
    assert volume.geometry.spacing == pytest.approx((*PIXEL[::-1], GAP), abs=1e-6)
    np.testing.assert_allclose(place_of_mark(volume), mark_in(array, axes), atol=1e-4)
    np.testing.assert_array_equal(volume.array, array)
    header = read_header(folder)
    assert header.size == volume.geometry.size and header.spacing == volume.geometry.spacing
    assert volume.notes == ()


@pytest.mark.parametrize("way", WAYS)
def test_a_series_lies_where_itk_reads_it(tmp_path, way):
    folder = write(tmp_path / "a", stack(head(), WAYS[way]))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image, geometry = reader.Execute(), read_volume(folder).geometry
    np.testing.assert_allclose(geometry.origin, image.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(geometry.direction, image.GetDirection(), atol=1e-6)
    np.testing.assert_allclose(geometry.spacing, image.GetSpacing(), atol=1e-4)


@pytest.mark.skipif(shutil.which("dcm2niix") is None, reason="needs dcm2niix")
@pytest.mark.parametrize("way", WAYS)
def test_a_series_lies_where_dcm2niix_puts_it(tmp_path, way):
    folder = write(tmp_path / "a", stack(head(), WAYS[way]))
    subprocess.run(
        ["dcm2niix", "-f", "out", "-z", "n", "-b", "n", "-o", str(tmp_path), str(folder)],
        check=True,
        capture_output=True,
    )
    (written,) = tmp_path.glob("out*.nii")
    image = nibabel.load(written)
    voxel = np.unravel_index(np.asarray(image.dataobj).argmax(), image.shape)
    ras = image.affine @ [*voxel, 1]
    np.testing.assert_allclose(place_of_mark(read_volume(folder)), ras[:3] * [-1, -1, 1], atol=1e-3)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("alone", [False, True])
def test_a_multi_frame_file_lies_where_its_frames_say(tmp_path, way, alone):
    axes, array = WAYS[way], head()
    order = np.random.default_rng(1).permutation(len(array))
    folder = write(tmp_path / "a", [multi_frame(array[order], axes, order=order)], "IM1")
    path = (folder / "IM1").rename(folder / "a.dcm") if alone else folder
    volume = read_volume(path)
    assert volume.geometry.spacing == pytest.approx((*PIXEL[::-1], GAP), abs=1e-6)
    np.testing.assert_allclose(place_of_mark(volume), mark_in(array, axes), atol=1e-4)
    np.testing.assert_array_equal(volume.array, array)
    assert read_header(path).size == (22, 20, 8)


def test_what_itk_writes_as_one_file_is_read(tmp_path):
    image = sitk.GetImageFromArray(head().astype(np.uint16))
    image.SetSpacing((2.4, 2.2, 3.2))
    (tmp_path / "a").mkdir()
    sitk.WriteImage(image, str(tmp_path / "a" / "all.dcm"))
    for path in (tmp_path / "a", tmp_path / "a" / "all.dcm"):
        volume = read_volume(path)
        assert volume.geometry.spacing == pytest.approx((2.4, 2.2, 3.2), abs=1e-6)
        np.testing.assert_array_equal(volume.array, head())


def test_each_slice_is_rescaled_by_its_own_slope(tmp_path):
    array = head()
    slices = stack(array)
    for k, one in enumerate(slices):
        one.RescaleSlope, one.RescaleIntercept = str(1 + k / 4), str(-k)
    expected = np.stack([plane * (1 + k / 4) - k for k, plane in enumerate(array)])
    np.testing.assert_allclose(read_volume(write(tmp_path / "a", slices)).array, expected)


def test_each_frame_is_rescaled_by_its_own_slope(tmp_path):
    def slope(frame, index):
        frame.PixelValueTransformationSequence = [
            group(RescaleSlope=str(1 + index / 4), RescaleIntercept=str(-index), RescaleType="US")
        ]

    array = head()
    folder = write(tmp_path / "a", [multi_frame(array, per_frame=slope)])
    expected = np.stack([plane * (1 + k / 4) - k for k, plane in enumerate(array)])
    np.testing.assert_allclose(read_volume(folder).array, expected)


def test_unused_high_bits_and_signs_are_understood(tmp_path):
    array = head() - np.int16(150)
    slices = stack(array)
    for one, plane in zip(slices, array, strict=True):
        one.BitsStored, one.HighBit = 12, 11
        one.PixelData = ((plane.view(np.uint16) & 0x0FFF) | 0xA000).astype("<u2").tobytes()
    np.testing.assert_array_equal(read_volume(write(tmp_path / "a", slices)).array, array)


def test_values_in_the_upper_bits_are_understood(tmp_path):
    """As old files have them: 12 bits of 16, the highest of which is the highest of all."""
    array = head() - np.int16(150)
    slices = stack(array)
    for one, plane in zip(slices, array, strict=True):
        one.BitsStored, one.HighBit = 12, 15
        one.PixelData = ((plane.view(np.uint16) << 4) | 0x000A).astype("<u2").tobytes()
    np.testing.assert_array_equal(read_volume(write(tmp_path / "a", slices)).array, array)


def test_where_low_values_are_white_they_are_turned(tmp_path):
    array = head()
    folder = write(tmp_path / "a", stack(1000 - array, PhotometricInterpretation="MONOCHROME1"))
    volume = read_volume(folder)
    np.testing.assert_array_equal(volume.array, array)
    assert "MONOCHROME1" in volume.notes[0] and str(folder) in volume.notes[0]


def deflated(dataset):
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian


def implicit(dataset):
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian


def big_endian(dataset):
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dataset.PixelData = np.frombuffer(dataset.PixelData, "<i2").astype(">i2").tobytes()


def run_lengths(dataset):
    dataset.compress(RLELossless, generate_instance_uid=False)


@pytest.mark.parametrize("syntax", [implicit, big_endian, deflated, run_lengths])
def test_transfer_syntaxes_give_the_same_values(tmp_path, syntax):
    slices = stack(head())
    for one in slices:
        syntax(one)
    np.testing.assert_array_equal(read_volume(write(tmp_path / "a", slices)).array, head())


@pytest.mark.parametrize("compressor", ["JPEG", "JPEG2000"])
def test_lossless_jpeg_gives_the_same_values(tmp_path, compressor):
    folder = write(tmp_path / "a", stack(head(), RescaleSlope="2", RescaleIntercept="-3"))
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.UseCompressionOn()
    writer.SetCompressor(compressor)
    for file in folder.iterdir():
        plain = pydicom.dcmread(file)
        image = sitk.GetImageFromArray(plain.pixel_array[None])
        writer.SetFileName(str(tmp_path / "packed.dcm"))
        writer.Execute(image)
        packed = pydicom.dcmread(tmp_path / "packed.dcm")
        assert packed.file_meta.TransferSyntaxUID.is_compressed
        plain.PixelData, plain.PixelRepresentation = packed.PixelData, packed.PixelRepresentation
        plain["PixelData"].is_undefined_length = True
        plain.file_meta.TransferSyntaxUID = packed.file_meta.TransferSyntaxUID
        plain.save_as(file)
    np.testing.assert_array_equal(read_volume(folder).array, head() * 2.0 - 3)


def test_files_without_preamble_and_ending_are_read(tmp_path):
    folder = write(tmp_path / "a", stack(head()), "{:04d}")
    for file in folder.iterdir():
        dataset = pydicom.dcmread(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pydicom.dcmwrite(file, bare(dataset), implicit_vr=True, little_endian=True)
        assert file.read_bytes()[128:132] != b"DICM"
    (folder / "0001").rename(folder / "0001.dcm")
    np.testing.assert_array_equal(read_volume(folder).array, head())


def bare(dataset):
    """A data set without the part that says how it is written."""
    copy = pydicom.Dataset()
    copy.update({element.tag: element for element in dataset})
    return copy


@pytest.mark.parametrize("digits", [2, 3, 6])
def test_rounded_positions_are_taken_for_what_they_are(tmp_path, digits):
    axes, array = turned(17), head(24)
    slices = stack(array, axes, gap=1.2)
    for one in slices:
        one.ImagePositionPatient = [f"{v:.{digits}f}" for v in one.ImagePositionPatient]
    volume = read_volume(write(tmp_path / "a", slices))
    assert volume.geometry.spacing[2] == pytest.approx(1.2, abs=10.0**-digits)


def test_axes_of_a_few_digits_are_squared_up(tmp_path):
    axes = turned(17)
    slices = stack(head(), axes)
    for one in slices:
        one.ImageOrientationPatient = [f"{v:.4f}" for v in axes]
    geometry = read_volume(write(tmp_path / "a", slices)).geometry
    matrix = np.array(geometry.direction).reshape(3, 3)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(matrix[:, 0], axes[:3], atol=1e-4)


def test_the_way_back_to_a_series_is_its_own_grid(tmp_path):
    """A mask made on the canonical grid lies, in the file written, where the scan's voxel lies."""
    from clisc_engine.imaging.placement import restore
    from clisc_engine.imaging.preprocess import preprocess
    from clisc_engine.imaging.volume import write_mask

    for name, axes in WAYS.items():
        array = head()
        volume = read_volume(write(tmp_path / name, stack(array, axes)))
        image, _, placement = preprocess(volume, clip_percentile=100, resample_in_plane=None)
        mask = restore((image == image.max()).astype(np.uint8), placement)
        write_mask(tmp_path / f"{name}.nii.gz", mask, volume.geometry)
        written = nibabel.load(tmp_path / f"{name}.nii.gz")
        (voxel,) = np.argwhere(np.asarray(written.dataobj) > 0)
        lps = (written.affine @ [*voxel, 1])[:3] * [-1, -1, 1]
        np.testing.assert_allclose(lps, mark_in(array, axes), atol=1e-3, err_msg=name)


def test_one_slice_as_an_image_is_pointed_to_its_folder(tmp_path):
    folder = write(tmp_path / "a", stack(head()))
    with pytest.raises(BadInput, match=r"0001\.dcm holds one slice.*folder of the whole series"):
        read_volume(folder / "0001.dcm")


def test_text_is_the_number_in_sixteen_characters():
    assert float(text(-123.4567890123)) == pytest.approx(-123.4567890123, abs=1e-9)
    assert slice_of(head()[0], (0, 0, 0), 1).SeriesInstanceUID == SERIES
