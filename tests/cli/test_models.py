"""`clisc models` and `clisc doctor` as a user calls them."""

import hashlib
import json
from dataclasses import replace

import pytest

from clisc_cli.commands.models import MEDICAL, PAPER
from clisc_engine.models.known import KNOWN


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CLISC_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def test_list_tells_size_licence_source_and_place(clisc, folder):
    (folder / "sam_vit_b_01ec64.pth").touch()
    shown = clisc("models", "list")
    assert shown.code == 0
    line = next(line for line in shown.out.splitlines() if line.startswith("sam-vit-b"))
    assert "375.0 MB" in line and "Apache-2.0" in line and str(folder) in line
    assert "segment-anything#model-checkpoints" in shown.out
    document = json.loads(clisc("models", "list", "--json").out)
    assert {m["name"] for m in document["models"] if m["paper"]} == set(PAPER)
    assert {m["name"] for m in document["models"] if m["medical"]} == set(MEDICAL)
    digests = {m["name"]: m["sha256"] or m["md5"] for m in document["models"]}
    assert {name for name, digits in digests.items() if len(digits) < 8} == {"biomedclip"}
    assert all(m["url"].startswith("https://") for m in document["models"])


def test_path(clisc, folder):
    assert clisc("models", "path").out.strip() == str(folder)
    shown = clisc("models", "path", "sam-vit-b")
    assert shown.code == 3 and "clisc models pull sam-vit-b" in shown.err.replace("\n", " ")
    (folder / "sam_vit_b_01ec64.pth").touch()
    assert clisc("models", "path", "sam-vit-b").out.strip() == str(folder / "sam_vit_b_01ec64.pth")
    wrong = clisc("models", "path", "sam")
    assert wrong.code == 3 and "sam-vit-h" in wrong.err


def test_verify_tells_whole_from_damaged(clisc, folder, monkeypatch):
    assert "No known weight file" in clisc("models", "verify").out
    assert clisc("models", "verify", "sam-vit-b").code == 3
    (folder / "resnet18-f37072fd.pth").write_bytes(b"damaged")
    shown = clisc("models", "verify")
    assert shown.code == 3 and "DAMAGED" in shown.out and "pull --force resnet18" in shown.err

    good = replace(KNOWN["resnet18"], digest=("sha256", hashlib.sha256(b"damaged").hexdigest()[:8]))
    monkeypatch.setitem(KNOWN, "resnet18", good)
    shown = clisc("models", "verify")
    assert shown.code == 0 and "whole" in shown.out


def test_verify_says_what_nothing_vouches_for(clisc, folder):
    root = folder / "BiomedCLIP-PubMedBERT_256-vit_base_patch16_224"
    root.mkdir()
    (root / "open_clip_pytorch_model.bin").write_bytes(b"whatever")
    assert clisc("models", "verify", "biomedclip").code == 3, "the files that belong to it lack"
    for name in ("open_clip_config.json", "config.json", "tokenizer.json", "tokenizer_config.json"):
        (root / name).touch()
    shown = clisc("models", "verify", "biomedclip")
    assert shown.code == 0 and "unverified" in shown.out and "whole" not in shown.out
    (result,) = json.loads(clisc("models", "verify", "biomedclip", "--json").out)["models"]
    assert result["good"] is None and result["sha256"] == hashlib.sha256(b"whatever").hexdigest()
    pulled = clisc("models", "pull", "biomedclip")
    assert pulled.code == 0 and "already here" in pulled.err and "not verified" in pulled.err


def test_pull_leaves_what_is_here_and_says_what_to_do_without_a_network(clisc, folder, monkeypatch):
    monkeypatch.setattr("clisc_engine.models.download.PAUSE", 0.0)
    (folder / "resnet18-f37072fd.pth").touch()
    assert clisc("models", "pull", "resnet18").code == 0
    shown = clisc("models", "pull", "resnet50", "--mirror", "http://127.0.0.1:1")
    message = " ".join(shown.err.split())
    assert shown.code == 3 and "on another machine" in message and "resnet50-11ad3fa6.pth" in message


def test_missing_weights_name_the_command_that_gets_them(clisc, data, tmp_path):
    clisc("init", tmp_path / "p", "--images", data / "images", "--weights", "paper")
    assert "clisc models pull clip-vit-b-32" in " ".join(clisc("label", tmp_path / "p").err.split())


def test_doctor_reports_and_fails_on_a_problem(clisc, folder):
    shown = clisc("doctor", "--device", "cpu")
    assert shown.code == 0 and "tiny SAM: one slice" in shown.out
    (folder / "resnet18-f37072fd.pth").write_bytes(b"damaged")
    shown = clisc("doctor", "--device", "cpu", "--json")
    assert shown.code == 3 and "ResNet-18" in shown.err
    states = {check["name"]: check["state"] for check in json.loads(shown.out)["checks"]}
    assert states["ResNet-18 on ImageNet"] == "problem" and states["tiny CLIP"] == "good"


def test_a_broken_installation_is_no_bug_of_clisc(clisc, finished, monkeypatch):
    def broken(*_):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr("clisc_engine.stages.pipeline.run_stage", broken)
    shown = clisc("label", finished.root)
    message = " ".join(shown.err.split())
    assert shown.code == 3 and "different builds" in message and "clisc doctor" in message


def test_the_doctor_refuses_a_device_that_is_none(clisc):
    shown = clisc("doctor", "--device", "gpu")
    assert shown.code == 3 and "--device 'gpu' is not auto, cpu" in shown.message
    assert not shown.out
