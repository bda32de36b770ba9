"""Projects that clisc 0.1.0 made still open, stay fresh, and go on.

`old/clisc-0.1.0.tar.xz` holds two small projects as that version left them, of phantoms (`data`): one
finished and evaluated with its ablation, one interrupted in round 2's training.
"""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from clisc_engine.project.project import open_project
from tests.support.command import caller
from tests.support.old_weights import WEIGHTS, count_as_those_of_0_1_0
from tests.support.small import STAGES, contents

ARCHIVE = Path(__file__).parent / "old" / "clisc-0.1.0.tar.xz"


@pytest.fixture
def call(monkeypatch, capsys):
    return caller(monkeypatch, capsys)


@pytest.fixture
def weights_of_0_1_0(monkeypatch):
    """The bundled models count as those of 0.1.0."""
    count_as_those_of_0_1_0(monkeypatch)


@pytest.fixture
def old(tmp_path):
    """The folder with both projects and the phantoms."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


def test_every_step_stays_fresh_and_is_not_made_again(call, old, weights_of_0_1_0):
    project = old / "finished"
    before = contents(open_project(project))
    status = json.loads(call("status", project, "--json").out)
    assert {s["stage"]: s["state"] for s in status["stages"] if s["stage"] in STAGES} == dict.fromkeys(
        STAGES, "fresh"
    )
    for stage in STAGES:
        report = json.loads(call(stage, project, "--device", "cpu", "--json").out)
        assert report["fresh"] and not report["done"] and not report["failed"], stage
    after = contents(open_project(project))
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_what_the_earlier_bundled_models_made_is_stale_and_says_so(call, old):
    status = json.loads(call("status", old / "finished", "--json").out)
    reasons = {s["stage"]: s for s in status["stages"]}
    assert reasons["label"]["state"] == "stale"
    assert "clip" in json.dumps(reasons["label"]) and WEIGHTS["clip"][:8] in json.dumps(reasons["label"])
    assert call("verify", old / "finished", "--json").code == 0


def test_nothing_of_it_counts_as_damaged(call, old):
    assert call("verify", old / "finished", "--json").code == 0


def test_a_training_that_was_interrupted_goes_on_from_its_state(call, old, weights_of_0_1_0):
    outcome = call("self-train", old / "interrupted", "--device", "cpu", "--json")
    report = json.loads(outcome.out)
    assert outcome.code == 0 and report["done"] == ["unet-round2"]
    assert "goes on after epoch" in outcome.message
