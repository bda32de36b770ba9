"""Fixtures shared by all tests. Nothing here needs a network, a GPU or a downloaded weight."""

import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

REAL = Path(
    os.environ.get("CLISC_REAL_DATA", Path(__file__).parents[1] / ".." / "shared" / "data" / "real")
).resolve()


@pytest.fixture(autouse=True)
def _quiet_environment(monkeypatch, tmp_path_factory):
    """No project, weights or colours of the developer's own reach a test."""
    for name in ("CLISC_PROJECT", "CLISC_MODELS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    torch.set_num_threads(2)


@pytest.fixture(scope="session")
def real_data():
    """Folder of real FLAIR volumes; the test is skipped without it."""
    if not REAL.is_dir():
        pytest.skip("no real volumes here; name their folder in CLISC_REAL_DATA")
    return REAL


def ball(shape=(12, 24, 24), seed=0):
    """A small brain-like volume: textured inside an ellipsoid, 0 outside."""
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*(np.linspace(-1.15, 1.15, n) for n in shape), indexing="ij")
    inside = sum(a**2 for a in axes) < 1
    return np.where(inside, 100 + 20 * rng.standard_normal(shape), 0).astype(np.float32)


def write(path, array, spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0), direction=None):
    """Write a (Z, Y, X) array; spacing, origin and direction in SimpleITK's x, y, z order."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    if direction is not None:
        image.SetDirection(np.asarray(direction, float).ravel().tolist())
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))
    return path
