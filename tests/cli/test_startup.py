"""What only helps, completes or looks loads none of the packages that take seconds."""

import json
import os
import subprocess
import sys

import pytest

HEAVY = {
    *("torch", "torchvision", "open_clip", "segment_anything", "monai", "SimpleITK", "nibabel", "zarr"),
    *("numpy", "scipy", "safetensors", "PIL", "matplotlib"),
}
CODE = """
import json, sys
sys.argv = ["clisc", *json.loads(sys.argv[1])]
from clisc_cli.app import main
try:
    main()
except SystemExit as stop:
    code = stop.code
print(json.dumps([code, sorted({name.split(".")[0] for name in sys.modules})]), file=sys.stderr)
"""


def loaded(folder, *arguments, **environment):
    """Exit code, and the packages loaded by `clisc ARGUMENTS` in a folder."""
    shown = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(arguments)],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
    )
    code, packages = json.loads(shown.stderr.splitlines()[-1])
    return code, set(packages)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--help"], 0), (["--version"], 0), (["cam", "--help"], 0), (["label", "--nonsense"], 2)],
)
def test_help_loads_nothing_heavy(tmp_path, arguments, code):
    ended, packages = loaded(tmp_path, *arguments)
    assert ended == code and "typer" in packages and packages & HEAVY == set()


def test_a_folder_without_a_project_is_noticed_before_anything_heavy_is_loaded(tmp_path):
    ended, packages = loaded(tmp_path, "status")
    assert ended == 4 and packages & (HEAVY - {"numpy", "safetensors"}) == set()


@pytest.mark.parametrize("line", ["clisc self", "clisc cam --pre", "clisc label --cases b"])
def test_completion_loads_nothing_heavy(tmp_path, line):
    words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    ended, packages = loaded(tmp_path, _CLISC_COMPLETE="complete_bash", **words)
    assert ended == 0 and packages & (HEAVY | {"rich"}) == set()
