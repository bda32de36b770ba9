"""Every option of every command is looked at by what does the work; what a command cannot heed it lacks.

Commands with the shared options run on a small project while every read of an option is noted; those with
options of their own are looked up in their source.
"""

import ast
import inspect
import json
import sys
import textwrap
from pathlib import Path
from typing import ClassVar

import pytest
import typer

from clisc_cli import options as shared
from clisc_cli.registry import whole_app
from clisc_engine.running import control as engine

FOR_ALL = {"json_", "quiet", "verbose"}
"""Read by the command line itself; --verbose from the line, before there are options."""
CHANGES = {"seed", "assignments"}
RUN_ON_A_PROJECT = {
    "label": ("--splits", "test"),
    "cam": (),
    "amda": (),
    "prompt-sam": (),
    "train": (),
    "self-train": (),
    "evaluate": ("--ablation",),
    "baseline": ("salip",),
    "run": (),
    "export masks": ("--masks", "round2"),
    "export nnunet": ("--masks", "round1"),
    "export bids": ("--masks", "round2"),
    "trust": (),
    "sweep run": ("prompts.dilation=2,3", "--row", "sam"),
    "init": (),
}
ON_DICOM = {"export dicom-seg"}
"""Needs a project of DICOM images; its work is that of the other exports of masks."""
ON_WHAT_IS_THERE = {"evaluate", "baseline", "init"}
"""Called twice, since --force is looked at where there is a result."""
REFUSED = {("train", "cases"), ("self-train", "cases"), ("run", "cases")}
"""Options that a command takes only to say why they are no help: see tests/faults/test_chosen_cases.py."""


def commands():
    def below(command, path):
        if hasattr(command, "commands"):
            for name, one in command.commands.items():
                yield from below(one, [*path, name])
        else:
            yield " ".join(path), command

    return dict(below(typer.main.get_command(whole_app()), []))


def of_shared(command):
    """The shared options that a command has, if it is made with them."""
    fields = {*inspect.signature(shared.RunOptions).parameters} - {"context"}
    return fields & {parameter.name for parameter in command.params}


def test_every_command_is_looked_at():
    with_shared = {name for name, one in commands().items() if "precision" in _names(one) or name == "init"}
    assert with_shared - {"predict"} == set(RUN_ON_A_PROJECT) | ON_DICOM


def _names(command):
    return {parameter.name for parameter in command.params}


def _body_of(command):
    function = inspect.unwrap(command.callback)
    return ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]


@pytest.mark.parametrize("name", [*commands()])
def test_each_option_of_its_own_is_used_in_the_source_of_a_command(name):
    command = commands()[name]
    body = _body_of(command)
    used = {node.id for part in body.body for node in ast.walk(part) if isinstance(node, ast.Name)}
    own = {argument.arg for argument in [*body.args.args, *body.args.kwonlyargs]} - {"options"}
    assert own - used - {"verbose"} == set(), "taken, and never looked at"
    assert _names(command) - own - {"help"} <= of_shared(command)


class Noted(engine.Control):
    """Notes each of its fields that is read, but for copies that are made of it."""

    seen: ClassVar[set] = set()

    def __getattribute__(self, name):
        if sys._getframe(1).f_globals.get("__name__") != "dataclasses":
            Noted.seen.add(name)
        return super().__getattribute__(name)


@pytest.fixture
def reads(monkeypatch):
    """The fields of the options and of the control that were read since it was emptied."""
    seen = set()
    plain_control = shared.RunOptions.control

    def control(self):
        made = plain_control(self)
        fields = {key: getattr(made, key) for key in engine.Control.__dataclass_fields__}
        noted = Noted(**fields)
        Noted.seen = seen
        return noted

    told = set()
    changes = shared.RunOptions.changes
    monkeypatch.setattr(shared.RunOptions, "changes", lambda self: told.update(CHANGES) or changes(self))
    opened = shared.RunOptions.opened
    monkeypatch.setattr(
        shared.RunOptions, "opened", lambda self, root: told.add("variant") or opened(self, root)
    )
    monkeypatch.setattr(shared.RunOptions, "control", control)

    def since(call):
        told.clear()
        seen.clear()
        call()
        return seen | told

    return since


def test_the_shared_options_reach_the_work(clisc, copied, data, tmp_path, reads):
    cpu = ("--device", "cpu", "--quiet", "--json")
    unread = {}
    for name, further in RUN_ON_A_PROJECT.items():
        target = [copied.root]
        if name == "init":
            target = [tmp_path / "new", "--images", data / "images", "--weights", "tiny"]
        if name.startswith(("export", "trust")):
            for case in copied.cases():
                copied.store.remove(f"cases/{case.info.name}/masks/round2")
        target += ["-o", tmp_path / name] if name.startswith("export") else []
        options = set(of_shared(commands()[name]))
        words = [*name.split(), *(further[:1] if name == "baseline" else ())]
        words += [*target, *(further if name != "baseline" else ())]
        words += ["--force"] if "force" in options and name != "init" else []
        words += cpu if "device" in options else cpu[2:]

        more = ["--references", data / "references"] if name == "init" else []

        def call(words=words, calls=([], more) if name in ON_WHAT_IS_THERE else ([],)):
            for added in calls:
                shown = clisc(*words, *added)
                assert shown.code == 0, (words, shown.err)

        missed = options - reads(call) - FOR_ALL - {"dry_run"}
        missed -= {option for command, option in REFUSED if command == name}
        if missed:
            unread[name] = missed
    assert unread == {}


def test_a_dry_run_of_any_command_leaves_the_project_as_it_is(clisc, finished, data, tmp_path):
    def files():
        found = [path for path in Path(finished.root).rglob("*") if path.is_file()]
        return {path: path.stat().st_mtime_ns for path in found}

    before = files()
    for name, further in RUN_ON_A_PROJECT.items():
        target = [finished.root, *(("-o", tmp_path / "out") if name.startswith("export") else ())]
        if name == "init":
            target = [tmp_path / "new", "--images", data / "images", "--weights", "tiny"]
        words = [*name.split(), *(further[:1] if name == "baseline" else ()), *target]
        words += [*(further if name != "baseline" else ()), "--dry-run", "--json", "--quiet"]
        shown = clisc(*words)
        assert shown.code == 0, (words, shown.err)
        assert shown.out.startswith("{"), words
    assert files() == before and list(tmp_path.iterdir()) == []


def test_init_takes_the_cases_that_are_named_and_no_other(clisc, data, tmp_path):
    call = ("init", tmp_path / "p", "--images", data / "images", "--weights", "tiny", "--quiet", "--json")
    wrong = clisc(*call, "--cases", "p1,q2")
    assert wrong.code == 3 and "'q2'" in wrong.message and not (tmp_path / "p").exists()
    plan = clisc(*call[:4], "--weights", "tiny", "--cases", "p1,p3", "--dry-run")
    assert plan.code == 0 and "Took 2 of the 5 cases found, as --cases says." in plan.err
    assert "left out" not in plan.err and "p2" not in plan.out
    made = clisc(*call, "--cases", "p1,p3", "--split", data / "split.csv")
    assert made.code == 0, made.err
    assert set(json.loads(made.out)["splits"]) == {"p1", "p3"}
    again = clisc(*call, "--cases", "p1", "--split-ratio", "1:0:8")
    assert again.code == 3, "the split is fixed since the import"
    assert clisc(*call, "--cases", "p4", "--add").code == 0
    assert clisc(*call, "--device", "cpu").code == 2
