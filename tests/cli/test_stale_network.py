"""A network that the settings would now train otherwise is used, with a warning."""

import pytest

from tests.support.command import caller


@pytest.fixture
def clisc(monkeypatch, capsys):
    return caller(monkeypatch, capsys)


def calls(root, data, out):
    return {
        "predict": ("predict", root, data / "images" / "p4_flair.nii.gz", "-o", out / "mask.nii.gz"),
        "predict a folder": ("predict", root, data / "images", "-o", out / "masks"),
        "model": ("export", "model", root, "-o", out / "net.clisc"),
        "bundle": ("export", "bundle", root, "-o", out / "bundle"),
    }


@pytest.mark.parametrize("name", ["predict", "predict a folder", "model", "bundle"])
def test_it_is_told_where_it_is_used(clisc, copied, data, tmp_path, name):
    called = calls(copied.root, data, tmp_path)[name]
    fresh = clisc(*called)
    assert fresh.code == 0 and "would now give" not in fresh.err
    assert clisc("config", "set", copied.root, "unet.epochs=3").code == 0
    stale = clisc(*called)
    told = " ".join(stale.err.split())
    assert stale.code == 0
    assert "unet-round2 is as it was trained, but train, self-train would now give another one" in told


def test_a_model_file_is_what_it_is(clisc, copied, data, tmp_path):
    file = tmp_path / "net.clisc"
    assert clisc("export", "model", copied.root, "-o", file).code == 0
    assert clisc("config", "set", copied.root, "unet.epochs=3").code == 0
    told = clisc("predict", file, data / "images" / "p4_flair.nii.gz", "-o", tmp_path / "mask.nii.gz")
    assert told.code == 0 and "would now give" not in told.err
