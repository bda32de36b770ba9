"""Files, tests and functions that README and docs name in backquotes are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMED = re.compile(r"`(?P<path>[\w./-]+\.py|(?:tests|clisc_engine|clisc_cli)/[\w./-]*)(?::(?P<name>\w+))?`")


def places(path):
    """Where a path may lie that a page names: from the repository's root, or within the engine."""
    return [place for place in (ROOT / path, ROOT / "clisc_engine" / path) if place.exists()]


def defined(file):
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name for node in nodes if isinstance(node, kinds)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_that_a_page_names_is_there(page):
    named = list(NAMED.finditer(page.read_text(encoding="utf-8")))
    gone = [match[0] for match in named if not places(match["path"])]
    assert gone == []
    unknown = [m[0] for m in named if m["name"] and m["name"] not in defined(places(m["path"])[0])]
    assert unknown == []


def test_the_picture_of_the_rooms_is_that_of_the_contract():
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    shown = re.findall(r"^      (\w+)(?:/|\.py) ", text, re.M)
    contract = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    layers = re.search(r'containers = \["clisc_engine"\].*?layers = \[(.*?)\]', contract, re.S)
    assert layers is not None
    rooms = re.findall(r'"(\w+)"', layers[1])
    assert [name for name in shown if name != "weights"] == [name for name in rooms if name in shown]
    assert {name for name in rooms if (ROOT / "clisc_engine" / name).is_dir()} <= set(shown)
