"""Folders of links, as datalad, git-annex and DVC keep them: followed when asked, told otherwise."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from tests.support.volumes import ball, write


@pytest.fixture
def linked(tmp_path):
    """A folder of links to two scans with their references in a store beside it."""
    folder = tmp_path / "linked"
    folder.mkdir()
    for seed, case in enumerate(("a", "b")):
        for kind, voxels in (
            ("flair", ball(seed=seed)),
            ("seg", (ball(seed=seed) > 115).astype(np.uint8)),
        ):
            kept = write(tmp_path / "annex" / f"{case}{kind}" / f"{case}_{kind}.nii.gz", voxels)
            (folder / f"{case}_{kind}.nii.gz").symlink_to(kept)
    return folder


def planned(clisc, folder, *options):
    called = clisc("init", folder.parent / "p", "--images", folder, "--dry-run", "--json", *options)
    assert called.code == 0, called.message
    return json.loads(called.out)


def test_init_takes_what_links_lead_to_when_asked(clisc, linked):
    plan = planned(clisc, linked, "--references", linked, "--follow-links", "--weights", "tiny")
    assert [(one["case"], bool(one["reference"])) for one in plan["cases"]] == [("a", True), ("b", True)]
    assert plan["left_out"] == []
    made = clisc(
        "init", linked.parent / "p", "--images", linked, "--references", linked, "--follow-links",
        "--weights", "tiny", "--split-ratio", "1:0:0",
    )  # fmt: skip
    assert made.code == 0 and "2 cases (2 train" in made.out


def test_a_folder_of_links_alone_names_the_option(clisc, linked, tmp_path):
    made = clisc("init", tmp_path / "p", "--images", linked, "--weights", "tiny")
    assert made.code == 3 and not (tmp_path / "p").exists()
    assert f"--images {linked}: no images there; the links there lead out of the folder" in made.message
    assert "--follow-links takes" in made.message


def test_references_behind_links_alone_name_it_too(clisc, linked, tmp_path):
    made = clisc(
        "init", tmp_path / "p", "--images", f"{linked}/*_flair.nii.gz", "--references", linked,
        "--weights", "tiny",
    )  # fmt: skip
    assert made.code == 3 and f"--references {linked}: no masks there" in made.message
    assert "--follow-links takes" in made.message


def test_links_to_folders_are_followed_once_each(clisc, linked, tmp_path):
    deep = tmp_path / "deep"
    write(deep / "c_flair.nii.gz", ball(seed=7))
    (deep / "back").symlink_to(linked)
    (deep / "round").symlink_to(deep)
    (linked / "more").symlink_to(deep)
    (linked / "twice").symlink_to(deep)
    (linked / "up").symlink_to(tmp_path)
    plan = planned(clisc, linked, "--follow-links", "--weights", "tiny")
    assert [one["case"] for one in plan["cases"]] == ["a", "b", "c"]
    told = {one["path"].removeprefix(f"{linked}/") for one in plan["left_out"] if "link" in one["reason"]}
    assert told == {"more/round", "twice", "up"}, "what is left out is told; more/back is the folder itself"


def test_files_that_are_not_fetched_are_named_with_the_programs_that_fetch(clisc, tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "a_flair.nii.gz").symlink_to("../.git/annex/objects/gone.nii.gz")
    for options in ((), ("--follow-links",)):
        made = clisc("init", tmp_path / "p", "--images", folder, "--weights", "tiny", *options)
        assert made.code == 3 and "lead to nothing; fetch the files first" in made.message


def test_cases_add_and_predict_follow_them_too(clisc, linked, tmp_path):
    write(tmp_path / "plain" / "z_flair.nii.gz", ball(seed=9))
    project = tmp_path / "p"
    assert clisc("init", project, "--images", tmp_path / "plain", "--weights", "tiny").code == 0
    added = clisc("cases", "add", project, "--images", linked, "--follow-links", "--to", "train")
    assert added.code == 0 and "2 cases added" in added.out

    out = tmp_path / "masks"
    refused = clisc("predict", "bundled", linked, "-o", out)
    assert refused.code == 3 and not out.exists()
    assert f"{linked}: no images there" in refused.message and "--images" not in refused.message
    assert "--follow-links takes" in refused.message
    done = clisc("predict", "bundled", linked, "-o", out, "--follow-links")
    assert done.code == 0, done.message
    assert {path.name for path in out.glob("*.nii.gz")} == {"a_seg.nii.gz", "b_seg.nii.gz"}
    assert sitk.ReadImage(str(out / "a_seg.nii.gz")).GetSize() == ball().shape[::-1]


def test_a_folder_that_is_no_project_is_told_what_to_put_before_it(clisc, linked, tmp_path):
    called = clisc("predict", linked, "-o", tmp_path / "masks")
    words = " ".join(called.message.replace("│", " ").split())
    assert called.code == 2 and "is no project; put before it what is to segment it" in words
