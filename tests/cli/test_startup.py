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


def test_a_command_is_built_without_the_others(tmp_path):
    modules = subprocess.run(
        [sys.executable, "-c", CODE.replace('.split(".")[0]', ""), json.dumps(["label", "--help"])],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    _, names = json.loads(modules.stderr.splitlines()[-1])
    commands = "clisc_cli.commands."
    assert [name for name in names if name.startswith(commands)] == [f"{commands}label"]


def test_a_folder_without_a_project_is_noticed_before_anything_heavy_is_loaded(tmp_path):
    ended, packages = loaded(tmp_path, "status")
    assert ended == 4 and packages & (HEAVY - {"numpy", "safetensors"}) == set()


@pytest.mark.parametrize("line", ["clisc self", "clisc cam --pre", "clisc label --cases b"])
def test_completion_loads_nothing_heavy(tmp_path, line):
    words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    ended, packages = loaded(tmp_path, _CLISC_COMPLETE="complete_bash", **words)
    assert ended == 0 and packages & (HEAVY | {"rich"}) == set()


SLOW = (HEAVY - {"numpy", "safetensors", "zarr"}) | {"pandas", "skimage", "pydicom", "timm"}
SLOW |= {"jinja2", "tomlkit", "transformers"}
SEVERAL = """
import json, sys
from clisc_cli.app import main
slow, seen = set(json.loads(sys.argv[1])), []
for arguments in json.loads(sys.argv[2]):
    sys.argv = ["clisc", *arguments]
    try:
        main()
    except SystemExit as stop:
        code = stop.code
    seen.append([code, sorted(slow & {name.split(".")[0] for name in sys.modules})])
print(json.dumps(seen), file=sys.stderr)
"""


def test_what_has_nothing_to_do_says_so_without_anything_heavy(clisc, copied, data, tmp_path):
    """One process calls one command after the other, all of which found work to do before."""
    root, images, masks = str(copied.root), str(data / "images"), str(tmp_path / "masks")
    init = ["init", root, "--images", images, "--references", str(data / "references")]
    last = [
        ["evaluate", root],
        ["predict", root, images, "-o", str(tmp_path / "predicted")],
        ["export", "masks", root, "-o", masks],
        ["export", "csv", root, "-o", str(tmp_path / "tables")],
        ["baseline", "otsu", root],
        ["evaluate", root, "--table1"],
        ["sweep", "run", root, "amda.t=20", "--row", "cam-amda"],
        ["trust", root],
        ["show", root, "p4", "-o", str(tmp_path / "p4.png")],
        ["report", root, "-o", str(tmp_path / "report.html")],
    ]
    for arguments in last:
        assert clisc(*arguments).code == 0, arguments
    steps = [[step, root] for step in ("label", "cam", "amda", "prompt-sam", "train", "self-train", "run")]
    commands = [["status", root], init, *steps, *last]
    shown = subprocess.run(
        [sys.executable, "-c", SEVERAL, json.dumps(sorted(SLOW)), json.dumps(commands)],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    seen = json.loads(shown.stderr.splitlines()[-1])
    assert [code for code, _ in seen] == [0] * len(commands), shown.stderr
    loaded = {" ".join(words[:2]): set(found) for words, (_, found) in zip(commands, seen, strict=True)}
    assert {words: found for words, found in loaded.items() if found} == {}
    made = {line for line in shown.stdout.splitlines() if " done in " in line or "made in" in line}
    assert made == set(), shown.stdout
