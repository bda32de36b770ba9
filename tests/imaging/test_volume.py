from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from clisc_engine.errors import BadInput
from clisc_engine.imaging.references import read_mask
from clisc_engine.imaging.volume import read_volume, write_mask
from tests.support.layouts import write_dicom
from tests.support.volumes import ball, write


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_reads_the_common_formats_alike(tmp_path, ending):
    array = ball()
    volume = read_volume(write(tmp_path / f"a{ending}", array, (0.9, 0.8, 5.0), (1, 2, 3)))
    np.testing.assert_array_equal(volume.array, array)
    assert volume.geometry.spacing == pytest.approx((0.9, 0.8, 5.0))
    assert volume.geometry.origin == pytest.approx((1, 2, 3))


def test_reads_a_dicom_series(tmp_path):
    array = np.rint(ball((6, 20, 22)))
    volume = read_volume(write_dicom(tmp_path / "case", array))
    np.testing.assert_array_equal(volume.array, array)
    assert volume.geometry.spacing == pytest.approx((0.5, 0.75, 3.0))


def test_several_dicom_series_are_listed(tmp_path):
    for uid in ("1.2.3", "1.2.4"):
        write_dicom(tmp_path / "case", ball((6, 20, 22)), uid)
    with pytest.raises(BadInput, match=r"2 DICOM series.*1\.2\.3"):
        read_volume(tmp_path / "case")


def with_nan(array):
    array = array.copy()
    array[5, 5, 5] = np.nan
    return array


BAD = {
    "nan": (lambda p: write(p, with_nan(ball())), "NaN or infinite"),
    "zero": (lambda p: write(p, np.zeros((5, 6, 7), np.float32)), "zero everywhere"),
    "constant": (lambda p: write(p, np.full((5, 6, 7), 4.0, np.float32)), "same value 4 everywhere"),
    "two_d": (lambda p: write_2d(p), "not a 3-D volume"),
    "four_d": (lambda p: write_4d(p), "4-D with 2 volumes"),
    "text": (lambda p: p.write_text("no image"), "cannot be read"),
    "empty": (lambda p: p.write_bytes(b""), "cannot be read"),
    "truncated": (lambda p: truncate(write(p, ball((30, 60, 60)))), "damaged or truncated|cannot be read"),
    "vector": (lambda p: write_vector(p), "3 values a voxel"),
}


def write_2d(path):
    sitk.WriteImage(sitk.GetImageFromArray(ball()[6]), str(path))


def write_4d(path):
    sitk.WriteImage(sitk.JoinSeries([sitk.GetImageFromArray(ball())] * 2), str(path))


def write_vector(path):
    sitk.WriteImage(sitk.GetImageFromArray(np.stack([ball()] * 3, -1), isVector=True), str(path))


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("ending", [".nii", ".nrrd", ".mha"])
def test_nan_is_found_in_every_format(tmp_path, ending):
    with pytest.raises(BadInput, match="1 NaN or infinite"):
        read_volume(write(tmp_path / f"a{ending}", with_nan(ball())))


@pytest.mark.parametrize("kind", BAD)
def test_bad_files_are_refused_by_name(tmp_path, kind):
    make, reason = BAD[kind]
    path = tmp_path / "broken_flair.nii.gz"
    make(path)
    with pytest.raises(BadInput, match=reason) as error:
        read_volume(path)
    assert "broken_flair.nii.gz" in str(error.value) and error.value.exit_code == 3


def test_a_channel_of_a_4d_file_can_be_chosen(tmp_path):
    first, second = ball(), ball(seed=1)
    image = sitk.JoinSeries([sitk.GetImageFromArray(first), sitk.GetImageFromArray(second)])
    sitk.WriteImage(image, str(tmp_path / "a.nii.gz"))
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii.gz", channel=1).array, second)
    with pytest.raises(BadInput, match="no channel 2"):
        read_volume(tmp_path / "a.nii.gz", channel=2)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadInput, match="does not exist"):
        read_volume(tmp_path / "gone.nii")


def test_masks_are_binarised_and_written_whole(tmp_path):
    labels = np.zeros((5, 6, 7), np.int16)
    labels[1, 2, 3], labels[2, 2, 2] = 4, 1
    mask = read_mask(write(tmp_path / "a_seg.nii.gz", labels, (1, 2, 3)))
    assert mask.array.sum() == 2 and mask.array.dtype == np.uint8
    write_mask(tmp_path / "out.nii.gz", mask.array, mask.geometry)
    assert read_mask(tmp_path / "out.nii.gz").geometry == mask.geometry
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a_seg.nii.gz", "out.nii.gz"]


def test_a_dicom_series_with_a_link_out_of_its_folder_is_refused(tmp_path):
    folder = write_dicom(tmp_path / "case", np.rint(ball((6, 20, 22))))
    slice_ = next(iter(folder.iterdir()))
    slice_.rename(tmp_path / "elsewhere.dcm")
    slice_.symlink_to(tmp_path / "elsewhere.dcm")
    with pytest.raises(BadInput, match=r"leads out of its folder .*elsewhere\.dcm"):
        read_volume(folder)


def test_what_is_neither_file_nor_folder_is_refused():
    with pytest.raises(BadInput, match="neither a file nor a folder"):
        read_volume(Path("/dev/zero"))
