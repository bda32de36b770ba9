"""Ranks share the rivals of Table 1 and a sweep's values: what they make is what one rank makes."""

import json
import shutil

import numpy as np
import pytest

from clisc_engine.baselines.methods import run_baseline
from clisc_engine.project.project import open_project
from clisc_engine.running.control import Control
from tests.support.rivals import LEARNED, QUICK
from tests.support.small import contents, curve, differing, run_stages, small_project

CPU = Control(device="cpu")


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory):
    """A project with every label-free rival, made by one rank."""
    project = small_project(tmp_path_factory.mktemp("alone") / "p", data, changes=QUICK)
    run_stages(project, "label")
    for name in (*LEARNED, "salip", "otsu"):
        assert run_baseline(name, project, CPU, ("test",)).failed == {}, name
    return project


@pytest.fixture
def unmade(alone, tmp_path):
    """The same project without what its rivals made."""
    shutil.copytree(alone.root, tmp_path / "p")
    project = open_project(tmp_path / "p")
    for case in project.cases():
        for group in ("baselines", "masks"):
            project.store.remove(f"cases/{case.info.name}/{group}")
    for path in [*project.checkpoints.iterdir(), *project.logs.glob("*.csv")]:
        path.unlink()
    return project


@pytest.mark.parametrize("name", LEARNED)
def test_a_rival_that_learns_takes_the_steps_of_one_rank(cluster, alone, unmade, name):
    """Its batches are shared; the maps are those of the same network but for rounding."""
    ended = cluster.run("baseline", name, unmade.root, "--splits", "test", "--device", "cpu")
    assert ended.codes == [0, 0], ended.outputs
    networks = [path.stem for path in unmade.checkpoints.glob("*.safetensors")]
    assert networks
    for network in networks:
        assert curve(unmade, network) == pytest.approx(curve(alone, network), rel=1e-3), network
    found, expected = (project.case("p4").read(f"baselines/{name}") for project in (unmade, alone))
    assert found.any() and np.allclose(found, expected, atol=0.02 * expected.max())
    assert ended.outputs[1] == ""


@pytest.mark.parametrize("name", ["salip", "otsu"])
def test_a_rival_that_learns_nothing_is_the_same_to_the_bit(cluster, alone, unmade, name):
    ended = cluster.run("baseline", name, unmade.root, "--splits", "test", "--device", "cpu")
    assert ended.codes == [0, 0], ended.outputs
    made = contents(unmade)
    assert f"cases/p4/masks/baseline-{name}" in made
    assert not set(differing(made, contents(alone))) & set(made)


def test_table_1_and_a_sweep_are_shared(cluster, finished, tmp_path):
    """Both measure what one rank measures; rank 0 alone says and writes it."""
    shutil.copytree(finished.root, tmp_path / "team")
    shutil.copytree(finished.root, tmp_path / "one")
    team, one = tmp_path / "team", tmp_path / "one"
    for order in (("evaluate", "--table1"), ("sweep", "prompts.dilation=2,5", "--row", "sam")):
        command, *others = order
        documents = []
        for root, ranks in ((team, 2), (one, 1)):
            ended = cluster.run(command, root, *others, "--device", "cpu", "--json", ranks=ranks)
            assert ended.codes == [0] * ranks, ended.outputs
            told = json.dumps({key: what for key, what in ended.document.items() if key != "seconds"})
            documents.append(json.loads(told.replace(str(root), "DIR")))  # in commands to paste
        assert documents[0] == documents[1]
