"""The README's way: one command a stage."""

import csv
import fcntl
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import termios

import pytest

from tests.support.answers import wrong
from tests.support.small import CHANGES, SPLITS, small_project

STAGES = ["label", "cam", "amda", "prompt-sam", "train", "self-train"]
SETTINGS = [part for key, value in CHANGES.items() for part in ("--set", f"{key}={json.dumps(value)}")]


@pytest.fixture(scope="module")
def project(data, tmp_path_factory):
    """Made by init alone."""
    root = tmp_path_factory.mktemp("cli") / "project"
    small_project(root, data)
    return root


def test_eight_commands_from_images_to_table_2(clisc, data, tmp_path):
    root = tmp_path / "glioma"
    made = clisc(
        *("init", root, "--images", data / "images", "--references", data / "references"),
        *("--split", data / "split.csv", "--weights", "tiny", *SETTINGS),
    )
    assert made.code == 0
    assert "5 cases (3 train, 1 valid, 1 test) imported" in made.out
    assert f"Next: clisc label {root}" in made.err.replace("\n", "")
    assert "3 train cases: the network learns from so many" in " ".join(made.err.split())
    for stage in STAGES:
        done = clisc(stage, root, "--device", "cpu")
        assert done.code == 0, done.err
        assert done.out.startswith(f"{stage}: ") and "done" in done.out
        assert ("First masks are there" in done.err) == (stage == "prompt-sam")
        again = clisc(stage, root, "--device", "cpu")
        assert again.code == 0 and "nothing to do" in again.out
        assert "First masks" not in again.err
    shown = clisc("evaluate", root, "--device", "cpu")
    assert shown.code == 0
    for row in ("cam-raw", "cam-amda", "sam", "without-self-training", "full", "tiny models"):
        assert row in shown.out
    document = json.loads(clisc("evaluate", root, "--json", "--quiet").out)
    assert {"weights", "rows", "groups", "cases"} <= set(document)
    with (root / "results" / "rows.csv").open(encoding="utf-8") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    assert names == [row["name"] for row in document["rows"]]


def test_json_of_a_stage_lists_the_cases(clisc, project):
    document = json.loads(clisc("label", project, "--json", "--quiet", "--device", "cpu").out)
    assert sorted(document["done"] + document["fresh"]) == sorted(SPLITS)
    assert document["failed"] == {}


def test_a_dry_run_gives_each_reason_once(clisc, data, tmp_path):
    small_project(tmp_path / "p", data)
    shown = clisc("label", tmp_path / "p", "--dry-run")
    assert shown.out.splitlines() == [
        "label: 5 to do, 0 up to date",
        f"  {', '.join(sorted(SPLITS))}: labels/probability is missing",
    ]


def test_init_dry_run_lists_and_writes_nothing(clisc, data, tmp_path):
    shown = clisc("init", tmp_path / "p", "--images", data / "images", "--weights", "tiny", "--dry-run")
    assert shown.code == 0 and "5 cases" in shown.out and "p3_flair.nii.gz" in shown.out
    assert not (tmp_path / "p").exists()


def test_a_file_that_stops_init_is_named_with_the_way_round_it(clisc, data, tmp_path):
    shutil.copytree(data / "images", tmp_path / "images")
    (tmp_path / "images" / "p1_flair.nii.gz").write_bytes(b"no image")
    refused = clisc("init", tmp_path / "p", "--images", tmp_path / "images", "--weights", "tiny")
    assert refused.code == 3
    assert "p1_flair.nii.gz" in refused.message and "--skip-bad imports the others" in refused.message


def test_references_outside_the_test_split_are_pointed_at(clisc, data, tmp_path):
    (tmp_path / "split.csv").write_text(
        "case,split\n" + "".join(f"p{n},{'test' if n == 4 else 'train'}\n" for n in range(5)),
        encoding="utf-8",
    )
    (tmp_path / "refs").mkdir()
    shutil.copy(data / "references" / "p1_seg.nii.gz", tmp_path / "refs")
    files = ("--images", data / "images", "--references", tmp_path / "refs")
    made = clisc("init", tmp_path / "p", *files, "--split", tmp_path / "split.csv", "--weights", "tiny")
    assert made.code == 0
    shown = json.loads(clisc("status", tmp_path / "p", "--json").out)
    (evaluate,) = (step for step in shown["stages"] if step["stage"] == "evaluate")
    assert "no test case has a reference mask (evaluate --splits train)" in evaluate["why"]


def test_init_says_which_weights_it_takes_for_good(clisc, data, tmp_path):
    shown = clisc("init", tmp_path / "p", "--images", data / "images")
    assert shown.code == 0 and "Weights: tiny (full-size files are missing)" in shown.err
    assert 'weights = "tiny"' in (tmp_path / "p" / "clisc.toml").read_text(encoding="utf-8")


def test_the_project_is_found_from_below_and_from_the_environment(clisc, project, monkeypatch):
    monkeypatch.chdir(project / "store.zarr")
    assert clisc("label", "--dry-run").code == 0
    monkeypatch.chdir("/")
    assert clisc("label", "--dry-run").code == 4
    monkeypatch.setenv("CLISC_PROJECT", str(project))
    assert clisc("label", "--dry-run").code == 0


def test_demo_prints_one_json_document(clisc, tmp_path):
    quick = ("classifier.epochs=1", "classifier.slices_per_epoch=32", "unet.epochs=1", "s3f.epochs=1")
    few = [word for key in (*quick, "unet.patches_per_epoch=2") for word in ("--set", key)]
    shown = clisc("demo", tmp_path / "demo", "--cases", 5, "--seed", 3, "--json", *few)
    assert shown.code == 0, shown.err
    document = json.loads(shown.out)
    assert wrong("demo", document) == []
    assert document["weights"] == "tiny" and "tiny models" in document["note"]
    assert [row["name"] for row in document["rows"]][-1] == "full"
    assert len(list((tmp_path / "demo" / "data" / "images").glob("*.nii.gz"))) == 5


STANDS_STILL = """
import os, signal, sys
from clisc_cli.app import main

def hear(event, details):
    if event == "open" and "classifier-raw.csv" in str(details[0]) and not stood:
        stood.append(True)
        os.kill(os.getpid(), signal.SIGSTOP)

stood = []
sys.addaudithook(hear)
main()
"""
"""`clisc` that stops, until it is told to go on, as it notes the first epoch of its training."""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_ends_with_75_and_the_next_call_goes_on(clisc, project, name):
    assert clisc("label", project, "--device", "cpu").code == 0
    call = ["cam", str(project), "--force", "--device", "cpu", "--json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", STANDS_STILL, *call], **pipes, text=True) as process:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        process.send_signal(getattr(signal, name))
        process.send_signal(signal.SIGCONT)
        shown, told = process.communicate()
    assert process.returncode == 75, told
    answer = json.loads(shown)
    assert wrong("cam", answer) == [] and answer["error"]["run"] == ["clisc", *call]
    assert "Run the same command again" in told
    assert clisc("cam", project, "--device", "cpu").code == 0


def test_a_terminal_that_is_gone_stops_the_run_and_nothing_is_lost(clisc, project):
    """As when an ssh connection drops: the kernel sends SIGHUP, and nobody reads any more."""
    assert clisc("label", project, "--device", "cpu").code == 0
    here, terminal = pty.openpty()

    def own_terminal():
        os.setsid()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [sys.executable, "-c", STANDS_STILL, "cam", str(project), "--force", "--device", "cpu"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        preexec_fn=own_terminal,
        env={**os.environ, "TERM": "dumb"},
    )
    os.close(terminal)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    os.close(here)
    process.send_signal(signal.SIGCONT)
    assert process.wait() == 75
    again = clisc("cam", project, "--device", "cpu")
    assert again.code == 0 and "Took over" not in again.err


def test_under_nohup_a_run_goes_on_without_its_terminal(clisc, project):
    assert clisc("label", project, "--device", "cpu").code == 0
    call = [sys.executable, "-m", "clisc_cli", "cam", str(project), "--force", "--device", "cpu"]
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(["nohup", *call], **streams, encoding="utf-8") as process:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "classifier-raw: epoch " in line:
                process.send_signal(signal.SIGHUP)
    assert process.returncode == 0 and any("classifier-raw: epoch " in line for line in lines), lines


def test_a_locale_without_the_letters_of_the_table_still_gets_it(clisc, project):
    for stage in ("label", "cam"):
        assert clisc(stage, project, "--device", "cpu").code == 0
    ascii_only = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "clisc_cli", "evaluate", str(project)]
    shown = subprocess.run(command, capture_output=True, env=ascii_only, check=False)
    assert shown.returncode == 0, shown.stderr
    assert b"cam-raw" in shown.stdout and shown.stdout.isascii()
