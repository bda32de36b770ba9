"""Whose mask a reference is: never clisc's own, and never another case's."""

import json
import shutil

import numpy as np
import pytest
import SimpleITK as sitk

from clisc_engine.project.project import open_project
from tests.support.volumes import ball, write

EXPORTS = {"nnunet": "labelsTr/p0.nii.gz", "bids": "sub-p0/anat", "masks": "p0_sam.nii.gz"}
"""Where an export puts the mask of a case."""


def table(path, *rows):
    path.write_text("\n".join(["case,image,reference", *map(",".join, rows)]), encoding="utf-8")
    return path


def answer(outcome):
    return json.loads(outcome.out)


@pytest.fixture(params=EXPORTS)
def exported(request, clisc, finished, tmp_path):
    """A folder that `clisc export` wrote masks into, whatever the export, and that of one case."""
    made = clisc("export", request.param, finished.root, "--masks", "sam", "-o", tmp_path / "out")
    assert made.code == 0, made.err
    (mask,) = (path for path in (tmp_path / "out").rglob("*p0*.nii.gz") if "_0000" not in path.name)
    assert EXPORTS[request.param] in str(mask)
    below = "Dataset501_CLISC" if request.param == "nnunet" else ""
    return tmp_path / "out" / below, mask


def test_exported_masks_are_no_references_wherever_their_record_lies(clisc, exported, data, tmp_path):
    folder, mask = exported
    given = ("--images", data / "images", "--weights", "tiny")
    linked = tmp_path / "links" / "p0_seg.nii.gz"
    linked.parent.mkdir()
    linked.symlink_to(mask)
    renamed = shutil.copy(mask, mask.parent / "p0_reference.nii.gz")
    for references in (folder, f"{mask.parent}/*.nii.gz", linked, renamed):
        refused = clisc("init", tmp_path / "q", *given, "--references", references)
        assert refused.code == 3 and "clisc's own" in refused.message and not (tmp_path / "q").exists()


def test_a_table_that_names_an_exported_mask_is_refused(clisc, exported, data, tmp_path):
    _, mask = exported
    drawn = data / "references" / "p1_seg.nii.gz"
    rows = [(name, str(data / "images" / f"{name}_flair.nii.gz")) for name in ("p0", "p1")]
    given = table(tmp_path / "m.csv", (*rows[0], str(mask)), (*rows[1], str(drawn)))
    command = ("init", tmp_path / "q", "--images", given, "--weights", "tiny")
    for options in ((), ("--dry-run",)):
        refused = clisc(*command, *options)
        assert refused.code == 3 and "m.csv, line 2" in refused.message and str(mask) in refused.message
        assert "clisc made itself" in refused.message and not (tmp_path / "q").exists()
    assert clisc(*command, "--skip-bad", "--split-ratio", "1:0:0").code == 0
    assert [case.info.name for case in open_project(tmp_path / "q").cases()] == ["p1"]
    added = clisc("cases", "add", tmp_path / "q", "--images", given)
    assert added.code == 3 and "clisc made itself" in added.message


def test_an_exported_mask_that_was_corrected_is_a_reference(clisc, exported, data, tmp_path):
    _, mask = exported
    image = sitk.ReadImage(str(mask))
    array = sitk.GetArrayFromImage(image)
    array[np.argwhere(array)[0][0]] = 0
    corrected = sitk.GetImageFromArray(array)
    corrected.CopyInformation(image)
    sitk.WriteImage(corrected, str(mask))
    given = table(tmp_path / "m.csv", ("p0", str(data / "images" / "p0_flair.nii.gz"), str(mask)))
    assert clisc("init", tmp_path / "q", "--images", given, "--weights", "tiny").code == 0
    assert open_project(tmp_path / "q").case("p0").info.reference_source == str(mask)


def drawn(path, seed, marks=1):
    """A mask of a part of the brain, another one for each seed."""
    mask = np.zeros((12, 24, 24), np.uint8)
    mask[5:8, 8 + seed : 12 + seed, 9:14] = marks
    return write(path, mask)


@pytest.fixture
def scans(tmp_path):
    """Three images with their masks, and the way to say what is whose."""
    for seed, name in enumerate("abc"):
        write(tmp_path / f"{name}_flair.nii.gz", ball(seed=seed))
        drawn(tmp_path / f"{name}_seg.nii.gz", seed)

    def rows(**masks):
        files = {name: f"{mask}.nii.gz" if mask else "" for name, mask in masks.items()}
        given = ((name, f"{name}_flair.nii.gz", mask) for name, mask in files.items())
        return table(tmp_path / "m.csv", *given)

    return rows


def project(clisc, tmp_path, given, *options):
    split = ("--split-ratio", "1:0:0", "--weights", "tiny")
    return clisc("init", tmp_path / "p", "--images", given, *split, *options)


@pytest.mark.parametrize("copied", [False, True], ids=["one file", "a copy of it"])
def test_one_mask_for_two_images_is_refused_with_both(clisc, scans, tmp_path, copied):
    other = "z_seg" if copied else "a_seg"
    if copied:
        shutil.copy(tmp_path / "a_seg.nii.gz", tmp_path / "z_seg.nii.gz")
    given = scans(a="a_seg", b=other, c="c_seg")
    for options in ((), ("--dry-run",)):
        refused = project(clisc, tmp_path, given, *options)
        assert refused.code == 3 and not (tmp_path / "p").exists()
        said = refused.message
        assert "a (image" in said and "b (image" in said and f"{other}.nii.gz" in said
        assert "2 cases whose images differ" in said and said.count("same mask") == 1
    skipped = project(clisc, tmp_path, given, "--skip-bad")
    assert skipped.code == 0 and "skipped a: The same mask" in skipped.message
    assert [case.info.name for case in open_project(tmp_path / "p").cases()] == ["c"]


def test_one_mask_is_taken_for_several_scans_where_that_is_asked_for(clisc, scans, tmp_path):
    given = scans(a="a_seg", b="a_seg")
    assert "--share-references takes it" in project(clisc, tmp_path, given).message
    for options in (("--dry-run",), ()):
        made = project(clisc, tmp_path, given, "--share-references", *options)
        assert made.code == 0 and "2 cases whose images differ: a (image" in made.message
        assert "one tumour counts as often" in made.message
    root = tmp_path / "p"
    assert clisc("cases", "add", root, "--images", scans(c="a_seg")).code == 3
    added = clisc("cases", "add", root, "--images", scans(c="a_seg"), "--share-references")
    assert added.code == 0 and "3 cases whose images differ: c (image" in added.message
    assert all(case.info.has_reference for case in open_project(root).cases())
    again = clisc("init", root, "--images", scans(a="a_seg", b="a_seg", c="a_seg"))
    assert again.code == 3, "the call is told as what it is, as the first one was"
    again = clisc("init", root, "--images", scans(a="a_seg", b="a_seg", c="a_seg"), "--share-references")
    assert again.code == 0 and "nothing to do" in again.out


def test_a_mask_that_a_case_of_the_project_has_is_no_other_s(clisc, scans, tmp_path):
    assert project(clisc, tmp_path, scans(a="a_seg", c="")).code == 0
    before = open_project(tmp_path / "p").case("c").info
    for rows, command in (
        ({"b": "a_seg"}, ("cases", "add", tmp_path / "p")),
        ({"a": "a_seg", "b": "b_seg", "c": "a_seg"}, ("init", tmp_path / "p", "--add")),
        ({"c": "a_seg"}, ("init", tmp_path / "p")),
    ):
        for options in ((), ("--skip-bad",)) if len(rows) == 1 else ((),):
            refused = clisc(*command, "--images", scans(**rows), *options)
            assert refused.code == 3 and "2 cases whose images differ" in refused.message
            assert "a (image" in refused.message and f"{[*rows][-1]} (image" in refused.message
    assert {case.info.name for case in open_project(tmp_path / "p").cases()} == {"a", "c"}
    assert open_project(tmp_path / "p").case("c").info == before
    swapped = clisc("init", tmp_path / "p", "--images", scans(a="b_seg", c="a_seg"), "--force")
    assert swapped.code == 0, "a has another one by then"


def test_empty_masks_and_those_of_one_image_may_be_alike(clisc, scans, tmp_path):
    drawn(tmp_path / "none.nii.gz", 0, marks=0)
    assert project(clisc, tmp_path, scans(a="none", b="none")).code == 0
    assert clisc("cases", "add", tmp_path / "p", "--images", scans(c="none")).code == 0
    shutil.copy(tmp_path / "a_flair.nii.gz", tmp_path / "d_flair.nii.gz")
    again = clisc("init", tmp_path / "q", "--images", scans(a="a_seg", d="a_seg"), "--weights", "tiny")
    assert again.code == 0 and "same image" in again.message


def test_what_is_said_of_a_mask_names_its_case(clisc, scans, tmp_path):
    mask = np.zeros((12, 24, 24), np.uint8)
    mask[5:8, 8:12, 9:14] = mask[0, 0, 0] = 1
    write(tmp_path / "odd.nii.gz", mask)
    for options in (("--dry-run", "--check"), ()):
        made = project(clisc, tmp_path, scans(a="odd"), *options)
        assert made.code == 0 and "a: 1 of the 61 voxels that" in made.message


def test_own_masks_that_an_earlier_version_took_for_references_are_told(clisc, copied, data, tmp_path):
    root, given = copied.root, ("--images", data / "images")
    assert clisc("baseline", "otsu", root).code == 0
    everyone = ("evaluate", root, "--splits", "train,valid,test")
    assert clisc(*everyone).code == clisc(*everyone, "--table1").code == 0
    assert clisc("export", "masks", root, "--masks", "sam", "-o", tmp_path / "out").code == 0
    mask = tmp_path / "taken" / "p0_seg.nii.gz"
    mask.parent.mkdir()
    shutil.copy(tmp_path / "out" / "p0_sam.nii.gz", mask)
    assert clisc("init", root, *given, "--references", mask, "--force").code == 0
    said = f"1 case are masks that clisc itself made: p0 ({mask})"
    for options in ((), ("--table1",)):  # measured without the record, and then with it
        made = clisc(*everyone, *options)
        assert made.code == 0 and "clisc itself made" not in made.out + made.err
    shutil.copy(tmp_path / "out" / ".clisc-outputs.jsonl", mask.parent)
    for options in ((), ("--force",), ("--table1",), ("--table1", "--force")):
        notes = answer(clisc(*everyone, "--json", *options))["notes"]
        assert any(said in note and "--references MASKS --force" in note for note in notes), options
    found = clisc("verify", root, "--json")
    (finding,) = (one for one in answer(found)["findings"] if one["state"] == "doubtful")
    assert (
        found.code == 0
        and finding["path"].endswith("cases/p0/reference")
        and str(mask) in finding["problem"]
    )
    clisc("verify", root, "--repair")
    assert open_project(root).references.fingerprint(open_project(root).case("p0").info)
    mask.unlink()
    assert any(one["state"] == "doubtful" for one in answer(clisc("verify", root, "--json"))["findings"])
    drawn = ("--references", data / "references", "--force")
    assert clisc("init", root, *given, *drawn).code == 0
    assert answer(clisc("verify", root, "--json"))["findings"] == []
    assert not any("clisc itself made" in note for note in answer(clisc(*everyone, "--json"))["notes"])
