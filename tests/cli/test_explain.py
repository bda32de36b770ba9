"""`clisc explain`: from a file in hand to the whole chain, and back by the commands that it prints."""

import json
import os
import shutil
import subprocess
import sys

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

CPU = ("--device", "cpu", "--quiet")


def explained(clisc, *arguments, code=0):
    shown = clisc("explain", *arguments, "--json")
    assert shown.code == code, shown.err
    return json.loads(shown.out)


def exported(clisc, root, out, kind="round2"):
    made = clisc("export", "masks", root, "-o", out, "--masks", kind, "--cases", "p4", *CPU)
    assert made.code == 0, made.err
    return out / f"p4_{kind}.nii.gz"


def products(found):
    return [link["product"] for link in found["chain"]]


def test_a_mask_is_known_by_its_sidecar_its_record_and_its_voxels(clisc, copied, tmp_path):
    mask = exported(clisc, copied.root, tmp_path / "out")
    told = explained(clisc, mask)
    assert told["known_by"] == "its sidecar p4_round2.json" and told["case"] == "p4"
    own = [link["product"] for link in told["chain"] if link["case"] == "p4"]
    assert own == ["source", "image", "masks/round2"], "no other array of the case led to its mask"
    learnt = {link["product"]: link["case"] for link in told["chain"] if link["case"] not in ("", "p4")}
    assert set(learnt) >= {"labels/tumour", "cams/amda", "masks/sam"} and set(learnt.values()) <= {
        "p0",
        "p1",
        "p2",
    }
    networks = [link["product"] for link in told["chain"] if link["kind"] == "network"]
    assert networks == ["classifier-raw", "classifier-amda", "unet-round1", "unet-round2"]
    assert told["chain"][0]["files"] == {copied.case("p4").info.source: copied.case("p4").info.sha256}
    last = told["chain"][-1]
    assert last["fingerprint"] == copied.case("p4").seal("masks/round2").fingerprint
    assert "tiny" in " ".join(told["notes"])
    (tmp_path / "out" / "p4_round2.json").unlink()
    again = explained(clisc, mask, "--project", copied.root)
    assert "record" in again["known_by"] and again["chain"] == told["chain"]
    moved = tmp_path / "elsewhere" / "tumour.nrrd"
    moved.parent.mkdir()
    sitk.WriteImage(sitk.ReadImage(str(mask)), str(moved))
    assert explained(clisc, moved, "--project", copied.root)["chain"] == told["chain"]
    refused = clisc("explain", moved)
    assert refused.code == 3 and "--project" in refused.message


def test_a_mask_that_was_corrected_by_hand_is_told(clisc, copied, tmp_path):
    mask = exported(clisc, copied.root, tmp_path, "sam")
    assert not any("changed" in note for note in explained(clisc, mask)["notes"])
    image = nibabel.load(mask)
    voxels = np.asarray(image.dataobj).copy()
    voxels[0, 0, 0] = 1
    nibabel.save(nibabel.Nifti1Image(voxels, image.affine, image.header), mask)
    assert any("changed" in note for note in explained(clisc, mask)["notes"])


def test_a_case_of_a_project_and_what_would_come_out_otherwise(clisc, copied):
    fresh = explained(clisc, copied.root, "p4", "--masks", "sam")
    assert products(fresh)[-1] == "masks/sam" and not any(link["stale"] for link in fresh["chain"])
    assert clisc("config", "set", copied.root, "amda.t=35").code == 0
    stale = {
        link["product"]
        for link in explained(clisc, copied.root, "p4", "--masks", "sam")["chain"]
        if link["stale"]
    }
    assert stale == {"classifier-amda", "cams/amda", "masks/sam"}
    shown = clisc("explain", copied.root, "p4", "--masks", "sam")
    assert shown.code == 0 and "SHA-256" in shown.out and "seed = 0" in shown.out and "stale" in shown.out
    assert clisc("explain", copied.root, "p4", "--masks", "nothing").code == 3
    assert clisc("explain", copied.root).code == 2


def test_models_predictions_and_pages(clisc, copied, data, tmp_path):
    model = tmp_path / "brain.clisc"
    assert clisc("export", "model", copied.root, "-o", model).code == 0
    alone = explained(clisc, model)
    assert products(alone) == ["unet-round2"] and "tiny" in alone["notes"][0]
    assert "classifier-raw" in products(explained(clisc, model, "--project", copied.root))
    image = data / "images" / "p4_flair.nii.gz"
    assert clisc("predict", model, image, "-o", tmp_path / "out", *CPU).code == 0
    told = explained(clisc, tmp_path / "out" / "p4_seg.nii.gz", "--project", copied.root)
    assert told["chain"][0]["files"] == {str(image): copied.case("p4").info.sha256}
    assert "unet-round2" in products(told)
    assert (
        clisc("report", copied.root, "-o", tmp_path / "r.html", "--pictures", "0", "--viewers", "0").code
        == 0
    )
    page = explained(clisc, tmp_path / "r.html", "--project", copied.root)
    assert page["known_by"].startswith("the record")


def test_a_model_file_tells_how_it_predicts(clisc, copied, tmp_path):
    """Two files of one network may give other masks: by their settings, which made no weight."""
    notes = {}
    for share in (1.0, 0.25):
        assert clisc("config", "set", copied.root, f"unet.rival_share={share}").code == 0
        model = tmp_path / f"{share}.clisc"
        assert clisc("export", "model", copied.root, "-o", model).code == 0
        notes[share] = " ".join(explained(clisc, model)["notes"])
    assert "unet.rival_share=0.25" in notes[0.25] and "unet.rival_share" not in notes[1.0]
    assert "unet.largest_component=true" in notes[1.0]


@pytest.mark.parametrize("out", ["mask.nii.gz", "folder"])
def test_a_prediction_is_known_by_its_network(clisc, copied, data, tmp_path, out):
    image, out = data / "images" / "p4_flair.nii.gz", tmp_path / out
    mask = out if out.suffix else out / "p4_seg.nii.gz"
    assert clisc("predict", copied.root, image, "-o", out, *CPU).code == 0
    assert products(explained(clisc, mask, "--project", copied.root)).count("unet-round2") == 1
    assert "unet-round2" not in products(explained(clisc, mask))
    assert clisc("predict", "bundled", image, "-o", out, "--force", *CPU).code == 0
    told = explained(clisc, mask)
    assert "tiny-unet" in products(told)
    assert any("the models that come with clisc" in note for note in told["notes"])


def test_a_sidecar_leads_to_its_project_while_that_is_there(clisc, copied, tmp_path):
    mask = exported(clisc, copied.root, tmp_path / "out", "sam")
    assert explained(clisc, mask)["project"] == str(copied.root.absolute())
    found = clisc("explain", mask, "--commands")
    named = clisc("explain", mask, "--commands", "--project", copied.root)
    assert found.code == 0 and found.out == named.out
    moved = copied.root.rename(tmp_path / "moved")
    lost = clisc("explain", mask, "--commands")
    assert lost.code == 3 and f"made in {copied.root.absolute()}" in lost.message
    assert "name it with --project" in lost.message
    assert clisc("explain", mask, "--commands", "--project", moved).out == named.out


def test_what_tells_of_a_whole_project_has_no_commands_that_would_lack_steps(clisc, copied, tmp_path):
    page = tmp_path / "r.html"
    assert clisc("report", copied.root, "-o", page, "--pictures", "0", "--viewers", "0").code == 0
    assert clisc("export", "csv", copied.root, "-o", tmp_path / "tables").code == 0
    for file in (page, *(tmp_path / "tables").glob("*.csv")):
        refused = clisc("explain", file, "--project", copied.root, "--commands")
        assert refused.code == 3 and not refused.out and "name a mask" in refused.message
    model = tmp_path / "m.clisc"
    assert clisc("export", "model", copied.root, "-o", model).code == 0
    told = clisc("explain", model, "--project", copied.root, "--commands").out
    assert all(f"clisc {step} again" in told for step in ("label", "prompt-sam", "self-train"))


def test_another_project_in_its_place_is_not_taken_for_it(clisc, copied, tmp_path):
    mask = exported(clisc, copied.root, tmp_path / "out", "sam")
    assert clisc("cases", "remove", copied.root, "p4").code == 0
    assert clisc("explain", mask, "--commands").code == 3


def test_the_commands_of_a_prediction_end_in_predict(clisc, copied, data, tmp_path):
    image, out = data / "images" / "p4_flair.nii.gz", tmp_path / "out"
    again = ("--commands", "--project", copied.root)

    def lines(*arguments):
        shown = clisc("explain", *arguments)
        assert shown.code == 0, shown.err
        return shown.out.splitlines()

    first_round = ("--network", "unet-round1", "--probabilities", *CPU)
    assert clisc("predict", copied.root, image, "-o", out, *first_round).code == 0
    trained = ["clisc label again", "clisc cam again", "clisc amda again", "clisc prompt-sam again"]
    predicting = f"clisc predict again {image} -o again-masks --network unet-round1"
    told = lines(out / "p4_seg.nii.gz", *again)
    assert told[-6:] == [*trained, "clisc train again", predicting]
    assert not any(line.startswith("p4,") for line in told), "the case of that name has no part in it"
    assert lines(out / "p4_probability.nii.gz", *again)[-1] == f"{predicting} --probabilities"
    assert clisc("explain", out / "p4_seg.nii.gz", "--commands").code == 3

    mask = tmp_path / "mask.nii.gz"
    assert clisc("predict", "bundled", image, "-o", mask, *CPU).code == 0
    scan, alone = lines(mask, "--commands")
    assert alone == "clisc predict bundled IMAGE -o again-masks"
    assert copied.case("p4").info.sha256 in scan and lines(mask, *again) == [scan, alone]
    assert clisc("predict", "bundled", image, "-o", out, "--force", *CPU).code == 0
    assert lines(out / "p4_seg.nii.gz", "--commands") == [alone.replace("IMAGE", str(image))]


def test_the_commands_set_nothing_that_the_result_does_not_rest_on(clisc, copied, tmp_path):
    """A mask of SAM's was made without a setting of the U-Net, whatever the preset says of that."""
    shown = clisc("explain", copied.root, "p4", "--masks", "sam", "--commands")
    assert shown.code == 0 and "unet." not in shown.out


def test_the_commands_make_the_same_mask_again(clisc, copied, tmp_path):
    mask = exported(clisc, copied.root, tmp_path / "out", "sam")
    shown = clisc("explain", mask, "--commands")
    assert shown.code == 0, shown.err
    script = shown.out.replace("clisc ", f"{sys.executable} -m clisc_cli ")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    place = tmp_path / "place"
    place.mkdir()
    subprocess.run(["bash", "-e"], input=script, cwd=place, env=environment, check=True, encoding="utf-8")
    made = nibabel.load(place / "again-masks" / "p4_sam.nii.gz")
    assert np.array_equal(np.asarray(made.dataobj), np.asarray(nibabel.load(mask).dataobj))
    shutil.rmtree(place)
