"""The tables of `clisc evaluate` as a reader of them needs them."""

import csv
import json

import pytest

from tests.support.small import small_project
from tests.support.volumes import ball, write

CPU = ("--device", "cpu")
HEADS_OF_0_1_0 = {
    "rows.csv": ["name", "dsc_mean", "dsc_std", "hd95_mean", "hd95_std", "n", "empty"],
    "groups.csv": ["name", "group", "dsc_mean", "dsc_std", "hd95_mean", "hd95_std", "n", "empty"],
}
"""The columns by which scripts know the tables."""


def heads(path):
    with path.open(encoding="utf-8") as file:
        return next(csv.reader(file))


def test_the_table_says_what_stands_in_it(clisc, copied):
    shown = clisc("evaluate", copied.root, *CPU)
    assert shown.code == 0
    for words in (
        "Measured on 1 case (test; tiny weights): mean ± SD over n cases",
        "SAM (5 points + box)",
        f"Not made yet: sam-points, sam-box, without-s3f (`clisc evaluate {copied.root} --ablation`)",
        "1 case: figures of one volume",
    ):
        assert words in shown.out
    assert "DSC % of each case" not in shown.out
    document = json.loads(clisc("evaluate", copied.root, *CPU, "--json").out)
    assert [row["name"] for row in document["lacking"]] == ["sam-points", "sam-box", "without-s3f"]
    assert document["units"]["hd95"] == "mm" and "divided by n" in document["units"]["std"]
    for name, columns in HEADS_OF_0_1_0.items():
        assert heads(copied.results / name)[: len(columns)] == columns


def test_a_table_tells_that_train_cases_are_among_those_it_measured(clisc, copied):
    shown = clisc("evaluate", copied.root, *CPU, "--splits", "train,test")
    assert shown.code == 0 and "(train, test; tiny weights)" in " ".join(shown.out.split())
    page = copied.results / "report.html"
    assert clisc("report", copied.root, "--pictures", 0, "--viewers", 0).code == 0
    assert "over the n cases of a row (train, test)" in page.read_text(encoding="utf-8")


def test_sizes_have_their_n_and_cases_a_table_of_their_own(clisc, copied):
    everyone = ("--splits", "train,valid,test")
    shown = clisc("evaluate", copied.root, *CPU, *everyone, "--cases-table")
    assert shown.code == 0 and shown.out.count("n = 1") == 5
    document = json.loads(clisc("evaluate", copied.root, *CPU, *everyone, "--json").out)
    table = shown.out[shown.out.index("DSC % of each case") :]
    for entry in document["cases"]:
        (line,) = (line for line in table.splitlines() if f" {entry['case']} " in line)
        assert f" {entry['dsc']:.2f} " in line and f" {entry['volume_ml']:.1f} " in line
    assert "5 cases are few" in shown.out and "--splits" not in table


EVERYONE = ("--splits", "train,valid,test", *CPU)
TABLES = {
    "evaluate": ("--cases-table", *EVERYONE),
    "evaluate --table1": EVERYONE,
    "trust": CPU,
    "cases list": (),
}


@pytest.mark.parametrize("command", TABLES)
def test_a_narrow_terminal_loses_nothing_of_a_table(clisc, monkeypatch, varied, command):
    def characters(columns):
        """The letters and figures, since cells may be folded."""
        monkeypatch.setenv("COLUMNS", columns)
        words, options = command.split(), TABLES[command]
        shown = clisc(*words[:2], varied.root, *words[2:], *options)
        assert shown.code == 0, shown.err
        return sorted(sign for sign in shown.out if sign.isalnum() or sign in "±+-…")

    characters("200")  # what it makes is there from now on
    wide = characters("200")
    assert characters("80") == wide and characters("60") == wide


def test_a_narrow_terminal_shows_each_reason_in_one_piece(clisc, monkeypatch, varied):
    assert clisc("config", "set", varied.root, "amda.t=5").code == 0
    monkeypatch.setenv("COLUMNS", "80")
    steps = json.loads(clisc("status", varied.root, "--json").out)["stages"]
    shown = clisc("status", varied.root).out.splitlines()
    stale = [step for step in steps if step["why"]]
    assert stale and all(f"{step['stage']}: {step['why']}" in shown for step in stale)
    arrays = json.loads(clisc("status", varied.root, "p0", "--json").out)["arrays"]
    shown = clisc("status", varied.root, "p0").out.splitlines()
    reasons = [f"{name}: {seal['why']}" for name, seal in arrays.items() if seal["why"]]
    assert reasons and set(reasons) <= set(shown)


def test_a_comparison_fits_a_terminal_of_80_columns(clisc, monkeypatch, varied):
    monkeypatch.setenv("COLUMNS", "80")
    shown = clisc("compare", varied.root, "t0")
    figures = json.loads(clisc("compare", varied.root, "t0", "--json").out)["rows"]
    lines = [" ".join(line.replace("│", " ").split()) for line in shown.out.splitlines()]
    for row in figures:
        for metric in ("dsc", "hd95"):
            a, b, d = (row[metric][key] for key in ("a", "b", "difference"))
            assert any(f"{row['name']} {a:.2f} {b:.2f} {d:+.2f} " in line for line in lines), row["name"]


@pytest.mark.parametrize("columns", ["0", "-1", "wide", ""])
@pytest.mark.parametrize("words", [("cases", "list"), ("trust", "--help"), ("status", "--nonsense")])
def test_columns_that_are_none_are_as_if_they_were_not_set(clisc, monkeypatch, varied, words, columns):
    monkeypatch.chdir(varied.root)
    monkeypatch.delenv("COLUMNS", raising=False)
    expected = clisc(*words)
    monkeypatch.setenv("COLUMNS", columns)
    shown = clisc(*words)
    assert (shown.out, shown.err) == (expected.out, expected.err) and (shown.out + shown.err).strip()


@pytest.mark.parametrize("words", [("init", "new", "--dry-run"), ("cases", "add", "old", "--dry-run")])
def test_what_an_import_would_do_fits_a_pipe_of_80_columns(clisc, monkeypatch, data, tmp_path, words):
    monkeypatch.chdir(tmp_path)
    small_project(tmp_path / "old", data)
    monkeypatch.setenv("COLUMNS", "80")
    for seed in (0, 1):
        write(tmp_path / "more" / f"{'long-' * 9}p{seed}.nii.gz", ball(seed=seed))
    options = ("--images", tmp_path / "more", *(("--weights", "tiny") if words[0] == "init" else ()))
    shown = clisc(*words, *options)
    assert shown.code == 0, shown.err
    assert max(map(len, shown.out.splitlines())) <= 80
    monkeypatch.delenv("COLUMNS")
    piped = clisc(*words, *options).out
    assert f"{'long-' * 9}p0.nii.gz" in piped, "a pipe's lines may be long"
    assert sorted(filter(str.isalnum, piped)) == sorted(filter(str.isalnum, shown.out)), "folded, not cut"
