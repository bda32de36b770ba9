"""What a sweep writes for other programs: the very values that were swept, and the means of its cases."""

import csv
import json
import math
import shutil

import pytest

from clisc_engine.project.project import open_project
from clisc_engine.sweeps import record


@pytest.fixture
def done(swept, tmp_path):
    """A copy of the swept project."""
    shutil.copytree(swept[0].root, tmp_path / "done")
    return open_project(tmp_path / "done")


def lines(project, outcome, name):
    """The lines of a table of a sweep."""
    path = record.folder_of(project, outcome.sweep.name) / name
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("values", ["0.00002,0.00004,0.5", "0.3333333333,0.3333444444"])
def test_tables_hold_the_very_numbers_that_were_swept(sweep, done, values):
    outcome = sweep(done, f"roi.keep_fraction={values}", row="cam-raw")
    asked = [float(value) for value in values.split(",")]
    table = lines(done, outcome, "table.csv")
    assert [float(line["roi.keep_fraction"]) for line in table] == asked
    cases = lines(done, outcome, "cases.csv")
    assert list(dict.fromkeys(float(line["roi.keep_fraction"]) for line in cases)) == asked


def test_values_that_are_no_numbers_stand_as_they_are_typed(sweep, done):
    typed = "roi.opening=true,false"
    outcome = sweep(done, typed, "roi.threshold=otsu,0.25", row="cam-raw")
    table = lines(done, outcome, "table.csv")
    assert [line["roi.opening"] for line in table] == ["true", "true", "false", "false"]
    assert [line["roi.threshold"] for line in table] == ["otsu", "0.25", "otsu", "0.25"]


def test_a_table_has_the_means_of_its_cases(sweep, done):
    outcome = sweep(done, "roi.keep_fraction=0.2,0.9", row="cam-raw", splits=("train", "valid", "test"))
    cases = lines(done, outcome, "cases.csv")
    for line, point in zip(lines(done, outcome, "table.csv"), outcome.result["points"], strict=True):
        own = [case for case in cases if case["roi.keep_fraction"] == line["roi.keep_fraction"]]
        for metric in ("dsc", "hd95"):
            values = [float(case[metric]) for case in own]
            mean = math.fsum(values) / len(values)
            spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
            assert float(line[f"{metric}_mean"]) == pytest.approx(mean, abs=2e-4)
            assert float(line[f"{metric}_std"]) == pytest.approx(spread, abs=2e-4)
        assert int(line["n"]) == len(own) == point["n"]
    stored = json.loads((record.folder_of(done, outcome.sweep.name) / "result.json").read_bytes())
    assert stored["points"] == outcome.result["points"]
