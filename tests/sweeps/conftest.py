"""One sweep of the finished project, from its maps to the last mask."""

import shutil

import pytest

from clisc_engine.project.project import open_project
from clisc_engine.running.control import Control
from clisc_engine.sweeps.running import run_sweep
from clisc_engine.sweeps.sweep import sweep_of


@pytest.fixture
def sweep():
    """Run ``clisc sweep WORDS``, e.g. ``sweep(project, "amda.t=0,20", row="sam")``; its outcome."""

    def run(project, *words, row="full", splits=("test",), seeds=None, control=None, **options):
        asked = sweep_of(project.settings, words, row, splits, seeds)
        return run_sweep(project, asked, control or Control(device="cpu"), **options)

    return run


@pytest.fixture(scope="session")
def swept(finished, tmp_path_factory):
    """A copy of the finished project with ``amda.t=0,20 --row full`` done, and the outcome of that."""
    root = tmp_path_factory.mktemp("swept") / "project"
    shutil.copytree(finished.root, root)
    project = open_project(root)
    asked = sweep_of(project.settings, ["amda.t=0,20"], "full", ("test",), None)
    return project, run_sweep(project, asked, Control(device="cpu"))
