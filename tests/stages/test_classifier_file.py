"""A classifier that starts from a file of one's own depends on what is in it, as masks do on SAM's."""

import json

import pytest
import torch
import torchvision
from safetensors.torch import load_file, save_file

from clisc_engine.files.digest import sha256_of
from tests.support.command import caller

KEY = "classifier file"
OWN = ("classifier.backbone=resnet18", "classifier.image_size=64", "classifier.epochs=1")


@pytest.fixture
def call(monkeypatch, capsys):
    return caller(monkeypatch, capsys)


def write_weights(path, seed):
    torch.manual_seed(seed)
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), path)
    return path


@pytest.fixture
def own(call, copied, tmp_path):
    """A project whose first classifier started from a file, and that file."""
    file = write_weights(tmp_path / "own.pt", 0)
    assert call("config", "set", copied.root, *OWN, f"classifier.pretrained={file}").code == 0
    assert call("cam", copied.root, "--device", "cpu").code == 0
    return copied, file


def state(call, root):
    stages = json.loads(call("status", root, "--json").out)["stages"]
    return next(stage for stage in stages if stage["stage"] == "cam")["state"]


def made_from(project):
    return project.checkpoint("classifier-raw").made_from()


def forget_file(project):
    """Leave the weights as they were made before the file was noted."""
    path, told = project.checkpoint("classifier-raw").weights, made_from(project)
    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as weights:
        metadata = dict(weights.metadata())
    metadata["made_from"] = json.dumps({key: text for key, text in told.items() if key != KEY})
    save_file(load_file(path), path, metadata)


def test_another_file_under_the_same_name_makes_classifier_and_maps_anew(call, own):
    project, file = own
    assert state(call, project.root) == "fresh"
    first, maps = made_from(project), project.case("p0").seal("cams/raw").fingerprint
    assert first[KEY] == sha256_of(file)
    write_weights(file, 1)
    assert state(call, project.root) == "stale"
    planned = call("cam", project.root, "--dry-run").out
    assert KEY in planned
    assert call("cam", project.root, "--device", "cpu").code == 0
    assert made_from(project)[KEY] == sha256_of(file) != first[KEY]
    assert project.case("p0").seal("cams/raw").fingerprint != maps
    assert state(call, project.root) == "fresh"
    told = json.loads(call("explain", project.root, "p0", "--json").out)
    assert sha256_of(file) in json.dumps(told)


def test_a_classifier_stays_fresh_when_its_file_is_gone(call, own):
    project, file = own
    file.unlink()
    assert state(call, project.root) == "fresh"
    assert call("cam", project.root, "--device", "cpu").code == 0


def test_what_was_made_before_files_were_noted_stays_fresh(call, own):
    project, file = own
    forget_file(project)
    assert KEY not in made_from(project)
    for case in project.cases():
        project.store.remove(f"cases/{case.info.name}/cams/raw")
    assert call("cam", project.root, "--device", "cpu").code == 0  # maps by the weights as they are told
    assert KEY not in made_from(project) and state(call, project.root) == "fresh"
    assert call("cam", project.root, "--force", "--device", "cpu").code == 0
    assert made_from(project)[KEY] == sha256_of(file) and state(call, project.root) == "fresh"


@pytest.mark.parametrize("pretrained", ["none", "imagenet"])
def test_no_file_of_one_s_own_is_no_part_of_a_classifier(copied, pretrained):
    from clisc_engine.settings.keys import with_changes
    from clisc_engine.stages import recipes

    changes = {"classifier.backbone": "resnet18", "classifier.pretrained": pretrained}
    copied.settings = with_changes(copied.settings, changes, "test")
    for network in ("classifier-raw", "classifier-amda"):
        assert KEY not in recipes.network(copied, network, copied.cases())


def test_a_classifier_that_no_longer_starts_from_a_file_does_not_keep_it(call, own):
    project, _ = own
    none = call("cam", project.root, "--device", "cpu", "--set", "classifier.pretrained=none")
    assert none.code == 0 and KEY not in made_from(project)
    assert state(call, project.root) == "fresh"
