"""`clisc status` and `clisc run`."""

import json
import subprocess
import sys

import pytest

from clisc_engine.errors import Stopped
from clisc_engine.report.gather import gather
from clisc_engine.running.control import Control
from clisc_engine.stages.pipeline import run_stage
from tests.support.small import StopsAfter, curve, small_project

QUIET = ("--quiet", "--device", "cpu")


def test_status_is_a_line_a_step_and_names_the_next_command(clisc, finished):
    shown = clisc("status", finished.root)
    assert shown.code == 0 and shown.err == ""
    lines = shown.out.splitlines()
    rows = {line.split()[0]: line for line in lines[2:9]}
    assert list(rows) == ["label", "cam", "amda", "prompt-sam", "train", "self-train", "evaluate"]
    assert "fresh" in rows["label"] and "5/5 cases" in rows["label"]
    assert "1/1 network" in rows["train"]
    assert lines[-1] == f"Next: clisc evaluate {finished.root}"
    assert "Disk: " in shown.out and "checkpoints" in shown.out


def test_status_as_json(clisc, finished):
    document = json.loads(clisc("status", finished.root, "--json").out)
    stages = {stage["stage"]: stage for stage in document["stages"]}
    assert (stages["self-train"]["done"], stages["self-train"]["total"]) == (3, 3)
    units = {name: stage["unit"] for name, stage in stages.items()}
    assert (units["cam"], units["train"], units["evaluate"]) == ("case", "network", "case")
    assert document["next"] == f"clisc evaluate {finished.root}"
    assert document["disk"]["store.zarr"] > 0


def test_status_says_what_a_stage_ran_on(clisc, data, tmp_path):
    root = small_project(tmp_path / "p", data).root
    assert clisc("label", root, *QUIET).code == 0
    stages = json.loads(clisc("status", root, "--json").out)["stages"]
    assert stages[0]["device"].startswith("cpu, ") and stages[1]["device"] == ""


def test_why_steps_are_stale_is_summed_up_over_cases_with_the_first_cause(clisc, copied):
    def whys():
        stages = json.loads(clisc("status", copied.root, "--json").out)["stages"]
        return {stage["stage"]: stage["why"] for stage in stages}

    assert clisc("config", "set", copied.root, "prompts.kind=box").code == 0
    cause = "prompts.kind both -> box"
    assert whys()["prompt-sam"] == cause
    assert whys()["train"] == f"masks/sam of 3 cases are stale ({cause})"
    assert whys()["self-train"] == f"unet-round1 is stale ({cause})"
    assert clisc("prompt-sam", copied.root, *QUIET).code == 0
    assert whys()["train"] == "masks/sam of 3 cases changed"


def test_status_tells_what_clean_would_win(clisc, copied):
    shown = clisc("status", copied.root)
    won = json.loads(clisc("clean", copied.root, "--json").out)["bytes"]
    assert json.loads(clisc("status", copied.root, "--json").out)["cleanable"] == won
    assert won["states"] > 0 and f"`clisc clean {copied.root}" in shown.out and "--states`" in shown.out
    assert clisc("clean", copied.root, "--cache", "--states").code == 0
    assert "clisc clean" not in clisc("status", copied.root).out


def test_status_of_a_case_inside_the_project(clisc, finished, monkeypatch):
    monkeypatch.chdir(finished.root)
    shown = clisc("status", "p1")
    assert shown.code == 0 and shown.out.startswith("p1: train")
    assert "masks/sam-round1" in shown.out and "reference" not in shown.out
    document = json.loads(clisc("status", finished.root, "p1", "--json").out)
    assert document["arrays"]["cams/amda"]["made_from"]["cam.method"] == "layercam"
    assert clisc("status", "nobody").code == 3
    assert clisc("status", finished.root, "nobody").code == 3


def test_status_loads_nothing_heavy(finished):
    code = (
        f"import sys\nsys.argv = ['clisc', 'status', {str(finished.root)!r}]\n"
        "from clisc_cli.app import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'monai', 'zarr', 'SimpleITK', 'scipy', 'open_clip'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert shown.stderr.strip() == "[]"
    assert "self-train" in shown.stdout


def test_run_does_all_that_is_missing_and_then_nothing(clisc, data, tmp_path):
    root = small_project(tmp_path / "p", data).root
    planned = clisc("run", root, "--dry-run")
    assert planned.code == 0 and planned.out.startswith("label: missing, 0 of 5 up to date")
    until = clisc("run", root, "--until", "amda", "--device", "cpu")
    assert [line.split(":")[0] for line in until.out.splitlines()] == ["label", "cam", "amda"]
    document = json.loads(clisc("run", root, "--json", *QUIET).out)
    assert [stage["stage"] for stage in document["stages"] if stage["done"]] == [
        *("prompt-sam", "train", "self-train")
    ]
    assert document["evaluation"]["rows"][-1]["name"] == "full"
    again = clisc("run", root, "--from", "cam", "--until", "train", "--device", "cpu")
    assert again.out.count("nothing to do") == 4
    assert clisc("status", root).out.splitlines()[-1] == "All that can be made is up to date."


def test_run_goes_on_after_failed_cases_and_ends_with_5(clisc, data, tmp_path):
    root = small_project(tmp_path / "p", data).root
    shard = next(p for p in (root / "store.zarr/cases/p3/image/c").rglob("*") if p.is_file())
    shard.write_bytes(shard.read_bytes()[:-40])
    shown = clisc("run", root, "--until", "cam", "--device", "cpu")
    assert shown.code == 5 and "p3" in shown.err
    assert "cam: 4 done" in shown.out


def test_run_ends_with_5_when_a_case_cannot_be_measured(clisc, copied):
    record = copied.store.attributes("cases/p3")
    record["case"]["split"] = "test"
    copied.store.write_group("cases/p3", record)
    shard = next(p for p in (copied.root / "store.zarr/cases/p3/reference/c").rglob("*") if p.is_file())
    shard.write_bytes(shard.read_bytes()[:-40])
    shown = clisc("run", copied.root, "--from", "evaluate", "--json", "--device", "cpu")
    assert shown.code == 5 and "evaluate: 1 of 2 cases failed" in " ".join(shown.err.split())
    assert list(json.loads(shown.out)["evaluation"]["failed"]) == ["p3"]


def test_run_refuses_an_order_that_is_none(clisc, finished):
    shown = clisc("run", finished.root, "--from", "train", "--until", "cam")
    assert shown.code == 2 and "label, cam, amda" in " ".join(shown.err.replace("│", " ").split())


def test_run_without_references_skips_the_evaluation(clisc, data, tmp_path):
    root = small_project(tmp_path / "p", data, references=False).root
    shown = clisc("run", root, "--from", "evaluate", "--device", "cpu")
    assert shown.code == 0 and shown.out == "" and "skipped" in shown.err


def train_a_step(project, **options):
    """Train for one epoch, of the two that there are, and stop."""
    progress = StopsAfter(1)
    with pytest.raises(Stopped):
        run_stage("train", project, Control(device="cpu", progress=progress, stop=progress.flag, **options))


def test_a_training_anew_that_was_given_up_takes_no_curve_from_the_weights_that_stay(clisc, copied):
    root, logged = copied.root, copied.logs / "unet-round1.csv"
    former, kept = logged.read_bytes(), copied.checkpoints / "unet-round1.curve.csv"
    before = {stage["stage"]: stage for stage in json.loads(clisc("status", root, "--json").out)["stages"]}
    train_a_step(copied, force=True)
    assert len(curve(copied, "unet-round1")) == 1 and kept.read_bytes() == former
    found = {stage["stage"]: stage for stage in json.loads(clisc("status", root, "--json").out)["stages"]}
    assert found["train"]["state"] == "fresh" and found["train"]["seconds"] == before["train"]["seconds"]
    assert "unet-round1: stopped after epoch 1 of 2; the finished weights count" in found["train"]["note"]
    assert "stopped after epoch 1 of 2" in clisc("status", root).out
    assert "training anew" in clisc("explain", logged).out and str(kept) in clisc("explain", logged).out
    assert "training anew" not in clisc("explain", kept).out
    assert len(gather(copied).curves["unet-round1"]["loss"]) == 2
    assert clisc("clean", root, "--states").code == 0
    assert (copied.checkpoints / "unet-round1.training.pt").is_file(), "it is under way"
    assert clisc("train", root, *QUIET).code == 0
    assert logged.read_bytes() == former and not kept.exists()
    found = {stage["stage"]: stage for stage in json.loads(clisc("status", root, "--json").out)["stages"]}
    assert {**found["train"], "device": ""} == {**before["train"], "device": ""}


def test_a_training_anew_that_ends_has_its_own_curve_alone(clisc, copied):
    logged = copied.logs / "unet-round1.csv"
    former = logged.read_bytes()
    train_a_step(copied, force=True)
    assert clisc("train", copied.root, "--force", *QUIET).code == 0
    assert logged.read_bytes() != former and len(curve(copied, "unet-round1")) == 2
    assert not (copied.checkpoints / "unet-round1.curve.csv").exists()
