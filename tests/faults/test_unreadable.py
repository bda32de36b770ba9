"""What cannot be read now is neither damaged nor missing: it is named, and nothing is done to it."""

import builtins
import errno
import io
import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import nibabel
import numpy as np
import open_clip
import pytest
import safetensors
import torch

from clisc_engine.errors import Stopped, Unreadable
from clisc_engine.models.clip import load_clip
from clisc_engine.project.embedding_cache import EmbeddingCache
from clisc_engine.project.project import open_project
from clisc_engine.project.store import Seal
from clisc_engine.results.trained import export_model
from clisc_engine.running.control import StopFlag
from tests.support.small_training import Work

CASES = "store.zarr/cases"
LISTINGS = ((os, "listdir"), (os, "scandir"))
CODES = [errno.EIO, errno.EACCES, errno.ESTALE, errno.ETIMEDOUT]


@contextmanager
def away(path, error):
    """Opening a file, or any in a folder, fails: as when a server is away, or memory is short."""
    target = str(path)

    def struck(file):
        return isinstance(file, (str, os.PathLike)) and str(os.fspath(file)).startswith(target)

    def failing(real):
        def call(file, *arguments, **options):
            if struck(file):
                raise error
            return real(file, *arguments, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((builtins, "open"), (io, "open"), (os, "open"), *LISTINGS):
            patch.setattr(owner, name, failing(getattr(owner, name)))
        patch.setattr(safetensors, "safe_open", failing(safetensors.safe_open))
        yield


def oserror(code):
    return OSError(code, os.strerror(code))


def files(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def findings(clisc, root, *options, code):
    shown = clisc("verify", root, "--json", *options)
    assert shown.code == code, shown.err
    return json.loads(shown.out)["findings"]


THINGS = {
    # what: (path that cannot be read, what verify names)
    "chunk": (f"{CASES}/p1/cams/raw/c", f"{CASES}/p1/cams/raw"),
    "imported image": (f"{CASES}/p2/image/c", f"{CASES}/p2/image"),
    "seal": (f"{CASES}/p0/masks/sam/zarr.json", f"{CASES}/p0/masks/sam"),
    "record of a case": (f"{CASES}/p3/zarr.json", f"{CASES}/p3"),
    "group": (f"{CASES}/zarr.json", CASES),
    "weights": ("checkpoints/unet-round1.safetensors", "checkpoints/unet-round1.safetensors"),
    "training state": ("checkpoints/unet-round2.training.pt", "checkpoints/unet-round2.training.pt"),
    "settings": ("clisc.toml", "clisc.toml"),
    "journal": ("logs/runs.jsonl", "logs/runs.jsonl"),
    "similarities": ("results/similarities.json", "results/similarities.json"),
    "evaluation": ("store.zarr/metrics/evaluation/zarr.json", "store.zarr/metrics/evaluation"),
    "checkpoints, all": ("checkpoints", "checkpoints"),
    "arrays of a kind": (f"{CASES}/p1/masks", f"{CASES}/p1"),
}


@pytest.mark.parametrize("what", THINGS)
@pytest.mark.parametrize("error", [oserror(errno.EIO), MemoryError()], ids=["EIO", "MemoryError"])
def test_repair_leaves_alone_what_cannot_be_read(clisc, root, what, error):
    torch.save({"fingerprint": "x"}, root / "checkpoints/unet-round2.training.pt")
    (root / "logs/runs.jsonl").touch()
    open_project(root).store.write_group("metrics/evaluation", {})
    inside, named = THINGS[what]
    before = files(root)
    for options in ([], ["--repair"]):
        with away(root / inside, error):
            found = findings(clisc, root, *options, code=3)
        unreadable = {f["path"] for f in found if f["state"] == "unreadable"}
        assert unreadable == {named}, found
        assert not any(f["repaired"] for f in found)
        assert {f["state"] for f in found} == {"unreadable"}, found
        assert files(root) == before
    assert findings(clisc, root, code=0) == []


@pytest.mark.parametrize("code", CODES)
def test_an_array_that_cannot_be_read_is_not_called_damaged(clisc, root, code):
    with away(root / CASES / "p1/cams/amda/c", oserror(code)):
        shown = clisc("prompt-sam", root, "--force", "--cases", "p1", "--device", "cpu")
    assert shown.code == 5
    assert "p1/cams/amda" in shown.message and os.strerror(code) in shown.message
    assert "damaged" not in shown.message and "--repair" not in shown.message


@pytest.mark.parametrize("command", ["train", "self-train", "evaluate"])
def test_weights_that_cannot_be_read_are_not_trained_anew(clisc, root, command):
    before = files(root / "checkpoints")
    with away(root / "checkpoints/unet-round1.safetensors", oserror(errno.EACCES)):
        shown = clisc(command, root, "--device", "cpu")
    assert (
        shown.code == 3
        and "unet-round1.safetensors" in shown.message
        and "It may be whole" in shown.message
    )
    assert files(root / "checkpoints") == before


@pytest.mark.parametrize(
    ("command", "inside"),
    [
        (["evaluate"], "store.zarr/metrics/evaluation/zarr.json"),
        (["self-train"], "results/similarities.json"),
        (["label", "--set", "amda.t=11"], "clisc.toml"),
        (["label"], f"{CASES}/p0/zarr.json"),
    ],
)
def test_a_record_that_cannot_be_read_does_not_count_as_none(clisc, root, command, inside):
    assert clisc("evaluate", root, "--device", "cpu").code == 0
    path = root / inside
    before = path.read_bytes()
    with away(path, oserror(errno.EIO)):
        shown = clisc(command[0], root, "--device", "cpu", *command[1:])
    assert shown.code == 3 and inside in shown.message and os.strerror(errno.EIO) in shown.message
    assert path.read_bytes() == before


def test_a_record_whose_presence_cannot_be_told_is_not_replaced_by_an_empty_one(root, monkeypatch):
    """Making the groups above an array asks for each whether it is there."""
    project = open_project(root)
    record = root / CASES / "p0/zarr.json"
    before, real = record.read_bytes(), os.stat
    case, seal = project.case("p0"), Seal.now("test", "", {})
    mask = case.read("masks/sam")

    def stat(path, **options):
        if os.fspath(path) == str(record):
            raise oserror(errno.EACCES)
        return real(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", stat)
        with pytest.raises(Exception, match="Permission denied"):
            case.write("masks/sam", mask, seal)
    assert record.read_bytes() == before


@pytest.mark.parametrize("code", CODES)
def test_kept_embeddings_that_cannot_be_read_now_stay(tmp_path, code):
    cache = EmbeddingCache(tmp_path, 10**6, print)
    cache.keep("a", "k", {0: np.ones((2, 2, 2), np.float16)})
    (pack,) = (tmp_path / "a").iterdir()
    with away(pack, oserror(code)):
        assert cache.load("a", "k", [0]) == {}
    assert pack.exists() and list(cache.load("a", "k", [0])) == [0]


def test_an_array_whose_replacement_fails_at_the_last_moment_is_put_back(root, monkeypatch):
    case = open_project(root).case("p0")
    mask, real = case.read("masks/sam"), Path.rename

    def rename(path, target):
        new = path.name.endswith(".partial") and ".old." not in path.name
        if new and not str(target).endswith(".partial"):
            raise oserror(errno.EIO)
        return real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        with pytest.raises(Exception, match="Input/output error"):
            case.write("masks/sam", 1 - mask, case.seal("masks/sam"))
    assert (case.read("masks/sam") == mask).all()


@pytest.mark.parametrize("error", [oserror(errno.EIO), MemoryError()], ids=["EIO", "MemoryError"])
def test_a_model_file_that_cannot_be_read_is_not_called_damaged(clisc, finished, data, tmp_path, error):
    model = tmp_path / "model.clisc"
    export_model(finished, "unet-round2", model)
    image = data / "images" / "p4_flair.nii.gz"
    with away(model, error):
        ended = clisc("predict", model, image, "-o", tmp_path / "out", "--device", "cpu")
    assert ended.code == 3 and "It may be whole" in ended.message and "damaged" not in ended.message
    assert str(model) in ended.message


def test_clip_s_weights_that_cannot_be_read_are_not_called_unsafe(tmp_path, monkeypatch):
    """What reads them takes an error of the disk for a bad file."""
    weights = tmp_path / "clip.pt"
    weights.touch()
    for error in (oserror(errno.EIO), torch.OutOfMemoryError("CUDA out of memory")):

        def failing(*_, error=error, **__):
            raise error

        monkeypatch.setattr(open_clip, "create_model", failing)
        with pytest.raises(Unreadable, match="It may be whole"):
            load_clip("ViT-B-32", str(weights), torch.device("cpu"))


def test_a_state_that_does_not_fit_the_memory_is_not_to_be_removed(tmp_path, monkeypatch):
    flag = StopFlag()

    def stop(_):
        flag.reason = "SIGTERM"

    stopped = Work(tmp_path, after=stop)
    with pytest.raises(Stopped):
        stopped.run(flag)
    again = Work(tmp_path)

    def failing(_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(again.training.optimiser, "load_state_dict", failing)
    with pytest.raises(Unreadable) as error:
        again.run()
    assert "Free some memory" in str(error.value) and "remove" not in str(error.value)
    assert again.checkpoint.state.exists() and again.taken == 0


def test_a_report_does_not_count_around_labels_that_cannot_be_read(clisc, root, tmp_path):
    with away(root / CASES / "p2/labels/tumour/c", oserror(errno.EIO)):
        ended = clisc("report", root, "-o", tmp_path / "report.html")
    assert ended.code == 3 and "p2/labels/tumour" in ended.message
    assert not (tmp_path / "report.html").exists()


def test_a_second_init_on_a_failing_disk_keeps_what_it_has_prepared(clisc, root, data, tmp_path):
    images = tmp_path / "images"
    shutil.copytree(data / "images", images)
    shutil.copy(images / "p0_flair.nii.gz", images / "q0_flair.nii.gz")
    image = nibabel.load(images / "q0_flair.nii.gz")
    changed = nibabel.Nifti1Image(np.asarray(image.dataobj)[::-1].copy(), image.affine)
    nibabel.save(changed, images / "q0_flair.nii.gz")
    with pytest.MonkeyPatch.context() as patch:

        def failing(*_):
            raise Unreadable(root, oserror(errno.EIO))

        patch.setattr("clisc_engine.importing.adding._move_in", failing)
        ended = clisc("init", root, "--images", images, "--add")
    assert ended.code == 3 and (root / ".clisc-add/store.zarr/cases/q0/image").is_dir()


def test_nothing_is_imported_anew_by_settings_that_cannot_be_read(clisc, root):
    """They tell how; the defaults in their place would make another image."""
    shard = next(path for path in (root / CASES / "p4/image/c").rglob("*") if path.is_file())
    shard.write_bytes(shard.read_bytes()[:-40])
    before = files(root)
    with away(root / "clisc.toml", oserror(errno.EIO)):
        found = findings(clisc, root, "--repair", code=3)
    states = {finding["path"]: finding["state"] for finding in found}
    assert states == {"clisc.toml": "unreadable", f"{CASES}/p4/image": "damaged"}
    assert not any(finding["repaired"] for finding in found) and files(root) == before
    found = findings(clisc, root, "--repair", code=0)
    assert [finding["path"] for finding in found if finding["repaired"]] == [f"{CASES}/p4/image"]
