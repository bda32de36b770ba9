"""A bundle runs in MONAI alone, without clisc, and gives the masks that `clisc predict` gives."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk
from monai.bundle import ConfigWorkflow

from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.results.bundle.write import export_bundle
from clisc_engine.results.predict import predict_files
from clisc_engine.results.predict_inputs import find_images
from clisc_engine.results.segmenter import open_segmenter
from clisc_engine.running.control import Control
from clisc_engine.settings.keys import with_changes
from tests.support.command import caller
from tests.support.oriented import OBLIQUE
from tests.support.small import small_project
from tests.support.volumes import write

CPU = Control(device="cpu")


@pytest.fixture
def scans(data, tmp_path):
    """A phantom as it is, turned every way, and on another background."""
    image = sitk.ReadImage(str(data / "images" / "p4_flair.nii.gz"))
    array, spacing = sitk.GetArrayFromImage(image), image.GetSpacing()
    folder = tmp_path / "scans"
    write(folder / "plain.nii.gz", array, spacing, image.GetOrigin())
    write(folder / "oblique.nii.gz", array, spacing, (-20, 11.5, 3), OBLIQUE)
    turned = np.array([[0, 0, -1.0], [-1, 0, 0], [0, 1, 0]])
    sagittal = np.ascontiguousarray(np.pad(array, ((5, 5), (0, 0), (0, 0))).transpose(2, 0, 1))
    write(folder / "sagittal.nii.gz", sagittal, (spacing[1], spacing[2], spacing[0]), direction=turned)
    write(folder / "dark.nii.gz", np.where(array == 0, -50, array).astype(np.float32), spacing)
    return folder


def run_bundle(bundle, images, out, tmp_path):
    """`python -m monai.bundle run` where clisc cannot be imported."""
    blocked = tmp_path / "blocked" / "clisc_engine"
    blocked.mkdir(parents=True, exist_ok=True)
    (blocked / "__init__.py").write_text("raise ImportError('no clisc here')", encoding="utf-8")
    call = ("run", "--config_file", "configs/inference.json", "--bundle_root", str(bundle))
    files = ("--dataset_dir", str(images), "--output_dir", str(out))
    shown = subprocess.run(
        [sys.executable, "-m", "monai.bundle", *call, *files, "--device", "cpu"],
        cwd=bundle,
        env={**os.environ, "PYTHONPATH": str(blocked.parent), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr[-3000:]


def test_a_bundle_says_that_the_tiny_models_made_it(finished, tmp_path):
    export_bundle(finished, "unet-round2", tmp_path / "bundle")
    described = json.loads((tmp_path / "bundle/configs/metadata.json").read_text(encoding="utf-8"))
    readme = (tmp_path / "bundle/docs/README.md").read_text(encoding="utf-8")
    for told in (described["description"], described["intended_use"], readme):
        assert "made with the bundled tiny models" in told.lower()


@pytest.mark.parametrize(
    "changes",
    [{}, {"unet.inference": "resize", "image.resample_in_plane": 3.0, "unet.largest_component": False}],
    ids=["windows", "resized"],
)
def test_monai_runs_a_bundle_to_the_masks_of_predict(copied, scans, tmp_path, changes):
    copied.change_settings(with_changes(copied.settings, changes, "test"), changes)
    bundle, out, expected = (tmp_path / name for name in ("bundle", "out", "expected"))
    card = export_bundle(copied, "unet-round2", bundle)
    run_bundle(bundle, scans, out, tmp_path)
    segmenter = open_segmenter(copied.root, "unet-round2", CPU)
    predict_files(segmenter, find_images([scans]), expected, CPU, probabilities=False)
    for scan in sorted(scans.iterdir()):
        name = scan.name.replace(".nii.gz", "_seg.nii.gz")
        ours, theirs = (sitk.ReadImage(str(folder / name)) for folder in (expected, out))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(theirs), sitk.GetArrayFromImage(ours))
        assert sitk.GetArrayFromImage(ours).any()
        for value in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
            np.testing.assert_allclose(getattr(theirs, value)(), getattr(ours, value)(), atol=1e-4)
    described = json.loads((bundle / "configs" / "metadata.json").read_text(encoding="utf-8"))
    assert described["clisc"]["fingerprint"] == card.fingerprint


def test_a_bundle_has_what_monai_asks_of_one(finished, tmp_path, monkeypatch):
    bundle = tmp_path / "bundle"
    export_bundle(finished, "unet-round1", bundle)
    monkeypatch.syspath_prepend(str(bundle))
    workflow = ConfigWorkflow(
        config_file=str(bundle / "configs" / "inference.json"),
        meta_file=str(bundle / "configs" / "metadata.json"),
        logging_file=False,
        workflow_type="infer",
        bundle_root=str(bundle),
    )
    workflow.initialize()
    assert workflow.check_properties() == []
    sources = {path: path.read_text(encoding="utf-8") for path in bundle.rglob("*.py")}
    assert not [path for path, text in sources.items() if "from clisc_engine" in text]
    # Three letters may stand anywhere among the numbers of the weights, which hold no text but their keys.
    told = [path for path in bundle.rglob("*") if path.is_file() and path.suffix != ".pt"]
    every = b"".join(path.read_bytes() for path in told)
    assert not any(f"{case.info.name}/".encode() in every for case in finished.cases())


def test_a_bundle_is_made_anew_and_replaces_nothing_else(finished, data, tmp_path):
    bundle = tmp_path / "bundle"
    export_bundle(finished, "unet-round1", bundle)
    export_bundle(finished, "unet-round2", bundle)
    (bundle / "configs" / "inference.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BadInput, match=r"inference\.json was changed since clisc wrote it"):
        export_bundle(finished, "unet-round2", bundle)
    assert (bundle / "configs" / "inference.json").read_text(encoding="utf-8") == "{}"
    with pytest.raises(MissingStage, match="not trained yet"):
        export_bundle(small_project(tmp_path / "p", data), "unet-round2", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_bundle_in_the_place_of_a_project_is_told_as_such(finished, data, tmp_path, monkeypatch, capsys):
    export_bundle(finished, "unet-round2", tmp_path / "bundle")
    clisc = caller(monkeypatch, capsys)
    refused = clisc("predict", tmp_path / "bundle", data / "images", "-o", tmp_path / "masks")
    assert refused.code == 3 and not (tmp_path / "masks").exists()
    assert "is a MONAI Bundle" in refused.err and "clisc export model" in refused.err


def test_a_project_that_holds_a_bundle_is_one(copied, tmp_path):
    export_bundle(copied, "unet-round2", copied.root)
    assert open_segmenter(copied.root, "unet-round2", CPU).project.root == copied.root
