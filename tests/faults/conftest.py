"""Projects to spoil, and the command line."""

import shutil

import pytest

from tests.support.command import caller
from tests.support.small import small_project


@pytest.fixture
def clisc(monkeypatch, capsys):
    """Call `clisc ARGUMENTS`; exit code, stdout and stderr come back."""
    return caller(monkeypatch, capsys)


@pytest.fixture
def root(finished, tmp_path):
    """A copy of the finished project, free to be spoilt."""
    shutil.copytree(finished.root, tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def fresh(data, tmp_path):
    """A project that is imported and no more."""
    return small_project(tmp_path / "fresh", data).root
