"""The BIDS derivatives that leave a project keep BIDS' rules, by its validator, and name their images."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from clisc_engine.errors import BadInput
from clisc_engine.project.store import Seal
from clisc_engine.results.export_bids import export_bids
from clisc_engine.running.control import Control
from clisc_engine.settings.presets import preset
from clisc_engine.stages.init import Request, initialise
from tests.support.volumes import ball, write

CPU = Control(device="cpu")
SCANS = ("sub-01/ses-1", "sub-01/ses-2", "sub-02/ses-1")


@pytest.fixture
def validated():
    """Calls BIDS' own validator on a folder: its errors."""
    program = shutil.which("bids-validator-deno", path=Path(sys.executable).parent)
    if program is None:
        pytest.skip("bids-validator-deno is not installed")

    def validate(folder):
        shown = subprocess.run([program, "--format", "json", str(folder)], capture_output=True, check=False)
        issues = json.loads(shown.stdout)["issues"]["issues"]
        return [f"{one['code']} {one.get('location')}" for one in issues if one["severity"] == "error"]

    return validate


@pytest.fixture
def bids(tmp_path):
    """A BIDS data set of skull-stripped volumes, and a project of it whose references are ``masks/sam``."""
    root, marks = tmp_path / "bids", np.zeros((12, 24, 26), np.uint8)
    for number, scan in enumerate(SCANS):
        marks[4:8, 8:13, 9 : 15 + number] = 1
        stem = scan.replace("/", "_")
        name = f"{stem}_space-T1w_desc-brain"
        write(root / scan / "anat" / f"{name}_FLAIR.nii.gz", ball(marks.shape, number), (1, 1.5, 2))
        write(tmp_path / "masks" / f"{stem}_seg.nii.gz", marks, (1, 1.5, 2))
    (root / "dataset_description.json").write_text(
        json.dumps({"Name": "x", "BIDSVersion": "1.10.0", "DatasetDOI": "doi:10.0.1/x"}), encoding="utf-8"
    )
    request = Request(tmp_path / "p", str(root), str(tmp_path / "masks"), None, "1:0:0", False)
    project = initialise(request, preset("tiny"), CPU).project
    for case in project.cases():
        case.write(
            "masks/sam", project.references.read_cropped(case.info), Seal.now("test", "f", {"a": "b"})
        )
    return root, project


def test_masks_of_a_bids_data_set_are_valid_derivatives_of_it(bids, validated, tmp_path):
    root, project = bids
    out = root / "derivatives" / "clisc"
    report = export_bids(project, "sam", out, CPU)
    assert sorted(report.done) == [scan.replace("/", "_") for scan in SCANS]
    assert validated(out) == []
    description = json.loads((out / "dataset_description.json").read_text(encoding="utf-8"))
    assert description["DatasetType"] == "derivative" and description["GeneratedBy"][0]["Name"] == "clisc"
    assert description["SourceDatasets"] == [{"DOI": "doi:10.0.1/x", "URL": "../.."}]
    link = description["DatasetLinks"]["source"]
    for scan in SCANS:
        stem = scan.replace("/", "_")
        mask = out / scan / "anat" / f"{stem}_space-T1w_label-tumour_mask.nii.gz"
        beside = json.loads((mask.parent / f"{mask.name[:-7]}.json").read_text(encoding="utf-8"))
        given, written = (
            sitk.ReadImage(str(path)) for path in (tmp_path / "masks" / f"{stem}_seg.nii.gz", mask)
        )
        np.testing.assert_array_equal(sitk.GetArrayFromImage(written), sitk.GetArrayFromImage(given))
        assert written.GetSpacing() == given.GetSpacing() and written.GetOrigin() == given.GetOrigin()
        scheme, name, path = beside["Sources"][0].split(":")
        assert (scheme, name) == ("bids", "source") and (out / link / path).samefile(
            project.case(stem).info.source
        )
        assert beside["CLISC"]["Fingerprint"] == "f" and beside["CLISC"]["MadeFrom"] == {"a": "b"}


def test_images_of_no_bids_data_set_become_subjects(copied, validated, tmp_path):
    report = export_bids(copied, "round2", tmp_path / "out", CPU, ("test", "valid"))
    assert report.done == ["p3", "p4"] and validated(tmp_path / "out") == []
    assert (tmp_path / "out" / "sub-p4" / "anat" / "sub-p4_label-tumour_mask.nii.gz").is_file()
    again = export_bids(copied, "round2", tmp_path / "out", CPU, ("train",))
    assert again.done == ["p0", "p1", "p2"] and len(list((tmp_path / "out").glob("sub-*"))) == 5


def test_the_data_set_that_images_came_from_is_never_described_anew(bids):
    root, project = bids
    before = (root / "dataset_description.json").read_bytes()
    for force in (False, True):
        with pytest.raises(BadInput, match=r"dataset_description\.json is an input"):
            export_bids(project, "sam", root, Control(device="cpu", force=force))
    assert (root / "dataset_description.json").read_bytes() == before
    assert not list(root.rglob("*_mask.*"))


def test_two_cases_of_one_bids_name_are_refused(tmp_path):
    for name in ("a-1", "a1"):
        write(tmp_path / "in" / f"{name}_flair.nii.gz", ball(seed=len(name)))
    request = Request(tmp_path / "p", str(tmp_path / "in"), None, None, "1:0:0", False)
    project = initialise(request, preset("tiny"), CPU).project
    for case in project.cases():
        case.write("masks/sam", np.zeros_like(case.read("image"), np.uint8), Seal.now("test", "f", {}))
    with pytest.raises(BadInput, match=r"a-1 and a1 would both be sub-a1"):
        export_bids(project, "sam", tmp_path / "out", CPU)
    assert not (tmp_path / "out").exists()
