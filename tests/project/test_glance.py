"""A glance at a project reads each record once, and holds for one question only."""

import numpy as np
import pytest

from clisc_engine.project.case_changes import Change
from clisc_engine.project.store import Seal
from clisc_engine.upkeep.foresight import AsIf
from tests.support.handmade import declared_project


def seal(text):
    return Seal.now("test", text, {})


@pytest.fixture
def project(tmp_path):
    return declared_project(tmp_path / "p", ["image", "masks/sam"], [])


def test_what_changes_meanwhile_is_seen_by_the_next_glance(project):
    glance = project.glance()
    case = glance.case("a")
    assert case.stamp("masks/sam").fingerprint == "<masks/sam of a>" and case.stamp("cams/raw") is None
    assert [c.info.name for c in glance.cases()] == ["a", "b", "t", "v"] and glance.lost_cases() == {}
    project.case("a").write("masks/sam", np.ones((3, 4, 4), np.uint8), seal("anew"))
    project.store.remove("cases/b")
    assert case.stamp("masks/sam").fingerprint == "<masks/sam of a>"
    assert [c.info.name for c in glance.cases()] == ["a", "b", "t", "v"]
    again = project.glance()
    assert again.case("a").stamp("masks/sam").fingerprint == "anew"
    assert [c.info.name for c in again.cases()] == ["a", "t", "v"]


def test_a_stamp_is_what_the_seal_says(project):
    for case in project.cases():
        for array in ("image", "masks/sam", "masks/round1"):
            found, stamp = case.seal(array), project.glance().case(case.info.name).stamp(array)
            assert (found is None) == (stamp is None)
            assert stamp is None or stamp == (found.fingerprint, found.time, found.seconds)


def test_a_project_as_it_would_be_after_a_change_stays_so_in_a_glance(project):
    as_if = AsIf(project, Change(remove=("a",), move={"b": "test"}))
    seen = as_if.glance()
    found = {case.info.name: case.info.split for case in seen.cases()}
    assert found == {"b": "test", "t": "test", "v": "valid"}


def test_nothing_is_written_through_a_glance(project):
    with pytest.raises(PermissionError):
        project.glance().case("a").write("masks/sam", np.ones((3, 4, 4), np.uint8), seal("anew"))
    assert project.case("a").seal("masks/sam").fingerprint == "<masks/sam of a>"
