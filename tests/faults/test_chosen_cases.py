"""A training on chosen cases alone would be another training: it refuses a choice, or takes all."""

import pytest

import clisc_engine
from clisc_engine.errors import BadInput
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.project.project import open_project
from clisc_engine.running.control import Control
from clisc_engine.settings.keys import with_changes
from clisc_engine.stages.evaluate import evaluate
from tests.support.small import STAGES


def files(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("command", "training"),
    [
        (["train"], "train"),
        (["self-train"], "self-train"),
        (["run"], "train"),
        (["run", "--from", "self-train"], "self-train"),
        (["run", "--from", "cam", "--until", "train", "--dry-run"], "train"),
    ],
)
def test_the_command_line_refuses_and_nothing_changes(clisc, root, command, training):
    before = files(root)
    ended = clisc(*command, root, "--cases", "p0", "--set", "amda.t=11")
    message = " ".join(ended.message.replace("\u2502", " ").split())  # it stands in a box
    assert ended.code == 2 and "--cases" in message
    assert f"{training} is a training and takes the whole train split" in message
    assert files(root) == before


def test_steps_of_single_cases_still_take_a_choice(clisc, root):
    ended = clisc("run", root, "--until", "prompt-sam", "--cases", "p0", "--device", "cpu")
    assert ended.code == 0


@pytest.mark.parametrize("stage", ["train", "self-train"])
def test_the_engine_refuses_too(copied, stage):
    before = files(copied.root)
    with pytest.raises(BadInput, match="the whole train split"):
        STAGES[stage](copied, Control(device="cpu", cases=("p0",), force=True))
    assert files(copied.root) == before


def test_a_script_is_refused_before_anything_is_done(fresh):
    with pytest.raises(BadInput, match="the whole train split"):
        clisc_engine.open_project(fresh).run(cases=["p0"], device="cpu")
    assert not open_project(fresh).case("p0").seal("labels/tumour")


def test_an_ablation_of_chosen_cases_trains_on_all(root):
    project = open_project(root)
    settings = with_changes(project.settings, {"unet.select": "best"}, "test")
    project.settings = settings
    document = evaluate(project, Control(device="cpu", cases=("p4",)), ablation=True)
    assert {case["case"] for case in document["cases"]} == {"p4"} and not document["failed"]
    learned = Checkpoint(project.checkpoints, "unet-without-s3f").made_from()
    from_cases = {key.split("/")[1] for key in learned if key.startswith(("train/", "valid/"))}
    assert from_cases == {"p0", "p1", "p2", "p3"}
