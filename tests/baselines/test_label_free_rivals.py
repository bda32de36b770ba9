"""The rivals that claim to need no labels never look at one."""

import numpy as np
import pytest

from clisc_engine.baselines.methods import READ_REFERENCES, run_baseline
from clisc_engine.products.rivals import METHODS
from clisc_engine.project.references import References
from clisc_engine.project.store import Seal
from clisc_engine.running.control import Control
from clisc_engine.settings.keys import with_changes
from tests.support.rivals import QUICK
from tests.support.small import contents, differing, run_stages, small_project

LABEL_FREE = tuple(name for name in METHODS if name not in READ_REFERENCES)


def everything(project):
    """What every label-free rival makes of a project, by array and tensor."""
    project.settings = with_changes(project.settings, QUICK, "test")
    for name in LABEL_FREE:
        assert run_baseline(name, project, Control(device="cpu"), ("test",)).failed == {}
    return contents(project)


def test_no_rival_depends_on_the_references_or_opens_one(data, tmp_path, monkeypatch):
    clean = small_project(tmp_path / "clean", data)
    poisoned = small_project(tmp_path / "poisoned", data)
    rng = np.random.default_rng(0)
    for case in poisoned.cases():
        shape = poisoned.references.read(case.info).shape
        noise = rng.integers(0, 2, shape).astype(np.uint8)
        made_from = {"grid": "source", "noise": case.info.name}
        poisoned.store.write(f"cases/{case.info.name}/reference", noise, Seal.now("init", "x", made_from))

    def opened(*_):
        raise AssertionError("a label-free method opened a reference")

    monkeypatch.setattr(References, "_read", opened)
    for project in (clean, poisoned):
        run_stages(project, "label")
    found = everything(clean)
    assert {name.split("/", 2)[2] for name in found if "/masks/" in name} >= {"masks/baseline-otsu"}
    assert differing(found, everything(poisoned)) == []


@pytest.mark.parametrize("name", READ_REFERENCES)
def test_those_that_read_references_come_out_otherwise_with_others(copied, name):
    control = Control(device="cpu")
    run_baseline(name, copied, control, ("test",))
    before = copied.case("p4").read(f"masks/baseline-{name}")
    for case in copied.cases():
        shape = copied.references.read(case.info).shape
        corner = np.zeros(shape, np.uint8)
        corner[tuple(slice(n // 3, n // 2) for n in shape)] = 1
        seal = Seal.now("init", "another", {"grid": "source"})
        copied.store.write(f"cases/{case.info.name}/reference", corner, seal)
    report = run_baseline(name, copied, control, ("test",))
    assert "p4" in report.done
    assert not np.array_equal(before, copied.case("p4").read(f"masks/baseline-{name}"))
