"""A checkpoint that holds code is refused wherever one is read, and the code does not run."""

import os
import socket

import pytest
import torch

from clisc_engine.errors import BadInput
from clisc_engine.models.classifier import build_classifier
from clisc_engine.models.clip import load_clip
from clisc_engine.models.sam import load_sam
from clisc_engine.models.weights import MissingWeights, find, load_state

CPU = torch.device("cpu")


class Bomb:
    """Unpickling this would make a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


READERS = {
    "weights": load_state,
    "clip": lambda path: load_clip("ViT-B-32", str(path), CPU),
    "sam": lambda path: load_sam("vit_b", str(path), CPU),
    "classifier": lambda path: build_classifier(
        "resnet18", pretrained=str(path), clip=None, head="mlp", dropout=0, image_size=64
    ),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_checkpoint_that_holds_code_is_refused_and_not_run(tmp_path, reader):
    path = tmp_path / "bomb.pt"
    torch.save({"state_dict": {"weight": Bomb(tmp_path / "owned")}}, path)
    with pytest.raises(BadInput, match=r"bomb\.pt"):
        READERS[reader](path)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("hf-hub:someone/model", "is not on this machine"),
        ("local-dir:/tmp", "is not on this machine"),
        ("hf-hub:../../model", "ORGANISATION/NAME"),
        ("hf-hub:someone/..", "ORGANISATION/NAME"),
        ("../../model", "no such model"),
        ("os", "no such model"),
    ],
)
def test_a_model_name_downloads_nothing_and_leads_nowhere_else(model, said, monkeypatch, tmp_path):
    def refuse(*_):
        raise AssertionError("something is asked of a network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("CLISC_MODELS", str(tmp_path))
    with pytest.raises(BadInput, match=said):
        load_clip(model, "openai", CPU)


def test_the_home_of_nobody_is_a_missing_file():
    with pytest.raises(MissingWeights, match="does not exist"):
        find("~nobody-of-this-name/x.pth", "vit_b")
