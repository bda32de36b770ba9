"""Tab completion, asked for as the shells ask."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clisc_cli.completion import brain_extractors, scripts
from clisc_engine.importing.brains import PRESETS
from clisc_engine.settings.help import choices
from clisc_engine.settings.keys import known_keys, parse_assignment, value_of, with_changes
from clisc_engine.settings.schema import Settings

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
        encoding="utf-8",
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
    assert offered("clisc amda --set amda", tmp_path) == ["amda.t=", "amda.fill="]


def test_case_names_of_the_project_are_offered(glioma, tmp_path):
    assert offered("clisc label --cases b", glioma) == ["beta", "bravo"]
    assert offered("clisc label --cases beta,b", glioma) == ["beta,bravo"]
    assert offered("clisc label glioma --cases a", tmp_path) == ["alpha"]
    assert offered("clisc label --cases a", tmp_path, CLISC_PROJECT=str(glioma)) == ["alpha"]
    assert offered("clisc label --cases a", tmp_path) == []


def test_variants_of_the_project_are_offered(glioma, tmp_path):
    for name in ("t10", "t20", "box", ".t30.1.old.partial"):
        (glioma / "variants" / name).mkdir(parents=True)
    assert offered("clisc amda --variant t", glioma) == ["t10", "t20"]
    assert offered("clisc status glioma --variant b", tmp_path) == ["box"]
    assert offered("clisc variant promote glioma t2", tmp_path) == ["t20"]
    assert offered("clisc compare b", glioma) == ["base", "box"]
    assert offered("clisc predict glioma scan.nii --variant b", tmp_path) == ["box"]


@pytest.fixture
def on_path(tmp_path_factory):
    """The environment of a shell that finds this very clisc."""
    folder = tmp_path_factory.mktemp("bin")
    program = f'#!/bin/sh\nexec {sys.executable} -m clisc_cli "$@"\n'
    (folder / "clisc").write_text(program, encoding="utf-8")
    (folder / "clisc").chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "PYTHONPATH": str(FOLDER.parent),
        "ZDOTDIR": str(folder),
        "HOME": str(folder),
    }


# Bash breaks words at "="; readline replaces the last piece alone.
BASH = """
source {script}
words=(); rest={line}
COMP_WORDS=(); for word in $rest; do
    if [[ $word == *=* ]]; then COMP_WORDS+=("${{word%%=*}}" "=")
        [[ -n ${{word#*=}} ]] && COMP_WORDS+=("${{word#*=}}")
    else COMP_WORDS+=("$word"); fi
done
[[ $rest == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_clisc_completion clisc; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
# What zsh would show: the script hands it to _arguments (or _describe) as items in brackets.
ZSH = """
compdef() {{ }}
_arguments() {{ print -r -- "$@" }}
_files() {{ }}
source {script}
words=(${{(s: :)"$(print -r -- {line})"}}); [[ {line} == *" " ]] && words+=("")
CURRENT=$#words; _clisc_completion
"""
FISH = """
source {script}
complete -C {line}
"""


def shown(shell, line, environment, cwd):
    """What a shell shows after Tab at the end of a line."""
    template, script = {
        "bash": (BASH, "clisc.bash"),
        "zsh": (ZSH, "_clisc"),
        "fish": (FISH, "clisc.fish"),
    }[shell]
    typed = template.format(script=FOLDER / script, line=shlex.quote(line))
    options = ["-f"] if shell == "zsh" else []
    found = subprocess.run(
        [shell, *options, "-c", typed], env=environment, cwd=cwd, capture_output=True, encoding="utf-8"
    )
    if shell == "zsh":
        return re.findall(r'"([^"]+)"(?::"[^"]*")?', found.stdout)
    return [entry.split("\t")[0] for entry in found.stdout.splitlines() if entry]


TYPED = {
    "clisc prompt": ["prompt-sam"],
    "clisc show glioma br": ["bravo"],
    "clisc status glioma al": ["alpha"],
    "clisc label glioma --cases b": ["beta", "bravo"],
    "clisc run glioma --until self": ["self-train"],
    "clisc config explain s3f": ["s3f", "s3f.p", "s3f.start", "s3f.epochs", "s3f.learning_rate"],
    "clisc amda glioma --set amda": ["amda.t=", "amda.fill="],
    "clisc amda glioma --set prompts.kind=b": ["prompts.kind=both", "prompts.kind=box"],
    "clisc config set glioma classifier.augment=t": ["classifier.augment=true"],
}


@pytest.mark.parametrize("line", TYPED)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_shows_what_can_follow(glioma, on_path, shell, line):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    expected = TYPED[line]
    if shell == "bash":
        expected = [value.split("=")[-1] if "=" in line else value for value in expected]
    assert shown(shell, line, on_path, glioma.parent) == expected


def test_every_value_of_a_setting_that_is_offered_is_taken():
    for key in known_keys():
        for value in choices(key):
            changed = with_changes(Settings(), dict([parse_assignment(f"{key}={value}")]), "test")
            assert value_of(changed, key) is not None
    assert choices("classifier.augment") == ["true", "false"] and choices("amda.t") == []
    assert choices("weights") == [], "it is refused alone"
    assert choices("roi.threshold") == ["otsu", "sam"] and choices("cam.layers")[2] == '["layer3"]'


def test_masks_and_presets_are_offered(glioma, tmp_path):
    (glioma / "store.zarr" / "cases" / "beta" / "masks" / "round2").mkdir(parents=True)
    assert offered("clisc export masks glioma --masks r", tmp_path) == ["round1", "round2"]
    (glioma / "store.zarr" / "cases" / "beta" / "masks" / "own-bright").mkdir(parents=True)
    assert offered("clisc export masks glioma --masks o", tmp_path) == ["own-bright"]
    assert {"sam", "round1", "round2", "sam-round1"} <= set(offered("clisc export bids --masks ", tmp_path))
    assert offered("clisc config diff glioma --against ", tmp_path) == ["paper", "fast", "medical", "tiny"]


def test_inside_a_project_a_case_comes_first(glioma):
    assert offered("clisc show b", glioma) == ["beta", "bravo"]


KNOWN = {
    "clisc label --device c": ["cpu", "cuda", "cuda:0"],
    "clisc predict glioma x.nii --device m": ["mps"],
    "clisc doctor --device a": ["auto"],
    "clisc cam --splits t": ["train", "test"],
    "clisc evaluate --splits train,t": ["train,test"],
    "clisc init p --brain-extraction h": ["hd-bet"],
    "clisc predict b": ["bundled"],
    "clisc schema stat": ["status"],
    "clisc config get amda": ["amda.t"],
    "clisc config explain baselines.if": ["baselines.if3d"],
    "clisc demo --set amda": ["amda.t=", "amda.fill="],
    "clisc evaluate --precision b": ["bf16"],
}


@pytest.mark.parametrize("line", KNOWN)
def test_known_words_are_offered(tmp_path, line):
    assert set(KNOWN[line]) <= set(offered(line, tmp_path))


def test_programs_that_extract_brains_are_those_that_are_known():
    assert set(brain_extractors("")) == set(PRESETS)
