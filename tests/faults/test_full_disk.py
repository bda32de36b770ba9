"""A disk that is really full or read-only: the path is named, nothing is lost, the next call goes on."""

import os
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from clisc_engine.project.project import open_project
from tests.support.small import contents, differing


@pytest.fixture
def mounted():
    """Put a small file system over a folder, with what the folder held; skipped where none may mount."""
    folders = []

    def mount(folder, room, *, full_copy=True):
        kept = folder.with_name(f"{folder.name}-kept")
        shutil.copytree(folder, kept)
        size = (sum(p.stat().st_size + 4096 for p in kept.iterdir()) if full_copy else 0) + room
        call("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder, skip=True)
        folders.append(folder)
        if full_copy:
            shutil.copytree(kept, folder, dirs_exist_ok=True)
        shutil.rmtree(kept)

    yield mount
    for folder in folders:
        call("umount", "-l", folder)


def call(*command, skip=False):
    done = subprocess.run([*map(str, command)], capture_output=True, encoding="utf-8", check=False)
    if done.returncode and skip:
        pytest.skip(f"no small file system here: {done.stderr.strip()}")
    assert not done.returncode, done.stderr


def remount(folder, options):
    call("mount", "-o", f"remount,{options}", folder)


def untouched(finished, root):
    return differing(contents(finished), contents(open_project(root))) == []


@pytest.mark.parametrize("saves", [0, 1])
def test_a_training_s_state_that_does_not_fit(clisc, root, finished, mounted, saves):
    folder = root / "checkpoints"
    state = folder / "classifier-raw.training.pt"
    size = state.stat().st_size
    state.unlink()
    mounted(folder, int(size * (saves + 0.5)))
    command = ("cam", root, "--force", "--device", "cpu")
    shown = clisc(*command)
    assert shown.code == 3 and "Free some space" in shown.message and str(state) in shown.message
    assert clisc("verify", root).code == 0 and untouched(finished, root)
    remount(folder, "size=1g")
    again = clisc(*command)
    assert again.code == 0 and ("goes on after epoch 1" in again.message) == bool(saves)
    assert untouched(finished, root)


def test_logs_that_do_not_fit(clisc, root, finished, mounted):
    mounted(root / "logs", 4096, full_copy=False)
    command = ("train", root, "--force", "--device", "cpu")
    shown = clisc(*command)
    assert shown.code == 3 and "Free some space" in shown.message
    assert f"{root}/logs/unet-round1.csv" in shown.message and "Logging error" not in shown.err
    assert clisc("verify", root).code == 0 and untouched(finished, root)
    remount(root / "logs", "size=1m")
    assert clisc(*command).code == 0 and untouched(finished, root)
    assert (root / "logs/unet-round1.csv").is_file()


def test_logs_that_cannot_be_written(clisc, root, finished, mounted):
    mounted(root / "logs", 1 << 20)
    remount(root / "logs", "ro")
    shown = clisc("cam", root, "--force", "--device", "cpu")
    assert (
        shown.code == 3 and f"{root}/logs" in shown.message and "Make that folder writable" in shown.message
    )
    assert untouched(finished, root)


@pytest.mark.parametrize(
    ("words", "out", "needs_copy"),
    [
        (("show", "p4"), "p4.png", False),
        (("report",), "r.html", False),
        (("export", "masks"), "masks", True),
    ],
)
def test_a_read_only_project_names_a_way_out(clisc, finished, tmp_path, mounted, words, out, needs_copy):
    """And that way leads there."""
    shut, place, (name, *rest) = tmp_path / "shut", ("--out", tmp_path / out), words
    shutil.copytree(finished.root, shut)
    mounted(shut, 1 << 28)
    remount(shut, "ro")

    def call(root, *options):
        where = (rest[0], root) if name == "export" else (root, *rest)
        return clisc(name, *where, *options)

    refused = call(shut, *(place if needs_copy else ()))
    assert refused.code == 3 and "Make that folder writable, or work on a copy" in refused.message
    assert ("--out FILE writes it elsewhere." in refused.message) is not needs_copy
    if needs_copy:
        shut = Path(shutil.copytree(shut, tmp_path / "copy"))
    assert call(shut, *place).code == 0 and (tmp_path / out).exists()


@contextmanager
def no_file_above(size):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_limit_on_the_size_of_files(clisc, root, finished):
    with no_file_above(100_000):
        shown = clisc("train", root, "--force", "--device", "cpu")
    assert shown.code == 3 and f"{root}/checkpoints/unet-round1.training.pt" in shown.message
    assert clisc("verify", root).code == 0 and untouched(finished, root)
    assert clisc("train", root, "--force", "--device", "cpu").code == 0 and untouched(finished, root)


def ordinary(*arguments):
    """`clisc` by somebody to whom permissions apply, which they do not to root."""
    prefix = []
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("permissions do not apply to root")
        prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    command = [*prefix, sys.executable, "-m", "clisc_cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False)


def test_a_project_that_may_not_be_written(root, finished):
    folder = root / "store.zarr/cases/p1/labels"
    folder.chmod(0o555)
    shown = ordinary("label", root, "--force", "--device", "cpu")
    assert shown.returncode == 3 and "Permission denied" in shown.stderr and "p1/labels" in shown.stderr
    folder.chmod(0o755)
    root.chmod(0o555)
    shown = ordinary("label", root, "--force", "--device", "cpu")
    assert shown.returncode == 3 and "keeps its lock there" in " ".join(shown.stderr.split())
    for words in (
        ("config", "set", root, "amda.t=10"),
        ("verify", root, "--repair"),
    ):  # without a --dry-run
        shown = ordinary(*words)
        assert shown.returncode == 3 and "--dry-run, where there is one," in " ".join(shown.stderr.split())
    root.chmod(0o755)
    assert untouched(finished, root)


def test_an_image_that_may_not_be_read(data, tmp_path):
    shutil.copytree(data / "images", tmp_path / "images")
    (tmp_path / "images/p1_flair.nii.gz").chmod(0)
    shown = ordinary("init", tmp_path / "p", "--images", tmp_path / "images", "--weights", "tiny")
    assert (
        shown.returncode == 3 and "p1_flair.nii.gz" in shown.stderr and "Permission denied" in shown.stderr
    )
    assert not (tmp_path / "p").exists()


def fill(folder):
    """Leave no room on the small file system over a folder."""
    with suppress(OSError), (folder / "fill").open("ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))


@pytest.fixture
def full(tmp_path, mounted):
    """A folder on a file system without room."""
    folder = tmp_path / "out"
    folder.mkdir()
    mounted(folder, 4096, full_copy=False)
    fill(folder)
    return folder


@pytest.mark.parametrize("name", ["mask.nii.gz", "mask.nrrd", "mask.mha"])
def test_a_mask_that_does_not_fit(clisc, root, data, full, name):
    command = ("predict", root, data / "images/p4_flair.nii.gz", "-o", full / name, "--device", "cpu")
    shown = clisc(*command)
    assert shown.code == 3 and f"Cannot write {full / name}" in shown.message
    assert "run the same command again" in shown.message
    assert [path.name for path in full.iterdir()] == ["fill"]
    remount(full, "size=1m")
    assert clisc(*command).code == 0


def test_masks_that_do_not_fit_fail_no_volume(clisc, root, data, full):
    """The disk is at fault, and the next volume would fare no better."""
    command = ("predict", root, data / "images", "-o", full, "--device", "cpu")
    shown = clisc(*command)
    assert shown.code == 3 and f"Cannot write {full}/p0_seg.nii.gz" in shown.message
    assert "Free some space" in shown.message
    remount(full, "size=1m")
    assert clisc(*command).code == 0


def test_a_project_without_room_for_its_lock(clisc, finished, full):
    remount(full, "size=1g")
    shutil.copytree(finished.root, full / "project")
    remount(full, f"size={sum(-(-p.stat().st_size // 4096) * 4096 for p in full.rglob('*'))}")
    fill(full)
    shown = clisc("label", full / "project", "--force", "--device", "cpu")
    assert shown.code == 3 and "Free some space" in shown.message
    assert f"Cannot write into {full}/project" in shown.message
