"""`clisc sweep` as a user calls it."""

import json
import re
import shlex
import shutil
from dataclasses import replace

import pytest

from clisc_engine.project import variants
from clisc_engine.project.project import open_project
from clisc_engine.report.write import Choice, write_report
from clisc_engine.running.control import Control
from clisc_engine.upkeep.verify import verify
from tests.support.command import caller
from tests.support.small import small_project
from tests.support.sweeping import digests


@pytest.fixture
def clisc(monkeypatch, capsys):
    """Call `clisc ARGUMENTS`."""
    return caller(monkeypatch, capsys)


@pytest.fixture
def done(swept, tmp_path):
    """A copy of the swept project."""
    shutil.copytree(swept[0].root, tmp_path / "done")
    return open_project(tmp_path / "done")


def test_the_plain_form_shows_a_table_and_says_when_nothing_is_to_do(clisc, done):
    shown = clisc("sweep", done.root, "amda.t=0,20", "--device", "cpu")
    assert shown.code == 0
    assert "amda.t" in shown.out and "20*" in shown.out
    assert "all 2 values up to date, nothing made or measured" in shown.out
    document = json.loads(clisc("sweep", "run", done.root, "amda.t=0,20", "--json", "-q").out)
    assert document["sweep"] == "amda.t@full"
    assert [point["values"] for point in document["result"]["points"]] == [
        {"amda.t": 0.0},
        {"amda.t": 20.0},
    ]


def test_the_plan_names_each_value(clisc, done):
    planned = clisc("sweep", done.root, "amda.t=0,5", "--row", "cam-amda", "--dry-run")
    assert planned.code == 0
    assert "amda.t=5: makes classifier-amda: amda.t 20.0 -> 5.0" in planned.out
    assert "amda.t=0: makes" not in planned.out.replace("makes cams/amda of 1 case:", "")


WRONG = {
    "unknown key": (("amda.tt=1",), 3, "did you mean 'amda.t'"),
    "out of range": (("amda.t=0,100",), 3, "amda.t = 100"),
    "not a number": (("amda.t=much",), 3, "amda.t = 'much'"),
    "no value": (("amda.t=",), 3, "has no value"),
    "no key": ((), 2, "name a setting"),
    "two words": (("amda.t=0", "full"), 2, "'full' is not KEY=V1,V2"),
    "twice": (("amda.t=0", "amda.t=1"), 3, "named twice"),
    "unknown row": (("amda.t=0", "--row", "ful"), 2, "did you mean 'full'"),
    "a row that stays": (("amda.t=0,10", "--row", "cam-raw"), 3, "row cam-raw does not depend on amda.t"),
    "only speed": (("sam.cache_gb=0,1",), 3, "no row does"),
    "images": (("image.clip_percentile=99,99.9",), 3, "projects of their own"),
    "seeds twice": (("seed=1,2", "--seeds", "2"), 3, "leave --seeds out"),
    "no such number": (("amda.t=0,10", "--only", "2"), 3, "no point 2"),
    "no references there": (("amda.t=0,10", "--splits", "valid"), 3, "No case of the valid split has"),
    "no such split": (("amda.t=0,10", "--splits", "tests"), 2, "'tests' is not one of"),
    "not going on": (("s3f.epochs=1,2",), 3, "does not depend on s3f.epochs"),
}


@pytest.mark.parametrize(("arguments", "code", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said_before_anything_is_written(clisc, plain, arguments, code, said):
    before = digests(plain, skip=("logs",))
    answer = clisc("sweep", plain.root, *arguments)
    assert answer.code == code, answer.message
    assert said in " ".join(answer.message.replace("│", " ").split())
    assert digests(plain, skip=("logs",)) == before


@pytest.fixture(scope="module")
def plain(data, tmp_path_factory):
    """A project just imported, whose valid case has no reference."""
    project = small_project(
        tmp_path_factory.mktemp("plain") / "project", data, changes={"s3f.start": "scratch"}
    )
    shutil.rmtree(project.store.root / "cases" / "p3" / "reference")
    info = project.case("p3").info
    project.change_record(replace(info, has_reference=False))
    return project


def test_list_tells_how_far_each_is_and_what_no_longer_holds(clisc, done):
    assert "amda.t@full: amda.t=0,20 (2 of 2 values measured)" in clisc("sweep", "list", done.root).out
    clisc("config", "set", done.root, "prompts.dilation=7")
    [line] = json.loads(clisc("sweep", "list", done.root, "--json").out)["sweeps"]
    assert line["why"] == "made with other settings: prompts.dilation 3 -> 7"


def test_remove_takes_its_own_and_nothing_else(clisc, done):
    variants.keep(variants.lay_over(done, "mine", {"seed": 5}), variants.Record(changes={"seed": 5}))
    clisc("sweep", done.root, "amda.t=0,20", "--row", "sam", "--device", "cpu")
    before = digests(done)
    assert clisc("sweep", "remove", done.root, "amda.t@fulll").code == 3
    assert "would be removed" in clisc("sweep", "remove", done.root, "amda.t@full", "--dry-run").out
    assert clisc("sweep", "remove", done.root, "amda.t@full").code == 0
    assert variants.variant_names(done) == ["amda.t=0", "mine"], "row sam still rests on amda.t=0"
    removed = clisc("sweep", "remove", done.root, "amda.t@sam")
    assert removed.out.strip() == "amda.t@sam: removed, with amda.t=0"
    assert variants.variant_names(done) == ["mine"]
    assert not (done.root / "sweeps").exists()
    assert {name: mark for name, mark in digests(done).items() if name in before} == before
    assert clisc("sweep", "list", done.root).out.strip() == "No sweeps."


def test_list_marks_values_that_were_measured_with_other_settings_before_there_is_a_result(clisc, done):
    words = ("amda.t=0,20", "--row", "sam")

    def told():
        lines = json.loads(clisc("sweep", "list", done.root, "--json").out)["sweeps"]
        return next(line for line in lines if line["row"] == "sam")

    assert clisc("sweep", done.root, *words, "--prepare", "--quiet").code == 0
    assert clisc("sweep", done.root, *words, "--only", "0", "--quiet").code == 0
    assert (told()["measured"], told()["points"], told()["why"]) == (1, 2, "")
    clisc("config", "set", done.root, "prompts.dilation=7")
    assert told()["why"] == "1 of them with other settings: prompts.dilation 3 -> 7"
    assert "measured; 1 of them with other settings" in clisc("sweep", "list", done.root).out
    assert clisc("sweep", done.root, *words, "--quiet").code == 0
    assert (told()["measured"], told()["why"]) == (2, "")


def test_a_task_says_which_call_writes_the_tables(clisc, done):
    """The last of an array shows the whole result, and leaves the tables to the call without `--only`."""
    words = (str(done.root), "prompts.dilation=5,6", "--row", "sam")
    clisc("sweep", *words, "--prepare", "--quiet")
    clisc("sweep", *words, "--only", "0", "--quiet")
    last = clisc("sweep", *words, "--only", "1")
    (table,) = (done.root / "sweeps").glob("prompts.dilation*@sam")
    assert not (table / "table.csv").exists() and "Tables are in" not in last.message
    (said,) = re.findall(r"`clisc (.*)` writes the tables", last.message)
    assert clisc(*shlex.split(said)).code == 0 and (table / "table.csv").exists()


def test_verify_and_status_take_a_sweep_for_what_it_is(clisc, done):
    assert verify(done.root, Control()).findings == []
    document = json.loads(clisc("status", done.root, "--json").out)
    assert document["disk"]["variants"] > document["disk"]["sweeps"] > 0
    states = {stage["stage"]: stage["state"] for stage in document["stages"]}
    assert states.pop("evaluate") != "fresh" and set(states.values()) == {"fresh"}


def test_the_report_draws_each_sweep(swept, done, tmp_path):
    path = tmp_path / "report.html"
    write_report(done, path, Choice(pictures=0, viewers=0), Control())
    text = path.read_text(encoding="utf-8")
    assert 'id="sweeps"' in text and "DSC of " in text
    for point in swept[1].result["points"]:
        assert f"amda.t = {point['values']['amda.t']:g}: {point['dsc_mean']:.2f}" in text
    assert "No longer of these settings" not in text
    done.change_settings(done.settings, {"roi.opening": False})
    write_report(open_project(done.root), path, Choice(pictures=0, viewers=0), Control())
    assert "No longer of these settings: made with other settings: roi.opening" in path.read_text(
        encoding="utf-8"
    )


def test_a_device_that_is_not_there_is_told_before_any_value(clisc, plain):
    shown = clisc("sweep", plain.root, "amda.t=0,20", "--device", "cuda:77")
    assert shown.code == 3 and "--device cuda:77 is not available here" in shown.message
    assert clisc("sweep", "list", plain.root).out == "No sweeps.\n"
