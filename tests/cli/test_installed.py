"""What is published works where it is installed: built, put into an environment of its own, run there."""

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from clisc_engine import __version__

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.package


def run(*arguments, **options):
    """Run a program that sees nothing of the repository by its environment; what it prints."""
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    shown = subprocess.run(
        list(map(str, arguments)),
        capture_output=True,
        text=True,
        check=False,
        **{**options, "env": surroundings | options.get("env", {})},
    )
    assert shown.returncode == 0, shown.stderr[-4000:]
    return shown.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The sdist, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    return next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """An environment outside the repository with the wheel; what it depends on is that of the tests."""
    folder = tmp_path_factory.mktemp("env")
    venv.create(folder, with_pip=False)
    paths = {name: sysconfig.get_path("purelib", vars={"base": name}) for name in (str(folder), sys.prefix)}
    mine, theirs = (Path(path) for path in paths.values())
    pip = (sys.executable, "-m", "pip", "--python", folder / "bin" / "python")
    run(*pip, "install", "--no-deps", "--no-index", built[1])  # first, or pip would find the tests' own
    assert (mine / "clisc_engine").is_dir()
    (mine / "dependencies.pth").write_text(f"{theirs}\n", encoding="utf-8")
    checked = subprocess.run([*map(str, pip), "check"], capture_output=True, text=True, check=False)
    assert not [line for line in checked.stdout.splitlines() if line.startswith("clisc ")]
    return folder / "bin"


def tracked():
    """The files of both packages that the repository knows."""
    listed = run("git", "-C", ROOT, "ls-files", "clisc_cli", "clisc_engine")
    return set(listed.splitlines())


def test_both_hold_every_file_of_the_packages_and_the_licence(built):
    sdist, wheel = built
    with zipfile.ZipFile(wheel) as file:
        inside = set(file.namelist())
    assert tracked() <= inside and any(name.endswith("licenses/LICENSE") for name in inside)
    assert {name.split("/")[0].partition("-")[0] for name in inside} == {
        "clisc",
        "clisc_cli",
        "clisc_engine",
    }
    with tarfile.open(sdist) as file:
        inside = {name.partition("/")[2] for name in file.getnames()}
    assert tracked() | {"LICENSE", "README.md", "pyproject.toml"} <= inside


def test_the_demo_runs_from_an_environment_of_its_own(installed, tmp_path):
    here = {"cwd": tmp_path, "env": {"XDG_CACHE_HOME": str(tmp_path / "cache")}}
    where = run(installed / "python", "-c", "import clisc_engine; print(clisc_engine.__file__)", **here)
    assert Path(where.strip()).is_relative_to(installed.parent)
    assert __version__ in run(installed / "clisc", "--version", **here)
    short = [f"--set={key}.epochs=1" for key in ("classifier", "unet", "s3f")]
    shown = run(installed / "clisc", "demo", "--cases", "6", "--json", "--quiet", *short, **here)
    document = json.loads(shown)
    assert document and (tmp_path / "clisc-demo" / "project" / "results" / "rows.csv").is_file()
    run(installed / "clisc", "export", "bundle", "clisc-demo/project", "-o", "bundle", **here)
    assert (tmp_path / "bundle" / "scripts" / "clisc" / "imaging" / "preprocess.py").is_file()
    assert "Apache License" in (tmp_path / "bundle" / "docs" / "license.txt").read_text(encoding="utf-8")
