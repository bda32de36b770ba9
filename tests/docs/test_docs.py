"""README and docs say what is so: their links lead somewhere, their commands parse, their code runs."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer

from clisc_cli.registry import whole_app
from clisc_engine.settings.page import page as settings_page
from tests.support.small import run_stages, small_data, small_project

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
SHELL = re.compile(r"```sh\n(.*?)```", re.S)


def commands(page):
    """Every `clisc ...` line of the page's shell blocks, without its comment."""
    text = "\n".join(SHELL.findall(page.read_text(encoding="utf-8"))).replace("\\\n", " ")
    return [line for line in text.splitlines() if line.startswith("clisc ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    missing = [
        link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_parse(page):
    group = typer.main.get_command(whole_app())
    for line in commands(page):
        name, *arguments = shlex.split(line, comments=True)[1:]
        command = group.commands[name]
        if hasattr(command, "commands"):
            name = arguments.pop(0) if arguments[0] in command.commands else "run"  # as `sweep` does
            command = command.commands[name]
        context = command.make_context(name, list(arguments))
        assert context.params


def test_the_readme_shows_every_stage():
    shown = {shlex.split(line)[1] for line in commands(ROOT / "README.md")}
    assert shown >= {"init", "label", "cam", "amda", "prompt-sam", "train", "self-train", "evaluate"}


def test_the_index_names_every_page():
    index = LINK.findall((ROOT / "docs" / "README.md").read_text(encoding="utf-8"))
    assert set(index) >= {page.name for page in PAGES if page.parent.name == "docs"} - {"README.md"}


def test_the_page_of_settings_is_current():
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == settings_page()


def test_the_guide_shows_every_command():
    lines = commands(ROOT / "docs" / "guide.md")
    shown = [" ".join(shlex.split(line, comments=True)[1:3]) for line in lines]
    for name, command in typer.main.get_command(whole_app()).commands.items():
        for full in [f"{name} {inner}" for inner in getattr(command, "commands", ())] or [name]:
            assert any(line.startswith(full) for line in shown), full


def test_the_readme_names_the_pythons_that_the_package_admits():
    admitted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "requires-python"
    ]
    named = re.search(r"Python 3\.(\d+) to 3\.(\d+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert named, "the README says which"
    first, last = map(int, named.groups())
    assert admitted == f">=3.{first},<3.{last + 1}"


def test_the_medical_caution_stands_once_in_the_readme():
    assert (ROOT / "README.md").read_text(encoding="utf-8").count("not a medical device") == 1


def test_the_store_is_read_as_the_page_says(tmp_path, monkeypatch, capsys):
    project = small_project(tmp_path / "glioma", small_data(tmp_path / "data"))
    run_stages(project, "label")
    (snippet,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "store.md").read_text(encoding="utf-8"), re.S
    )
    snippet = snippet.replace("patient-007/masks/round2", "p0/labels/tumour")
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet, "docs/store.md", "exec"), {})
    assert capsys.readouterr().out.strip() == f"({len(project.case('p0').read('image'))},) label"
