"""A weight file tells which model it is of before it is loaded; the networks themselves are the oracle."""

import subprocess
import sys

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from clisc_engine.errors import BadInput
from clisc_engine.models.held import TELLING, check_model, difference, shapes_of
from clisc_engine.models.packages import sam_model_registry
from tests.models.test_untrusted import Bomb

SAMS = ("vit_b", "vit_l", "vit_h")
RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101", "wide_resnet50_2", "resnext50_32x4d")


def weights(kind):
    """A model's weights with their names and shapes, and one number each to save."""
    with torch.device("meta"):
        network = (
            sam_model_registry[kind](checkpoint=None)
            if kind in SAMS
            else getattr(torchvision.models, kind)(weights=None)
        )
    state = network.state_dict()
    return {name: torch.zeros(()).expand(weight.shape).to(weight.dtype) for name, weight in state.items()}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Every model's file, by its name."""
    folder = tmp_path_factory.mktemp("models")
    for kind in (*SAMS, *RESNETS):
        torch.save(weights(kind), folder / f"{kind}.pth")
    return {kind: folder / f"{kind}.pth" for kind in (*SAMS, *RESNETS)}


@pytest.mark.parametrize("asked", TELLING)
def test_each_model_takes_its_own_file_alone(files, asked):
    own = "vit_b" if asked == "medsam" else asked
    check_model(files[own], asked)
    for kind in files.keys() - {own}:
        with pytest.raises(BadInput, match=rf"{kind}\.pth does not hold a .*{asked}"):
            check_model(files[kind], asked)


@pytest.mark.parametrize("form", ["zip", "old", "wrapped", "safetensors"])
def test_every_form_that_is_loaded_is_told(tmp_path, form):
    state = {"fc.weight": torch.zeros(3, 2), "count": torch.tensor(4)}
    path = tmp_path / ("w.safetensors" if form == "safetensors" else "w.pth")
    if form == "safetensors":
        save_file(state, path)
    else:
        saved = {"state_dict": state} if form == "wrapped" else state
        torch.save(saved, path, _use_new_zipfile_serialization=form != "old")
    assert shapes_of(path) == {"fc.weight": (3, 2), "count": ()}
    assert difference({"fc.weight": (3, 2)}, shapes_of(path)) == "it also has count"


def test_a_file_that_holds_code_or_no_weights_does_not_tell_and_runs_nothing(tmp_path):
    for number, what in enumerate(({"a": Bomb(tmp_path / "owned")}, [1, 2], {"a": 1}, "text")):
        torch.save(what, tmp_path / f"{number}.pth")
        assert shapes_of(tmp_path / f"{number}.pth") is None
    (tmp_path / "page.pth").write_text("<html>", encoding="utf-8")
    (tmp_path / "page.safetensors").write_text("<html>", encoding="utf-8")
    assert shapes_of(tmp_path / "page.pth") is None and shapes_of(tmp_path / "page.safetensors") is None
    assert not (tmp_path / "owned").exists()


def test_neither_torch_nor_the_weights_are_loaded(files):
    code = (
        "import sys; from pathlib import Path; from clisc_engine.models.held import shapes_of;"
        f"found = shapes_of(Path({str(files['vit_h'])!r})); assert len(found) > 500;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
