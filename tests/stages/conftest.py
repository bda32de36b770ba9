"""One small pipeline, run once and shared."""

import shutil

import pytest
from small import run_stages, small_data, small_project

from clisc_engine.project import open_project


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    return small_data(tmp_path_factory.mktemp("small-data"))


@pytest.fixture(scope="session")
def finished(tmp_path_factory, data):
    """A project on which all stages before `evaluate` have run; tests must leave it as it is."""
    project = small_project(tmp_path_factory.mktemp("finished") / "project", data)
    run_stages(project)
    return project


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the finished project, free to be spoilt."""
    shutil.copytree(finished.root, tmp_path / "project")
    return open_project(tmp_path / "project")
