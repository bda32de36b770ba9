"""`label.model` as a list: what several CLIPs say is averaged, and each counts for freshness."""

import json

import numpy as np
import pytest

from clisc_engine.project.project import open_project
from clisc_engine.settings.file import write_changes
from tests.support.clip_folders import small_clip
from tests.support.command import caller
from tests.support.small import run_stages


@pytest.fixture
def call(monkeypatch, capsys):
    return caller(monkeypatch, capsys)


@pytest.fixture
def other(tmp_path):
    """A small CLIP of random weights, as ``label.model`` names it."""
    return f"local-dir:{small_clip(tmp_path / 'clip')}"


def probabilities(project, **changes):
    """What `label` says of each case after these changes of the settings."""
    write_changes(project.root / "clisc.toml", {f"label.{key}": value for key, value in changes.items()})
    project = open_project(project.root)
    assert not run_stages(project, "label")["label"].failed
    return {case.info.name: case.read("labels/probability") for case in project.cases()}


def test_the_probability_is_the_mean_of_those_of_each(copied, other):
    tiny = {case.info.name: case.read("labels/probability") for case in copied.cases()}
    alone = probabilities(copied, model=other)
    both = probabilities(copied, model=["tiny", other])
    for name, found in both.items():
        expected = (tiny[name].astype(np.float64) + alone[name]) / 2
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert (found != tiny[name]).any()


def test_one_alone_says_what_it_says_to_the_bit(copied, other):
    """The finished project was labelled by the tiny CLIP; here it is asked beside another and by itself."""
    before = {case.info.name: case.read("labels/probability") for case in copied.cases()}
    seals = [case.seal("labels/tumour").fingerprint for case in copied.cases()]
    probabilities(copied, model=["tiny", other])
    again = probabilities(copied, model="tiny")
    assert all(np.array_equal(before[name], found) for name, found in again.items())
    assert [case.seal("labels/tumour").fingerprint for case in copied.cases()] == seals


def test_freshness_names_the_model_that_changed(copied, other, call):
    probabilities(copied, model=["tiny", other])
    status = json.loads(call("status", copied.root, "--json").out)
    assert next(s for s in status["stages"] if s["stage"] == "label")["state"] == "fresh"
    small_clip(copied.root.parent / "clip", seed=1)
    (label,) = (
        s for s in json.loads(call("status", copied.root, "--json").out)["stages"] if s["stage"] == "label"
    )
    assert label["state"] == "stale"
    assert f"clip {other} " in json.dumps(label) and "clip tiny" not in json.dumps(label)


def test_the_chain_behind_a_mask_names_both(copied, other, call):
    probabilities(copied, model=["tiny", other])
    chain = json.loads(call("explain", copied.root, "p0", "--json").out)
    weights = next(link["weights"] for link in chain["chain"] if link["product"] == "labels/tumour")
    assert {entry["model"] for entry in weights.values()} == {"tiny", other}


def test_a_missing_one_is_named(copied, call, tmp_path):
    models = json.dumps(["tiny", f"local-dir:{tmp_path / 'nothing'}"])
    shown = call("label", copied.root, "--set", f"label.model={models}")
    assert shown.code == 3 and "nothing is not on this machine" in shown.message
