"""`clisc report` as a user calls it."""

import json


def test_report_writes_into_results_or_where_it_is_told(clisc, copied, tmp_path, monkeypatch):
    monkeypatch.chdir(copied.root)
    made = clisc("report", "--cases", "p0,p4")
    assert made.code == 0, made.err
    assert made.out.startswith(f"{copied.results / 'report.html'}: ") and "report: case 2/2" in made.err
    assert (copied.results / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    out = tmp_path / "deep" / "x.html"
    document = json.loads(
        clisc("report", copied.root, "-o", out, "--pictures", 1, "--viewers", 2, "--json").out
    )
    assert document["file"] == str(out) and document["size"] == out.stat().st_size
    assert len(document["pictured"]) == 1 and len(document["viewed"]) == 2 and document["failed"] == {}


def test_report_of_a_case_that_is_not_there_writes_nothing(clisc, finished, tmp_path):
    outcome = clisc("report", finished.root, "-o", tmp_path / "x.html", "--cases", "nobody")
    assert outcome.code == 3 and "nobody" in outcome.message
    assert list(tmp_path.iterdir()) == []


def test_names_of_cases_may_have_spaces_around_them(clisc, finished, tmp_path):
    shown = clisc("report", finished.root, "-o", tmp_path / "x.html", "--cases", "p0, p4 ", "--json")
    assert shown.code == 0 and json.loads(shown.out)["pictured"] == ["p0", "p4"]
