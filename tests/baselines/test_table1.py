"""Table 1 against figures that share nothing with ours: MedPy's, and thresholds tried one by one."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch
from medpy.metric import binary

from clisc_engine.baselines.table1.evaluate import run_table1, table1
from clisc_engine.baselines.table1.latex import latex
from clisc_engine.baselines.table1.plan import why_stale
from clisc_engine.baselines.table1.tables import against_full
from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.project.project import open_project
from clisc_engine.running import journal
from clisc_engine.running.control import Control, Silent
from clisc_engine.settings.keys import with_changes
from tests.support.small import SHAPE, SPACING, small_project
from tests.support.table1 import EVERYWHERE, array_of, drawn, sealed, with_rows

CPU = Control(device="cpu")


class Listening(Silent):
    def __init__(self):
        self.said = []

    def say(self, message):
        self.said.append(message)


@pytest.fixture(scope="module")
def compared(tmp_path_factory, data):
    project = with_rows(tmp_path_factory.mktemp("table1") / "project", data)
    return project, run_table1(project, CPU, EVERYWHERE)


@pytest.fixture
def spoilt(compared, tmp_path):
    """A copy of the compared project, free to be spoilt."""
    shutil.copytree(compared[0].root, tmp_path / "copy")
    return open_project(tmp_path / "copy")


def row_named(document, name):
    (row,) = [row for row in document["rows"] if row["name"] == name]
    return row


def on_the_volume(case, mask):
    whole = np.zeros(SHAPE, bool)
    whole[tuple(slice(*ends) for ends in case.info.placement["crop"])] = mask > 0
    return whole


def files_in(root):
    return {p.relative_to(root): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_the_rows_stand_in_the_paper_s_order_and_say_whether_they_are_label_free(compared):
    _, document = compared
    assert [(row["name"], row["label_free"]) for row in document["rows"]] == [
        ("amcons", True),
        ("amcons-oracle", False),
        ("otsu", True),
        ("own-bright_parts", True),
        ("full", True),
        ("sam-reference", False),
    ]
    assert [row["name"] for row in document["lacking"]] == [
        "salip",
        "gradcamcons",
        "if3d",
        "sim2real-stage1",
        "sim2real",
        "phantoms-only",
        "supervised",
    ]
    commands = {row["name"]: row["command"] for row in document["lacking"]}
    assert commands["salip"] == "clisc baseline salip --splits train,valid,test"
    assert commands["sim2real-stage1"] == "clisc baseline sim2real --splits train,valid,test"


@pytest.mark.parametrize("row", ["full", "otsu", "amcons", "own-bright_parts"])
def test_figures_of_a_case_are_medpys_on_the_whole_volume(compared, row):
    project, document = compared
    measured = {entry["case"]: entry for entry in document["cases"] if entry["name"] == row}
    assert len(measured) == 5
    for case in project.cases():
        reference = project.references.read(case.info) > 0
        mask, found = on_the_volume(case, case.read(array_of(row))), measured[case.info.name]
        assert found["dsc"] == pytest.approx(100 * binary.dc(mask, reference))
        assert found["hd95"] == pytest.approx(binary.hd95(mask, reference, voxelspacing=SPACING), abs=1e-3)
    summary = row_named(document, row)
    assert summary["n"] == 5 and summary["empty"] == 0
    assert summary["dsc_mean"] == pytest.approx(np.mean([e["dsc"] for e in measured.values()]))
    assert {g["n"] for g in document["groups"] if g["name"] == row} == {1}


def test_the_oracle_s_threshold_is_the_best_of_all_over_the_brain_voxels(compared):
    project, document = compared
    values, inside = [], []
    for case in project.cases():
        brain = case.read("image") != 0
        values.append(case.read("baselines/amcons")[brain])
        inside.append(project.references.read_cropped(case.info)[brain] > 0)
    values, inside = np.concatenate(values), np.concatenate(inside)

    def f1(threshold):
        marked = values > threshold
        return 2 * (marked & inside).sum() / (marked.sum() + inside.sum())

    oracle = row_named(document, "amcons-oracle")
    best = max(f1(tried) for tried in np.unique(values)[::41])
    assert best <= f1(oracle["threshold"]) < best + 2e-3
    for case in project.cases():
        mask = case.read("baselines/amcons").astype(float) > oracle["threshold"]
        mask = on_the_volume(case, mask & (case.read("image") != 0))
        (entry,) = [
            e for e in document["cases"] if (e["case"], e["name"]) == (case.info.name, "amcons-oracle")
        ]
        assert entry["dsc"] == pytest.approx(100 * binary.dc(mask, project.references.read(case.info) > 0))
    assert any("threshold from references are not label-free" in note for note in document["notes"])


def test_five_cases_can_differ_by_no_less_than_a_sixteenth_and_holm_takes_that_five_times(compared):
    # Two signs of five ranks in 2^5 are as extreme as all five alike: p = 1/16; five rows are tested.
    _, document = compared
    for name in ("otsu", "own-bright_parts", "sam-reference"):
        test = row_named(document, name)["against_full"]["dsc"]
        assert (test["n"], test["p"]) == (5, pytest.approx(1 / 16))
        assert test["p_holm"] == pytest.approx(5 / 16) and not test["significant"]
    assert row_named(document, "sam-reference")["against_full"]["dsc"]["difference"] > 0
    assert row_named(document, "full")["against_full"] is None


def entries(row, values):
    return [{"case": f"c{i}", "name": row, "dsc": value, "hd95": 5.0} for i, value in enumerate(values)]


def test_rows_are_tested_over_the_cases_that_both_have_and_a_clear_difference_gets_its_star():
    full = entries("full", [80, 81, 82, 83, 84, 85, 86, 87, None])
    worse = entries("worse", [70, 70.9, 71.8, 72.7, 73.6, 74.5, 75.4, 76.3, 50])
    few = entries("few", [70, 71])
    tests = against_full([*full, *worse, *few], ["worse", "few", "full"])
    assert tests.keys() == {"worse", "few"}
    assert (tests["worse"]["dsc"]["n"], tests["few"]["dsc"]["n"]) == (8, 2)
    assert tests["worse"]["dsc"]["p"] == pytest.approx(2 / 2**8)
    assert tests["worse"]["dsc"]["p_holm"] == pytest.approx(4 / 2**8)
    assert tests["worse"]["dsc"]["significant"] and not tests["worse"]["hd95"]["significant"]
    assert tests["few"]["dsc"]["p_holm"] == pytest.approx(0.5) and tests["worse"]["hd95"]["p"] == 1
    assert against_full([*worse, *few], ["worse", "few"]) == {}


def test_the_paper_s_figures_stand_beside_and_what_they_are_is_said(compared):
    _, document = compared
    paper = row_named(document, "full")["paper"]
    assert (paper["dsc_mean"], paper["dsc_std"], paper["hd95_mean"]) == (85.60, 9.26, 6.72)
    assert paper["groups"]["Tiny"]["dsc_mean"] == 79.67
    assert row_named(document, "otsu")["paper"] is None
    notes = " ".join(document["notes"])
    assert "our guess" in notes and "faithful rerun, not the rerun" in notes
    assert "tiny models" in document["note"] and document["paper_title"] == "paper, BraTS 2020"


def test_a_second_call_does_nothing_and_says_so_and_table_2_is_not_touched(compared):
    project, document = compared
    before, listening = files_in(project.root), Listening()
    assert run_table1(project, Control(device="cpu", progress=listening), EVERYWHERE) == document
    assert files_in(project.root) == before
    assert listening.said == ["Table 1 is up to date; nothing measured anew"]
    assert sorted(path.name for path in project.results.iterdir()) == [
        "table1-cases.csv",
        "table1.csv",
        "table1.json",
    ]
    assert [entry.stage for entry in journal.entries(project)][-1] == "evaluate --table1"
    assert json.loads((project.results / "table1.json").read_text(encoding="utf-8")) == document


def test_the_csv_tables_hold_every_row_and_case(compared):
    project, document = compared
    with (project.results / "table1.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["row"] for row in rows] == [row["name"] for row in document["rows"]]
    full = rows[4]
    assert float(full["dsc_mean"]) == pytest.approx(row_named(document, "full")["dsc_mean"], rel=1e-5)
    assert full["dsc_p_holm"] == "" and full["paper_dsc_mean"] == "85.6" and full["dsc_Huge"] != ""
    with (project.results / "table1-cases.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(document["cases"]) == 30


@pytest.mark.parametrize("changed", ["mask", "map", "reference", "row"])
def test_what_changed_makes_the_table_stale(spoilt, changed):
    case = spoilt.case("p2")
    assert why_stale(spoilt) == ""
    if changed == "mask":
        case.write("masks/baseline-otsu", drawn(spoilt, case, 2), sealed("another"))
    elif changed == "map":
        case.write("baselines/amcons", case.read("baselines/amcons"), sealed("another"))
    elif changed == "reference":
        made_from = {**case.seal("reference").made_from, "reference": "another"}
        whole = np.roll(spoilt.references.read(case.info), 1, 2)
        spoilt.add_reference("p2", whole, type(sealed("")).now("init", "", made_from))
    else:
        for one in spoilt.cases():
            one.write("masks/baseline-salip", drawn(spoilt, one, 2), sealed(f"salip of {one.info.name}"))
    assert "changed" in why_stale(spoilt)
    listening = Listening()
    document = table1(spoilt, Control(device="cpu", progress=listening), splits=EVERYWHERE)
    assert any(said.startswith("measured anew: ") for said in listening.said)
    assert why_stale(spoilt) == ""
    assert (changed == "row") == ("salip" in [row["name"] for row in document["rows"]])


def test_a_case_that_lacks_a_mask_is_named_and_left_out_of_that_row_alone(spoilt):
    for name in ("p0", "p4"):
        spoilt.store.remove(f"cases/{name}/masks/baseline-otsu")
    document = table1(spoilt, CPU, splits=EVERYWHERE)
    assert document["failed"].keys() == {"p0", "p4"} and "baseline-otsu" in document["failed"]["p0"]
    assert {row["name"]: row["n"] for row in document["rows"]} == {
        **dict.fromkeys(["amcons", "amcons-oracle", "own-bright_parts", "full", "sam-reference"], 5),
        "otsu": 3,
    }
    assert row_named(document, "otsu")["against_full"]["dsc"]["n"] == 3
    spoilt.store.remove("cases/p1/masks/baseline-otsu")  # fewer than half
    document = table1(spoilt, CPU, splits=EVERYWHERE)
    (lacking,) = [row for row in document["lacking"] if row["name"] == "otsu"]
    assert (lacking["having"], lacking["cases"]) == (2, 5) and not document["failed"]


def test_cases_without_tumour_stand_apart_and_choose_no_size(spoilt):
    for name in ("p1", "p3"):
        case = spoilt.case(name)
        made_from = {**case.seal("reference").made_from, "reference": "none"}
        spoilt.add_reference(name, np.zeros(SHAPE, np.uint8), type(sealed("")).now("init", "", made_from))
    case.write("masks/round2", np.zeros_like(case.read("masks/round2")), sealed("empty"))
    document = table1(spoilt, CPU, splits=EVERYWHERE)
    apart = {row["name"]: row["false_positives"] for row in document["without_tumour"]["rows"]}
    assert document["without_tumour"]["cases"] == ["p1", "p3"]
    assert apart["full"] == 1 and apart["otsu"] == 2
    assert {row["n"] for row in document["rows"]} == {3}
    assert row_named(document, "otsu")["against_full"]["dsc"]["n"] == 3


def test_without_any_tumour_there_is_no_oracle_and_no_test(spoilt):
    for case in spoilt.cases():
        made_from = {**case.seal("reference").made_from, "reference": "none"}
        seal = type(sealed("")).now("init", "", made_from)
        spoilt.add_reference(case.info.name, np.zeros(SHAPE, np.uint8), seal)
    document = table1(spoilt, CPU, splits=EVERYWHERE)
    assert "amcons-oracle" not in [row["name"] for row in document["rows"]]
    assert row_named(document, "otsu")["against_full"]["dsc"]["p"] is None
    assert document["groups"] == [] and any("no amcons-oracle" in note for note in document["notes"])
    assert table1(spoilt, CPU, splits=EVERYWHERE) == document


def test_without_clisc_s_masks_nothing_is_tested_and_it_is_said(spoilt):
    for case in spoilt.cases():
        spoilt.store.remove(f"cases/{case.info.name}/masks/round2")
    document = table1(spoilt, CPU, splits=EVERYWHERE)
    assert all(row["against_full"] is None for row in document["rows"])
    assert any("no row is tested" in note for note in document["notes"])
    assert {row["name"]: row["command"] for row in document["lacking"]}["full"] == "clisc run"


def test_a_gate_holds_for_the_oracle_as_for_the_row_beside_it(spoilt):
    for case in spoilt.cases():
        labels = np.zeros(len(case.read("image")), np.uint8)
        case.write("labels/tumour", labels, sealed("all normal"))
    spoilt.settings = with_changes(spoilt.settings, {"baselines.gate": True}, "test")
    document = table1(spoilt, CPU, splits=EVERYWHERE)
    assert row_named(document, "amcons-oracle")["empty"] == 5
    assert row_named(document, "amcons")["empty"] == 0  # was made without


def test_a_row_that_learned_from_references_is_not_label_free_whatever_the_settings_say(spoilt):
    made_from = {"train/p0/image": "1", "train/p0/reference": "2"}
    network = Checkpoint(spoilt.checkpoints, "baseline-amcons")
    network.finish({"weight": torch.zeros(1)}, made_from, keep_state=False)
    document = table1(spoilt, CPU, splits=EVERYWHERE)
    assert spoilt.settings.baselines.normal == "clip"
    assert not row_named(document, "amcons")["label_free"]
    assert any(note.endswith("AMCons, SAM, reference prompts.") for note in document["notes"])


def test_a_dry_run_plans_and_writes_nothing(spoilt):
    control, before = Control(device="cpu", dry_run=True), files_in(spoilt.root)
    found = run_table1(spoilt, control, EVERYWHERE)
    assert (found["stage"], found["planned"], found["first"]) == ("evaluate --table1", "", {})
    assert files_in(spoilt.root) == before
    case = spoilt.case("p4")
    case.write("masks/baseline-otsu", drawn(spoilt, case, 2), sealed("another"))
    before = files_in(spoilt.root)
    found = table1(spoilt, control, splits=EVERYWHERE)
    assert "changed" in found["planned"] and len(found["cases"]) == 5 and "amcons-oracle" in found["rows"]
    assert table1(spoilt, Control(device="cpu", dry_run=True, force=True), splits=EVERYWHERE)["planned"]
    assert files_in(spoilt.root) == before


def test_without_rows_or_references_nothing_is_written(tmp_path, data):
    project = small_project(tmp_path / "bare", data)
    before = files_in(project.root)
    for dry_run in (False, True):
        with pytest.raises(MissingStage, match="clisc baseline otsu"):
            table1(project, Control(device="cpu", dry_run=dry_run), splits=EVERYWHERE)
    with pytest.raises(BadInput, match="No case p9"):
        table1(project, Control(device="cpu", cases=("p9",)), splits=EVERYWHERE)
    assert files_in(project.root) == before
    without = small_project(tmp_path / "without", data, references=False)
    with pytest.raises(BadInput, match="No case has a reference"):
        table1(without, CPU)


def test_named_cases_alone_are_measured(spoilt):
    document = table1(spoilt, Control(device="cpu", cases=("p3",)), splits=EVERYWHERE)
    assert {entry["case"] for entry in document["cases"]} == {"p3"}


def test_latex_has_a_line_for_each_row_with_as_many_cells_as_columns(compared):
    _, document = compared
    text = latex(document)
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert [line.count(" & ") for line in lines] == [12] * (1 + len(document["rows"]))
    full = row_named(document, "full")
    assert rf"{full['dsc_mean']:.2f} $\pm$ {full['dsc_std']:.2f}" in text
    assert r"own-bright\_parts & yes" in text and r"85.60 $\pm$ 9.26" in text
    assert text.count("{") == text.count("}") and "not the rerun" in text
    assert all(ord(letter) < 128 for letter in text)
    assert "$^{*}$" not in text
    row_named(document, "otsu")["against_full"]["dsc"]["significant"] = True
    try:
        assert text.count("$^{*}$") + 1 == latex(document).count("$^{*}$")
    finally:
        row_named(document, "otsu")["against_full"]["dsc"]["significant"] = False
