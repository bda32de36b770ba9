"""Figures of `evaluate` against an implementation that shares nothing with ours."""

import csv
import json
import shutil

import numpy as np
import pytest
from medpy.metric import binary
from small import small_project

from clisc_engine.control import Control
from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.products import graph
from clisc_engine.products.declared import ROWS
from clisc_engine.project import open_project
from clisc_engine.settings_keys import with_changes
from clisc_engine.stages.evaluate import evaluate
from clisc_engine.stages.status import seals_of
from clisc_engine.stages.survey import survey

EVERYWHERE = ("train", "valid", "test")


@pytest.fixture(scope="module")
def evaluated(finished, tmp_path_factory):
    root = tmp_path_factory.mktemp("evaluated") / "project"
    shutil.copytree(finished.root, root)
    project = open_project(root)
    document = evaluate(project, Control(device="cpu"), ablation=True, splits=EVERYWHERE)
    return project, document


def test_every_row_of_table_2_is_there_in_its_order(evaluated):
    _, document = evaluated
    assert [row["name"] for row in document["rows"]] == [
        "cam-raw",
        "cam-amda",
        "sam-points",
        "sam-box",
        "sam",
        "without-self-training",
        "without-s3f",
        "full",
    ]
    for row in document["rows"]:
        assert set(row) == {"name", "dsc_mean", "dsc_std", "hd95_mean", "hd95_std", "n", "empty"}
        assert row["n"] == 5
    assert document["weights"] == "tiny" and "tiny models" in document["note"]


@pytest.mark.parametrize("row", ["sam", "sam-box", "without-self-training", "full"])
def test_case_figures_are_medpys(evaluated, row):
    project, document = evaluated
    measured = {c["case"]: c for c in document["cases"] if c["name"] == row}
    compared = 0
    for case in project.cases():
        reference, mask = project.references.read(case.info) > 0, case.read(ROWS[row]) > 0
        found = measured[case.info.name]
        if not mask.any():
            assert found["dsc"] == 0
            continue
        compared += 1
        assert found["dsc"] == pytest.approx(100 * binary.dc(mask, reference), abs=1e-6)
        expected = binary.hd95(mask, reference, voxelspacing=case.info.spacing)
        assert found["hd95"] == pytest.approx(expected, abs=1e-3)
    assert compared or row == "full"


def test_means_are_those_of_the_cases(evaluated):
    _, document = evaluated
    for row in document["rows"]:
        scores = [c["dsc"] for c in document["cases"] if c["name"] == row["name"]]
        assert row["dsc_mean"] == pytest.approx(np.mean(scores), abs=0.01)
        assert row["dsc_std"] == pytest.approx(np.std(scores), abs=0.01)


def test_five_size_groups_hold_one_case_each(evaluated):
    _, document = evaluated
    groups = [g for g in document["groups"] if g["name"] == "sam"]
    assert [g["n"] for g in groups] == [1] * 5


def test_the_document_is_stored_and_not_measured_twice(evaluated):
    project, document = evaluated
    again = evaluate(project, Control(device="cpu"), ablation=True, splits=EVERYWHERE)
    assert again == document
    stored = json.loads((project.results / "evaluation.json").read_text(encoding="utf-8"))
    assert stored["rows"] == document["rows"]
    with (project.results / "cases.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(document["cases"])


def test_without_references_evaluate_says_what_is_missing(tmp_path, data):
    project = small_project(tmp_path / "project", data, references=False)
    with pytest.raises(BadInput, match="reference"):
        evaluate(project, Control(device="cpu"))


def test_before_any_stage_there_is_nothing_to_evaluate(tmp_path, data):
    project = small_project(tmp_path / "project", data)
    with pytest.raises(MissingStage, match="clisc"):
        evaluate(project, Control(device="cpu"))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ("damage masks/sam", "damaged"),
        ("damage reference", "damaged"),
        ("remove masks/sam", "clisc prompt-sam"),
    ],
)
def test_a_case_that_fails_is_named_and_left_out_of_every_row(evaluated, tmp_path, spoil, reason):
    before = evaluated[1]
    shutil.copytree(evaluated[0].root, tmp_path / "project")
    project = open_project(tmp_path / "project")
    what, array = spoil.split()
    folder = project.store.root / "cases" / "p2" / array
    if what == "remove":
        shutil.rmtree(folder)
    for shard in (path for path in (folder / "c").rglob("*") if path.is_file()):
        shard.write_bytes(shard.read_bytes()[:-40])
    options = {"splits": EVERYWHERE}
    document = evaluate(project, Control(device="cpu", force=True), **options)
    assert list(document["failed"]) == ["p2"] and reason in document["failed"]["p2"]
    assert [row["name"] for row in document["rows"]] == [row["name"] for row in before["rows"]]
    assert all(row["n"] == 4 for row in document["rows"])
    kept = [c for c in before["cases"] if c["case"] != "p2"]
    assert [(c["case"], c["name"], c["dsc"]) for c in document["cases"]] == [
        (c["case"], c["name"], c["dsc"]) for c in kept
    ]


def test_a_row_that_few_cases_have_is_left_out(evaluated, tmp_path):
    shutil.copytree(evaluated[0].root, tmp_path / "project")
    project = open_project(tmp_path / "project")
    for name in ("p0", "p1", "p2"):
        shutil.rmtree(project.store.root / "cases" / name / "masks" / "sam-box")
    document = evaluate(project, Control(device="cpu"), splits=EVERYWHERE)
    assert not document["failed"] and "sam-box" not in [row["name"] for row in document["rows"]]


def test_all_that_a_project_holds_is_declared_and_the_reverse(evaluated):
    project, _ = evaluated
    arrays = {name for case in project.cases() for name in [*seals_of(project, case), "reference"]}
    assert arrays == graph.ARRAYS.keys()
    assert {path.stem for path in project.checkpoints.glob("*.safetensors")} == graph.NETWORKS.keys()
    assert {f"results/{path.name}" for path in project.results.iterdir()} == graph.TABLES.keys()
    for case in project.cases():
        for name, declared in graph.ARRAYS.items():
            if name != "reference" and case.seal(name):
                data = case.read(name)
                assert data.dtype == declared.dtype and data.ndim == len(declared.shape), name
                assert not declared.values or set(np.unique(data)) <= set(declared.values), name


def test_stale_rows_of_the_ablation_are_noted_and_keep_nothing_from_being_fresh(evaluated):
    project, _ = evaluated
    found = survey(project)[-1]
    assert (found.state, found.note) == ("fresh", "")
    project = open_project(project.root)
    project.settings = with_changes(project.settings, {"sam.inside_brain": False}, "test")
    note = survey(project)[-1].note
    assert note.startswith("masks/sam-points, masks/sam-box: stale") and "evaluate --ablation" in note
