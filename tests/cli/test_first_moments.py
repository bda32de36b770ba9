"""A signal in the first moments, while the program is still being loaded, and in the last ones."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clisc_engine.project.lock import LOCK

CODE = """
import importlib, os, signal, sys
entry, number, times, module = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
sys.argv = ["clisc", *sys.argv[5:]]

class Striking:
    def find_spec(self, name, *_):
        if name == module:
            for _ in range(times):
                os.kill(os.getpid(), number)

sys.meta_path.insert(0, Striking())
where, function = entry.split(":")
getattr(importlib.import_module(where), function)()
"""
"""What the script ``clisc`` of an installation does, with a signal when a module is looked for."""


def started(entry, number, times, module, *arguments):
    words = [sys.executable, "-c", CODE, entry, str(int(number)), str(times), module, *map(str, arguments)]
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(words, capture_output=True, encoding="utf-8", env=surroundings, check=False)


@pytest.fixture(scope="module")
def entry():
    """The function that an installation starts, as pyproject.toml names it."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    return re.search(r'^clisc = "(.+)"$', text, re.MULTILINE)[1]


@pytest.mark.parametrize("module", ["clisc_cli.app", "typer", "clisc_cli.options"])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1"])
def test_a_stop_while_modules_are_loaded_ends_with_75(entry, copied, name, module):
    call = ["label", str(copied.root), "--force", "--json"]
    shown = started(entry, signal.Signals[name], 1, module, *call)
    assert shown.returncode == 75 and "Traceback" not in shown.stderr, shown.stderr
    who = "Ctrl-C" if name == "SIGINT" else name
    assert f"Stopped by {who}; what was finished is kept." in " ".join(shown.stderr.split())
    assert json.loads(shown.stdout)["error"]["run"] == ["clisc", *call]
    assert not list(copied.root.glob(f"{LOCK}*"))


@pytest.mark.parametrize("module", ["clisc_cli.app", "clisc_cli.registry", "clisc_cli.options"])
def test_ctrl_c_twice_while_modules_are_loaded_shows_no_traceback(entry, copied, module):
    shown = started(entry, signal.SIGINT, 2, module, "label", copied.root, "--force")
    assert shown.returncode == 75 and "Traceback" not in shown.stderr, shown.stderr
    assert "error: Interrupted; what was finished is kept." in " ".join(shown.stderr.split())
    assert not list(copied.root.glob(f"{LOCK}*"))


LATE = """
import os, signal, sys
from clisc_cli.__main__ import main

class Late:
    def __del__(self, kill=os.kill, own=os.getpid(), number=int(sys.argv[1])):
        kill(own, number)

late = Late()
sys.argv = ["clisc", *sys.argv[2:]]
main()
"""
"""A signal when the modules are taken down, after all else."""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1"])
def test_a_signal_while_python_shuts_down_changes_no_exit_code(copied, name):
    for words, code in ((["status", str(copied.root)], 0), (["label", str(copied.root / "none")], 4)):
        call = [sys.executable, "-c", LATE, str(int(signal.Signals[name])), *words]
        surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        shown = subprocess.run(call, capture_output=True, encoding="utf-8", env=surroundings, check=False)
        assert shown.returncode == code, shown.stderr
