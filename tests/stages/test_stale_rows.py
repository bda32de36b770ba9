"""`evaluate` marks each row that was made by other settings than today's, wherever the row is shown."""

import csv
import json

import pytest

from tests.support.command import caller


@pytest.fixture
def call(monkeypatch, capsys):
    return caller(monkeypatch, capsys)


def rows_csv(root):
    with (root / "results" / "rows.csv").open(encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def test_rows_of_earlier_settings_are_marked_in_table_csv_and_json(call, copied):
    root = copied.root
    fresh = json.loads(call("evaluate", root, "--device", "cpu", "--json").out)
    assert {row["state"] for row in fresh["rows"]} == {"fresh"} and fresh["stale"]["rows"] == []
    changed = call("run", root, "--set", "prompts.kind=box", "--until", "prompt-sam", "--device", "cpu")
    assert changed.code == 0
    shown = call("evaluate", root, "--device", "cpu")
    assert shown.code == 0
    marked = {line.split()[1] for line in shown.out.splitlines() if line.startswith("* ")}
    assert marked == {"without-self-training", "full"}
    assert "2 of 5 rows" in shown.out and f"`clisc run {root}` makes them anew" in shown.out
    document = json.loads(call("evaluate", root, "--json", "--device", "cpu").out)
    states = {row["name"]: row["state"] for row in document["rows"]}
    assert {name for name, state in states.items() if state == "stale"} == marked
    assert states["sam"] == "fresh" and document["stale"]["renew"] == [f"clisc run {root}"]
    assert {name: row["state"] for name, row in rows_csv(root).items()} == states
    before = {row["name"]: row["fingerprint"] for row in fresh["rows"]}
    after = {name: row["fingerprint"] for name, row in rows_csv(root).items()}
    assert {name for name in states if before[name] != after[name]} == {"sam"}


def test_other_cases_are_the_reason_where_nothing_else_changed(call, copied):
    assert call("evaluate", copied.root, "--device", "cpu").code == 0
    shown = call("evaluate", copied.root, "--splits", "train,valid,test", "--device", "cpu")
    assert shown.code == 0 and "measured anew: other cases than before" in shown.message
    back = call("evaluate", copied.root, "--device", "cpu")
    assert back.code == 0 and "measured anew: other cases than before" in back.message


def test_a_table_that_still_holds_is_marked_anew_when_settings_change(call, copied):
    root = copied.root
    assert call("evaluate", root, "--device", "cpu").code == 0
    measured = json.loads((root / "results" / "evaluation.json").read_text(encoding="utf-8"))
    assert call("config", "set", root, "label.confidence=0.6").code == 0
    document = json.loads(call("evaluate", root, "--json", "--device", "cpu").out)
    assert document["time"] == measured["time"], "nothing was measured anew"
    assert {row["state"] for row in document["rows"]} == {"stale"}
    assert {row["state"] for row in rows_csv(root).values()} == {"stale"}
    assert call("config", "set", root, "label.confidence=0.5").code == 0
    again = json.loads(call("evaluate", root, "--json", "--device", "cpu").out)
    kept = json.loads((root / "results" / "evaluation.json").read_text(encoding="utf-8"))
    assert kept == measured
    assert {key: again[key] for key in kept.keys() - {"lacking"}} == {
        key: kept[key] for key in kept.keys() - {"lacking"}
    }


def test_a_table_that_was_measured_on_other_masks_is_never_exported_as_fresh(call, copied, tmp_path):
    root = copied.root
    assert call("evaluate", root, "--device", "cpu").code == 0
    with (root / "results" / "cases.csv").open(encoding="utf-8") as file:
        measured = {(row["case"], row["name"]): row for row in csv.DictReader(file)}
    assert (
        call("run", root, "--set", "prompts.kind=box", "--until", "prompt-sam", "--device", "cpu").code == 0
    )
    assert call("export", "csv", root, "-o", tmp_path / "tables").code == 0
    with (tmp_path / "tables" / "evaluation-cases.csv").open(encoding="utf-8") as file:
        exported = {(row["case"], row["name"]): row for row in csv.DictReader(file)}
    told = ("dsc", "hd95", "predicted_ml", "fingerprint")
    assert {key: [row[name] for name in told] for key, row in exported.items()} == {
        key: [row[name] for name in told] for key, row in measured.items()
    }
    with (tmp_path / "tables" / "evaluation-rows.csv").open(encoding="utf-8") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert rows["sam"]["state"] == "stale" and "measured before" in rows["sam"]["why"]
    assert rows["cam-raw"]["state"] == "fresh"
    explained = call("explain", root / "results" / "rows.csv", "--project", root)
    assert "Stale rows: sam" in explained.out or "sam" in explained.out
    renewed = json.loads(call("evaluate", root, "--json", "--device", "cpu").out)
    assert {row["name"]: row["state"] for row in renewed["rows"]}["sam"] == "fresh"


def test_every_line_of_a_case_names_its_split(call, copied):
    root, everywhere = copied.root, ("--splits", "train,valid,test")
    document = json.loads(call("evaluate", root, *everywhere, "--json", "--device", "cpu").out)
    listed = json.loads(call("cases", "list", root, "--json").out)["cases"]
    splits = {case["name"]: case["split"] for case in listed}
    assert set(splits.values()) == {"train", "valid", "test"}
    assert {entry["case"]: entry["split"] for entry in document["cases"]} == splits
    with (root / "results" / "cases.csv").open(encoding="utf-8") as file:
        assert {row["case"]: row["split"] for row in csv.DictReader(file)} == splits


def test_a_table_that_still_holds_names_what_was_asked_for_now(call, copied):
    root, everywhere = copied.root, ("--splits", "train,valid,test", "--cases", "p4")
    assert call("evaluate", root, *everywhere, "--device", "cpu").code == 0
    shown = call("evaluate", root, "--device", "cpu")
    assert "nothing measured anew" in shown.message and "(test; " in shown.out
    document = json.loads(call("evaluate", root, "--json", "--device", "cpu").out)
    assert (document["splits"], document["chosen"]) == (["test"], [])
