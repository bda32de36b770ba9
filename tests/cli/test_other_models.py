"""A whole weight file of another model than the settings name is told before the first step."""

import json

import pytest
import torch

import clisc_engine
from tests.models.test_held import weights
from tests.support.small import small_project

ASKED = {
    "sam": ("vit_l", "sam.model=vit_b sam.checkpoint={}", "does not hold a SAM vit_b: its image_encoder"),
    "classifier": ("resnet18", "sam.model=vit_b sam.checkpoint={}", "does not hold a SAM vit_b: it lacks"),
    "resnet": ("resnet34", "classifier.backbone=resnet18 classifier.pretrained={}", "it also has layer1.2"),
}


@pytest.mark.parametrize("which", ASKED)
def test_another_models_file_is_told_before_the_first_step(clisc, data, tmp_path, which):
    kind, settings, said = ASKED[which]
    root, file = small_project(tmp_path / "project", data).root, tmp_path / "weights.pth"
    torch.save(weights(kind), file)
    assert clisc("config", "set", root, *settings.format(file).split()).code == 0
    for words in (("run", root), ("run", root, "--dry-run"), ("run", root, "--dry-run", "--json")):
        ended = clisc(*words)
        assert ended.code == 3 and said in (ended.err or ended.out), words
        assert "label: case" not in ended.err
    with pytest.raises(clisc_engine.BadInput, match="does not hold a"):
        clisc_engine.open(root).run()
    assert clisc("run", root, "--until", "label", "--dry-run").code == 0, "that step does not need it"


def test_self_train_asks_before_it_predicts(clisc, copied, tmp_path):
    file = tmp_path / "weights.pth"
    torch.save(weights("vit_l"), file)
    changes = ("sam.model=vit_b", f"sam.checkpoint={file}", "unet.overlap=0.25")
    assert clisc("config", "set", copied.root, *changes).code == 0
    ended = clisc("self-train", copied.root)
    assert ended.code == 3 and "does not hold a SAM vit_b" in ended.message and "case 1" not in ended.err


def test_init_tells_of_weights_that_the_steps_will_lack(clisc, data, tmp_path, monkeypatch):
    for name in ("CLISC_MODELS", "TORCH_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    given = ("--images", data / "images", "--weights", "paper")
    for look in (("--dry-run",), ()):
        ended = clisc("init", tmp_path / "p", *given, *look)
        assert ended.code == 0 and "`clisc models pull clip-vit-b-32`" in ended.message
    tiny = clisc("init", tmp_path / "q", *given[:2], "--weights", "tiny", "--json")
    assert tiny.code == 0 and json.loads(tiny.out)["warnings"] == []
