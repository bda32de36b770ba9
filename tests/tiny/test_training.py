"""The bundled models' training: banks, rough prompts, and that a training learns and exports."""

import numpy as np
import pytest
import torch

from clisc_engine.models.tiny import WEIGHTS, build_clip, build_sam, load, read_config
from clisc_engine.models.weights import load_state
from clisc_engine.tiny.__main__ import main
from clisc_engine.tiny.bank import read_bank
from clisc_engine.tiny.prompting import rough_prompt, touched
from clisc_engine.tiny.teaching import SMALLEST_AREA


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    """Forty squares in a bank: a bright disc on half of them."""
    folder = tmp_path_factory.mktemp("bank")
    rng = np.random.default_rng(0)
    rows, columns = np.ogrid[:160, :160]
    brain = (rows - 80) ** 2 + (columns - 80) ** 2 < 70**2
    images, masks = np.zeros((40, 160, 160), np.uint8), np.zeros((40, 160, 160), np.uint8)
    for index in range(40):
        images[index][brain] = np.clip(90 + 10 * rng.standard_normal(brain.sum()), 1, 255)
        if index % 2:
            centre = rng.integers(60, 100, 2)
            disc = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 < 20**2
            images[index][disc], masks[index][disc] = 230, 1
    area = masks.sum((1, 2)).astype(np.float32)
    np.savez(folder / "1.npz", images=images, masks=masks, area=area, pixel=np.ones(40, np.float32))
    return folder


@pytest.mark.parametrize(("name", "build"), [("tiny_clip", build_clip), ("tiny_sam", build_sam)])
def test_bundled_weights_fit_their_architecture_and_name_their_data(name, build):
    model = build(read_config(name))
    load(model, name)
    assert all(torch.isfinite(p).all() for p in model.parameters())
    from safetensors import safe_open

    with safe_open(WEIGHTS / f"{name}.safetensors", "pt") as file:
        assert file.metadata()["data"] == "procedural phantoms only"
    assert (WEIGHTS / f"{name}.safetensors").stat().st_size < 8e6


@pytest.mark.parametrize("model", ["clip", "sam"])
def test_a_training_learns_goes_on_and_exports(bank, tmp_path, capsys, model):
    common = [str(bank), "--out", str(tmp_path), "--state", str(tmp_path / "state.pt"), "--batch", "8"]
    main([model, *common, "--steps", "12", "--every", "4", "--rate", "0.001"])
    losses = [float(line.split(" loss ")[1].split()[0]) for line in capsys.readouterr().out.splitlines()]
    assert len(losses) == 3 and losses[-1] < losses[0]
    exported = load_state(tmp_path / f"tiny_{model}.safetensors")
    assert all(torch.isfinite(value).all() for value in exported.values())
    main([model, *common, "--resume", str(tmp_path / "state.pt"), "--steps", "1"])
    assert "step 1 " in capsys.readouterr().out


def test_bank_shards_are_made_once(tmp_path, monkeypatch):
    monkeypatch.setattr("clisc_engine.tiny.bank.VOLUMES_PER_SHARD", 1)
    main(["bank", str(tmp_path), "--start", "0", "--stop", "1"])
    (shard,) = tmp_path.glob("*.npz")
    first = shard.read_bytes()
    main(["bank", str(tmp_path), "--start", "0", "--stop", "1"])
    assert shard.read_bytes() == first
    slices = read_bank(tmp_path)
    assert slices.images.shape == slices.masks.shape == (len(slices.area), 160, 160)
    drawn = slices.masks.any((1, 2))  # of a tumour of a few pixels nothing may be left when it is resized
    assert (slices.area[drawn] > 0).all() and drawn[slices.area >= SMALLEST_AREA].all()
    assert (slices.area >= SMALLEST_AREA).any() and (slices.area == 0).any()


def test_rough_prompts_lie_in_the_slice_and_ask_for_what_they_touch():
    rng = np.random.default_rng(3)
    grey = rng.uniform(1, 255, (96, 96)).astype(np.float32)
    mask = np.zeros((96, 96), bool)
    mask[30:50, 40:60] = True
    mask[80:90, 5:15] = True
    asked = 0
    for bright in (True, False) * 10:
        prompt = rough_prompt(rng, grey, mask, grey >= 1, bright)
        if prompt is None:
            continue
        asked += 1
        assert prompt.box.min() >= 0 and prompt.box.max() <= 95
        assert (prompt.labels == 1).sum() == (5 if bright else 1) and (prompt.labels == 0).sum() == 4
        assert not (prompt.answer & ~mask).any()
    assert asked >= 15


def test_a_box_touches_a_component_from_a_fifth_of_it_on():
    mask = np.zeros((40, 40), bool)
    mask[10:20, 10:20] = True
    assert not touched(mask, np.array([0, 0, 11, 10], np.float32)).any()
    assert touched(mask, np.array([0, 0, 30, 12], np.float32)).sum() == 100
