"""Figures of `evaluate` against an implementation that shares nothing with ours."""

import csv
import json
import shutil
from dataclasses import asdict, replace

import nibabel
import numpy as np
import pytest
from medpy.metric import binary

from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.imaging.source import hash_of
from clisc_engine.outputs.inputs import HISTORY
from clisc_engine.products import graph
from clisc_engine.products.declared import ROWS
from clisc_engine.project.fingerprint import fingerprint
from clisc_engine.project.project import open_project
from clisc_engine.project.store import Seal
from clisc_engine.results.export_tables import export_tables
from clisc_engine.running.control import Control
from clisc_engine.settings.keys import with_changes
from clisc_engine.stages import recipes
from clisc_engine.stages.evaluate import evaluate
from clisc_engine.upkeep.status import seals_of
from clisc_engine.upkeep.survey import survey
from clisc_engine.upkeep.verify import verify
from tests.support.small import SHAPE, SPACING, small_project

EVERYWHERE = ("train", "valid", "test")
CPU = Control(device="cpu")


@pytest.fixture(scope="module")
def evaluated(finished, tmp_path_factory):
    """Evaluated with round 2's masks drawn by hand: a network of two epochs finds next to nothing."""
    root = tmp_path_factory.mktemp("evaluated") / "project"
    shutil.copytree(finished.root, root)
    project = open_project(root)
    evaluate(project, CPU, splits=EVERYWHERE)
    for case in project.cases():
        drawn = np.roll(project.references.read_cropped(case.info), (1, 3, -2), (0, 1, 2))
        drawn[case.read("image") == 0] = 0
        if case.info.name == "p1":
            drawn[:] = 0
        case.write("masks/round2", drawn, case.seal("masks/round2"))
    document = evaluate(project, CPU, ablation=True, splits=EVERYWHERE)
    return project, document


def given(data, name):
    """The reference as nibabel reads it from its file, (Z, Y, X)."""
    file = nibabel.load(str(data / "references" / f"{name}_seg.nii.gz"))
    return np.asarray(file.dataobj).T > 0


def on_the_volume(case, mask):
    """A stored mask in its place in the file, whose grid is canonical already."""
    whole = np.zeros(SHAPE, bool)
    whole[tuple(slice(*ends) for ends in case.info.placement["crop"])] = mask > 0
    return whole


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
        figures = {"dsc_mean", "dsc_std", "hd95_mean", "hd95_std", "n", "empty"}
        assert set(row) == {"name", *figures, "paper_row", "state", "why", "fingerprint"}
        assert row["state"] == "fresh" and not row["why"]
        assert row["n"] == 5
    assert document["weights"] == "tiny" and "tiny models" in document["note"]


@pytest.mark.parametrize("row", ["sam", "sam-box", "without-self-training", "full"])
def test_case_figures_are_medpys_on_the_whole_volume(evaluated, data, row):
    project, document = evaluated
    measured = {c["case"]: c for c in document["cases"] if c["name"] == row}
    compared = 0
    for case in project.cases():
        reference = given(data, case.info.name)
        mask, found = on_the_volume(case, case.read(ROWS[row])), measured[case.info.name]
        ml = np.prod(SPACING) / 1000
        assert found["volume_ml"] == pytest.approx(reference.sum() * ml)
        assert found["predicted_ml"] == pytest.approx(mask.sum() * ml)
        assert found["empty"] == (not mask.any())
        if found["empty"]:
            diagonal = np.linalg.norm(np.multiply(SHAPE, SPACING))
            assert (found["dsc"], found["hd95"]) == (0, pytest.approx(diagonal))
            continue
        compared += 1
        assert found["dsc"] == pytest.approx(100 * binary.dc(mask, reference), abs=1e-6)
        expected = binary.hd95(mask, reference, voxelspacing=SPACING)
        assert found["hd95"] == pytest.approx(expected, abs=1e-3)
    assert compared >= 4 or row == "without-self-training"


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


def files_in(root):
    return {p.relative_to(root): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.fixture
def spoilt(evaluated, tmp_path):
    """A copy of the evaluated project, free to be spoilt."""
    shutil.copytree(evaluated[0].root, tmp_path / "copy")
    return open_project(tmp_path / "copy")


def reference_becomes(project, name, mask):
    """Another mask in the place of a case's reference, sealed as new."""
    case = project.case(name)
    made_from = {**case.seal("reference").made_from, "reference": "another"}
    project.add_reference(name, mask, Seal.now("init", "", made_from))


@pytest.mark.parametrize("ablation", [False, True])
def test_a_dry_run_plans_and_writes_nothing(spoilt, ablation):
    for name in ("p0", "p4"):
        shutil.rmtree(spoilt.store.root / "cases" / name / "masks" / "round2")
    shutil.rmtree(spoilt.store.root / "cases" / "p2" / "masks" / "sam-box")
    before = files_in(spoilt.root)
    control = Control(device="cpu", dry_run=True)
    found = evaluate(spoilt, control, ablation=ablation, splits=EVERYWHERE)
    assert files_in(spoilt.root) == before
    missing = {"masks/round2": dict.fromkeys(("p0", "p4"), "masks/round2 is missing")}
    if ablation:
        missing["masks/sam-box"] = {"p2": "masks/sam-box is missing"}
    assert found["first"] == missing and found["planned"].endswith("would be made first")
    assert found["cases"] == ["p0", "p1", "p2", "p3", "p4"] and found["rows"] == list(ROWS)


def test_a_dry_run_of_what_is_up_to_date_plans_nothing(evaluated):
    project, _ = evaluated
    before = files_in(project.root)
    for force, reason in ((False, ""), (True, "forced")):
        control = Control(device="cpu", dry_run=True, force=force)
        found = evaluate(project, control, ablation=True, splits=EVERYWHERE)
        assert found["planned"] == reason
    assert files_in(project.root) == before


def test_named_cases_alone_are_measured(spoilt):
    control = Control(device="cpu", cases=("p3",))
    document = evaluate(spoilt, control, splits=EVERYWHERE)
    assert {c["case"] for c in document["cases"]} == {"p3"} and not document["failed"]
    with pytest.raises(BadInput, match="No case p9"):
        evaluate(spoilt, Control(device="cpu", cases=("p9",)), splits=EVERYWHERE)


def test_cases_without_tumour_stand_apart(evaluated, spoilt, tmp_path):
    before = evaluated[1]
    for name in ("p1", "p3"):  # of p1, round 2's mask is empty
        reference_becomes(spoilt, name, np.zeros(SHAPE, np.uint8))
    document = evaluate(spoilt, CPU, splits=EVERYWHERE)
    found = document["without_tumour"]
    assert found["cases"] == ["p1", "p3"]
    full = next(row for row in found["rows"] if row["name"] == "full")
    drawn = spoilt.case("p3").read("masks/round2").sum() * np.prod(SPACING) / 1000
    assert drawn > 0 and full == {
        "name": "full",
        "n": 2,
        "false_positives": 1,
        "volume_ml_mean": pytest.approx(drawn),
        "volume_ml": {"p3": pytest.approx(drawn)},
    }
    for entry in document["cases"]:
        if entry["case"] in found["cases"]:
            assert (entry["dsc"], entry["hd95"], entry["group"]) == (None, None, "no tumour")
            assert entry["volume_ml"] == 0
    for row in document["rows"]:
        values = [
            c for c in before["cases"] if c["name"] == row["name"] and c["case"] in ("p0", "p2", "p4")
        ]
        assert row["n"] == 3 and row["empty"] == sum(value["empty"] for value in values)
        for metric in ("dsc", "hd95"):
            assert row[f"{metric}_mean"] == pytest.approx(np.mean([v[metric] for v in values]))
    assert sum(g["n"] for g in document["groups"] if g["name"] == "full") == 3
    with (spoilt.results / "without_tumour.csv").open(encoding="utf-8") as file:
        assert [row["false_positives"] for row in csv.DictReader(file)][-1] == "1"
    with (spoilt.results / "cases.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["case"] == "p3"]
    assert {(row["dsc"], row["hd95"]) for row in rows} == {("", "")}
    export_tables(spoilt, tmp_path / "tables")
    for name in ("rows", "groups", "cases", "without_tumour"):
        exported = (tmp_path / "tables" / f"evaluation-{name}.csv").read_bytes()
        assert exported == (spoilt.results / f"{name}.csv").read_bytes()


def test_without_any_tumour_only_false_positives_are_counted(spoilt, tmp_path):
    export_tables(spoilt, tmp_path)
    assert (tmp_path / "evaluation-groups.csv").exists()
    for case in spoilt.cases():
        reference_becomes(spoilt, case.info.name, np.zeros(SHAPE, np.uint8))
    document = evaluate(spoilt, CPU, splits=EVERYWHERE)
    assert {(row["n"], row["dsc_mean"], row["hd95_mean"]) for row in document["rows"]} == {(0, None, None)}
    assert document["groups"] == [] and not (spoilt.results / "groups.csv").exists()
    assert document["without_tumour"]["rows"][-1]["false_positives"] == 4
    assert evaluate(spoilt, CPU, splits=EVERYWHERE) == document
    export_tables(spoilt, tmp_path)
    assert not (tmp_path / "evaluation-groups.csv").exists(), "there are no groups any more"
    assert (tmp_path / "evaluation-without_tumour.csv").exists()


def test_with_a_threshold_chosen_by_sam_the_maps_are_measured_by_otsu_and_it_is_said(evaluated, spoilt):
    before = {(c["case"], c["name"]): c["dsc"] for c in evaluated[1]["cases"]}
    assert evaluated[1]["notes"] == []
    spoilt.settings = with_changes(spoilt.settings, {"roi.threshold": "sam"}, "test")
    document = evaluate(spoilt, CPU, splits=EVERYWHERE)
    (note,) = document["notes"]
    assert "Otsu" in note and "cam-amda" in note
    for entry in document["cases"]:
        if entry["name"].startswith("cam-"):
            assert entry["dsc"] == before[entry["case"], entry["name"]]


def as_version_0_1_0_kept_it(project):
    """Make the references of a project what version 0.1.0 kept: cropped, and sealed without a grid."""
    for case in project.cases():
        mask = project.references.read_cropped(case.info)
        seal = case.seal("reference")
        made_from = {key: value for key, value in seal.made_from.items() if key != "grid"}
        project.add_reference(case.info.name, mask, Seal.now("init", fingerprint(made_from), made_from))


def as_version_0_1_0_measured_it(document, project):
    """The document without what version 0.1.0 did not know, made from what it was made from."""
    cases = project.cases(EVERYWHERE)
    provenance = recipes.evaluation_provenance(project, cases, recipes.present_rows(cases))
    known = {key: value for key, value in provenance.items() if not key.startswith("revision of ")}
    left = {
        key: value for key, value in document.items() if key not in ("without_tumour", "notes", "revision")
    }
    return {**left, "fingerprint": fingerprint(known)}


def test_references_of_version_0_1_0_are_read_again_from_their_files(evaluated, spoilt):
    as_version_0_1_0_kept_it(spoilt)
    assert verify(spoilt.root, CPU).faults == []
    before = files_in(spoilt.root)
    plan = evaluate(spoilt, replace(CPU, dry_run=True), splits=EVERYWHERE)
    assert "read again" in plan["planned"] and files_in(spoilt.root) == before
    document = evaluate(spoilt, CPU, splits=EVERYWHERE)
    assert verify(spoilt.root, CPU).faults == []
    assert document["cases"] == evaluated[1]["cases"] and document["notes"] == []
    assert all(spoilt.references.is_whole(case.info) for case in spoilt.cases())
    assert evaluate(spoilt, CPU, splits=EVERYWHERE) == document


def test_those_whose_file_is_gone_are_measured_as_they_are_and_named(evaluated, spoilt):
    as_version_0_1_0_kept_it(spoilt)
    case = spoilt.case("p3")
    lost = replace(case.info, reference_source=str(spoilt.root / "gone_seg.nii.gz"))
    spoilt.store.write_group("cases/p3", {"case": asdict(lost)})
    document = evaluate(spoilt, CPU, splits=EVERYWHERE)
    (note,) = document["notes"]
    assert "p3" in note and "gone_seg.nii.gz is not there" in note and "older clisc" in note
    assert document["cases"] == evaluated[1]["cases"], "nothing of these tumours lies outside the crop"
    assert not spoilt.references.is_whole(lost)


def test_a_file_that_never_was_a_mask_fails_its_case(spoilt, data, tmp_path):
    as_version_0_1_0_kept_it(spoilt)
    case = spoilt.case("p3")
    scan = data / "images" / "p0_flair.nii.gz"
    spoiled = replace(case.info, reference_source=str(scan), reference_sha256=hash_of(scan))
    spoilt.store.write_group("cases/p3", {"case": asdict(spoiled)})
    document = evaluate(spoilt, CPU, splits=EVERYWHERE)
    assert list(document["failed"]) == ["p3"] and "p0_flair.nii.gz" in document["failed"]["p3"]
    assert {c["case"] for c in document["cases"]} == {"p0", "p1", "p2", "p4"}


def test_an_evaluation_of_version_0_1_0_is_stale_with_the_reason(evaluated, spoilt):
    old = as_version_0_1_0_measured_it(evaluated[1], spoilt)
    spoilt.store.write_group("metrics/evaluation", {"evaluation": old})
    (status,) = (status for status in survey(spoilt) if status.stage == "evaluate")
    (table,) = (item for item in status.items if item.product == "results/rows.csv")
    assert table.state == "stale" and "earlier revision of evaluate" in table.why
    assert "on the brain's crop" in table.why
    assert evaluate(spoilt, CPU, splits=EVERYWHERE)["cases"] == evaluated[1]["cases"]


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
    # round 2's masks, drawn by hand before, were forced to be made again
    old, new = (
        [(c["case"], c["name"], c["dsc"]) for c in d["cases"] if c["case"] != "p2" and c["name"] != "full"]
        for d in (before, document)
    )
    assert old == new


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
    rivals = {
        name
        for name, by in graph.MADE_BY.items()
        if by.startswith(("baseline", "trust")) or by.endswith("--table1")
    }
    assert arrays == graph.ARRAYS.keys() - rivals
    networks = {path.stem for path in project.checkpoints.glob("*.safetensors")}
    assert networks == graph.NETWORKS.keys() - rivals
    files = {f"results/{path.name}" for path in project.results.iterdir() if path.name != HISTORY}
    assert files == graph.TABLES.keys() - rivals
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
    assert note.startswith("masks/sam-points, masks/sam-box: stale")
    assert f"`clisc evaluate {project.root} --ablation`" in note
