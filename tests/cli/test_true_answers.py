"""What a project says of itself stays true when folders vanish, are copied, or a command is at work."""

import json
import os
import shutil
from datetime import UTC, datetime

import nibabel
import numpy as np
import pytest

from clisc_engine.project.lock import hold
from clisc_engine.project.project import open_project
from clisc_engine.results.sidecar import digest_of_mask

CPU = ("--device", "cpu", "--quiet")
CASES = "store.zarr/cases"


def verified(clisc, root, *options, code):
    shown = clisc("verify", root, "--json", *options)
    assert shown.code == code, shown.err
    return {found["path"]: found for found in json.loads(shown.out)["findings"]}


def status(clisc, root):
    return json.loads(clisc("status", root, "--json").out)


def test_a_case_whose_folder_is_gone_is_named_and_had_again(clisc, copied):
    root, image = copied.root, copied.case("p4").read("image")
    shutil.rmtree(root / CASES / "p4")
    assert list(status(clisc, root)["lost_cases"]) == ["p4"]
    found = verified(clisc, root, code=3)
    assert found[f"{CASES}/p4"]["state"] == "missing" and "manifest" in found[f"{CASES}/p4"]["problem"]
    label = clisc("label", root, *CPU, "--json")
    assert label.code == 0 and len(json.loads(label.out)["fresh"]) == 4, "the others go on"
    assert "p4 is left out" in label.message
    assert all(one["repaired"] for one in verified(clisc, root, "--repair", code=0).values())
    assert np.array_equal(open_project(root).case("p4").read("image"), image)
    assert verified(clisc, root, code=0) == {} and status(clisc, root)["lost_cases"] == {}


def test_a_renamed_folder_shuts_nothing_and_is_named_back(clisc, copied):
    root = copied.root
    before = {name: seal["fingerprint"] for name, seal in arrays(clisc, root, "p4").items()}
    (root / CASES / "p4").rename(root / CASES / "renamed")
    shown = clisc("status", root)
    assert shown.code == 0
    assert "the folder is named 'renamed', its record says 'p4'" in " ".join(shown.out.split())
    found = verified(clisc, root, code=3)
    assert {f"{CASES}/p4", f"{CASES}/renamed"} == set(found)
    assert clisc("status", root, "p0").code == 0
    assert all(one["repaired"] for one in verified(clisc, root, "--repair", code=0).values())
    after = {name: seal["fingerprint"] for name, seal in arrays(clisc, root, "p4").items()}
    assert after == before and not (root / CASES / "renamed").exists()
    assert verified(clisc, root, code=0) == {}


def arrays(clisc, root, case):
    return json.loads(clisc("status", root, case, "--json").out)["arrays"]


def test_a_training_does_not_begin_without_a_case_that_is_lost(clisc, copied):
    shutil.rmtree(copied.root / CASES / "p1")
    refused = clisc("train", copied.root, "--device", "cpu")
    assert refused.code == 3 and "p1" in refused.message and "clisc cases remove" in refused.message


def test_a_project_without_a_manifest_gets_one_and_misses_what_networks_learnt_from(clisc, copied):
    manifest = copied.store.root / "cases.json"
    manifest.unlink()
    assert verified(clisc, copied.root, code=0) == {} and not manifest.exists()
    shutil.rmtree(copied.root / CASES / "p0")
    assert f"{CASES}/p0" in verified(clisc, copied.root, code=3), "a network was trained on it"
    assert clisc("label", copied.root, *CPU).code == 0
    assert sorted(json.loads(manifest.read_text("utf-8"))["cases"]) == ["p1", "p2", "p3", "p4"]


def test_a_manifest_that_somebody_changed_is_told_and_made_anew(clisc, copied):
    manifest = copied.store.root / "cases.json"
    manifest.write_text(manifest.read_text("utf-8").replace('"p4"', '"p5"'), "utf-8")
    assert list(verified(clisc, copied.root, code=3)) == ["store.zarr/cases.json"]
    assert clisc("status", copied.root).code == 0
    verified(clisc, copied.root, "--repair", code=0)
    assert verified(clisc, copied.root, code=0) == {}


def test_when_a_step_ran_survives_a_copy(clisc, copied, tmp_path):
    assert clisc("evaluate", copied.root, *CPU).code == 0
    before = {stage["stage"]: stage["time"] for stage in status(clisc, copied.root)["stages"]}
    shutil.copytree(copied.root, tmp_path / "copy", copy_function=shutil.copyfile)
    later = datetime(2031, 1, 1, tzinfo=UTC).timestamp()
    for path in (tmp_path / "copy").rglob("*"):
        os.utime(path, (later, later))
    after = {stage["stage"]: stage["time"] for stage in status(clisc, tmp_path / "copy")["stages"]}
    assert after == before and all(before.values())
    card = json.loads(clisc("export", "model", copied.root, "-o", tmp_path / "a.clisc", "--json").out)
    again = json.loads(
        clisc("export", "model", tmp_path / "copy", "-o", tmp_path / "b.clisc", "--json").out
    )
    assert (tmp_path / "a.clisc").read_bytes() == (tmp_path / "b.clisc").read_bytes() and card and again


def test_exported_masks_name_their_step_and_say_where_they_come_from(clisc, copied, tmp_path):
    out = tmp_path / "out"
    for kind in ("round2", "sam"):
        made = clisc("export", "masks", copied.root, "-o", out, "--masks", kind, "--cases", "p4", *CPU)
        assert made.code == 0, made.err
    assert {path.name for path in out.iterdir() if path.name[0] != "."} == {
        *("p4_round2.nii.gz", "p4_round2.json", "p4_sam.nii.gz", "p4_sam.json")
    }
    assert arrays(clisc, copied.root, "p4")["masks/round2"]["stage"] == "export masks"
    told = json.loads((out / "p4_round2.json").read_text("utf-8"))
    assert told["Sources"] == [copied.case("p4").info.source] and told["SpatialReference"] == "orig"
    assert {entry["Name"] for entry in told["GeneratedBy"]} == {"clisc"}
    chain = {link["product"]: link for link in told["Clisc"]["Chain"]}
    assert next(iter(chain)) == "source" and list(chain)[-1] == "masks/round2"
    assert chain["source"]["files"] == {copied.case("p4").info.source: copied.case("p4").info.sha256}
    assert chain["unet-round2"]["learnt_from"]["train"] and chain["unet-round1"]["settings"]["seed"] == 0
    assert chain["masks/sam"]["weights"]["sam"]["model"] == "tiny"
    voxels = np.asarray(nibabel.load(out / "p4_round2.nii.gz").dataobj).T
    assert told["Clisc"]["MaskSha256"] == digest_of_mask(voxels)


@pytest.mark.parametrize("kind", ["masks", "nnunet"])
def test_a_dry_run_of_an_export_writes_nothing(clisc, copied, tmp_path, kind):
    shown = clisc("export", kind, copied.root, "-o", tmp_path / "out", "--masks", "sam", "--dry-run")
    assert shown.code == 0 and not (tmp_path / "out").exists() and "p4" in shown.out


def test_status_knows_the_command_at_work(clisc, copied):
    root = copied.root
    assert clisc("config", "set", root, "classifier.epochs=4").code == 0
    with hold(root, "clisc cam", say=print, lost=print):
        document = status(clisc, root)
        assert document["running"]["process"] == os.getpid() and document["running"]["stage"] == "cam"
        assert (document["running"]["network"], document["running"]["total"]) == ("classifier-raw", 4)
        assert {s["stage"]: s["state"] for s in document["stages"]}["cam"] == "running"
        told = clisc("status", root).out
        assert f"process {os.getpid()}" in told and "Next:" not in told
    assert status(clisc, root)["running"] is None and "Next: clisc cam" in clisc("status", root).out
    watched = clisc("status", root, "--watch")
    assert watched.code == 0 and "No command is at work" in watched.out
    assert clisc("status", root, "--watch", "--json").code == 2
