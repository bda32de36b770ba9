"""The doctor finds what is broken and says what to do."""

import pytest
import torch
import torchvision

from clisc_engine.upkeep import doctor
from clisc_engine.upkeep.doctor import diagnose, examine


def found(project=None):
    return {check.name: check for check in examine(project, "cpu")}


def test_a_sound_machine_has_no_problem(finished):
    checks = found(finished)
    assert [check.name for check in checks.values() if check.state == "problem"] == []
    assert {
        "packages",
        "CPU",
        "memory",
        "models folder",
        "project",
        "tiny CLIP",
        "tiny SAM",
        "U-Net",
    } <= set(checks)
    assert torch.__version__.split("+")[0] in checks["packages"].found
    assert "sam-vit-b" in checks["full-size models"].found


def test_models_that_are_here_do_a_slice(tmp_path, monkeypatch):
    monkeypatch.setenv("CLISC_MODELS", str(tmp_path))
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), tmp_path / "resnet18-f37072fd.pth")
    (tmp_path / "sam_vit_b_01ec64.pth").write_bytes(b"\0" * 100)
    checks = found()
    assert checks["ResNet-18 on ImageNet"].state == "good"
    assert checks["SAM ViT-B"].state == "problem" and "clisc models verify" in checks["SAM ViT-B"].advice
    assert "resnet18" not in checks["full-size models"].found


def test_pull_is_advised_as_long_as_the_paper_s_models_are_not_all_here(tmp_path, monkeypatch):
    monkeypatch.setenv("CLISC_MODELS", str(tmp_path))
    for name in ("ViT-B-32-openai.safetensors", "sam_vit_b_01ec64.pth"):
        (tmp_path / name).write_bytes(b"")
    assert "--weights paper needs." in found()["full-size models"].advice
    (tmp_path / "resnet50-11ad3fa6.pth").write_bytes(b"")
    advice = found()["full-size models"].advice
    assert "needs none of them" in advice and "`clisc models pull NAME`" in advice


def test_the_best_known_broken_installation_is_recognised():
    error = RuntimeError("operator torchvision::nms does not exist")
    assert "different builds" in diagnose(error) and "--index-url" in diagnose(error)
    assert diagnose(RuntimeError("something else")) == ""
    assert "pip install zarr" in diagnose(ModuleNotFoundError("No module named 'zarr'", name="zarr"))


def test_a_package_that_is_not_there_ends_the_examination(monkeypatch):
    monkeypatch.setitem(doctor.PACKAGES, "no-such-package", "no_such_package")
    checks = found()
    assert list(checks) == ["clisc", "no-such-package"]
    assert checks["no-such-package"].advice == "Install it: `pip install no-such-package`."


@pytest.mark.parametrize(
    ("built_for", "has_driver", "state", "advice"),
    [
        (None, False, "note", "tiny models"),
        (None, True, "problem", "CUDA build"),
        ("12.8", True, "problem", "driver"),
    ],
)
def test_why_there_is_no_gpu(built_for, has_driver, state, advice):
    check = doctor._why_no_gpu(built_for, has_driver)
    assert check.state == state and advice in check.advice
