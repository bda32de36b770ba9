"""nnU-Net's own integrity verification of the exported data set; runs where nnU-Net is installed.

Its needs clash with open_clip's (timm), so it is no dependency: `pip install nnunetv2` into an
environment of one's own, beside clisc, and run this file there.
"""

import importlib.util
import subprocess
import sys

import pytest

from clisc_engine.imaging.references import read_mask
from clisc_engine.imaging.volume import write_mask
from clisc_engine.results.export_nnunet import export_nnunet
from clisc_engine.running.control import Control
from tests.support.oriented import imported

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("nnunetv2") is None, reason="nnunetv2 is not installed"
)
VERIFY = (
    "import sys; from nnunetv2.experiment_planning.verify_dataset_integrity import "
    "verify_dataset_integrity as verify; verify(sys.argv[1], num_processes=1)"
)


def complaints(folder):
    """What nnU-Net says against a data set: its lines that speak of errors or warnings, or its failure."""
    found = subprocess.run(
        [sys.executable, "-c", VERIFY, str(folder)], capture_output=True, encoding="utf-8", timeout=300
    )
    lines = (found.stdout + found.stderr).splitlines()
    said = [line for line in lines if line.lower().startswith(("error", "warning"))]
    assert found.returncode or any("verify_dataset_integrity Done" in line for line in lines), lines
    return [*said, lines[-1]] if found.returncode else said


@pytest.mark.parametrize("stored_images", [False, True], ids=["source", "stored"])
def test_nnunet_finds_nothing_wrong(copied, tmp_path, stored_images):
    _, folder = export_nnunet(
        copied,
        "round1",
        tmp_path,
        Control(device="cpu"),
        number=7,
        name="Glioma",
        stored_images=stored_images,
    )
    assert complaints(folder) == []


def test_nnunet_finds_nothing_wrong_however_volumes_lie(tmp_path):
    project = imported(tmp_path, (0.9, 1.1, 5.0))
    _, folder = export_nnunet(
        project, "sam", tmp_path, Control(device="cpu"), number=8, name="Axes", stored_images=False
    )
    assert complaints(folder) == []


def test_the_verification_does_find_a_label_of_another_size(copied, tmp_path):
    """The check can fail: without this the two above would say little."""
    _, folder = export_nnunet(
        copied, "sam", tmp_path, Control(device="cpu"), number=7, name="Glioma", stored_images=False
    )
    label = next((folder / "labelsTr").iterdir())
    mask = read_mask(label)
    write_mask(label, mask.array[:-1], mask.geometry)
    assert complaints(folder) != []
