"""Streams that are closed, full or unread, limits of the process, and arguments that are empty."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clisc_engine.files import limits
from tests.support.small import small_project

RUN = [sys.executable, "-m", "clisc_cli"]
PACKAGES = str(Path(__file__).parents[2])
ULIMIT = 'ulimit "$1" "$2" && shift 2 && exec "$@"'


@pytest.fixture(scope="module")
def project(data, tmp_path_factory):
    """Made by init alone."""
    return small_project(tmp_path_factory.mktemp("surroundings") / "project", data).root


def shell(script, *arguments, **environment):
    """Run a script of the shell with these arguments; ``$@`` is clisc with them."""
    command = ["bash", "-c", script, "bash", *RUN, *map(str, arguments)]
    where = {**os.environ, "PYTHONPATH": PACKAGES, **environment}
    return subprocess.run(command, capture_output=True, encoding="utf-8", env=where, check=False)


def limited(option, value, *arguments):
    """Run clisc under a limit of the shell."""
    command = ["bash", "-c", ULIMIT, "bash", option, str(value), *RUN, *map(str, arguments)]
    where = {**os.environ, "PYTHONPATH": PACKAGES, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, encoding="utf-8", env=where, check=False)


@pytest.mark.parametrize(
    ("script", "codes"),
    [
        ('"$@" | head -c 1 >/dev/null; exit ${PIPESTATUS[0]}', {0, 141}),
        ('"$@" | true; exit ${PIPESTATUS[0]}', {0, 141}),
        ('"$@" >&-', {0}),
        ('"$@" >&- 2>&-', {0}),
        ('"$@" <&- >&- 2>&-', {0}),
        ('"$@" 2>/dev/full', {0}),
    ],
    ids=["head", "nobody reads", "stdout closed", "both closed", "all closed", "stderr full"],
)
@pytest.mark.parametrize("arguments", [("status",), ("config", "show", "--json")])
def test_output_that_nobody_takes_is_no_fault(project, script, codes, arguments):
    shown = shell(script, *arguments, project)
    assert shown.returncode in codes and shown.stderr == ""


def test_a_lasting_reader_gets_all_lines(project):
    shown = shell('"$@" | cat', "status", project)
    assert shown.returncode == 0 and "self-train" in shown.stdout and "Disk: " in shown.stdout


def test_work_goes_on_when_nobody_reads_and_its_files_stay_clean(data, tmp_path):
    root = small_project(tmp_path / "p", data).root
    closed = shell('"$@" <&- >&- 2>&-', "label", root, "--device", "cpu")
    assert closed.returncode == 0
    assert shell('"$@"', "verify", root).returncode == 0
    assert "5/5" in shell('"$@"', "status", root).stdout
    piped = shell('"$@" 2>&1 | true; exit ${PIPESTATUS[0]}', "label", root, "--force", "--device", "cpu")
    assert piped.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("arguments", [("status",), ("status", "--json"), ("--help",), ("models", "path")])
def test_a_full_disk_under_stdout_is_said(project, arguments):
    named = (project,) if arguments[0] == "status" else ()
    shown = shell('"$@" >/dev/full', *arguments, *named)
    assert shown.returncode == 3
    assert "Cannot write the result to stdout: No space left" in shown.stderr
    assert "bug" not in shown.stderr and "Traceback" not in shown.stderr


def test_an_error_keeps_its_code_whatever_the_streams(tmp_path):
    for script in ('"$@" 2>&-', '"$@" 2>/dev/full', '"$@" >/dev/full', '"$@" >&-'):
        assert shell(script, "status", tmp_path).returncode == 4


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits as Linux has them")
@pytest.mark.parametrize("megabytes", [100, 1500])
def test_too_small_an_address_space_is_named(project, data, tmp_path, megabytes):
    image = data / "images" / "p0_flair.nii.gz"
    for arguments in (
        ("label", project, "--force", "--device", "cpu"),
        ("predict", "bundled", image, "-o", tmp_path / "out"),
    ):
        shown = limited("-v", megabytes * 1024, *arguments)
        assert shown.returncode == 3, shown.stderr
        assert "ulimit -v" in shown.stderr and f"{megabytes * 1024**2 / 1e6:.0f} MB" in shown.stderr
        assert "bug" not in shown.stderr and "Traceback" not in shown.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits as Linux has them")
@pytest.mark.parametrize(("option", "value"), [("-n", 6), ("-f", 4)])
def test_other_limits_are_named(data, tmp_path, option, value):
    shown = limited(option, value, "init", tmp_path / "p", "--images", data / "images", "--weights", "tiny")
    assert shown.returncode == 3, shown.stderr
    assert f"ulimit {option}" in shown.stderr and "bug" not in shown.stderr


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (MemoryError(), "memory"),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), "memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."),
            "memory",
        ),
        (RuntimeError("std::bad_alloc"), "memory"),
        (RuntimeError("can't start new thread"), "thread"),
        (OSError(errno.EMFILE, "Too many open files"), "files"),
        (ImportError("libm.so.6: cannot open shared object file: Too many open files"), "files"),
        (OSError(errno.EFBIG, "File too large"), "large"),
    ],
)
def test_errors_of_limits_are_told_from_others(error, name):
    wrapped = ValueError("something else")
    wrapped.__cause__ = error
    for found in (error, wrapped):
        assert name in limits.explain(found)


@pytest.mark.parametrize("error", [KeyError("memory"), OSError(errno.ENOENT, "No such file"), ValueError()])
def test_other_errors_are_none_of_limits(error):
    assert limits.explain(error) == ""


@pytest.mark.parametrize(
    "name", ["label", "cam", "amda", "prompt-sam", "train", "self-train", "evaluate", "run"]
)
@pytest.mark.parametrize(
    "wrong",
    [
        ("--cases", ""),
        ("--cases", ","),
        ("--cases", " "),
        ("--cases=",),
        ("--cases", "p0", "--cases", ", ,"),
    ],
    ids=["empty", "comma", "space", "equals", "second"],
)
def test_no_case_is_not_every_case(clisc, project, name, wrong):
    before = (project / "clisc.toml").read_bytes()
    shown = clisc(name, project, *wrong, "--force", "--set", "amda.t=3")
    assert shown.code == 2 and shown.out == ""
    assert (project / "clisc.toml").read_bytes() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "{p}", "--splits", ""),
        ("evaluate", "{p}", "--splits", ","),
        ("export", "masks", "{p}", "-o", "{t}", "--splits", " , "),
        ("export", "masks", "{p}", "-o", "{t}", "--cases", "", "--force"),
        ("export", "masks", "{p}", "-o", ""),
        ("report", "{p}", "--cases", ","),
        ("init", "{t}/new", "--images", ""),
        ("init", "{t}/new", "--images", "{t}", "--references="),
        ("predict", "", "{t}", "-o", "{t}"),
        ("status", ""),
    ],
)
def test_empty_arguments_are_wrong_usage(clisc, project, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    shown = clisc(*(text.format(p=project, t=tmp_path) for text in arguments))
    assert shown.code == 2 and shown.out == "" and list(tmp_path.iterdir()) == []


def test_an_empty_value_of_a_setting_is_none_of_these(clisc, project):
    assert clisc("config", "set", project, "sam.checkpoint=").code == 0
    assert clisc("label", project, "--set=sam.checkpoint=", "--dry-run").code == 0


def test_a_folder_that_is_gone_is_said(project, tmp_path):
    gone = 'mkdir "$GONE" && cd "$GONE" && rmdir "$GONE" && exec "$@"'
    shown = shell(gone, "status", GONE=str(tmp_path / "gone"))
    assert shown.returncode == 3 and "is gone" in shown.stderr and "bug" not in shown.stderr


def test_neither_a_home_nor_a_folder_for_temporary_files_is_needed(project, tmp_path):
    (tmp_path / "read-only").mkdir(mode=0o500)
    for command, home in (("label", "/nonexistent"), ("show", str(tmp_path / "read-only"))):
        further = ("--device", "cpu") if command == "label" else ("p0",)
        shown = shell(
            'unset XDG_CACHE_HOME CLISC_MODELS; exec "$@"',
            *(command, project, *further),
            HOME=home,
            TMPDIR=str(tmp_path / "none"),
        )
        assert shown.returncode == 0, shown.stderr


def test_a_user_without_a_home_has_no_models(monkeypatch):
    from clisc_engine.models.weights import models_folder

    def unknown(*_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", unknown)
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert not models_folder().exists()


def test_a_locale_without_letters_shows_what_it_can(project, tmp_path):
    where = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for arguments in (("--help",), ("status", project), ("status", tmp_path / "nirgendwo-é")):
        shown = shell('exec "$@"', *arguments, **where)
        assert shown.returncode == (4 if "nirgendwo" in str(arguments) else 0)
        assert "bug" not in shown.stderr and (shown.stdout + shown.stderr).isascii()


def test_a_locale_without_letters_does_not_hide_files_that_have_some(data, tmp_path):
    project, out = tmp_path / "größer", tmp_path / "out"
    image = tmp_path / "images" / "Müller-1.nii.gz"
    image.parent.mkdir()
    image.write_bytes((data / "images" / "p4_flair.nii.gz").read_bytes())
    where = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for arguments in (
        ("init", project, "--images", image.parent, "--weights", "tiny"),
        ("label", project, "--device", "cpu"),
        ("cases", "list", project),
        ("status", project, "Müller-1"),
        ("show", project, "Müller-1"),
        ("export", "csv", project, "-o", out),
    ):
        shown = shell('exec "$@"', *arguments, **where)
        assert shown.returncode == 0, (arguments, shown.stderr)
        assert (shown.stdout + shown.stderr).isascii()
    assert "M?ller-1" in shell('exec "$@"', "cases", "list", project, **where).stdout
    assert (project / "results" / "Müller-1.png").is_file()
    assert "Müller-1" in (out / "cases.csv").read_text(encoding="utf-8")
