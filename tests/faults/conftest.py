"""A finished project to spoil, and the command line."""

import shutil

import pytest
from command import caller
from small import run_stages, small_data, small_project


@pytest.fixture
def clisc(monkeypatch, capsys):
    """Call `clisc ARGUMENTS`; exit code, stdout and stderr come back."""
    return caller(monkeypatch, capsys)


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    return small_data(tmp_path_factory.mktemp("faults-data"))


@pytest.fixture(scope="session")
def finished(tmp_path_factory, data):
    """A project on which all stages before `evaluate` have run; tests must leave it as it is."""
    project = small_project(tmp_path_factory.mktemp("faults") / "project", data)
    run_stages(project)
    return project


@pytest.fixture
def root(finished, tmp_path):
    """A copy of the finished project, free to be spoilt."""
    shutil.copytree(finished.root, tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def fresh(data, tmp_path):
    """A project that is imported and no more."""
    return small_project(tmp_path / "fresh", data).root
