"""Reference masks as people have them: measured to the voxel, or refused by name."""

import json

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from medpy.metric import binary
from scipy import ndimage

from clisc_engine.project.fingerprint import fingerprint
from clisc_engine.project.project import open_project
from clisc_engine.project.store import Seal
from tests.support.volumes import write

SHAPE, SPACING = (18, 32, 28), (3.2, 2.2, 2.4)  # z y x, mm
ML = np.prod(SPACING) / 1000
Z, Y, X = np.meshgrid(*[np.linspace(-1, 1, n) for n in SHAPE], indexing="ij")
BRAIN = (Z / 0.9) ** 2 + (Y / 0.88) ** 2 + (X / 0.85) ** 2 < 1
TUMOUR = ((Z - 0.1) / 0.4) ** 2 + ((Y - 0.2) / 0.35) ** 2 + ((X + 0.3) / 0.35) ** 2 < 1
CORNER = np.zeros(SHAPE, bool)
CORNER[:3, :3, :3] = True
FOUND = np.roll(TUMOUR, 2, axis=1) & BRAIN
"""What a step is made to have found; it overlaps with the tumour."""


def scan(seed=0):
    texture = 400 + 60 * np.random.default_rng(seed).standard_normal(SHAPE)
    return np.where(BRAIN, texture + 250 * TUMOUR, 0).astype(np.float32)


def labelled(*values):
    """The tumour in as many layers along z as there are labels."""
    layers = np.array_split(np.unique(np.nonzero(TUMOUR)[0]), len(values))
    mask = np.zeros(SHAPE, np.int16)
    for value, layer in zip(values, layers, strict=True):
        mask[layer] = value
    return mask * TUMOUR


SEAL = Seal.now("test", fingerprint({}), {})
SOFT = ndimage.gaussian_filter(TUMOUR.astype(np.float32), 1.2)

TAKEN = {
    "0 and 1": (TUMOUR.astype(np.uint8), TUMOUR, ""),
    "labels of the tumour's parts": (labelled(1, 2, 4), TUMOUR, ""),
    "0 and 255": (TUMOUR * np.uint8(255), TUMOUR, ""),
    "floats that are whole numbers": (TUMOUR * np.float64(2), TUMOUR, ""),
    "rounding": (TUMOUR * np.float32(0.99999), TUMOUR, ""),
    "interpolated": (SOFT, SOFT > 0.5, r"holds values between 0 and 1; those above 0.5 count"),
    "seven labels": (labelled(1, 2, 3, 4, 5, 6, 9), TUMOUR, r"labels 1, 2, 3, 4, 5, 6, 9; each of them"),
    "a part of the tumour": (labelled(1, 4), TUMOUR, "holds 1, 4 and no 2, the oedema"),
    "the part that takes up contrast": (labelled(3), TUMOUR, "holds 3 and no 2, the oedema"),
    "partly outside the brain": (
        (TUMOUR | CORNER).astype(np.uint8),
        TUMOUR | CORNER,
        f"27 of the {TUMOUR.sum() + 27} voxels",
    ),
}


def project_of(clisc, tmp_path, reference, *options, **where):
    """What `init` says of a case with this reference."""
    write(tmp_path / "in" / "a_flair.nii.gz", scan(), SPACING[::-1], (-70.0, 40.0, -15.0))
    if not (tmp_path / "in" / "a_seg.nii.gz").exists():
        write(tmp_path / "in" / "a_seg.nii.gz", reference, SPACING[::-1], (-70.0, 40.0, -15.0), **where)
    images, masks = (tmp_path / "in" / f"*_{kind}.nii.gz" for kind in ("flair", "seg"))
    split = ("--split-ratio", "1:0:0", "--weights", "tiny")
    return clisc("init", tmp_path / "p", "--images", images, "--references", masks, *split, *options)


def measured(clisc, root):
    """Let `prompt-sam` have found `FOUND`; what `evaluate` measures, and its document."""
    box = tuple(slice(int(i.min()), int(i.max()) + 1) for i in np.nonzero(BRAIN))
    case = open_project(root).case("a")
    case.write("masks/sam", FOUND[box].astype(np.uint8), SEAL)
    shown = clisc("evaluate", root, "--splits", "train", "--device", "cpu", "--json")
    assert shown.code == 0, shown.err
    document = json.loads(shown.out)
    (entry,) = document["cases"]
    return entry, document


def agrees(entry, reference):
    assert entry["volume_ml"] == pytest.approx(reference.sum() * ML)
    assert entry["predicted_ml"] == pytest.approx(FOUND.sum() * ML)
    assert entry["dsc"] == pytest.approx(100 * binary.dc(FOUND, reference))
    assert entry["hd95"] == pytest.approx(binary.hd95(FOUND, reference, voxelspacing=SPACING))


@pytest.mark.parametrize("kind", TAKEN)
def test_a_mask_is_measured_whole(clisc, tmp_path, kind):
    given, expected, line = TAKEN[kind]
    made = project_of(clisc, tmp_path, given)
    assert made.code == 0, made.err
    assert line in made.message and ("a_seg.nii.gz" in made.message) == bool(line)
    entry, _ = measured(clisc, tmp_path / "p")
    agrees(entry, expected)
    assert clisc("verify", tmp_path / "p").code == 0


@pytest.mark.parametrize("axes", ["RAS", "RSP", "ILA"])
def test_a_mask_in_another_order_is_turned(clisc, tmp_path, axes):
    mask = (labelled(1, 2, 4) + 4 * CORNER).astype(np.int16)  # one corner marked: no symmetry
    straight = sitk.ReadImage(
        str(write(tmp_path / "straight.nii.gz", mask, SPACING[::-1], (-70.0, 40.0, -15.0)))
    )
    (tmp_path / "in").mkdir()
    sitk.WriteImage(sitk.DICOMOrient(straight, axes), str(tmp_path / "in" / "a_seg.nii.gz"))
    assert "".join(nibabel.aff2axcodes(nibabel.load(tmp_path / "in/a_seg.nii.gz").affine)) == axes
    made = project_of(clisc, tmp_path, None)
    assert made.code == 0 and f"in another order ({axes}) than its image (LPS)" in made.message
    entry, _ = measured(clisc, tmp_path / "p")
    agrees(entry, mask > 0)
    stored = open_project(tmp_path / "p")
    np.testing.assert_array_equal(stored.references.read(stored.case("a").info), mask > 0)


def test_figures_are_of_the_files_own_grid_when_the_image_is_resampled(clisc, tmp_path):
    made = project_of(
        clisc, tmp_path, TUMOUR.astype(np.uint8), "--set", "image.resample_in_plane=3.1", "--json"
    )
    assert made.code == 0, made.err
    case = open_project(tmp_path / "p").case("a")
    image = case.read("image")
    assert case.info.spacing == pytest.approx((3.2, 3.1, 3.1))
    drawn = np.zeros(image.shape, np.uint8)
    drawn[5:12, 9:17, 4:11] = image[5:12, 9:17, 4:11] != 0
    case.write("masks/sam", drawn, SEAL)
    masks = ("export", "masks", tmp_path / "p", "--masks", "sam", "-o", tmp_path / "out")
    assert clisc(*masks).code == 0
    exported = np.asarray(nibabel.load(tmp_path / "out" / "a_sam.nii.gz").dataobj).T > 0
    shown = clisc("evaluate", tmp_path / "p", "--splits", "train", "--device", "cpu", "--json")
    (entry,) = json.loads(shown.out)["cases"]
    assert exported.shape == SHAPE and exported.any()
    assert entry["volume_ml"] == pytest.approx(TUMOUR.sum() * ML)
    assert entry["predicted_ml"] == pytest.approx(exported.sum() * ML)
    assert entry["dsc"] == pytest.approx(100 * binary.dc(exported, TUMOUR))
    assert entry["hd95"] == pytest.approx(binary.hd95(exported, TUMOUR, voxelspacing=SPACING))


def test_a_case_without_tumour_is_named_and_counted_apart(clisc, tmp_path):
    made = project_of(clisc, tmp_path, np.zeros(SHAPE, np.uint8))
    assert made.code == 0 and "a_seg.nii.gz marks no tumour" in made.message
    entry, document = measured(clisc, tmp_path / "p")
    assert (entry["dsc"], entry["hd95"], entry["group"]) == (None, None, "no tumour")
    assert document["groups"] == [] and document["without_tumour"]["cases"] == ["a"]
    ml = pytest.approx(FOUND.sum() * ML)
    assert document["without_tumour"]["rows"] == [
        {"name": "sam", "n": 1, "false_positives": 1, "volume_ml_mean": ml, "volume_ml": {"a": ml}}
    ]
    (row,) = document["rows"]
    assert (row["n"], row["dsc_mean"], row["hd95_mean"]) == (0, None, None)
    shown = clisc("evaluate", tmp_path / "p", "--splits", "train", "--device", "cpu")
    assert shown.code == 0 and "1 case without tumour: a" in shown.out
    report = clisc("report", tmp_path / "p", "-o", tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert report.code == 0 and "1 without tumour, in no mean and no group of sizes" in page
    assert clisc("show", tmp_path / "p", "a", "-o", tmp_path / "a.png").code == 0


def test_a_dry_run_of_evaluate_writes_nothing(clisc, tmp_path):
    assert project_of(clisc, tmp_path, TUMOUR.astype(np.uint8)).code == 0
    measured(clisc, tmp_path / "p")
    (tmp_path / "p" / "results" / "evaluation.json").unlink()
    before = {path: path.read_bytes() for path in (tmp_path / "p").rglob("*") if path.is_file()}
    options = ("--splits", "train", "--device", "cpu", "--dry-run")
    shown = clisc("evaluate", tmp_path / "p", *options, "--json")
    assert shown.code == 0 and json.loads(shown.out)["rows"] == ["sam"]
    assert json.loads(shown.out)["planned"] == ""
    assert "nothing to do" in clisc("evaluate", tmp_path / "p", *options).out
    forced = clisc("evaluate", tmp_path / "p", *options, "--force")
    assert forced.code == 0 and "would measure 1 case in 1 row: forced" in forced.out
    after = {path: path.read_bytes() for path in (tmp_path / "p").rglob("*") if path.is_file()}
    assert after == before


def with_nan():
    mask = TUMOUR.astype(np.float32)
    mask[0, 0, 0] = np.nan
    return mask


REFUSED = {
    "the scan itself": (scan(), ("is the image itself",)),
    "another scan": (scan(seed=1), ("between whole numbers", "a scan does")),
    "a scan of whole numbers": (np.rint(scan(seed=1)).astype(np.int16), ("different values", "scan")),
    "a scan scaled to 0 to 1": (scan(seed=1) / scan(seed=1).max(), ("above 0 in most of the brain",)),
    "a dim scan scaled to 0 to 1": (
        np.where(TUMOUR & (Z > 0.3), 0.9, scan(seed=1) / 4000).astype(np.float32),
        ("above 0 in most of the brain",),
    ),
    "a brain mask": (BRAIN.astype(np.uint8), ("100% of the brain", "brain mask")),
    "an eroded brain mask": (ndimage.binary_erosion(BRAIN, iterations=1).astype(np.uint8), ("brain mask",)),
    "tissue labels": (np.where(BRAIN, 1 + (X > 0) + (Y > 0), 0).astype(np.uint8), ("100% of the brain",)),
    "an inverted mask": ((~TUMOUR).astype(np.uint8), ("of the brain", "inverted mask")),
    "background 1, tumour 2": (1 + TUMOUR.astype(np.uint8), ("100% of the brain",)),
    "one everywhere": (np.ones(SHAPE, np.uint8), ("100% of the brain",)),
    "all of it outside the brain": (
        CORNER.astype(np.uint8),
        ("All 27 voxels", "outside its image's brain"),
    ),
    "NaN": (with_nan(), ("1 NaN",)),
    "below zero": (TUMOUR.astype(np.int16) - CORNER, ("negative values, down to -1",)),
    "interpolated labels": (
        ndimage.zoom(ndimage.zoom(labelled(1, 2, 4).astype(np.float32), 0.5, order=1), 2, order=1),
        ("between whole numbers", "nearest-neighbour"),
    ),
    "a soft mask of 0 to 255": (np.rint(255 * SOFT).astype(np.uint8), ("different values from 1 to 2",)),
    "a mask scaled to nothing": (TUMOUR * np.float32(1 / 255), ("none above 0.5", "mark nothing")),
    "an atlas": (labelled(1, 2, 3) + (Y > 0.3) * TUMOUR * np.int16(20 * (X - X.min())), ("an atlas",)),
    "255 beside 1": ((TUMOUR + 254 * (TUMOUR & (Z > 0.2))).astype(np.uint8), ("255 beside 1",)),
    "one volume a label": (np.stack([TUMOUR, FOUND]).astype(np.uint8), ("4-D file", "one 3-D mask")),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_tumour_s_mask_is_refused_by_name(clisc, tmp_path, kind):
    given, words = REFUSED[kind]
    if given.ndim == 4:
        (tmp_path / "in").mkdir()
        file = nibabel.Nifti1Image(given.transpose(3, 2, 1, 0), np.diag([*SPACING[::-1], 1.0]))
        nibabel.save(file, tmp_path / "in" / "a_seg.nii.gz")
    made = project_of(clisc, tmp_path, given)
    assert made.code == 3 and "a_seg.nii.gz" in made.message
    assert all(part in made.message for part in words), made.message
    assert not (tmp_path / "p").exists()
    assert "--channel" not in made.message


@pytest.mark.parametrize("shift", [(0.5, 0, 0), (0, 0, 3.2)], ids=["half a pixel", "one slice"])
def test_turned_and_moved_is_not_the_same_place(clisc, tmp_path, shift):
    straight = sitk.GetImageFromArray(TUMOUR.astype(np.uint8))
    straight.SetSpacing(SPACING[::-1])
    straight.SetOrigin((np.array((-70.0, 40.0, -15.0)) + shift).tolist())
    (tmp_path / "in").mkdir()
    sitk.WriteImage(sitk.DICOMOrient(straight, "RAS"), str(tmp_path / "in" / "a_seg.nii.gz"))
    made = project_of(clisc, tmp_path, None)
    assert made.code == 3 and "does not lie on its image's grid" in made.message
    assert "nearest-neighbour" in made.message and not (tmp_path / "p").exists()
