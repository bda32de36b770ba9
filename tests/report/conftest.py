"""A finished and evaluated project, and its report."""

import shutil

import pytest

from clisc_engine.project.project import open_project
from clisc_engine.report.write import Choice, write_report
from clisc_engine.running.control import Control
from clisc_engine.stages.evaluate import evaluate
from tests.support.documents import Document
from tests.support.small import left_as_it_is


@pytest.fixture(scope="session")
def evaluated(finished, tmp_path_factory):
    """The finished project, evaluated on its test split; tests must leave it as it is."""
    root = tmp_path_factory.mktemp("evaluated") / "glioma"
    shutil.copytree(finished.root, root)
    project = open_project(root)
    evaluate(project, Control(device="cpu"))
    with left_as_it_is(project):
        yield project


@pytest.fixture(scope="session")
def page(evaluated, tmp_path_factory):
    """The file of that project's report."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(evaluated, path, Choice(), Control())
    return path


@pytest.fixture
def report(tmp_path):
    """Report a project as a parsed page."""

    def make(project, **choice):
        path = tmp_path / "report.html"
        write_report(project, path, Choice(**choice), Control())
        return Document(path.read_text(encoding="utf-8"))

    return make
