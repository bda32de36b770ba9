"""DICOM folders on the command line: what is refused, what is left out with a line, where masks lie."""

import json
import shutil

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from clisc_engine.project.project import open_project
from tests.support.dicoms import (
    CORONAL,
    GAP,
    PIXEL,
    head,
    multi_frame,
    place,
    slice_of,
    stack,
    turned,
    write,
)

SHAPE = (14, 32, 36)
"""Slices, rows and columns of these cases."""


def brain(seed=0):
    return head(*SHAPE, seed=seed)


def doubled(folder):
    write(folder, stack(brain(seed=1), start=101, EchoTime="180"), start=101)


def with_a_hole(folder):
    (folder / "0006.dcm").unlink()


def with_a_tilted_slice(folder):
    shutil.rmtree(folder)
    slices = stack(brain())
    axes = (1, 0, 0, 0, np.cos(0.1), np.sin(0.1))
    slices[5] = slice_of(brain()[5], place(5), 6, axes)
    write(folder, slices)


def cut(folder):
    file = folder / "0006.dcm"
    file.write_bytes(file.read_bytes()[:-500])


def shift(folder):
    shutil.rmtree(folder)
    slices = stack(brain())
    slices[5].ImagePositionPatient[2] += 0.5
    write(folder, slices)


def lean(folder):
    shutil.rmtree(folder)
    slices = stack(brain())
    for k, one in enumerate(slices):
        one.ImagePositionPatient[1] += 0.4 * k
    write(folder, slices)


def two_orientations(folder):
    write(folder, stack(brain(), CORONAL, start=101), start=101)


def mosaic(folder):
    shutil.rmtree(folder)
    write(folder, stack(brain(), ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"]))


def localizer(folder):
    shutil.rmtree(folder)
    write(folder, stack(brain()[:3], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))


def computed_tomography(folder):
    shutil.rmtree(folder)
    write(folder, stack(brain(), Modality="CT"))


def echoes_in_one_file(folder):
    shutil.rmtree(folder)
    both = np.concatenate([brain(), brain(seed=1)])
    write(folder, [multi_frame(both, order=[*range(SHAPE[0])] * 2)])


REFUSED = {
    "DICOM: two images under one series UID": (doubled, ["two images", "14 of 14 places hold 2 slices"]),
    "DICOM: a slice missing": (with_a_hole, ["1 slice is missing", "z = -3 mm (0005.dcm)", "3 mm apart"]),
    "DICOM: a slice that is tilted": (
        with_a_tilted_slice,
        ["1 slice is missing", "0006.dcm is there but is tilted by 5.7 degrees", "all its slices parallel"],
    ),
    "DICOM: a file cut": (cut, ["0006.dcm: it is cut", "Copy or export the series again"]),
    "DICOM: uneven spacing": (shift, ["unevenly spaced, 2.5 to 3.5 mm apart", "0006.dcm"]),
    "DICOM: a leaning stack": (lean, ["not stacked along their normal", "a lean of 7.6 degrees"]),
    "DICOM: two orientations": (two_orientations, ["2 orientations (14, 14 slices)"]),
    "DICOM: a mosaic": (mosaic, ["is a mosaic", "dcm2niix"]),
    "DICOM: a localizer alone": (localizer, ["is a localizer"]),
    "DICOM: another modality": (computed_tomography, ["modality CT, not MR"]),
    "DICOM: two images in a multi-frame file": (echoes_in_one_file, ["two images", "14 of 14 places"]),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_init(clisc, tmp_path, kind):
    spoil, said = REFUSED[kind]
    for name in ("good", "spoilt"):
        write(tmp_path / "data" / name, stack(brain()))
    spoil(tmp_path / "data" / "spoilt")
    images = ("--images", tmp_path / "data", "--weights", "tiny")
    refused = clisc("init", tmp_path / "p", *images)
    assert refused.code == 3 and refused.out == ""
    assert all(part in refused.message for part in [str(tmp_path / "data" / "spoilt"), *said])
    assert not (tmp_path / "p").exists()
    planned = clisc("init", tmp_path / "p", *images, "--dry-run")
    assert said[0] in planned.message + " ".join(planned.out.split())


def test_the_good_ones_go_on_with_skip_bad(clisc, tmp_path):
    for name in ("good", "spoilt"):
        write(tmp_path / "data" / name, stack(brain()))
    cut(tmp_path / "data" / "spoilt")
    shown = clisc("init", tmp_path / "p", "--images", tmp_path / "data", "--weights", "tiny", "--skip-bad")
    assert shown.code == 0 and "0006.dcm" in shown.message
    assert [case.info.name for case in open_project(tmp_path / "p").cases()] == ["good"]


def test_a_localizer_in_the_series_is_left_out_with_a_line(clisc, tmp_path):
    aside = [slice_of(brain()[k], place(10 * k, CORONAL), 900 + k, CORONAL) for k in range(3)]
    write(tmp_path / "data" / "a", [*stack(brain()), *aside])
    shown = clisc("init", tmp_path / "p", "--images", tmp_path / "data", "--weights", "tiny")
    assert shown.code == 0 and "left out 3 slices" in shown.message
    info = open_project(tmp_path / "p").case("a").info
    assert info.spacing == pytest.approx((GAP, *PIXEL), abs=1e-4)


@pytest.mark.parametrize("title", ["T1 MPRAGE sag", "t2_tse_tra", "AX T1 FLAIR", "ep2d_diff_ADC", "SWI"])
def test_a_series_alone_that_is_called_after_another_contrast_is_told(clisc, tmp_path, title):
    write(tmp_path / "in" / "p", stack(head(12, 30, 28), SeriesDescription=title))
    write(tmp_path / "in" / "q", stack(head(12, 30, 28, 1), uid="7.7", PatientID="q"))
    options = ("--images", tmp_path / "in", "--weights", "tiny")
    for told in (
        clisc("init", tmp_path / "project", *options, "--dry-run", "--check"),
        clisc("init", tmp_path / "project", *options),
    ):
        assert told.code == 0 and f"called {title}, another contrast than FLAIR" in told.message, told.err
        assert "in/q: the one series" not in told.message


def test_multi_frame_files_in_folders_and_alone(clisc, tmp_path):
    for name in ("a", "b"):
        write(tmp_path / "data" / name, [multi_frame(brain())], "all.dcm")
    (tmp_path / "m.csv").write_text("case,image\na,data/a/all.dcm\nb,data/b\n", encoding="utf-8")
    for number, images in enumerate((tmp_path / "data", tmp_path / "m.csv")):
        shown = clisc("init", tmp_path / f"p{number}", "--images", images, "--weights", "tiny")
        assert shown.code == 0, shown.message
        for case in open_project(tmp_path / f"p{number}").cases():
            assert case.info.spacing == pytest.approx((GAP, *PIXEL), abs=1e-4)


@pytest.mark.parametrize("several_frames", [False, True])
def test_a_predicted_mask_lies_on_the_series_grid(clisc, root, tmp_path, several_frames):
    """Read back with nibabel and SimpleITK; its volume in millilitres is that of its voxels."""
    axes = turned(17)
    datasets = [multi_frame(brain(), axes)] if several_frames else stack(brain(), axes)
    folder = write(tmp_path / "in" / "a", datasets)
    shown = clisc("predict", root, folder.parent, "-o", tmp_path / "out", "--device", "cpu", "--json")
    assert shown.code == 0, shown.err
    told = json.loads(shown.out)["cases"]["a"]["volume_ml"]
    image = nibabel.load(tmp_path / "out" / "a_seg.nii.gz")
    expected = np.column_stack(
        [np.array(axes[:3]) * PIXEL[1], np.array(axes[3:]) * PIXEL[0], np.cross(axes[:3], axes[3:]) * GAP]
    )
    turn = np.diag([-1, -1, 1])
    np.testing.assert_allclose(image.affine[:3, :3], turn @ expected, atol=1e-4)
    np.testing.assert_allclose(image.affine[:3, 3], turn @ place(0, axes), atol=1e-4)
    again = sitk.ReadImage(str(tmp_path / "out" / "a_seg.nii.gz"))
    assert again.GetSize() == image.shape == SHAPE[::-1]
    np.testing.assert_allclose(again.GetOrigin(), place(0, axes), atol=1e-4)
    voxels = int(np.asarray(image.dataobj).sum())
    assert told == pytest.approx(voxels * GAP * PIXEL[0] * PIXEL[1] / 1000, abs=1e-3)
