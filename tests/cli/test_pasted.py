"""A command that a message tells names the project, and the variant where one is meant: it can be pasted
anywhere."""

import re
import shlex

import pytest

from clisc_engine.products.kinds import S3F_TABLE
from clisc_engine.project.pending_promotion import FILE

TOLD = re.compile(r"`clisc ([^`]+)`")


def spoilt_table(clisc, project):
    path = project.root / S3F_TABLE
    path.write_text("case,similarity,kept\np0,much,1\n", encoding="utf-8")
    return clisc("export", "csv", project.root, "-o", project.root.parent / "out")


def unseen_no_more(clisc, project):
    assert clisc("cases", "move", project.root, "p0", "test").code == 0
    return clisc("evaluate", project.root)


def no_train_case(clisc, project):
    assert clisc("cases", "move", project.root, "p0", "p1", "p2", "test").code == 0
    return clisc("cam", project.root)


def chosen_cases(clisc, project):
    return clisc("baseline", "amcons", project.root, "--set", "baselines.min_slices=500")


def no_dicom(clisc, project):
    return clisc("export", "dicom-seg", project.root, "-o", project.root.parent / "out")


def half_a_promotion(clisc, project):
    (project.root / FILE).write_text("{", encoding="utf-8")
    return clisc("label", project.root)


def nothing_certain(clisc, project):
    told = clisc("config", "set", project.root, "unet.select=best")
    assert clisc("cases", "move", project.root, "p3", "test").code == 0
    return clisc("train", project.root) if told.code == 0 else told


@pytest.mark.parametrize(
    "fault",
    [
        spoilt_table,
        unseen_no_more,
        no_train_case,
        chosen_cases,
        no_dicom,
        half_a_promotion,
        nothing_certain,
    ],
)
def test_what_is_told_names_the_project(clisc, copied, fault, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    ended = fault(clisc, copied)
    commands = [shlex.split(found) for found in TOLD.findall(ended.message)]
    assert commands and all(str(copied.root) in words for words in commands), ended.message


def test_a_task_of_a_sweep_names_its_project(clisc, copied, monkeypatch):
    monkeypatch.chdir(copied.root)
    ended = clisc("sweep", "classifier.epochs=1,2", "amda.t=5,6", "--row", "cam-amda", "--only", "0")
    assert ended.code == 4
    words = shlex.split(TOLD.findall(ended.message)[0])
    assert words[:2] == ["sweep", str(copied.root)] and words[-1] == "--prepare"
