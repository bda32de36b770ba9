"""Tab completion, asked for as the shells ask."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clisc_cli.completion import scripts

FOLDER = Path(__file__).parents[2] / "completions"


def offered(line, cwd, **environment):
    """What bash is offered for the last word of a command line."""
    words = line.split(" ")
    found = subprocess.run(
        [sys.executable, "-m", "clisc_cli"],
        env={
            **os.environ,
            "PYTHONPATH": str(FOLDER.parent),
            "_CLISC_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
            **environment,
        },
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout.split()


@pytest.fixture
def glioma(tmp_path):
    """The skeleton of a project: completion looks at folder names alone."""
    for name in ("alpha", "beta", "bravo"):
        (tmp_path / "glioma" / "store.zarr" / "cases" / name).mkdir(parents=True)
    (tmp_path / "glioma" / "clisc.toml").touch()
    return tmp_path / "glioma"


@pytest.mark.parametrize("name", scripts())
def test_the_scripts_in_the_repository_are_current(name):
    assert (FOLDER / name).read_text(encoding="utf-8") == scripts()[name]


def test_commands_and_options_are_offered(tmp_path):
    assert offered("clisc self", tmp_path) == ["self-train"]
    assert "--precision" in offered("clisc cam --pre", tmp_path)


def test_setting_keys_are_offered(tmp_path):
    assert offered("clisc amda --set amda", tmp_path) == ["amda.t="]


def test_case_names_of_the_project_are_offered(glioma, tmp_path):
    assert offered("clisc label --cases b", glioma) == ["beta", "bravo"]
    assert offered("clisc label --cases beta,b", glioma) == ["beta,bravo"]
    assert offered("clisc label glioma --cases a", tmp_path) == ["alpha"]
    assert offered("clisc label --cases a", tmp_path, CLISC_PROJECT=str(glioma)) == ["alpha"]
    assert offered("clisc label --cases a", tmp_path) == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_the_bash_script_completes_in_bash(tmp_path):
    (tmp_path / "clisc").write_text(
        f'#!/bin/sh\nexec {sys.executable} -m clisc_cli "$@"\n', encoding="utf-8"
    )
    (tmp_path / "clisc").chmod(0o755)
    typed = (
        f"source {FOLDER / 'clisc.bash'}; COMP_WORDS=(clisc prompt); COMP_CWORD=1; "
        "_clisc_completion clisc; echo ${COMPREPLY[@]}"
    )
    path = f"{tmp_path}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(FOLDER.parent)}
    shown = subprocess.run(
        ["bash", "-c", typed], env=environment, capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "prompt-sam"
