"""Every error is a sentence or two that says what, where and what to do, with its exit code."""

import json
import subprocess
import sys

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from clisc_cli.registry import whole_app
from tests.support.small import run_stages, small_project
from tests.support.volumes import ball, write


@pytest.fixture(scope="module")
def project(data, tmp_path_factory):
    root = tmp_path_factory.mktemp("errors") / "project"
    small_project(root, data)
    return root


@pytest.mark.parametrize(
    ("arguments", "code", "parts"),
    [
        (["label", "{tmp}/nowhere"], 4, ["clisc init"]),
        (["cam", "{project}"], 4, ["clisc label"]),
        (["amda", "{project}"], 4, ["clisc cam"]),
        (["prompt-sam", "{project}"], 4, ["clisc amda"]),
        (["train", "{project}"], 4, ["clisc prompt-sam"]),
        (["self-train", "{project}"], 4, ["clisc train"]),
        (["label", "{project}", "--set", "amda.tt=3"], 3, ["amda.tt", "amda.t"]),
        (["label", "{project}", "--set", "amda.t=140"], 3, ["amda.t", "140"]),
        (["label", "{project}", "--set", "amda.t"], 3, ["KEY=VALUE"]),
        (["label", "{project}", "--device", "abacus"], 3, ["abacus"]),
        (["label", "{project}", "--cases", "nobody"], 3, ["nobody", "p0"]),
        (["label", "{project}", "--colour"], 2, ["--colour"]),
        (["run", "{project}", "--from", "nope"], 2, ["'--from': 'nope' is not one of"]),
        (["run", "{project}", "--from", "train", "--until", "cam"], 2, ["--until cam comes before"]),
        (["evaluate", "{project}", "--cases", "p0,p9"], 3, ["p0 is in train", "--splits train"]),
        (
            ["export", "masks", "{project}", "-o", "{tmp}/o", "--splits", "test", "--cases", "p0"],
            3,
            ["no case p0 in test"],
        ),
        (["show", "{project}", "p9"], 3, ["no case 'p9'", "clisc cases list"]),
        (["label", "{project}", "--splits", "trainn"], 2, ["trainn"]),
        (["init", "{project}", "--images", "{tmp}/empty"], 3, ["empty"]),
        (["init", "{tmp}/p", "--images", "{tmp}/none"], 3, ["none"]),
    ],
)
def test_errors_say_what_and_what_to_do(clisc, project, tmp_path, arguments, code, parts):
    (tmp_path / "empty").mkdir()
    shown = clisc(*(a.format(project=project, tmp=tmp_path) for a in arguments))
    assert shown.code == code
    assert shown.out == ""
    message = " ".join(shown.err.split())
    for part in parts:
        assert part in message


def test_an_error_leaves_the_settings_as_they_were(clisc, project):
    before = (project / "clisc.toml").read_text(encoding="utf-8")
    clisc("label", project, "--set", "amda.t=140")
    assert (project / "clisc.toml").read_text(encoding="utf-8") == before


def test_a_wrong_key_in_the_settings_file_is_named(clisc, data, tmp_path):
    small_project(tmp_path / "p", data)
    file = tmp_path / "p" / "clisc.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("[amda]", "[amda]\ntt = 3"), encoding="utf-8")
    shown = clisc("label", tmp_path / "p")
    assert shown.code == 3 and "amda.tt" in shown.err and "clisc.toml" in shown.err


def test_bad_images_are_listed_and_the_rest_is_imported_on_request(clisc, tmp_path):
    for name in ("a", "b"):
        write(tmp_path / "images" / f"{name}_flair.nii.gz", ball())
    write(tmp_path / "images" / "c_flair.nii.gz", np.full_like(ball(), np.nan))
    refused = clisc("init", tmp_path / "p", "--images", tmp_path / "images", "--weights", "tiny")
    assert refused.code == 3 and "c_flair.nii.gz" in refused.err
    assert not (tmp_path / "p").exists(), "nothing is half-written"
    shown = clisc(
        *("init", tmp_path / "p", "--images", tmp_path / "images", "--weights", "tiny"),
        *("--skip-bad", "--json", "--quiet"),
    )
    assert shown.code == 0
    document = json.loads(shown.out)
    assert sorted(document["splits"]) == ["a", "b"] and list(document["skipped"]) == ["c"]


def test_paper_weights_that_are_missing_are_named_with_their_source(clisc, data, tmp_path):
    made = clisc("init", tmp_path / "p", "--images", data / "images", "--weights", "paper")
    shown = made if made.code else clisc("label", tmp_path / "p")
    assert shown.code == 3
    message = " ".join(shown.err.split())
    assert "not on this machine" in message and "http" in message and "tiny" in message


def test_a_failed_case_ends_with_5_and_its_name(clisc, data, tmp_path):
    root = small_project(tmp_path / "p", data).root
    shard = next(p for p in (root / "store.zarr/cases/p1/image/c").rglob("*") if p.is_file())
    shard.write_bytes(shard.read_bytes()[:-40])
    shown = clisc("label", root, "--device", "cpu")
    assert shown.code == 5 and "p1" in shown.err and "--cases p1" in " ".join(shown.err.split())
    assert "4 done, 1 failed" in shown.out


def test_tracebacks_are_for_verbose_alone(tmp_path):
    command = [sys.executable, "-m", "clisc_cli", "label", str(tmp_path)]
    plain = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert plain.returncode == 4 and "Traceback" not in plain.stderr
    verbose = subprocess.run([*command, "--verbose"], capture_output=True, encoding="utf-8", check=False)
    assert verbose.returncode == 4 and "Traceback" in verbose.stderr


def test_version_says_that_it_is_no_medical_device(clisc):
    shown = clisc("--version")
    assert shown.code == 0 and "not a medical device" in shown.out


def test_help_of_every_command_has_an_example_and_loads_nothing_heavy():
    code = """
import sys, click, typer
from clisc_cli.registry import whole_app

def visit(command, path):
    if hasattr(command, "commands"):
        for name, below in command.commands.items():
            visit(below, [*path, name])
    else:
        print("Example: clisc " + " ".join(path) in " ".join((command.help or "").split()), *path)

group = typer.main.get_command(whole_app())
visit(group, [])
for name in group.commands:
    try:
        group.main([name, "--help"], prog_name="clisc")
    except SystemExit:
        pass
heavy = {"torch", "monai", "zarr", "SimpleITK", "scipy", "numpy", "open_clip", "matplotlib"}
print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert shown.stderr.strip() == "[]"
    lines = [line.split(maxsplit=1) for line in shown.stdout.splitlines() if line[:5] in ("True ", "False")]
    assert [path for found, path in lines if found == "False"] == []
    assert {"init", "run", "status", "export nnunet", "models pull", "doctor"} <= {
        path for _, path in lines
    }
    assert "--precision" in shown.stdout


def test_an_evaluation_without_a_failed_case_ends_with_5_and_shows_the_rest(clisc, data, tmp_path):
    project = small_project(tmp_path / "p", data)
    run_stages(project, "label", "cam")
    shard = next(p for p in (project.store.root / "cases/p1/cams/raw/c").rglob("*") if p.is_file())
    shard.write_bytes(shard.read_bytes()[:-40])
    shown = clisc("evaluate", project.root, "--splits", "train,valid,test", "--device", "cpu")
    assert shown.code == 5 and "1 of 5 cases failed" in " ".join(shown.err.split()) and "p1: " in shown.err
    assert "Measured on 4 cases" in shown.out and "cam-raw" in shown.out


def test_help_shows_switches_without_a_value():
    group = typer.main.get_command(whole_app())
    for words in (["clean"], ["label"], ["export", "csv"], ["cases", "remove"]):
        shown = CliRunner().invoke(whole_app(), [*words, "--help"], env={"COLUMNS": "120"})
        assert shown.exit_code == 0 and "<bool>" not in shown.output and "--verbose" in shown.output
    assert "<bool>" not in CliRunner().invoke(whole_app(), ["--help"], env={"COLUMNS": "120"}).output
    assert {"quiet", "json_"} <= {one.name for one in group.commands["export"].commands["csv"].params}


def test_one_case_is_a_case(clisc, data, tmp_path):
    image = data / "images" / "p0_flair.nii.gz"
    made = clisc("init", tmp_path / "p", "--images", image, "--weights", "tiny", "--split-ratio", "1:0:0")
    assert made.code == 0 and "init: 1 case (1 train" in made.out, made.err
    assert ": 1 case, tiny weights" in clisc("status", tmp_path / "p").out
    assert "1 case: 1 train" in clisc("cases", "list", tmp_path / "p").out


def test_a_demo_says_what_it_would_make(clisc, tmp_path):
    shown = clisc("demo", tmp_path / "demo", "--cases", 6, "--dry-run")
    assert shown.code == 0 and "6 phantoms" in shown.out and "self-train" in shown.out
    assert list(tmp_path.iterdir()) == []
    assert clisc("demo", tmp_path / "demo", "--set", "amda.tt=1", "--dry-run").code == 3
