"""A report that would come out the same is left as it is; any other is written anew."""

import shutil
from dataclasses import replace

import pytest

from clisc_engine.project import case_changes
from clisc_engine.project.project import open_project
from clisc_engine.report.write import Choice, write_report
from clisc_engine.running import journal
from clisc_engine.running.control import Control

FEW = Choice(pictures=1, viewers=2)


@pytest.fixture
def reported(evaluated, tmp_path):
    """A copy of the evaluated project, its report's file, and what was written."""
    shutil.copytree(evaluated.root, tmp_path / "glioma")
    project = open_project(tmp_path / "glioma")
    path = tmp_path / "report.html"
    return project, path, write_report(project, path, FEW, Control())


def stamp(path):
    return path.stat().st_mtime_ns, path.stat().st_ino


def test_the_same_is_not_written_again(reported):
    project, path, first = reported
    before = stamp(path)
    assert write_report(open_project(project.root), path, FEW, Control()) == first
    assert stamp(path) == before


def labels_anew(project):
    case = project.case("p2")
    seal = replace(case.seal("labels/tumour"), time="2099-01-01T00:00:00+00:00")
    case.write("labels/tumour", 0 * case.read("labels/tumour"), seal)


def journal_goes_on(project):
    with journal.entry(project, "label", Control(device="cpu")):
        pass


@pytest.mark.parametrize(
    "change",
    [
        labels_anew,
        journal_goes_on,
        lambda project: project.change_settings(project.settings, {"amda.t": 30.0}),
        lambda project: project.store.remove("cases/p4/masks/round2"),
        lambda project: (project.results / "s3f.csv").unlink(),
        lambda project: (project.logs / "unet-round1.csv").unlink(),
        lambda project: case_changes.apply(project, case_changes.Change(rename={"p0": "other"})),
        lambda project: project.store.write_group("metrics/evaluation", {}),
    ],
    ids=["labels", "journal", "setting", "mask", "S3F", "curve", "name", "evaluation"],
)
def test_anything_that_it_tells_has_it_written_anew(reported, change):
    project, path, _ = reported
    before = stamp(path)
    change(project)
    write_report(open_project(project.root), path, FEW, Control())
    assert stamp(path) != before


def test_another_choice_of_cases_is_another_report(reported):
    project, path, first = reported
    assert write_report(project, path, Choice(("p0",)), Control()).viewed == ["p0"] != first.viewed
    assert write_report(project, path, Choice(("p0",)), Control()).viewed == ["p0"]


def test_a_report_that_lacks_a_case_is_written_again_until_it_does_not(reported):
    project, path, first = reported
    name = first.viewed[0]
    voxels = project.store.root / "cases" / name / "image" / "c"
    voxels.rename(voxels.with_name("away"))
    path.unlink()
    assert set(write_report(project, path, FEW, Control()).failed) == {name}
    voxels.with_name("away").rename(voxels)
    assert write_report(project, path, FEW, Control()) == first
