"""Data as people have it: `init` takes the FLAIR image of every case, and its own reference."""

import json
import shutil

import numpy as np
import pytest
import SimpleITK as sitk

from clisc_engine.imaging.placement import Placement, restore
from clisc_engine.project.project import open_project
from tests.support.layouts import (
    LAYOUTS,
    contrast,
    four_dimensional,
    numbered_channels,
    tumour,
    write_dicom,
)
from tests.support.volumes import ball, write


def init(clisc, root, layout, *options):
    references = ("--references", layout.references) if layout.references else ()
    return clisc(
        *("init", root, "--images", layout.images, *references, "--weights", "tiny"),
        *(*layout.options, *options),
    )


@pytest.mark.parametrize("name", LAYOUTS)
def test_init_takes_flair_and_the_reference_of_every_case(clisc, tmp_path, name):
    (tmp_path / "data").mkdir()
    layout = LAYOUTS[name](tmp_path / "data")
    planned = init(clisc, tmp_path / "p", layout, "--dry-run", "--json")
    assert planned.code == 0 and not (tmp_path / "p").exists()
    listed = {case["case"]: case for case in json.loads(planned.out)["cases"]}
    assert {case["problem"] for case in listed.values()} == {""}
    assert {case for case in listed if listed[case]["reference"]} == set(layout.masks)

    made = init(clisc, tmp_path / "p", layout)
    assert made.code == 0, made.err
    project = open_project(tmp_path / "p")
    assert {case.info.name for case in project.cases()} == set(layout.flair) == set(listed)
    for case in project.cases():
        info = case.info
        assert (info.source, info.split) == (listed[info.name]["image"], listed[info.name]["split"])
        placement = Placement.from_dict(info.placement)
        flair = layout.flair[info.name]
        stored = restore(case.read("image").astype(np.float32), placement)
        assert np.corrcoef(stored[flair != 0], flair[flair != 0])[0, 1] > 0.99
        assert listed[info.name]["size"] == list(flair.shape[::-1])
        assert info.has_reference == (info.name in layout.masks)
        if info.has_reference:
            np.testing.assert_array_equal(project.references.read(info), layout.masks[info.name])
    if layout.splits:
        assert {case.info.name: case.info.split for case in project.cases()} == layout.splits


def test_the_table_of_a_dry_run(clisc, tmp_path):
    layout = LAYOUTS["decathlon"](tmp_path)
    shown = init(clisc, tmp_path / "p", layout, "--dry-run")
    assert shown.out.splitlines()[0] == "init: 3 cases (1 train, 1 valid, 1 test) would be imported"
    header, *rows = [line.split() for line in shown.out.splitlines()[1:]]
    assert header == ["case", "split", "voxels", "mm", "channel", "image", "reference"]
    size = ["26", "x", "24", "x", "12", "1", "x", "1", "x", "1"]
    assert [[row[0], *row[2:]] for row in rows] == [
        [case, *size, "1", f"{case}.nii.gz", f"{case}.nii.gz"] for case in layout.flair
    ]


@pytest.mark.parametrize("other", ["c/c_flair.nii.gz", "a/FLAIR.mha", "c/d/flair.nii.gz", "flair.nii.gz"])
def test_files_called_flair_alone_are_never_dropped_for_their_names(clisc, tmp_path, other):
    """Beside files that name their case, or where folders do not tell one case from another."""
    for seed, name in enumerate(("a/flair.nii.gz", "b/flair.nii.gz", other)):
        write(tmp_path / "data" / name, ball(seed=seed))
    options = ("--images", tmp_path / "data", "--weights", "tiny")
    refused = clisc("init", tmp_path / "p", *options)
    assert refused.code == 3 and "have the same case name 'flair'" in refused.message
    assert all(str(tmp_path / "data" / f"{name}/flair.nii.gz") in refused.message for name in "ab")
    assert "CSV with the columns case,image" in refused.message and not (tmp_path / "p").exists()


def test_contrasts_beside_a_file_called_flair_alone(clisc, tmp_path):
    """One folder: its T1 is of the case, that of another folder is of none."""
    for seed, name in enumerate(("a/flair.nii.gz", "a/T1.nii.gz", "b/t1.nii.gz")):
        write(tmp_path / "data" / name, ball(seed=seed))
    write(tmp_path / "data" / "a" / "seg.nii.gz", tumour("a")[:, :, :24])
    given = ("--images", tmp_path / "data", "--references", tmp_path / "data", "--weights", "tiny")
    told = json.loads(clisc("init", tmp_path / "p", *given, "--dry-run", "--json").out)
    assert {one["path"]: one["reason"] for one in told["left_out"]} == {
        str(tmp_path / "data" / "a/T1.nii.gz"): "another contrast of a case that was taken",
        str(tmp_path / "data" / "b/t1.nii.gz"): "another contrast of a case without a FLAIR image",
    }
    assert [(case["case"], case["reference"][-10:]) for case in told["cases"]] == [("flair", "seg.nii.gz")]
    assert "b" not in told["splits"] and "t1.nii.gz" in told["warnings"][0]


UNCLEAR = {
    "channels": (numbered_channels, (), "channels 0, 1, 2, 3 of each case"),
    "no such channel": (numbered_channels, ("--channel", "4"), "there is no channel 4"),
    "4-D": (four_dimensional, (), "--channel 0 to 2"),
    "no such volume": (four_dimensional, ("--channel", "3"), "there is no channel 3"),
    "no such name": (four_dimensional, ("--channel", "FLAIR"), "give its number, counted from 0"),
    "wrong name": (LAYOUTS["decathlon"], ("--channel", "T2"), "0 T1w, 1 FLAIR, 2 t1gd"),
}


@pytest.mark.parametrize("kind", UNCLEAR)
def test_a_contrast_that_is_not_clear_is_asked_for(clisc, tmp_path, kind):
    build, options, reason = UNCLEAR[kind]
    refused = init(clisc, tmp_path / "p", build(tmp_path), *options)
    assert refused.code == 3
    assert reason in refused.message
    assert not (tmp_path / "p").exists()


def test_a_dry_run_names_what_headers_speak_against(clisc, tmp_path):
    layout = four_dimensional(tmp_path)
    write(tmp_path / "labelsTr" / "BRATS_002.nii.gz", np.ones((3, 4, 5), np.uint8))
    shown = init(clisc, tmp_path / "p", layout, "--channel", "0", "--dry-run")
    assert "BRATS_002: the reference is 5 x 4 x 3, not 26 x 24 x 12" in shown.message
    assert "BRATS_001:" not in shown.message
    unclear = init(clisc, tmp_path / "p", layout, "--dry-run")
    assert "BRATS_001: 4-D with 3 volumes; choose one with --channel 0 to 2" in unclear.message


def test_a_contrast_chosen_by_name(clisc, tmp_path):
    layout = LAYOUTS["decathlon"](tmp_path)
    assert init(clisc, tmp_path / "p", layout, "--channel", "t1GD").code == 0
    assert {case.info.channel for case in open_project(tmp_path / "p").cases()} == {2}


def test_another_channel_is_another_image(clisc, tmp_path):
    """What an interrupted import left of one channel does not pass for another's."""
    layout = four_dimensional(tmp_path)
    seals = []
    for channel in ("0", "1"):
        assert init(clisc, tmp_path / channel, layout, "--channel", channel).code == 0
        seals.append(open_project(tmp_path / channel).case("BRATS_001").seal("image"))
    assert seals[0].fingerprint != seals[1].fingerprint


def test_repair_imports_the_same_channel_again(clisc, tmp_path):
    layout = LAYOUTS["decathlon"](tmp_path)
    assert init(clisc, tmp_path / "p", layout).code == 0
    before = open_project(tmp_path / "p").case("BRATS_001").read("image")
    shutil.rmtree(tmp_path / "p" / "store.zarr" / "cases" / "BRATS_001" / "image" / "c")
    assert clisc("verify", tmp_path / "p", "--repair").code in (0, 3)
    np.testing.assert_array_equal(open_project(tmp_path / "p").case("BRATS_001").read("image"), before)


def test_several_dicom_series_of_which_none_says_flair(clisc, tmp_path):
    for number, description in enumerate(("AX T1", "AX T2")):
        write_dicom(tmp_path / "data" / "one" / description, ball(), f"1.2.{number}", description)
    refused = clisc("init", tmp_path / "p", "--images", tmp_path / "data", "--weights", "tiny")
    assert refused.code == 3 and "none of them says that it is FLAIR (AX T1, AX T2)" in refused.message


def test_a_table_that_gives_only_some_splits_is_refused(clisc, tmp_path):
    for name in ("a", "b"):
        write(tmp_path / f"{name}.nii", ball())
    (tmp_path / "m.csv").write_text("case,image,split\na,a.nii,train\nb,b.nii,\n", encoding="utf-8")
    refused = clisc("init", tmp_path / "p", "--images", tmp_path / "m.csv", "--weights", "tiny")
    assert refused.code == 3 and "m.csv gives no split for b" in refused.message
    both = ("--images", tmp_path / "m.csv", "--references", tmp_path)
    assert clisc("init", tmp_path / "p", *both, "--weights", "tiny").code == 3


def test_images_are_not_their_own_references(clisc, tmp_path):
    write(tmp_path / "data" / "a.nii.gz", ball())
    folder = tmp_path / "data"
    refused = clisc("init", tmp_path / "p", "--images", folder, "--references", folder)
    assert refused.code == 3 and "no masks there" in refused.message


def test_predict_takes_the_channel_that_is_flair(clisc, finished, tmp_path):
    """A 4-D file and its FLAIR volume alone have one mask, on one grid."""
    layout = LAYOUTS["decathlon"](tmp_path)
    case = "BRATS_001"
    write(tmp_path / "alone.nii.gz", contrast(case, 1))
    four_d = f"{layout.images}/imagesTr/{case}.nii.gz"
    for name, image, options in (
        ("a", tmp_path / "alone.nii.gz", ()),
        ("b", four_d, ()),
        ("c", four_d, ("--channel", "1")),
        ("d", four_d, ("--channel", "0")),
    ):
        out = tmp_path / f"{name}.nii.gz"
        made = clisc(
            "predict", finished.root, image, "-o", out, "--probabilities", "--device", "cpu", *options
        )
        assert made.code == 0, made.err
    read = {
        name: sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / f"{name}_probability.nii.gz")))
        for name in "abcd"
    }
    np.testing.assert_array_equal(read["a"], read["b"])
    np.testing.assert_array_equal(read["a"], read["c"])
    assert not np.array_equal(read["a"], read["d"])
