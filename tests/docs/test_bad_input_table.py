"""docs/bad-input.md lists what can go wrong; each row names the test that shows it."""

import ast
import re
from pathlib import Path

import pytest

from clisc_engine import errors

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"\| (?P<what>.+) \| (?P<said>.+) \| (?P<code>\d+) \| `(?P<test>.+)` \|")
LINES = (ROOT / "docs" / "bad-input.md").read_text(encoding="utf-8").splitlines()
ROWS = [match for line in LINES if (match := ROW.fullmatch(line))]
CODES = {0, 2, *(error.exit_code for error in vars(errors).values() if hasattr(error, "exit_code"))} - {1}


def names_in(file):
    """Functions and strings of a test module: what its tests and their cases are called."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    functions = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    return functions, {node.value for node in nodes if isinstance(node, ast.Constant)}


def test_the_table_lists_many_kinds_each_once():
    assert len(ROWS) == sum("::test_" in line for line in LINES) >= 40
    for column in ("what", "test"):
        assert len({row[column] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("file", sorted({row["test"].partition("::")[0] for row in ROWS}))
def test_the_tests_named_exist(file):
    functions, strings = names_in(ROOT / file)
    for row in ROWS:
        path, _, test = row["test"].partition("::")
        name, _, case = test.removesuffix("]").partition("[")
        assert path != file or (name in functions and (not case or case in strings)), row["test"]


def test_exit_codes_are_documented_ones():
    assert {int(row["code"]) for row in ROWS} <= CODES


def test_every_kind_that_is_tested_stands_in_the_table():
    tree = ast.parse((ROOT / "tests/faults/test_bad_input.py").read_text(encoding="utf-8"))
    kinds = {
        node.targets[0].id: {key.value for key in node.value.keys}
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
    }
    listed = {row["test"].partition("[")[2].removesuffix("]") for row in ROWS}
    assert kinds["IMPORTS"] | kinds["PROJECTS"] <= listed
