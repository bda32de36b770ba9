"""Every label-free rival as a citizen of a project: planned, made, sealed, resumed, verified."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from clisc_engine.baselines import recipes
from clisc_engine.baselines.methods import run_baseline
from clisc_engine.core.labelling import NORMAL, TUMOUR
from clisc_engine.errors import Stopped
from clisc_engine.products.rivals import threshold_of
from clisc_engine.project.project import open_project
from clisc_engine.project.store import Seal
from clisc_engine.running.control import Control
from clisc_engine.upkeep.survey import survey
from clisc_engine.upkeep.verify import verify
from tests.support.command import caller
from tests.support.rivals import LEARNED, QUICK
from tests.support.small import StopsAfter, contents, differing, run_stages, small_project

CPU = Control(device="cpu")
TEST = ("test",)


@pytest.fixture(scope="module")
def labelled(data, tmp_path_factory):
    """A project with CLIP's labels and quick settings; copy it."""
    project = small_project(tmp_path_factory.mktemp("labelled") / "p", data, changes=QUICK)
    run_stages(project, "label")
    return project


@pytest.fixture(scope="module")
def compared(labelled, tmp_path_factory):
    """The same with every label-free rival run."""
    root = tmp_path_factory.mktemp("compared") / "p"
    shutil.copytree(labelled.root, root)
    project = open_project(root)
    for name in (*LEARNED, "salip", "otsu"):
        assert run_baseline(name, project, CPU, TEST).failed == {}, name
    return project


@pytest.fixture
def project(labelled, tmp_path):
    shutil.copytree(labelled.root, tmp_path / "p")
    return open_project(tmp_path / "p")


@pytest.fixture
def clisc(monkeypatch, capsys):
    return caller(monkeypatch, capsys)


def test_a_second_call_does_nothing_and_status_and_verify_agree(compared):
    before = contents(compared)
    for name in (*LEARNED, "salip", "otsu"):
        report = run_baseline(name, compared, CPU, TEST)
        assert not report.done and "p4" in report.fresh, name
    assert differing(before, contents(compared)) == []
    states = {one.stage: one.state for one in survey(compared) if one.stage.startswith("baseline")}
    assert states == dict.fromkeys((f"baseline {name}" for name in (*LEARNED, "salip", "otsu")), "fresh")
    assert verify(compared.root, Control()).faults == []


@pytest.mark.parametrize("name", LEARNED)
def test_maps_are_zero_outside_the_brain_and_finite(compared, name):
    case = compared.case("p4")
    found, image = case.read(f"baselines/{name}"), case.read("image")
    assert found.dtype == np.float16 and found.shape == image.shape
    assert np.isfinite(found).all() and not found[image == 0].any() and found[image != 0].any()


@pytest.mark.parametrize("name", [*LEARNED, "salip", "otsu"])
def test_a_dry_run_plans_and_writes_nothing(project, name):
    before = contents(project)
    report = run_baseline(name, project, replace(CPU, dry_run=True), TEST)
    assert report.planned and not report.done
    assert differing(before, contents(project)) == []


@pytest.mark.parametrize("name", LEARNED)
def test_stopped_and_called_again_it_ends_with_the_same_bits(project, compared, name):
    stops = StopsAfter(1)
    with pytest.raises(Stopped):
        run_baseline(name, project, replace(CPU, progress=stops, stop=stops.flag), TEST)
    run_baseline(name, project, CPU, TEST)
    found, whole = contents(project), contents(compared)
    mine = [key for key in whole if {name, f"baseline-{name}"} & set(key.split("/"))]
    assert mine and [key for key in mine if not np.array_equal(found[key], whole[key])] == []


@pytest.mark.parametrize("name", LEARNED)
def test_a_network_whose_output_is_not_finite_makes_no_empty_mask(compared, tmp_path, name):
    shutil.copytree(compared.root, tmp_path / "p")
    project = open_project(tmp_path / "p")
    for path in project.checkpoints.glob(f"*{name}*.safetensors"):
        checkpoint = project.checkpoint(path.stem)
        spoilt = {
            key: value * torch.nan if value.is_floating_point() and key != "histogram" else value
            for key, value in checkpoint.tensors().items()
        }
        checkpoint.finish(spoilt, checkpoint.made_from(), keep_state=True)
    report = run_baseline(name, project, CPU, ("valid",))
    assert "output is NaN or infinite" in report.failed["p3"]


@pytest.mark.parametrize("name", ["amcons", "if3d"])
def test_which_cases_are_mapped_changes_no_map(project, compared, name):
    run_baseline(name, project, CPU, ("train", "test"))
    array = f"baselines/{name}"
    assert np.array_equal(project.case("p4").read(array), compared.case("p4").read(array))


@pytest.mark.parametrize("name", ["amcons", "gradcamcons", "if3d"])
def test_the_threshold_leaves_one_in_a_hundred_normal_voxels_of_the_held_out_cases(compared, name):
    parts = recipes.parts(compared)
    assert len(parts.held_out) == 1 and len(parts.learnt) == 2
    held_out = parts.held_out[0]
    normal = held_out.read("labels/tumour") == NORMAL
    values = held_out.read(f"baselines/{name}")[normal][held_out.read("image")[normal] != 0]
    kept = recipes.kept_threshold(compared, name)
    over = float((values.astype(np.float32) > kept.value).mean())
    not_under = float((values.astype(np.float32) >= kept.value).mean())
    assert over <= 0.01 + 1 / len(values) and not_under >= 0.01 - 1 / len(values)
    assert kept.slices == int(normal.sum())
    case = compared.case("p4")
    mask = case.read(f"masks/baseline-{name}") != 0
    assert np.array_equal(mask, case.read(f"baselines/{name}").astype(np.float32) > kept.value)


@pytest.mark.parametrize(
    ("changes", "again"),
    [("baselines.threshold=otsu", True), ("baselines.percentile=90", True), ("label.vote_reach=4", False)],
)
def test_another_threshold_cuts_the_same_maps_anew(compared, tmp_path, clisc, changes, again):
    root = tmp_path / "p"
    shutil.copytree(compared.root, root)
    before = contents(open_project(root))
    told = clisc("baseline", "amcons", root, "--set", changes, "--json")
    assert told.code == 0
    changed = differing(before, contents(open_project(root)))
    assert all(name.endswith("masks/baseline-amcons") for name in changed)
    assert (json.loads(told.out)["done"] == ["p4"]) == again


@pytest.mark.parametrize("change", ["baselines.percentile=90", "baselines.threshold=otsu"])
def test_status_and_a_dry_run_see_that_another_threshold_is_asked_for(compared, tmp_path, clisc, change):
    root = tmp_path / "p"
    shutil.copytree(compared.root, root)
    files = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert clisc("config", "set", root, change).code == 0
    changed = {path for path in files if path.read_bytes() != files[path]}
    assert changed == {root / "clisc.toml"}
    states = {one.stage: one.state for one in survey(open_project(root))}
    assert {states[f"baseline {name}"] for name in ("amcons", "gradcamcons", "if3d")} == {"stale"}
    assert states["baseline sim2real"] == states["baseline salip"] == "fresh"
    report = run_baseline("amcons", open_project(root), replace(CPU, dry_run=True), TEST)
    assert report.planned and not report.done
    assert {path for path in files if path.read_bytes() != files[path]} == changed
    assert run_baseline("amcons", open_project(root), CPU, TEST).done == ["p4"]
    assert {one.stage: one.state for one in survey(open_project(root))}["baseline amcons"] == "fresh"


def test_the_gate_empties_slices_that_clip_calls_normal(compared, tmp_path, clisc):
    root = tmp_path / "p"
    shutil.copytree(compared.root, root)
    sets = ("--set", "baselines.threshold=1e-6", "--set", "baselines.gate=true")
    assert clisc("baseline", "if3d", root, *sets).code == 0
    case = open_project(root).case("p4")
    normal = case.read("labels/tumour") == NORMAL
    mask = case.read("masks/baseline-if3d")
    assert normal.any() and not mask[normal].any() and mask[~normal].any()


def relabel(project, value):
    for case in project.cases():
        labels = np.full(case.read("labels/tumour").shape, value, np.uint8)
        case.write("labels/tumour", labels, Seal.now("label", f"all {value}", {}))


@pytest.mark.parametrize("name", LEARNED)
def test_without_enough_normal_slices_nothing_is_trained(project, clisc, name):
    relabel(project, TUMOUR)
    before = contents(project)
    told = clisc("baseline", name, project.root)
    assert told.code == 3
    assert "only 0 normal slices" in told.message and "baselines.min_slices" in told.message
    assert differing(before, contents(project)) == []
    relabel(project, NORMAL)
    told = clisc("baseline", name, project.root, "--set", "baselines.min_slices=50")
    assert told.code == 3 and "baselines.min_slices = 50" in told.message


def test_without_labels_the_step_that_makes_them_is_named(data, tmp_path, clisc):
    bare = small_project(tmp_path / "bare", data, changes=QUICK)
    told = clisc("baseline", "amcons", bare.root)
    assert told.code == 4 and "clisc label" in told.message


def test_normal_cases_are_named_and_must_be_train_cases(project, clisc):
    sets = ("--set", "baselines.normal=cases")
    told = clisc("baseline", "amcons", project.root, *sets, "--set", 'baselines.normal_cases=["p0","p4"]')
    assert told.code == 3 and "p4" in told.message
    told = clisc("baseline", "amcons", project.root, *sets, "--set", 'baselines.normal_cases=["p0"]')
    assert told.code == 3 and "two at least" in told.message
    assert "1 train case can" in told.message and "name them in baselines.normal_cases" in told.message
    told = clisc("baseline", "amcons", project.root, *sets, "--set", 'baselines.normal_cases=["p0","p1"]')
    assert told.code == 0 and "baselines.normal = cases" in told.message


def test_normal_by_reference_is_asked_for_and_goes_through_the_door(project, clisc):
    for case in project.cases(("train",)):
        mask = project.references.read_cropped(case.info)
        mask[: mask.shape[0] // 2] = 0
        project.store.write(f"cases/{case.info.name}/reference", mask, Seal.now("init", case.info.name, {}))
    told = clisc("baseline", "amcons", project.root, "--set", "baselines.normal=reference")
    assert told.code == 0 and "baselines.normal = reference" in told.message


def test_a_held_out_reference_that_changes_chooses_another_threshold(project, clisc):
    """Where references say which slices are normal, and those are what chooses."""

    def write(case, content, keep):
        mask = np.ones(case.read("image").shape, np.uint8)
        mask[keep] = 0
        seal = Seal.now("init", f"{case.info.name} {content}", {})
        project.store.write(f"cases/{case.info.name}/reference", mask, seal)

    for case in project.cases(("train",)):
        write(case, "first", slice(0, 9))
    sets = ("--set", "baselines.normal=reference", "--set", "baselines.min_area=0")
    assert clisc("baseline", "amcons", project.root, *sets).code == 0
    kept = project.root / threshold_of("amcons")
    before, (held_out,) = json.loads(kept.read_text()), recipes.parts(open_project(project.root)).held_out
    assert "fresh" in states_of(project.root)["baseline amcons"]
    write(held_out, "second", slice(5, 14))
    assert "references" in states_of(project.root)["baseline amcons"]
    planned = json.loads(clisc("baseline", "amcons", project.root, "--dry-run", "--json").out)["planned"]
    assert set(planned) == {threshold_of("amcons")}, "the network has not learnt from it"
    assert clisc("baseline", "amcons", project.root).code == 0
    assert json.loads(kept.read_text())["value"] != before["value"]
    assert "fresh" in states_of(project.root)["baseline amcons"]


def states_of(root):
    """The state of each step, with the reasons."""
    return {one.stage: f"{one.state} {one.why}" for one in survey(open_project(root))}
