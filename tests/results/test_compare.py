"""Two evaluations compared: by independent arithmetic, and whatever became of cases and settings since."""

import csv
import json
import re
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from clisc_engine.project import variants
from clisc_engine.project.project import open_project
from clisc_engine.results.compare import CHANCE_NOTE, FEW_NOTE, SEED_NOTE, compare
from clisc_engine.results.sides import sides_of
from clisc_engine.stages.evaluation import document as evaluation_document
from tests.support.command import caller

CPU = ("--device", "cpu", "--quiet")


@pytest.fixture
def clisc(monkeypatch, capsys):
    """Call `clisc ARGUMENTS`."""
    return caller(monkeypatch, capsys)


def compared(*words):
    return compare(*sides_of([str(word) for word in words]))


def figures(folder, metric):
    """What `evaluate` wrote of each case in each row."""
    with (folder / "results" / "cases.csv").open(encoding="utf-8") as file:
        return {(row["name"], row["case"]): float(row[metric]) for row in csv.DictReader(file)}


def test_means_differences_and_tests_are_those_of_the_two_tables(varied):
    document = compared(varied.root, "t0")
    assert document["settings"] == {"amda.t": {"a": 20.0, "b": 0.0}}
    assert document["cases"]["both"] == ["p0", "p1", "p2", "p3", "p4"]
    assert [side["label"] for side in document["sides"]] == ["base", "t0"]
    rows = {row["name"]: row for row in document["rows"]}
    assert set(rows) == {"cam-raw", "cam-amda", "sam", "without-self-training", "full"}
    for metric in ("dsc", "hd95"):
        a, b = (figures(folder, metric) for folder in (varied.root, varied.root / "variants" / "t0"))
        p = {}
        for row in rows:
            one, other = ([of[row, f"p{i}"] for i in range(5)] for of in (a, b))
            found = rows[row][metric]
            assert found["n"] == 5
            assert found["a"] == pytest.approx(np.mean(one), abs=1e-3)
            assert found["difference"] == pytest.approx(np.mean(other) - np.mean(one), abs=1e-3)
            if row == "cam-raw":
                assert rows[row]["same"] and found["p"] is None and one == other, "amda.t does not touch it"
                continue
            p[row] = stats.wilcoxon(np.subtract(other, one)).pvalue
            assert found["p"] == pytest.approx(p[row]) and not rows[row]["same"]
        highest = 0.0
        for place, row in enumerate(sorted(p, key=p.get)):
            highest = max(highest, min(1.0, p[row] * (len(p) - place)))
            assert rows[row][metric]["p_holm"] == pytest.approx(highest)
    assert {row[key]["state"] for row in rows.values() for key in ("a", "b")} == {"fresh"}
    assert FEW_NOTE in document["notes"] and CHANCE_NOTE in document["notes"]


def test_nothing_is_measured_and_no_mask_or_reference_is_read(varied, monkeypatch):
    def poison(*_):
        raise AssertionError("a voxel was read")

    monkeypatch.setattr("clisc_engine.project.store.Store.read", poison)
    assert compared(varied.root, "base", "t0")["rows"]


def test_a_side_without_an_evaluation_names_the_command(clisc, varied):
    clisc("variant", "new", varied.root, "t5", "--set", "amda.t=5", "-q")
    lacking = clisc("compare", varied.root, "t5")
    assert lacking.code == 4
    assert f"clisc evaluate {varied.root} --variant t5" in lacking.message
    assert "t5" not in clisc("compare", varied.root, "t0").out


def test_one_side_alone_outside_a_project_says_what_the_other_may_be(clisc, varied, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    alone = clisc("compare", varied.root)
    assert alone.code == 4 and "name both: `clisc compare DIR B`" in alone.message


def test_stale_rows_and_outdated_tables_are_told(clisc, varied):
    clisc("config", "set", varied.root, "prompts.dilation=7")
    document = compared(varied.root, "t0")
    rows = {row["name"]: row for row in document["rows"]}
    for key in ("a", "b"):
        assert rows["cam-amda"][key]["state"] == "fresh" and rows["sam"][key]["state"] == "stale"
    assert "prompts.dilation" in rows["sam"]["b"]["why"] and document["sides"][0]["outdated"]
    shown = clisc("compare", varied.root, "t0").out
    assert "sam *" in shown and "* sam of t0 is stale" in shown


def test_an_evaluation_of_before_is_a_side_too(clisc, varied):
    old = json.loads((varied.root / "results" / "evaluation.json").read_text(encoding="utf-8"))
    clisc("run", varied.root, "--set", "prompts.kind=box", "--until", "prompt-sam", *CPU)
    assert clisc("evaluate", varied.root, "--splits", "train,valid,test", *CPU).code == 0
    document = compared(varied.root, f"@{old['fingerprint'][:6]}", "base")
    assert document["settings"] == {"prompts.kind": {"a": "both", "b": "box"}}
    assert document["sides"][0]["earlier"] and not document["sides"][1]["earlier"]
    was = {row["name"]: row["dsc_mean"] for row in old["rows"]}
    assert {row["name"]: row["dsc"]["a"] for row in document["rows"]} == pytest.approx(was)
    listed = json.loads(clisc("evaluate", varied.root, "--history", "--json").out)["evaluations"]
    assert [one["current"] for one in listed] == [True, False]
    assert listed[1]["settings"] == {"prompts.kind": {"then": "both", "now": "box"}}
    assert "prompts.kind both (now box)" in clisc("evaluate", varied.root, "--history").out
    wrong = clisc("compare", varied.root, "@ffff", "base")
    assert wrong.code == 3 and old["fingerprint"] in wrong.message
    assert clisc("evaluate", varied.root, "--history", "--force").code == 2


def test_renamed_cases_stay_the_same_and_removed_ones_are_named(clisc, varied):
    first = json.loads((varied.root / "results" / "evaluation.json").read_text(encoding="utf-8"))
    assert clisc("cases", "rename", varied.root, "p1", "q1").code == 0
    assert clisc("cases", "remove", varied.root, "p2").code == 0
    assert clisc("evaluate", varied.root, "--splits", "train,valid,test", *CPU).code == 0
    document = compared(varied.root, f"@{first['fingerprint']}", "base")
    assert document["cases"]["both"] == ["p0", "p1", "p3", "p4"]
    assert document["cases"]["only_a"] == ["p2"] and document["cases"]["only_b"] == []
    for row in document["rows"]:
        assert row["same"] and row["dsc"]["n"] == 4 and row["dsc"]["difference"] == 0.0, row["name"]
        assert row["dsc"]["p"] is None, "the same masks, though one side has more cases"
    assert clisc("evaluate", varied.root, "--history").code == 0


def test_two_projects_pair_by_name_and_leave_out_other_references(clisc, varied, tmp_path):
    import shutil

    other = tmp_path / "other"
    shutil.copytree(varied.root, other)
    project = open_project(other)
    document = evaluation_document.load(project.store)
    for entry in document["cases"]:
        if entry["case"] == "p3":
            entry["volume_ml"] += 1
    document["cases"] = [entry for entry in document["cases"] if entry["case"] != "p4"]
    project.store.write_group("metrics/evaluation", {"evaluation": document})
    found = compared(varied.root, other)
    assert found["cases"] == {
        "both": ["p0", "p1", "p2"],
        "only_a": ["p4"],
        "only_b": [],
        "other_reference": ["p3"],
    }
    assert [side["label"] for side in found["sides"]] == [str(varied.root), str(other)]
    across = compared(varied.root / "variants" / "t0", other)
    assert across["settings"] == {"amda.t": {"a": 0.0, "b": 20.0}}


def test_a_difference_in_seed_alone_is_said_to_be_chance(varied):
    variant = variants.open_variant(varied, "t0")
    variants.keep(variant, variants.Record(changes={"seed": 9}))
    assert SEED_NOTE in compared(varied.root, "t0")["notes"]


def test_words_that_mean_nothing_or_two_things_are_refused(clisc, varied, tmp_path, monkeypatch):
    root = varied.root
    for words, code, said in (
        ((root, "base", "."), 3, "are the same evaluation"),
        ((root, "t1"), 3, "did you mean 't0'"),
        ((root, "t0", "base", "t0"), 2, "two sides"),
        (("t0",), 4, "no project's folder"),
    ):
        refused = clisc("compare", *words)
        assert refused.code == code and said in refused.message, words
    monkeypatch.chdir(root)
    assert clisc("compare", "t0", "-q").code == 0
    assert clisc("compare", "t0", "base", "-q").code == 0
    (tmp_path / "t0").mkdir()
    (tmp_path / "t0" / "clisc.toml").write_bytes((root / "clisc.toml").read_bytes())
    monkeypatch.chdir(tmp_path)
    refused = clisc("compare", root, "t0")
    assert refused.code == 3 and "write base t0" in refused.message


def test_the_tables_hold_what_was_shown(clisc, varied, tmp_path):
    document = json.loads(clisc("compare", varied.root, "t0", "--csv", tmp_path / "t.csv", "--json").out)
    assert document["files"] == [str(tmp_path / "t.csv"), str(tmp_path / "t-cases.csv")]
    with (tmp_path / "t.csv").open(encoding="utf-8") as file:
        rows = {row["row"]: row for row in csv.DictReader(file)}
    for row in document["rows"]:
        assert float(rows[row["name"]]["dsc_difference"]) == pytest.approx(
            row["dsc"]["difference"], rel=1e-4
        )
        assert rows[row["name"]]["side_b"] == "t0"
    with (tmp_path / "t-cases.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 5 * len(rows) == len(document["pairs"])
    (tmp_path / "mine.csv").write_text("mine", encoding="utf-8")
    refused = clisc("compare", varied.root, "t0", "--csv", tmp_path / "mine.csv")
    assert refused.code == 3 and (tmp_path / "mine.csv").read_text(encoding="utf-8") == "mine"


def test_the_page_shows_both_sides_of_a_case(clisc, varied, tmp_path):
    page = tmp_path / "t.html"
    assert clisc("compare", varied.root, "t0", "--report", page, "--pictures", 2, "-q").code == 0
    text = page.read_text(encoding="utf-8")
    document = compared(varied.root, "t0")
    for row in document["rows"]:
        assert f"{row['dsc']['difference']:+.2f}" in text
    final = {pair["case"]: pair["dsc_difference"] for pair in document["pairs"] if pair["row"] == "full"}
    ranked = sorted(final, key=lambda case: (final[case], case))
    for case in (ranked[0], ranked[-1]):
        assert f"<h3>{case}" in text
    assert 'aria-label="a: Slice' in text and 'aria-label="b: Slice' in text
    assert text.count('class="strip"') == 2 * 2 * 3
    assert "<script" not in text and "http" not in text.replace("http-equiv", "").replace(
        "http://www.w3.org/2000/svg", ""
    )
    assert "bundled tiny models" in text and "amda.t" in text


def test_rows_of_table_1_are_compared_where_both_sides_have_them(clisc, varied, tmp_path):
    assert compared(varied.root, "t0")["table1"] is None
    splits = ("--splits", "train,valid,test")
    assert clisc("baseline", "otsu", varied.root, *splits, *CPU).code == 0
    for variant in ((), ("--variant", "t0")):
        made = clisc("evaluate", varied.root, "--table1", *variant, *splits, *CPU)
        assert made.code == 0, made.err
    found = compared(varied.root, "t0")["table1"]
    rows = {row["name"]: row for row in found["rows"]}
    assert set(rows) == {"otsu", "full"}, "t0 shares what does not depend on amda.t"
    assert found["lacking"] == {"a": [], "b": []} and found["outdated"] == {"a": "", "b": ""}
    assert rows["otsu"]["dsc"]["n"] == 5 and rows["otsu"]["dsc"]["difference"] == 0.0, "it has no amda.t"
    for metric in ("dsc", "hd95"):
        a, b = (table1_figures(root, metric) for root in (varied.root, varied.root / "variants" / "t0"))
        wanted = np.mean([b["full", case] - a["full", case] for case in found["cases"]["both"]])
        assert rows["full"][metric]["difference"] == pytest.approx(wanted, abs=1e-3)
    files = ("--csv", tmp_path / "t.csv", "--report", tmp_path / "t.html")
    shown = clisc("compare", varied.root, "t0", *files)
    assert shown.code == 0
    assert "Table 1: b minus a over 5 cases" in " ".join(shown.out.split()) and "Otsu (floor)" in shown.out
    with (tmp_path / "t.csv").open(encoding="utf-8") as file:
        assert ("otsu", "1") in {(line["row"], line["table"]) for line in csv.DictReader(file)}
    _, _, page = (tmp_path / "t.html").read_text(encoding="utf-8").partition('<h2 id="table1">')
    words = re.sub("<[^>]+>", " ", page.partition("</section>")[0]).split()
    for name, row in rows.items():
        found = row["dsc"]
        figures = [f"{found['a']:.2f}", f"{found['b']:.2f}", f"{found['difference']:+.2f}"]
        title = document_titles(varied)[name].split()
        assert any(words[i:][: len(title) + 3] == title + figures for i in range(len(words))), name


def document_titles(project):
    table = json.loads((project.root / "results" / "table1.json").read_text(encoding="utf-8"))
    return {row["name"]: row["title"] for row in table["rows"]}


def table1_figures(folder, metric):
    with (folder / "results" / "table1-cases.csv").open(encoding="utf-8") as file:
        return {(row["name"], row["case"]): float(row[metric]) for row in csv.DictReader(file)}


def test_names_below_the_boxes_of_all_rows_do_not_lie_over_one_another(clisc, varied, tmp_path):
    splits = ("--ablation", "--splits", "train,valid,test", *CPU)
    for variant in ((), ("--variant", "t0")):
        assert clisc("evaluate", varied.root, *variant, *splits).code == 0
    page = tmp_path / "t0.html"
    assert clisc("compare", varied.root, "t0", "--report", page, "--pictures", 0, "-q").code == 0
    charts = re.findall(r'<svg[^>]*class="chart".*?</svg>', page.read_text(encoding="utf-8"), re.DOTALL)
    names = 0
    for chart in charts:
        lines = {}
        for x, y, words in re.findall(r'class="tick" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]+ [ab])<', chart):
            half = 2.6 * len(words)  # letters of the page's 10 units are 5.2 wide on average
            lines.setdefault(y, []).append((float(x) - half, float(x) + half))
            names += 1
        for spans in map(sorted, lines.values()):
            assert all(left[1] <= right[0] for left, right in pairwise(spans))
    assert names == 16
