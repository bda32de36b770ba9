"""The whole pipeline on real FLAIR volumes, with small settings and without a label."""

import nibabel
import numpy as np
import pytest

from clisc_engine.imaging.placement import Placement, restore
from clisc_engine.running.control import Control
from clisc_engine.settings.keys import with_changes
from clisc_engine.settings.presets import preset
from clisc_engine.stages.evaluate import evaluate
from clisc_engine.stages.init import Request, initialise
from tests.support.small import CHANGES, run_stages

CASES = {"TCGA-FG-6692": "train", "BrainLesion-example": "train", "BraTS-GLI-00027": "test"}


@pytest.fixture(scope="module")
def project(real_data, tmp_path_factory):
    """Three real volumes, two of them of 240 x 240 x 155 and one oblique with 5.5 mm slices."""
    root = tmp_path_factory.mktemp("real")
    (root / "images").mkdir()
    for name in CASES:
        (root / "images" / f"{name}_flair.nii.gz").symlink_to(real_data / f"{name}_flair.nii.gz")
        if (mask := real_data / f"{name}_seg.nii.gz").exists():
            (root / mask.name).symlink_to(mask)
    (root / "split.csv").write_text(
        "case,split\n" + "".join(f"{n},{s}\n" for n, s in CASES.items()), encoding="utf-8"
    )
    request = Request(
        root=root / "project",
        images=str(root / "images" / "*"),
        references=str(root / "*_seg.nii.gz"),
        split_file=root / "split.csv",
        split_ratio="7:1:2",
        skip_bad=False,
    )
    changes = {**CHANGES, "unet.patch": [16, 48, 48], "unet.overlap": 0.0, "unet.epochs": 1}
    settings = with_changes(preset("tiny"), changes, "test")
    project = initialise(request, settings, Control(device="cpu")).project
    run_stages(project)
    return project


def test_every_stage_gives_finite_plausible_arrays(project):
    for case in project.cases():
        image = case.read("image").astype(np.float32)
        assert np.isfinite(image).all()
        probability = case.read("labels/probability")
        assert np.isfinite(probability).all() and probability.min() >= 0 and probability.max() <= 1
        mask = case.read("masks/sam")
        assert mask.shape == image.shape and not mask[image == 0].any()
        assert mask.sum() < 0.6 * (image != 0).sum(), "less than most of the brain"


def test_the_bright_glioma_is_found_in_some_slices(project):
    labels = project.case("BrainLesion-example").read("labels/tumour")
    assert (labels == 1).sum() >= 10
    assert project.case("BrainLesion-example").read("masks/sam").any()


@pytest.mark.parametrize("name", CASES)
def test_what_comes_back_lies_on_the_source_s_own_grid(project, real_data, name):
    case = project.case(name)
    source = nibabel.load(real_data / f"{name}_flair.nii.gz")
    placement = Placement.from_dict(case.info.placement)
    back, geometry = restore((case.read("image") != 0).astype(np.uint8), placement), placement.source
    data = np.asarray(source.dataobj)
    assert back.shape == data.shape[::-1]
    assert np.allclose(geometry.spacing, source.header.get_zooms()[:3], atol=1e-4)
    assert np.allclose(np.diag([-1, -1, 1]) @ np.array(geometry.origin), source.affine[:3, 3], atol=1e-3)
    # The brain comes back voxel for voxel.
    assert np.array_equal(back > 0, (data != 0).T)


def test_the_given_mask_is_measured(project):
    document = evaluate(project, Control(device="cpu"), splits=("train",))
    assert {c["case"] for c in document["cases"]} == {"BrainLesion-example"}
    assert all(np.isfinite(c["dsc"]) for c in document["cases"])
