"""What was finished and is gone without a trace in the store is missed all the same."""

import json
import shutil

import pytest

from clisc_engine.project.project import open_project
from clisc_engine.running.control import Control
from tests.support.small import STAGES

CASES = "store.zarr/cases"


def findings(clisc, root, *options, code):
    shown = clisc("verify", root, "--json", *options)
    assert shown.code == code, shown.err
    return {found["path"]: found for found in json.loads(shown.out)["findings"]}


def lose(root, *paths):
    for path in paths:
        shutil.rmtree(root / path) if (root / path).is_dir() else (root / path).unlink()


def test_a_run_is_remembered_by_its_entry(clisc, fresh):
    assert clisc("label", fresh, "--device", "cpu", "--cases", "p0,p4").code == 0
    assert findings(clisc, fresh, code=0) == {}, "cases that no run has made are not missed"
    lost = [f"{CASES}/p4/labels/{name}" for name in ("probability", "tumour")]
    lose(fresh, f"{CASES}/p4/labels")
    found = findings(clisc, fresh, code=3)
    assert sorted(found) == lost
    assert all(f["state"] == "missing" and "clisc label" in f["problem"] for f in found.values())
    assert all(f["repaired"] for f in findings(clisc, fresh, "--repair", code=0).values())
    assert {f["state"] for f in findings(clisc, fresh, code=0).values()} == {"to be made"}
    assert clisc("label", fresh, "--device", "cpu", "--cases", "p4").code == 0
    assert findings(clisc, fresh, code=0) == {}


def test_entries_of_a_project_that_was_in_the_folder_before_are_not_believed(clisc, data, fresh):
    log = fresh / "logs" / "runs.jsonl"
    log.parent.mkdir()
    old = {"stage": "label", "started": "2020-01-01T00:00:00+00:00", "seconds": 1.0, "device": "cpu"}
    log.write_text(
        json.dumps({**old, "precision": "32", "version": "0", "outcome": "done", "made": ["p0", "p1"]})
        + "\n",
        encoding="utf-8",
    )
    assert findings(clisc, fresh, code=0) == {}


def test_an_entry_that_a_kill_cut_short_spoils_no_other(clisc, fresh):
    log = fresh / "logs" / "runs.jsonl"
    log.parent.mkdir()
    log.write_text('{"stage": "lab', encoding="utf-8")
    assert clisc("label", fresh, "--device", "cpu").code == 0
    lose(fresh, f"{CASES}/p4/labels")
    assert len(findings(clisc, fresh, code=3)) == 2


@pytest.mark.parametrize(
    ("array", "reason", "stage"),
    [
        ("p4/labels/probability", "made with labels/tumour", "label"),
        ("p0/masks/sam-round1", "S3F compared it", "self-train"),
        ("p4/masks/sam", "clisc evaluate` measured it", "prompt-sam"),
    ],
)
def test_arrays_that_nothing_was_made_from_are_missed(clisc, root, array, reason, stage):
    assert clisc("evaluate", root, "--device", "cpu").code == 0
    assert findings(clisc, root, code=0) == {}
    lose(root, f"{CASES}/{array}")
    ((path, found),) = findings(clisc, root, code=3).items()
    assert (path, found["state"]) == (f"{CASES}/{array}", "missing") and reason in found["problem"]
    assert findings(clisc, root, "--repair", code=0)[path]["repaired"]
    STAGES[stage](open_project(root), Control(device="cpu"))
    assert findings(clisc, root, code=0) == {}


@pytest.mark.parametrize("name", ["unet-round1", "classifier-amda"])
def test_lost_weights_are_missed(clisc, root, name):
    path = f"checkpoints/{name}.safetensors"
    lose(root, path)
    found = findings(clisc, root, code=3)
    assert list(found) == [path] and found[path]["state"] == "missing"
    assert "was made with it" in found[path]["problem"]
    assert findings(clisc, root, "--repair", code=0)[path]["repaired"]
    assert findings(clisc, root, code=0)[path]["state"] == "to be made"
    stage = {"unet-round1": "train", "classifier-amda": "amda"}[name]
    STAGES[stage](open_project(root), Control(device="cpu"))
    assert findings(clisc, root, code=0) == {}
    assert not list((root / "checkpoints").glob("*.removed.txt"))
