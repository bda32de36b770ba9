"""Scans that come again corrected, or under another name: the commands in messages do what is meant."""

import os
import shlex

import numpy as np
import pytest

from clisc_engine.project.project import open_project
from tests.support.volumes import ball, write

TINY = ("--weights", "tiny")


def scans(folder, names, first=0):
    for seed, name in enumerate(names, first):
        write(folder / "images" / f"{name}_flair.nii.gz", ball(seed=seed))
        write(folder / "masks" / f"{name}_seg.nii.gz", (ball(seed=seed) > 115).astype(np.uint8))


def infos(root):
    return {case.info.name: case.info for case in open_project(root).cases()}


@pytest.fixture
def root(clisc, tmp_path):
    scans(tmp_path, "abcd")
    (tmp_path / "s.csv").write_text("case,split\na,train\nb,train\nc,valid\nd,test\n", encoding="utf-8")
    given = (
        "--images",
        tmp_path / "images",
        "--references",
        tmp_path / "masks",
        "--split",
        tmp_path / "s.csv",
    )
    assert clisc("init", tmp_path / "p", *given, *TINY).code == 0
    return tmp_path / "p"


def commands(message):
    return [shlex.split(part)[1:] for part in message.split("`")[1::2] if part.startswith("clisc ")]


def test_a_corrected_scan_takes_the_place_of_the_other_in_its_split(clisc, root, tmp_path):
    scans(tmp_path, "d", first=9)
    given = ("--images", tmp_path / "images", "--references", tmp_path / "masks")
    refused = clisc("init", root, *given)
    assert refused.code == 3
    before = infos(root)
    for command in commands(refused.message):
        assert clisc(*command).code == 0
    after = infos(root)
    assert after["d"].sha256 != before["d"].sha256 and after["d"].split == before["d"].split == "test"
    assert after["d"].has_reference and {**after, "d": 0} == {**before, "d": 0}
    again = clisc("init", root, *given)
    assert again.code == 0 and "nothing to do" in again.out


@pytest.mark.parametrize("options", [(), ("--add",)])
def test_a_file_that_was_renamed_renames_its_case_and_is_not_added_again(clisc, root, tmp_path, options):
    for folder, ending in (("images", "flair"), ("masks", "seg")):
        (tmp_path / folder / f"d_{ending}.nii.gz").rename(tmp_path / folder / f"z_{ending}.nii.gz")
    given = ("--images", tmp_path / "images", "--references", tmp_path / "masks")
    refused = clisc("init", root, *given, *options)
    assert refused.code == 3 and "is the image of the project's d" in refused.message
    assert "--add imports" not in refused.message
    (command,) = commands(refused.message)
    assert clisc(*command).code == 0
    again = clisc("init", root, *given, *options)
    assert again.code == 0 and "files of 1 case found elsewhere" in again.out
    assert set(infos(root)) == set("abcz") and infos(root)["z"].split == "test"


def test_a_case_that_is_named_by_its_folders_is_known_by_more_folders(clisc, tmp_path):
    """One patient's weeks at first, so that the patient is not in their names; two patients' then."""
    for seed, scan in enumerate(("P1/week-0", "P1/week-1", "P2/week-0")):
        write(tmp_path / "all" / scan / "FLAIR.nii.gz", ball(seed=seed))
    first = clisc("init", tmp_path / "p", "--images", tmp_path / "all" / "P1", *TINY)
    assert first.code == 0 and set(infos(tmp_path / "p")) == {"week-0", "week-1"}
    refused = clisc("init", tmp_path / "p", "--images", tmp_path / "all", "--add")
    assert refused.code == 3
    for command in commands(refused.message):
        assert clisc(*command).code == 0
    assert clisc("init", tmp_path / "p", "--images", tmp_path / "all", "--add").code == 0
    assert set(infos(tmp_path / "p")) == {"P1_week-0", "P1_week-1", "P2_week-0"}


def test_a_copy_under_another_name_is_still_told_as_one(clisc, root, tmp_path):
    write(tmp_path / "images" / "z_flair.nii.gz", ball(seed=3))
    refused = clisc("init", root, "--images", f"{tmp_path}/images/[abcz]_flair.nii.gz")
    assert "cases rename" not in refused.message and "lacks z" in refused.message


def test_what_a_removed_case_had_is_not_missed_of_the_one_that_comes_in_its_place(clisc, copied, data):
    assert clisc("evaluate", copied.root, "--splits", "train", "--device", "cpu").code == 0
    assert clisc("cases", "remove", copied.root, "p1").code == 0
    for path in (copied.root / "checkpoints").glob("*.safetensors"):
        os.utime(path, (1.7e9, 1.7e9))  # 2023: the networks are older than the scan that comes
    measured = copied.store.attributes("metrics/evaluation")["evaluation"]
    copied.store.write_group(
        "metrics/evaluation", {"evaluation": {**measured, "time": "2023-11-14T22:13:20+00:00"}}
    )
    given = ("--images", data / "images", "--cases", "p1", "--to", "train")
    assert clisc("cases", "add", copied.root, *given).code == 0
    whole = clisc("verify", copied.root)
    assert whole.code == 0 and "all whole" in whole.out, whole.err
