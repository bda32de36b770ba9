"""`clisc predict` and `clisc export` as a user calls them."""

import json
import shutil

import numpy as np
import pytest
import SimpleITK as sitk

from tests.support.small import small_project


@pytest.fixture
def model(clisc, finished, tmp_path):
    shown = clisc("export", "model", finished.root, "-o", tmp_path / "brain.clisc")
    assert shown.code == 0 and "unet-round2, 2 volumes" in shown.out
    return tmp_path / "brain.clisc"


def test_one_image_and_one_file(clisc, model, data, tmp_path):
    out = tmp_path / "masks" / "mine.nii.gz"
    image = data / "images" / "p4_flair.nii.gz"
    shown = clisc("predict", model, image, "-o", out, "--probabilities", "--device", "cpu")
    assert shown.code == 0 and out.is_file() and "mine.nii.gz" in shown.out
    assert "bundled tiny models" in shown.err
    assert (out.parent / "mine_probability.nii.gz").is_file()
    assert clisc("predict", model, image, data / "images", "-o", out).code == 2
    assert clisc("predict", model, data / "images", "-o", out).code == 2


def test_folders_with_a_bad_file_end_with_5(clisc, model, data, tmp_path):
    shutil.copytree(data / "images", tmp_path / "in")
    (tmp_path / "in" / "p2_flair.nii.gz").write_bytes(b"no image")
    shown = clisc("predict", model, tmp_path / "in", "-o", tmp_path / "out", "--json", "--quiet")
    assert shown.code == 5 and "p2" in shown.err
    document = json.loads(shown.out)
    assert sorted(document["cases"]) == ["p0", "p1", "p3", "p4"] and list(document["failed"]) == ["p2"]
    again = clisc("predict", model, data / "images", "-o", tmp_path / "out", "--quiet")
    assert again.code == 0 and "1 done, 4 up to date" in again.out


def test_errors_of_predict_say_what_to_do(clisc, finished, data, tmp_path):
    image = data / "images" / "p0_flair.nii.gz"
    assert clisc("predict", tmp_path / "none.clisc", image, "-o", tmp_path / "o").code == 3
    assert clisc("predict", tmp_path / "nowhere", image, "-o", tmp_path / "o").code == 4
    assert clisc("predict", finished.root, tmp_path / "none.nii.gz", "-o", tmp_path / "o").code == 3
    assert clisc("predict", finished.root, image).code == 2


def test_exports(clisc, copied, tmp_path):
    root = copied.root
    masks = clisc("export", "masks", root, "-o", tmp_path / "m", "--splits", "test", "--device", "cpu")
    assert masks.code == 0 and [p.name for p in (tmp_path / "m").glob("*.nii.gz")] == ["p4_round2.nii.gz"]
    made = clisc("export", "nnunet", root, "-o", tmp_path / "raw", "--masks", "sam", "--json", "--quiet")
    assert len(json.loads(made.out)["cases"]) == 5
    assert (tmp_path / "raw" / "Dataset501_CLISC" / "dataset.json").is_file()
    tables = clisc("export", "csv", root, "-o", tmp_path / "t")
    assert tables.code == 0 and tables.out.split() == [
        str(tmp_path / "t" / name) for name in ("slices.csv", "cases.csv")
    ]
    assert clisc("export", "model", root, "-o", tmp_path / "m.pt").code == 2
    bids = clisc("export", "bids", root, "-o", tmp_path / "b", "--masks", "sam", "--json", "--quiet")
    assert len(json.loads(bids.out)["done"]) == 5
    bundle = clisc("export", "bundle", root, "-o", tmp_path / "bundle", "--json")
    assert json.loads(bundle.out)["network"] == "unet-round2"
    refused = clisc("export", "dicom-seg", root, "-o", tmp_path / "d", "--masks", "sam")
    assert refused.code == 3 and "came from DICOM" in refused.err


def test_masks_of_other_settings_are_exported_with_a_warning(clisc, copied, tmp_path):
    fresh = clisc("export", "masks", copied.root, "-o", tmp_path / "a", "--masks", "sam")
    assert fresh.code == 0 and "warning" not in fresh.err
    assert clisc("config", "set", copied.root, "roi.threshold=0.3").code == 0
    stale = clisc("export", "masks", copied.root, "-o", tmp_path / "b", "--masks", "sam")
    assert stale.code == 0 and "prompt-sam would now give others" in " ".join(stale.err.split())
    assert f"`clisc run {copied.root}` makes them anew" in " ".join(stale.err.split())


def test_new_volumes_are_prepared_as_those_that_the_network_learnt_from(clisc, copied, data, tmp_path):
    image = data / "images" / "p4_flair.nii.gz"

    def mask(name):
        assert clisc("predict", copied.root, image, "-o", tmp_path / name, "--device", "cpu").code == 0
        return sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / name))

    before = mask("before.nii.gz")
    keys = ("image.clip_percentile=70", "image.resample_in_plane=7")
    shown = clisc("config", "set", copied.root, *keys)
    assert shown.code == 0 and "the others stay as they were imported" in " ".join(shown.out.split())
    assert before.any() and np.array_equal(mask("after.nii.gz"), before)
    assert "imported" not in clisc("config", "set", copied.root, "amda.t=20").out


def test_without_any_network_no_round_is_offered_instead(clisc, data, tmp_path):
    project = small_project(tmp_path / "project", data)
    image = data / "images" / "p4_flair.nii.gz"
    refused = clisc("predict", project.root, image, "-o", tmp_path / "out", "--device", "cpu")
    assert refused.code == 4 and "unet-round2 is not trained" in refused.message
    assert "--network" not in refused.message


def test_show_without_a_case_names_what_lists_them(clisc, data, tmp_path):
    project = small_project(tmp_path / "project", data)
    refused = clisc("show", project.root)
    assert refused.code == 2 and "clisc cases list" in refused.message
