"""`clisc evaluate --table1` as a user sees it."""

import json

import pytest

from clisc_engine.project.project import open_project
from tests.support.table1 import with_rows

ALL = ("--splits", "train,valid,test")


@pytest.fixture(scope="module")
def project(tmp_path_factory, data):
    return with_rows(tmp_path_factory.mktemp("table1") / "glioma", data)


def test_the_table_is_shown_written_for_latex_and_then_up_to_date(clisc, project, tmp_path):
    file = tmp_path / "table1.tex"
    planned = clisc("evaluate", project.root, "--table1", *ALL, "--dry-run")
    assert planned.code == 0
    assert "evaluate --table1: would measure 5 cases in 6 rows: not measured yet" in planned.out
    shown = clisc("evaluate", project.root, "--table1", *ALL, "--latex", file)
    assert shown.code == 0
    for words in ("SAM, reference", "label-free", "Against CLISC", "by tumour size", "tiny models"):
        assert words in shown.out
    makes = f"`clisc baseline salip {project.root} --splits train,valid,test` makes it"
    assert f"SaLIP: not there; {makes}" in shown.out
    latex = file.read_text(encoding="utf-8")
    assert latex.startswith("\\begin{table}") and "Tiny ($n$ = 1)" in latex and "(paper: SAM)" in latex
    assert "5 cases are few" in latex and "over n cases" in shown.out and shown.out.count("n = 1") == 5
    columns = (project.results / "table1.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    assert {"dsc_mean", "dsc_Tiny", "n_Tiny", "paper_row", "paper_dsc_mean"} <= set(columns)
    again = clisc("evaluate", project.root, "--table1", *ALL, "--json", "--latex", file)
    assert again.code == 0 and "up to date" in again.err
    document = json.loads(again.out)
    assert [row["name"] for row in document["rows"]][-2:] == ["full", "sam-reference"]
    planned = clisc("evaluate", project.root, "--table1", *ALL, "--dry-run")
    assert "evaluate --table1: 5 cases in 6 rows up to date" in planned.out


def test_a_file_that_clisc_did_not_write_stays_and_nothing_is_measured(clisc, project, tmp_path):
    mine = tmp_path / "mine.tex"
    mine.write_text("mine", encoding="utf-8")
    refused = clisc("evaluate", project.root, "--table1", *ALL, "--force", "--latex", mine)
    assert refused.code == 3 and "was not written by clisc" in refused.message
    assert "--latex" in refused.message and mine.read_text(encoding="utf-8") == "mine"
    assert "case 1/" not in refused.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--latex", "a.tex"), "add it"),
        (("--table1", "--latex", "a.pdf"), "a table for LaTeX is written here"),
        (("--table1", "--ablation"), "leave it out with --table1"),
    ],
)
def test_options_that_do_not_fit_are_wrong_usage(clisc, project, arguments, words):
    refused = clisc("evaluate", project.root, *arguments)
    assert refused.code == 2 and words in refused.message


def test_a_case_that_lacks_a_mask_ends_with_five_and_no_row_at_all_with_four(clisc, data, tmp_path):
    project = with_rows(tmp_path / "glioma", data)
    project.store.remove("cases/p1/masks/baseline-otsu")
    partly = clisc("evaluate", project.root, "--table1", *ALL)
    assert partly.code == 5 and "1 of 5 cases failed" in partly.message and "p1" in partly.message
    assert "Otsu (floor)" in partly.out
    for case in open_project(project.root).cases():
        for child in project.store.children(f"cases/{case.info.name}/masks"):
            project.store.remove(f"cases/{case.info.name}/masks/{child}")
        project.store.remove(f"cases/{case.info.name}/baselines/amcons")
    nothing = clisc("evaluate", project.root, "--table1", *ALL)
    assert nothing.code == 4 and "clisc baseline otsu" in nothing.message
