"""NIfTI headers and backgrounds of every kind from end to end: the mask lies on the scan, or exit 3."""

import bz2
import gzip
import json
import shutil
import struct

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from clisc_engine.project.project import open_project
from clisc_engine.project.store import Seal
from tests.support.niftis import affine, nifti, placed_alike
from tests.support.volumes import ball

SPACING = (3.4, 3.4, 9.0)
STRAIGHT = affine(spacing=SPACING, origin=(-70, 40, -15))
VOXEL_ML = float(np.prod(SPACING)) / 1000


def moved(*by):
    found = STRAIGHT.copy()
    found[:3, 3] += by
    return found


def sheared(by):
    found = STRAIGHT.copy()
    found[0, 1] = by * SPACING[1]
    return found


def as_gz(path, array):
    """Not gzipped, though it is named so; other readers read it under its right name."""
    plain = nifti(path.with_name("w.nii"), array, qform=STRAIGHT, sform=STRAIGHT)
    shutil.copy(plain, path)
    return plain


def metres(path, array):
    small = np.diag([1e-3, 1e-3, 1e-3, 1]) @ STRAIGHT
    return nifti(path, array, qform=small, sform=small, units="m")


def microns(path, array):
    large = np.diag([1e3, 1e3, 1e3, 1]) @ STRAIGHT
    return nifti(path, array, qform=large, sform=large, units="um", order=">")


def scaled(path, array):
    """16-bit integers of the other byte order, with slope and intercept, in a gzipped file named .nii."""
    slope = float(array.max()) / 30000
    whole = nifti(
        path.with_name("w.nii"),
        np.rint(array / slope).astype(np.int16),
        qform=STRAIGHT,
        sform=STRAIGHT,
        order=">",
    )
    data = bytearray(whole.read_bytes())
    struct.pack_into(">2f", data, 112, slope, -7.0)
    whole.write_bytes(data)
    path.write_bytes(gzip.compress(data))
    return whole


def with_forms(qform, sform, codes, **how):
    return lambda path, array: nifti(path, array, qform=qform, sform=sform, codes=codes, **how)


straight = with_forms(STRAIGHT, STRAIGHT, (1, 1))
TURNED = STRAIGHT @ np.diag([-1.0, 1, 1, 1])
PAIR = nibabel.Nifti1Pair
LIKE_PLAIN = {
    # kind: (file, how it is written, what is said)
    "sform moved": (
        "a_flair.nii.gz",
        with_forms(STRAIGHT, moved(10, -5, 3), (1, 2)),
        "sform (code 2)",
    ),
    "sform alone": ("a_flair.nii.gz", with_forms(STRAIGHT, STRAIGHT, (0, 4)), ""),
    "qform alone": ("a_flair.nii.gz", with_forms(STRAIGHT, moved(50, 0, 0), (2, 0)), ""),
    "rounded shear": ("a_flair.nii.gz", with_forms(STRAIGHT, sheared(3e-3), (0, 1)), "squared up"),
    "NIfTI-2": ("a_flair.nii", with_forms(STRAIGHT, STRAIGHT, (1, 1), kind=nibabel.Nifti2Image), ""),
    "pair": (
        "a_flair.img",
        with_forms(STRAIGHT, moved(0, 0, 9), (1, 3), kind=nibabel.Nifti1Pair),
        "sform (code 3)",
    ),
    "metres": ("a_flair.nii.gz", metres, ""),
    "microns, big-endian": ("a_flair.nii", microns, ""),
    "not gzipped": ("a_flair.nii.gz", as_gz, ""),
    "zipped big-endian integers": ("a_flair.nii", scaled, "background -7"),
}


@pytest.fixture(scope="module")
def scan(data):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(data / "images" / "p4_flair.nii.gz")))


@pytest.fixture
def predicted(clisc, finished, tmp_path):
    """The mask that `clisc predict` writes for a file, its volume in ml, and what was said."""

    def predict(path, *options):
        out = tmp_path / f"{path.parent.name}-{path.name}-masks"
        shown = clisc("predict", finished.root, path, "-o", out, "--device", "cpu", "--json", *options)
        assert shown.code == 0, shown.err
        (entry,) = json.loads(shown.out)["cases"].values()
        return out / entry["mask"], entry["volume_ml"], shown.message

    return predict


@pytest.mark.parametrize("kind", LIKE_PLAIN)
def test_predict_lays_the_mask_on_the_scan(predicted, scan, tmp_path, kind):
    name, make, said = LIKE_PLAIN[kind]
    plain, _, _ = predicted(straight(tmp_path / "plain/a_flair.nii.gz", scan))
    source = make(tmp_path / "in" / name, scan)
    mask, volume_ml, message = predicted(tmp_path / "in" / name)
    placed_alike(mask, source)
    found, wanted = (np.asarray(nibabel.load(file).dataobj).T for file in (mask, plain))
    assert found.sum() > 0
    if kind == "zipped big-endian integers":  # rounded voxels
        assert 2 * (found & wanted).sum() / (found.sum() + wanted.sum()) > 0.99
    else:
        np.testing.assert_array_equal(found, wanted)
    assert volume_ml == pytest.approx(found.sum() * VOXEL_ML, rel=1e-3)
    assert said in message and (not said or f"{name} " in message)


@pytest.mark.parametrize("skull", [(), ("--allow-skull",)])
@pytest.mark.parametrize("value", [-1024, "z-scored"])
def test_a_background_other_than_0_gives_the_same_mask(predicted, scan, tmp_path, value, skull):
    plain, plain_ml, _ = predicted(straight(tmp_path / "plain/a_flair.nii.gz", scan))
    other = (
        np.where(scan != 0, scan, np.float32(value))
        if value == -1024
        else ((scan - scan.mean()) / scan.std()).astype(np.float32)
    )
    source = with_forms(STRAIGHT, STRAIGHT, (1, 1))(tmp_path / "in/a_flair.nii.gz", other)
    mask, volume_ml, message = predicted(source, *skull)
    found, wanted = (nibabel.load(path).get_fdata() for path in (mask, plain))
    assert 2 * (found * wanted).sum() / (found.sum() + wanted.sum()) > 0.999
    assert volume_ml == pytest.approx(plain_ml, rel=1e-3)
    assert "a_flair.nii.gz has the background -" in message


EXPORTED = {
    "sform flipped": with_forms(STRAIGHT, TURNED, (1, 2)),
    "oblique": with_forms(affine((20, -9, 33), SPACING), affine((20, -9, 33), SPACING), (1, 1)),
    "no forms": with_forms(STRAIGHT, STRAIGHT, (0, 0)),
    "sagittal": with_forms(*[affine((90, 0, 90), SPACING)] * 2, (1, 1)),
}


@pytest.mark.parametrize("kind", EXPORTED)
def test_init_and_export_return_a_reference_to_its_very_voxels(clisc, tmp_path, kind):
    """The reference goes in by the image's own affine, and what is stored of it comes out there."""
    source = EXPORTED[kind](tmp_path / "in/a_flair.nii.gz", ball((12, 24, 30)))
    drawn = ((ball((12, 24, 30)) > 95) & (np.indices((12, 24, 30))[2] < 15)).astype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(drawn.T, nibabel.load(source).affine), tmp_path / "in/a_seg.nii.gz")
    root = tmp_path / "p"
    options = ("--weights", "tiny", "--split-ratio", "1:0:0", "--references", tmp_path / "in")
    shown = clisc("init", root, "--images", tmp_path / "in", *options)
    assert shown.code == 0, shown.err
    if kind == "sform flipped":
        assert "a_flair.nii.gz says in two ways where it lies" in shown.message
    project = open_project(root)
    case = project.case("a")
    case.write("masks/sam", project.references.read_cropped(case.info), Seal.now("s", "0", {}))
    shown = clisc("export", "masks", root, "--masks", "sam", "-o", tmp_path / "out")
    assert shown.code == 0, shown.err
    placed_alike(tmp_path / "out/a_sam.nii.gz", source)
    np.testing.assert_array_equal(nibabel.load(tmp_path / "out/a_sam.nii.gz").get_fdata().T, drawn)


def analyze(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.AnalyzeImage(array.T, STRAIGHT), path)


def bzipped(path, array):
    path.write_bytes(
        bz2.compress(with_forms(STRAIGHT, STRAIGHT, (1, 1))(path.with_name("w.nii"), array).read_bytes())
    )
    path.with_name("w.nii").unlink()


def lone_half(path, array):
    nifti(path, array, kind=nibabel.Nifti1Pair)
    path.with_suffix(".hdr").unlink()


def of(change):
    """The image with other intensities."""
    return lambda path, array: nifti(path, change(array))


def in_a_shell(array):
    return np.pad(array, 8, constant_values=-1024)


REFUSED = {
    # kind: (file, how it is written, what is said)
    "sheared": (
        "c_flair.nii.gz",
        with_forms(STRAIGHT, sheared(0.05), (0, 1)),
        ["sheared", "straight grid"],
    ),
    "millimetres called metres": (
        "c_flair.nii.gz",
        with_forms(STRAIGHT, STRAIGHT, (1, 1), units="m"),
        ["3400 x 3400 x 9000 mm", "metres"],
    ),
    "ANALYZE 7.5": ("c_flair.img", analyze, ["ANALYZE 7.5", "left from right"]),
    "bzip2": ("c_flair.nii.gz", bzipped, ["bzip2", "bunzip2"]),
    "half of a pair": ("c_flair.img", lone_half, ["c_flair.hdr", "is not there"]),
    "complex voxels": ("c_flair.nii.gz", of(lambda a: a.astype(np.complex64)), ["complex"]),
    "1e30": ("c_flair.nii.gz", of(lambda a: a * np.float32(1e28)), ["intensities", "no scanner makes"]),
    "one voxel of 1e30": (
        "c_flair.nii.gz",
        of(lambda a: np.where(a == a.max(), np.float32(1e30), a)),
        ["1e+30", "no scanner makes"],
    ),
    "one voxel of -1e6": (
        "c_flair.nii.gz",
        of(lambda a: np.where(a == a.max(), np.float32(-1e7), a)),
        ["few voxels of up to -1e+07"],
    ),
    "a map of few labels": (
        "c_flair.nii.gz",
        of(lambda a: np.rint(a / 40).astype(np.int16)),
        ["map of labels"],
    ),
    "two backgrounds": ("c_flair.nii.gz", of(in_a_shell), ["two backgrounds", "-1024", "0 within"]),
    "background of NaN": (
        "c_flair.nii.gz",
        of(lambda a: np.where(a == 0, np.float32(np.nan), a)),
        ["NaN", "background", "set it to 0"],
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_init_refuses(clisc, tmp_path, kind):
    name, make, parts = REFUSED[kind]
    nifti(tmp_path / "in/a_flair.nii.gz", ball())
    make(tmp_path / "in" / name, ball())
    shown = clisc("init", tmp_path / "p", "--images", tmp_path / "in", "--weights", "tiny")
    assert shown.code == 3 and shown.out == ""
    assert all(part in shown.message for part in [name, *parts]), shown.message
    assert not (tmp_path / "p").exists()


def test_a_dry_run_tells_spacings_in_millimetres(clisc, tmp_path):
    metres(tmp_path / "in/a_flair.nii.gz", ball())
    nifti(tmp_path / "in/b_flair.img", ball(), kind=nibabel.Nifti1Pair)
    shown = clisc(
        "init", tmp_path / "p", "--images", tmp_path / "in", "--weights", "tiny", "--dry-run", "--json"
    )
    assert shown.code == 0, shown.err
    cases = json.loads(shown.out)["cases"]
    cases = list(cases.values()) if isinstance(cases, dict) else cases
    assert [case["problem"] for case in cases] == ["", ""]
    assert cases[0]["spacing"] == pytest.approx(SPACING) and cases[1]["spacing"] == pytest.approx(
        (0.9, 1.1, 4.0)
    )
