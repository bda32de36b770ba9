"""The comparison of measurements with the committed ones; nothing is timed here."""

import json
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from benchmarks import report, scale_page
from benchmarks.finished import finish, write_volumes
from benchmarks.measure import Row
from benchmarks.memory import Memory
from benchmarks.projects import project_of
from benchmarks.scale import Call, Size
from clisc_engine.running.control import Control
from clisc_engine.settings.presets import preset
from clisc_engine.stages.evaluate import evaluate
from clisc_engine.stages.init import Request, initialise
from clisc_engine.upkeep.survey import survey
from clisc_engine.upkeep.verify import verify

COMMANDS = ("init", "status", "label", "self-train", "evaluate", "report", "verify")

BASELINE = {"speedup": {"work": 2.0}, "over_floor": {"work": 1.5}}


def row(seconds, plain=10.0, floor=4.0):
    return Row("work", "slice", seconds, plain, floor=floor)


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (row(5.0), []),
        (row(6.0), []),  # 1.67 times faster: within a quarter of 2
        (row(7.0, floor=None), ["work: 1.43 times faster, at least 1.50 was expected"]),
        (row(5.0, floor=2.0), ["work: 2.50 times the floor, at most 1.88 was expected"]),
    ],
)
def test_only_ratios_that_became_worse_are_named(measured, said):
    assert report.lost([measured], [], BASELINE) == said


def test_seconds_alone_do_not_matter():
    assert report.lost([row(500.0, 1000.0, 400.0)], [], BASELINE) == []


def test_memory_that_grows_with_the_cases_is_named():
    assert report.lost([], [Memory("label", 1.0, 1.04)], BASELINE) == []
    assert "label" in report.lost([], [Memory("label", 1.0, 1.06)], BASELINE)[0]


def test_the_committed_ratios_are_those_of_the_page():
    baseline = json.loads(report.BASELINE.read_text(encoding="utf-8"))
    page = report.PAGE.read_text(encoding="utf-8")
    for work, ratio in baseline["speedup"].items():
        line = next(line for line in page.splitlines() if line.startswith(f"| {work} |"))
        assert f"| {ratio:.2f}" in line


STAGES = [
    Row("whole pipeline", "four volumes", 25.0, 100.0, 3.0, note="as near as can be"),
    Row("tiny: `label`", "", 5.0, 10.0, group="tiny models"),
    Row("tiny: `train`", "", 20.0, 90.0, group="tiny models"),
]


def test_a_pipeline_is_told_as_a_whole_and_by_its_stages():
    lines = report.stages(STAGES).splitlines()
    assert (
        "| whole pipeline | 25 | 100 | 4.00 (3) |" in lines
        and "- whole pipeline: as near as can be." in lines
    )
    assert "| `label` | 5.0 | 20 % | 10.0 | 10 % | 2.00 |" in lines
    assert "| `train` | 20.0 | 80 % | 90.0 | 90 % | 4.50 |" in lines
    assert report.stages([]) == ""


def test_what_was_not_measured_stays_on_the_page_and_in_the_baseline(tmp_path, monkeypatch):
    page, baseline = tmp_path / "page.md", tmp_path / "baseline.json"
    page.write_text(
        "<!-- measured -->\nold\n<!-- end -->\nbetween\n<!-- pipeline -->\nold\n<!-- end of pipeline -->\n",
        encoding="utf-8",
    )
    baseline.write_text(json.dumps(BASELINE), encoding="utf-8")
    monkeypatch.setattr(report, "PAGE", page)
    monkeypatch.setattr(report, "BASELINE", baseline)
    report.rewrite([], [], STAGES, "about")
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!-- measured -->\nold\n<!-- end -->\nbetween\n<!-- pipeline -->\nabout\n")
    assert text.endswith("<!-- end of pipeline -->\n") and text.count("old") == 1
    report.rewrite([row(5.0)], [], [], "anew")
    assert "old" not in page.read_text(encoding="utf-8") and "about" in page.read_text(encoding="utf-8")
    report.save_baseline(STAGES[:1])
    assert json.loads(baseline.read_text(encoding="utf-8")) == {
        "speedup": {"work": 2.0, "whole pipeline": 4.0},
        "over_floor": {"work": 1.5},
    }


def test_the_projects_measured_on_can_be_read(tmp_path):
    image = np.zeros((6, 12, 10), np.float32)
    image[1:5, 2:11, 3:9] = np.random.default_rng(0).uniform(1, 2, (4, 9, 6))
    (case,) = project_of(tmp_path / "project", [image], {}, "tiny").cases()
    stored = case.read("image").astype(np.float32)
    assert stored.shape == (4, 9, 6)
    assert abs(stored.mean()) < 1e-3 and abs(stored.std() - 1) < 1e-3


def test_the_projects_made_without_networks_count_as_finished(tmp_path):
    images, masks = write_volumes(tmp_path / "files", 5)
    request = Request(tmp_path / "p", str(images), str(masks), None, None, skip_bad=False)
    project = initialise(request, preset("tiny"), Control(device="cpu")).project
    finish(project, Control(device="cpu"))
    states = {status.stage: status.state for status in survey(project)}
    assert states.pop("evaluate") == "partly" and set(states.values()) == {"fresh"}
    evaluate(project, Control(device="cpu"))
    assert {status.state for status in survey(project)} == {"fresh"}
    assert verify(project.root, Control()).findings == []


def sizes(*seconds):
    """Two sizes, at which every command takes so long a case."""
    found = []
    for cases, each in zip((10, 40), seconds, strict=True):
        calls = [Call(name, cases, cases * each, cases * each, 60.0) for name in COMMANDS]
        found.append(Size(cases, calls, cases / 10, cases / 5, 10 * cases, 0.1))
    return found


def test_what_takes_too_long_at_the_largest_size_is_named():
    assert scale_page.missed(sizes(1.0, 0.04)) == []
    slow = scale_page.missed(sizes(0.01, 0.06))  # 2.4 s on 40 cases
    assert slow == ["status on 40 cases: 2.4 s, at most 2"]


def test_the_plot_is_a_picture_of_its_own():
    root = ET.fromstring(scale_page.plot(sizes(0.01, 0.01)))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    words = " ".join(element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text"))
    assert "status 0.4" in words and "cases" in words
