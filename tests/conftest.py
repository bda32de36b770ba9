"""Fixtures shared by all tests. Nothing here needs a network, a GPU or a downloaded weight."""

import os
import shutil
from pathlib import Path

import hypothesis
import pytest
import torch

from clisc_engine.products.graph import STAGES
from clisc_engine.project import variants
from clisc_engine.project.project import open_project
from clisc_engine.running.control import Control
from clisc_engine.stages.pipeline import run_evaluation, run_stage
from tests.support.small import left_as_it_is, run_stages, small_data, small_project, stamps

REAL = Path(
    os.environ.get("CLISC_REAL_DATA", Path(__file__).parents[1] / ".." / "shared" / "data" / "real")
).resolve()

# A busy machine is no reason for a property to fail.
hypothesis.settings.register_profile("clisc", deadline=None)
hypothesis.settings.load_profile("clisc")

# Sums depend on the number of threads in their last bit; tests that compare runs need one number.
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))


@pytest.fixture(autouse=True)
def _quiet_environment(monkeypatch, tmp_path_factory):
    """No project, weights, colours or width of the developer's own reach a test."""
    for name in ("CLISC_PROJECT", "CLISC_MODELS", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def real_data():
    """Folder of real FLAIR volumes; the test is skipped without it."""
    if not REAL.is_dir():
        pytest.skip("no real volumes here; name their folder in CLISC_REAL_DATA")
    return REAL


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """The small data set as files."""
    return small_data(tmp_path_factory.mktemp("small-data"))


@pytest.fixture(scope="session")
def finished(tmp_path_factory, data):
    """A project on which all stages before `evaluate` have run; tests must leave it as it is."""
    project = small_project(tmp_path_factory.mktemp("finished") / "project", data)
    run_stages(project)
    with left_as_it_is(project):
        yield project


@pytest.fixture(autouse=True)
def _finished_is_left_as_it_is(request):
    """Names the test that writes into the shared project: it fails when it ends."""
    if "finished" not in request.fixturenames:
        yield
        return
    project = request.getfixturevalue("finished")
    before = stamps(project)
    yield
    changed = sorted(path for path, _ in before.items() ^ stamps(project).items())
    assert not changed, f"this test changed the shared project `finished`: {changed[:5]}; use `copied`"


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the finished project, free to be spoilt."""
    shutil.copytree(finished.root, tmp_path / "copied")
    return open_project(tmp_path / "copied")


@pytest.fixture(scope="session")
def varied_once(finished, tmp_path_factory):
    """A copy of the finished project with a variant ``t0`` of all steps, both measured on all cases."""
    root = tmp_path_factory.mktemp("varied") / "project"
    shutil.copytree(finished.root, root)
    project, cpu, splits = open_project(root), Control(device="cpu"), ("train", "valid", "test")
    run_evaluation(project, cpu, splits=splits)
    variant = variants.check_new(project, "t0", {"amda.t": 0.0})
    variants.keep(variant, variants.Record(changes={"amda.t": 0.0}))
    for stage in STAGES:
        run_stage(stage, variant, cpu)
    run_evaluation(variant, cpu, splits=splits)
    return root


@pytest.fixture
def varied(varied_once, tmp_path):
    """A copy of that, free to be spoilt."""
    shutil.copytree(varied_once, tmp_path / "varied")
    return open_project(tmp_path / "varied")
