"""NIfTI of every kind: voxels and places as nibabel and SimpleITK read them, and masks over the scan."""

import bz2
import gzip
import json
import re
import shutil
import struct
from dataclasses import asdict

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clisc_engine.errors import BadInput
from clisc_engine.imaging.geometry import difference
from clisc_engine.imaging.header import read_header
from clisc_engine.imaging.placement import Placement, restore, stored_part
from clisc_engine.imaging.preprocess import preprocess
from clisc_engine.imaging.references import read_mask
from clisc_engine.imaging.source import hash_of
from clisc_engine.imaging.volume import read_volume, write_image, write_mask
from clisc_engine.importing.discover import find_cases
from clisc_engine.project.case_record import CaseInfo
from tests.support.niftis import AFFINE, affine, nifti, placed_alike
from tests.support.volumes import ball, write

FAST = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SHAPE = (7, 9, 11)


BRAIN = (14, 16, 18)


def marks(shape=SHAPE):
    return (np.random.default_rng(0).random(shape) < 0.3).astype(np.uint8)


def edited(path, *fields):
    """Header fields (offset, layout, values) of a .nii overwritten."""
    data = bytearray(path.read_bytes())
    for offset, layout, *values in fields:
        struct.pack_into(layout, data, offset, *values)
    path.write_bytes(data)
    return path


@FAST
@given(
    st.tuples(*[st.floats(-180, 180)] * 6),
    st.tuples(*[st.floats(0.3, 7)] * 3),
    st.tuples(*[st.floats(-150, 150)] * 6),
    st.tuples(*[st.sampled_from([1, -1])] * 3),
    st.tuples(st.integers(0, 4), st.integers(0, 4)).filter(any),
    st.sampled_from([nibabel.Nifti1Image, nibabel.Nifti2Image]),
    st.sampled_from(["mm", "m", "um", ""]),
    st.sampled_from("<>"),
)
def test_any_two_forms_come_back_in_the_mask(
    tmp_path, angles, spacing, origin, signs, codes, kind, units, order
):
    """The place is nibabel's; the mask's header says what the scan's does, in whatever unit."""
    scale = {"m": 1e-3, "um": 1e3}.get(units, 1.0)
    unit = np.diag([scale, scale, scale, 1.0])
    first = unit @ affine(angles[:3], spacing, origin[:3])
    second = unit @ affine(angles[3:], spacing, origin[3:], signs)
    source = nifti(
        tmp_path / "a.nii",
        ball(SHAPE),
        qform=first,
        sform=second,
        codes=codes,
        kind=kind,
        units=units,
        order=order,
    )
    volume = read_volume(source)
    np.testing.assert_array_equal(volume.array, ball(SHAPE))
    theirs = np.linalg.inv(unit) @ nibabel.load(source).affine
    np.testing.assert_allclose(volume.geometry.affine, theirs, rtol=1e-4, atol=1e-3)
    again = Placement.from_dict(
        json.loads(json.dumps(Placement(volume.geometry, volume.geometry, ((0, 7),) * 3).to_dict()))
    )
    assert again.source == volume.geometry
    write_mask(tmp_path / "a_seg.nii.gz", marks(), again.source)
    placed_alike(tmp_path / "a_seg.nii.gz", source)
    mask = read_mask(tmp_path / "a_seg.nii.gz")
    np.testing.assert_array_equal(mask.array, marks())
    assert mask.geometry == volume.geometry and difference(mask.geometry, volume.geometry) == ""


@pytest.mark.parametrize("slope", [0.0, float("nan")])
def test_a_slope_that_is_none_scales_nothing(tmp_path, slope):
    """So says the standard, and nibabel; SimpleITK adds the intercept all the same."""
    path = edited(nifti(tmp_path / "a.nii", ball(SHAPE)), (112, "<2f", slope, 5.0))
    np.testing.assert_array_equal(read_volume(path).array, nibabel.load(path).get_fdata().T)


KINDS = ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]


SCALES = [None, (0.37, 11.3), (1.0, 0.0), (1.0, -7.0)]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", KINDS)
def test_voxels_are_exactly_simpleitk_s(tmp_path, dtype, order, scale):
    rng = np.random.default_rng(1)
    top = 1e9 if dtype[0] == "f" else min(np.iinfo(dtype).max, 2**40)
    array = (ball(SHAPE) / 200 * top * rng.random(SHAPE)).astype(dtype)
    path = nifti(tmp_path / "a.nii", array, order=order)
    if scale:
        edited(path, (112, f"{order}2f", *scale))
    ours = read_volume(path).array
    theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(path))).astype(np.float32)
    assert ours.dtype == np.float32 and ours.dtype.isnative
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.NII.GZ", "a.img", "a.hdr", "a.img.gz"])
@pytest.mark.parametrize("zipped", [True, False])
def test_gzip_is_told_by_content(tmp_path, name, zipped):
    pair = ".nii" not in name.lower()
    written = nifti(
        tmp_path / ("w.img" if pair else "w.nii"),
        ball(SHAPE),
        kind=nibabel.Nifti1Pair if pair else nibabel.Nifti1Image,
    )
    stem = name.split(".")[0]
    ends = (
        {".img": name.replace(".hdr", ".img")[1:], ".hdr": name.replace(".img", ".hdr")[1:]}
        if pair
        else {".nii": name[1:]}
    )
    for end, wanted in ends.items():
        data = written.with_suffix(end).read_bytes()
        (tmp_path / f"{stem}{wanted}").write_bytes(gzip.compress(data) if zipped else data)
    np.testing.assert_array_equal(read_volume(tmp_path / name).array, ball(SHAPE))
    assert read_header(tmp_path / name).size == SHAPE[::-1]


def test_a_pair_is_one_case_and_one_hash(tmp_path):
    for name in ("a_flair.img", "b_flair.img.gz"):
        nifti(tmp_path / "in" / name, ball(), kind=nibabel.Nifti1Pair)
    cases = find_cases(str(tmp_path / "in"), None)
    found = {case.name: case.image.name for case in cases}
    assert list(found.items()) == [
        ("a", "a_flair.img"),
        ("b", "b_flair.img.gz"),
    ]
    image, header = tmp_path / "in/a_flair.img", tmp_path / "in/a_flair.hdr"
    assert hash_of(image) == hash_of(header)
    before = hash_of(image)
    edited(header, (280, "<f", 0.95))
    assert hash_of(image) != before, "a header says where the voxels lie"
    header.unlink()
    with pytest.raises(BadInput, match=r"a_flair\.img .*a_flair\.hdr, which is not there"):
        read_volume(image)


def test_the_mask_of_a_pair_is_one_file(tmp_path):
    kind, turned = nibabel.Nifti1Pair, affine((5, 6, 7))
    source = nifti(tmp_path / "a.img", ball(SHAPE), sform=turned, codes=(1, 2), kind=kind)
    write_mask(tmp_path / "a_seg.nii.gz", marks(), read_volume(source).geometry)
    placed_alike(tmp_path / "a_seg.nii.gz", source)
    with pytest.raises(BadInput, match=r"b\.img.*name it \.nii\.gz"):
        write_mask(tmp_path / "b.img", marks(), read_volume(source).geometry)


def rgb(path):
    kind = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.save(nibabel.Nifti1Image(np.zeros(SHAPE, kind), AFFINE), path)


def vector(path):
    nibabel.save(nibabel.Nifti1Image(np.ones((*SHAPE, 1, 3), np.float32), AFFINE), path)


def many(path):
    nibabel.save(nibabel.Nifti1Image(np.ones((*SHAPE, 2, 3), np.float32), AFFINE), path)


def flat(path):
    nibabel.save(nibabel.Nifti1Image(np.ones((9, 9, 1, 12), np.float32), AFFINE), path)


def analyze(path):
    image = nibabel.AnalyzeImage(ball(SHAPE).T, AFFINE)
    nibabel.save(image, path.with_name("x.img"))
    if path.suffix == ".img":
        shutil.move(path.with_name("x.img"), path)
        shutil.move(path.with_name("x.hdr"), path.with_suffix(".hdr"))
    else:
        path.write_bytes(
            path.with_name("x.hdr").read_bytes() + b"\0" * 4 + path.with_name("x.img").read_bytes()
        )


def header(*fields, **how):
    return lambda path: edited(nifti(path, ball(SHAPE), **how), *fields)


def pair_as_one(path):
    nifti(path.with_name("w.nii"), ball(SHAPE))
    shutil.move(path.with_name("w.nii"), path)
    path.with_suffix(".hdr").write_bytes(path.read_bytes())


def cut_later(path):
    image = nibabel.Nifti1Image(np.random.default_rng(0).random((*SHAPE, 3)).astype(np.float32), AFFINE)
    nibabel.save(image, path)
    path.write_bytes(path.read_bytes()[:-40])


NAN = float("nan")
REFUSED = {
    "colours": ("a.nii", rgb, "3 values a voxel"),
    "vectors": ("a.nii", vector, "3 values a voxel"),
    "five dimensions": ("a.nii", many, "not a 3-D volume"),
    "one slice in time": ("a.nii", flat, "not a 3-D volume"),
    "complex": ("a.nii", lambda p: nifti(p, ball(SHAPE).astype(np.complex64)), "complex"),
    "128-bit floats": ("a.nii", header((70, "<h", 1536)), "datatype 1536"),
    "one bit a voxel": ("a.nii", header((70, "<h", 1)), "datatype"),
    "unknown datatype": ("a.nii", header((70, "<h", 999)), "datatype"),
    "analyze pair": ("a.img", analyze, "ANALYZE 7.5.*left from right"),
    "analyze": ("a.nii", analyze, "ANALYZE 7.5"),
    "bzip2": (
        "a.nii.gz",
        lambda p: p.write_bytes(bz2.compress(nifti(p.with_name("w.nii"), ball(SHAPE)).read_bytes())),
        "bzip2.*bunzip2",
    ),
    "zip": ("a.nii", lambda p: p.write_bytes(b"PK\x03\x04" + bytes(600)), "ZIP archive"),
    "MetaImage": (
        "a.nii",
        lambda p: shutil.move(write(p.with_name("w.mha"), ball(SHAPE)), p),
        "MetaImage; give it the ending .mha",
    ),
    "no dimension": ("a.nii", header((40, "<h", 0)), "damaged.*0 dimensions"),
    "negative size": ("a.nii", header((44, "<h", -9)), "damaged.*dimensions"),
    "voxels in the header": ("a.nii", header((108, "<f", 100.0)), "damaged.*byte 100"),
    "voxels nowhere": ("a.nii", header((108, "<f", NAN)), "damaged.*byte nan"),
    "voxels far off": ("a.nii", header((108, "<f", 1e9)), "cannot hold"),
    "no intercept": ("a.nii", header((112, "<2f", 2.0, NAN)), "nan"),
    "one file as a pair": ("a.img", pair_as_one, "both header and voxels; give it the ending .nii"),
    "cut in a later channel": ("a.nii.gz", cut_later, "damaged or truncated"),
    "shear": ("a.nii", header(sform=affine() + np.eye(4, k=1) * 0.2, codes=(0, 2)), "sheared.*Resample"),
    "sform of zeros": ("a.nii", header((280, "<12f", *[0.0] * 12)), r"directions .*sform \(code 1\)"),
    "two axes alike": ("a.nii", header((296, "<f", 0.9), (300, "<f", 0.0)), "directions"),
    "qform without a sform": (
        "a.nii",
        header((268, "<f", NAN), codes=(1, 0)),
        r"origin .*qform \(code 1\)",
    ),
    "quaternion too long": ("a.nii", header((256, "<f", 2.0)), r"directions .*qform \(code 1\)"),
    "handedness of no kind": ("a.nii", header((76, "<f", -3.0)), "directions"),
    "metres that are mm": ("a.nii", header(units="m"), r"counts in metres"),
    "microns that are mm": ("a.nii", header(units="um"), r"counts in microns"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_in_doubt_is_refused_by_name(tmp_path, kind):
    name, make, said = REFUSED[kind]
    make(tmp_path / name)
    with pytest.raises(BadInput, match=said) as error:
        read_volume(tmp_path / name, channel=0 if "channel" in kind else None)
    assert str(tmp_path / name) in str(error.value) and error.value.exit_code == 3


def test_trailing_dimensions_of_one_are_none(tmp_path):
    image = nibabel.Nifti1Image(ball(SHAPE).T[..., None, None], AFFINE)
    nibabel.save(image, tmp_path / "a.nii")
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii").array, ball(SHAPE))


def test_a_channel_is_read_and_its_mask_is_three_dimensional(tmp_path):
    channels = np.stack([ball(SHAPE, seed) for seed in range(3)], axis=-1)
    image = nibabel.Nifti1Image(channels.transpose(2, 1, 0, 3), AFFINE)
    image.set_qform(AFFINE, 1), image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, tmp_path / "a.nii.gz")
    for channel in range(3):
        volume = read_volume(tmp_path / "a.nii.gz", channel)
        np.testing.assert_array_equal(volume.array, channels[..., channel])
    write_mask(tmp_path / "a_seg.nii.gz", marks(), volume.geometry)
    placed_alike(tmp_path / "a_seg.nii.gz", tmp_path / "a.nii.gz")


def moved(by):
    found = AFFINE.copy()
    found[:3, 3] += by
    return found


FORMS = {
    "the same": (AFFINE, AFFINE, (1, 1), ""),
    "half a voxel": (AFFINE, moved((0.44, 0, 0)), (1, 2), ""),
    "a voxel": (
        AFFINE,
        moved((0.9, 0, 0)),
        (1, 2),
        r"1 voxels apart: the sform \(code 2\) was used",
    ),
    "flipped": (AFFINE, AFFINE @ np.diag([-1.0, 1, 1, 1]), (1, 4), r"sform \(code 4\) was used"),
    "only a qform": (AFFINE, moved((30, 0, 0)), (1, 0), ""),
    "only a sform": (AFFINE, moved((30, 0, 0)), (0, 3), ""),
    "none": (AFFINE, AFFINE, (0, 0), "does not say how it lies"),
    "a bare sform of other spacing": (
        affine(spacing=(2, 2, 2)),
        AFFINE,
        (0, 2),
        "by its sform, which was used",
    ),
}


@pytest.mark.parametrize("kind", FORMS)
def test_forms_that_disagree_are_told_with_the_one_used(tmp_path, kind):
    qform, sform, codes, said = FORMS[kind]
    path = nifti(tmp_path / "a.nii", ball(SHAPE), qform=qform, sform=sform, codes=codes)
    volume = read_volume(path)
    np.testing.assert_allclose(volume.geometry.affine, nibabel.load(path).affine, atol=1e-5)
    assert len(volume.notes) == bool(said)
    if said:
        assert re.search(said, volume.notes[0]) and str(path) in volume.notes[0]
    write_mask(tmp_path / "m.nii.gz", marks(), volume.geometry)
    placed_alike(tmp_path / "m.nii.gz", path)


def reference(path, form):
    return read_mask(nifti(path, marks(), qform=form, sform=form, codes=(1, 1))).geometry


def test_a_reference_fits_by_either_form(tmp_path):
    other = moved((10, -5, 3))
    image = read_volume(
        nifti(tmp_path / "a.nii", ball(SHAPE), qform=AFFINE, sform=other, codes=(1, 2))
    ).geometry
    assert difference(reference(tmp_path / "s.nii", other), image) == ""
    assert difference(reference(tmp_path / "q.nii", AFFINE), image) == ""
    assert "origin" in difference(reference(tmp_path / "x.nii", moved((1, 1, 1))), image)
    written = write(tmp_path / "itk.mha", marks(), (0.9, 1.1, 4.0), (12, -9, -20), np.diag([-1, -1, 1]))
    assert difference(read_mask(written).geometry, image) == "", "SimpleITK wrote it by the qform"


def test_a_reference_fits_an_image_that_says_no_place(tmp_path):
    image = read_volume(nifti(tmp_path / "a.nii", ball(SHAPE), codes=(0, 0)))
    scan = sitk.ReadImage(str(tmp_path / "a.nii"))
    drawn = sitk.GetImageFromArray(marks())
    drawn.CopyInformation(scan)
    sitk.WriteImage(drawn, str(tmp_path / "a_seg.nii.gz"))
    assert difference(read_mask(tmp_path / "a_seg.nii.gz").geometry, image.geometry) == ""


@pytest.mark.parametrize("shear, told", [(1e-6, False), (2e-3, True), (5e-3, True)])
def test_a_shear_of_rounding_is_squared_up_and_the_mask_keeps_it(tmp_path, shear, told):
    bent = affine((4, 3, 2), (1.0, 1.0, 1.0))
    bent[:3, 1] += shear * bent[:3, 0]
    path = nifti(tmp_path / "a.nii", ball((12, 24, 24)), qform=bent, sform=bent, codes=(0, 1))
    volume = read_volume(path)
    axes = volume.geometry.matrix
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-5)
    assert bool(volume.notes) == told and (not told or "squared up" in volume.notes[0])
    corners = np.array([[x, y, z, 1] for x in (0, 23) for y in (0, 23) for z in (0, 11)])
    apart = (corners @ volume.geometry.affine.T - corners @ nibabel.load(path).affine.T)[:, :3]
    assert np.linalg.norm(apart, axis=1).max() < 0.1, "voxels of 1 mm stay within a tenth of one"
    write_mask(tmp_path / "m.nii.gz", marks((12, 24, 24)), volume.geometry)
    ours, theirs = nibabel.load(tmp_path / "m.nii.gz"), nibabel.load(path)
    np.testing.assert_array_equal(ours.affine, theirs.affine)


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".mha", ".nrrd"])
@pytest.mark.parametrize("source", [".nii", ".mha", ".nrrd"])
def test_volumes_go_from_any_format_to_any(tmp_path, source, ending):
    """The other format's reader puts every voxel where SimpleITK had it in the source."""
    turned = affine((12, -7, 31))
    path = nifti(tmp_path / "a.nii", ball(SHAPE), qform=turned, sform=turned)
    if source != ".nii":
        sitk.WriteImage(sitk.ReadImage(str(path)), str(tmp_path / f"a{source}"))
        path = tmp_path / f"a{source}"
    write_image(tmp_path / f"b{ending}", ball(SHAPE), read_volume(path).geometry)
    one, other = (sitk.ReadImage(str(file)) for file in (path, tmp_path / f"b{ending}"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(other), ball(SHAPE))
    for index in ((0, 0, 0), (10, 8, 6), (10, 0, 3)):
        np.testing.assert_allclose(
            one.TransformIndexToPhysicalPoint(index), other.TransformIndexToPhysicalPoint(index), atol=1e-4
        )
    if ending.startswith(".nii"):
        np.testing.assert_allclose(nibabel.load(tmp_path / f"b{ending}").affine, turned, atol=1e-4)
        found = nibabel.load(tmp_path / f"b{ending}").header
        assert (found["qform_code"], found["sform_code"], found["xyzt_units"]) == (1, 1, 2)


@FAST
@given(
    st.tuples(*[st.sampled_from([0, 30, 45, 90, 135, 180, -45]) | st.floats(-180, 180)] * 3),
    st.tuples(*[st.sampled_from([1, -1])] * 3),
)
def test_masks_return_to_their_voxels_however_the_scan_lies(tmp_path, angles, signs):
    turned = affine(angles, (1.0, 1.3, 2.0), signs=signs)
    path = nifti(tmp_path / "a.nii", ball(BRAIN), qform=turned, sform=turned)
    write_mask(tmp_path / "m.nii", marks(BRAIN) * (ball(BRAIN) != 0), read_volume(path).geometry)
    image, spacing, placement = preprocess(read_volume(path))
    mask = read_mask(tmp_path / "m.nii")
    stored = stored_part(mask.array, placement)
    assert stored.shape == image.shape and stored.sum() == mask.array.sum()
    assert sorted(spacing) == pytest.approx([1.0, 1.3, 2.0], rel=1e-5)
    np.testing.assert_array_equal(restore(stored, placement), mask.array)
    np.testing.assert_array_equal(restore(image != 0, placement), ball(BRAIN) != 0)
    upward = np.array(placement.grid.direction).reshape(3, 3)[2]
    assert np.argmax(np.abs(upward)) == 2 or np.abs(upward).max() < 0.75, "z is the axis that goes up"


def test_records_of_version_0_1_0_and_new_ones_are_read(tmp_path):
    volume = read_volume(nifti(tmp_path / "a.nii", ball(), sform=affine((1, 2, 3)), codes=(1, 2)))
    placement = preprocess(volume)[2]
    record = CaseInfo("a", "train", placement.spacing, placement.to_dict(), "/a.nii", "00", False)
    found = CaseInfo.parse(json.loads(json.dumps(asdict(record))))
    assert Placement.from_dict(found.placement) == placement
    old = json.loads(json.dumps(asdict(record)))
    for grid in ("source", "grid"):
        del old["placement"][grid]["forms"]
    found = Placement.from_dict(CaseInfo.parse(old).placement)
    assert found.source.forms is None and found.source.origin == placement.source.origin
    for field, wrong in (("pixdim", [1, 2]), ("version", 3), ("qform_code", 10**6), ("colour", 1)):
        spoilt = json.loads(json.dumps(asdict(record)))
        spoilt["placement"]["source"]["forms"][field] = wrong
        assert CaseInfo.parse(spoilt) is None
