"""What concerns one case leaves the others; a bug ends the command and does not hide behind a case."""

import json

import pytest
import torch

from clisc_engine.project.project import CaseArrays, open_project
from tests.support.struck import strike

ON_CPU = RuntimeError(
    "[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: you tried "
    "to allocate 99999999999 bytes. Error code 12 (Cannot allocate memory)"
)
WANT_OF_MEMORY = {
    "Python": MemoryError(),
    "torch on a GPU": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    "torch on the CPU": ON_CPU,
}


def raising(error):
    def happens():
        raise error

    return happens


def labelled(root):
    return [case.info.name for case in open_project(root).cases() if case.seal("labels/tumour")]


@pytest.mark.parametrize("error", [KeyError("p1"), RuntimeError("CUDA error: an illegal memory access")])
def test_a_bug_in_a_stage_ends_the_command_and_keeps_what_was_finished(clisc, fresh, monkeypatch, error):
    with monkeypatch.context() as patch:
        strike(patch, open_project(fresh), "p1", raising(error))
        ended = clisc("label", fresh, "--device", "cpu")
    assert ended.code == 1 and type(error).__name__ in ended.message and "bug in clisc" in ended.message
    (log,) = (fresh / "logs").glob("*-label-*.log")
    text = log.read_text(encoding="utf-8")
    assert "Traceback" in text and "in happens" in text and type(error).__name__ in text
    assert labelled(fresh) == ["p0"]
    again = clisc("label", fresh, "--device", "cpu")
    assert again.code == 0 and labelled(fresh) == ["p0", "p1", "p2", "p3", "p4"]


@pytest.mark.parametrize("error", WANT_OF_MEMORY.values(), ids=WANT_OF_MEMORY)
def test_memory_that_one_case_lacks_leaves_the_others(clisc, fresh, monkeypatch, error):
    strike(monkeypatch, open_project(fresh), "p1", raising(error))
    ended = clisc("label", fresh, "--device", "cpu")
    assert ended.code == 5 and "p1" in ended.message and "memory" in ended.message
    assert labelled(fresh) == ["p0", "p2", "p3", "p4"]
    (log,) = (fresh / "logs").glob("*-label-*.log")
    assert "Traceback" in log.read_text(encoding="utf-8")


@pytest.mark.parametrize("error", WANT_OF_MEMORY.values(), ids=WANT_OF_MEMORY)
def test_memory_that_one_case_lacks_in_evaluate_leaves_the_others(clisc, root, monkeypatch, error):
    """The measuring of a case is shared among ranks by another function than a stage's cases."""
    read = CaseArrays.read

    def failing(case, array):
        if case.info.name == "p4" and array == "masks/sam":
            raise error
        return read(case, array)

    monkeypatch.setattr(CaseArrays, "read", failing)
    ended = clisc("evaluate", root, "--splits", "valid,test", "--device", "cpu")
    assert ended.code == 5 and "p4" in ended.message and "memory" in ended.message


@pytest.mark.parametrize("workers", ["1", "3"])
def test_a_bug_in_an_import_is_no_bad_image(clisc, data, tmp_path, monkeypatch, workers):
    def failing(self, *_):
        raise KeyError("a bug")

    monkeypatch.setattr("clisc_engine.project.project.Project.add_case", failing)
    given = ["--images", data / "images", "--weights", "tiny", "--skip-bad", "--workers", workers]
    ended = clisc("init", tmp_path / "p", *given)
    assert ended.code == 1 and "KeyError" in ended.message and "bug in clisc" in ended.message
    assert not (tmp_path / "p").exists()


def spoil(root, array):
    """Flip a bit of what is stored of p1."""
    file = next(path for path in (root / "store.zarr/cases/p1" / array / "c").rglob("*") if path.is_file())
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
    file.write_bytes(bytes(data))


@pytest.mark.parametrize("kind", ["masks", "bids"])
def test_a_mask_that_an_export_cannot_read_leaves_the_others(clisc, root, tmp_path, kind):
    spoil(root, "masks/sam")
    ended = clisc("export", kind, root, "--masks", "sam", "-o", tmp_path / "out", "--json")
    assert ended.code == 5 and "p1" in ended.message
    told = json.loads(ended.out)
    assert told["done"] == ["p0", "p2", "p3", "p4"] and told["failed"].keys() == {"p1"}
    assert len(list((tmp_path / "out").rglob("*.nii.gz"))) == 4
    if kind == "bids":
        assert (tmp_path / "out" / "dataset_description.json").is_file()
    alone = clisc("export", kind, root, "--masks", "sam", "-o", tmp_path / "alone", "--cases", "p1")
    assert alone.code == 3 and "p1" in alone.message and not list((tmp_path / "alone").rglob("*.nii.gz"))


@pytest.mark.parametrize("kind", ["masks", "bids"])
def test_a_prediction_that_fails_in_an_export_is_told(clisc, root, tmp_path, kind):
    spoil(root, "image")
    ended = clisc("export", kind, root, "-o", tmp_path / "out", "--device", "cpu")
    assert ended.code == 5 and "p1" in ended.message
    assert len(list((tmp_path / "out").rglob("*.nii.gz"))) == 4


def test_a_prediction_that_fails_makes_no_data_set_without_its_case(clisc, root, tmp_path):
    spoil(root, "image")
    wanted = ["export", "nnunet", root, "--masks", "round2", "-o", tmp_path / "out", "--device", "cpu"]
    ended = clisc(*wanted)
    assert ended.code == 3 and "No data set was made" in ended.message and "p1" in ended.message
    assert not (tmp_path / "out").exists()
