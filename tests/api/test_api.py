"""`import clisc_engine`: what scripts may use, and that the page which shows it is true."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

import clisc_engine as clisc

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


def examples():
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_examples_of_the_page_run(finished, data, tmp_path, monkeypatch, capsys):
    shutil.copytree(finished.root, tmp_path / "glioma")
    (tmp_path / "new").mkdir()
    shutil.copy(data / "images" / "p4_flair.nii.gz", tmp_path / "new" / "case1.nii.gz")
    monkeypatch.chdir(tmp_path)
    script = "\n".join(examples()).replace("patient-007", "p4")
    names = {}
    exec(compile(script, str(PAGE), "exec"), names)
    assert re.search(r"p4 test \d+\.\d ml", capsys.readouterr().out)

    scan = sitk.ReadImage(str(data / "images" / "p4_flair.nii.gz"))
    for image in (names["on_scan"], names["found"].image):
        assert image.GetSize() == scan.GetSize()
        assert image.GetOrigin() == pytest.approx(scan.GetOrigin())
        assert image.GetDirection() == pytest.approx(scan.GetDirection())
    assert sitk.GetArrayFromImage(names["on_scan"]).sum() == names["mask"].sum()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(names["found"].image), names["found"].mask)
    assert names["heat"].dtype == np.float32 and 0 <= names["heat"].min() < names["heat"].max() <= 1


def test_importing_it_loads_nothing_heavy():
    program = "import sys, clisc_engine; print(*sorted(m for m in sys.modules if '.' not in m))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "zarr", "SimpleITK", "monai", "pydantic"} & set(found.stdout.split())


def test_the_public_names_are_those_and_no_others():
    assert sorted(dir(clisc)) == sorted(clisc.__all__)
    for name in clisc.__all__:
        assert getattr(clisc, name) is not None
    with pytest.raises(AttributeError, match="torch"):
        clisc.torch  # noqa: B018


def test_a_step_that_lacks_an_earlier_one_says_which(copied):
    project = clisc.open_project(copied.root)
    with pytest.raises(clisc.MissingStage, match="masks/round2"):
        project.case("p4").mask("round2")
    with pytest.raises(clisc.BadInput, match="no case 'nobody'"):
        project.case("nobody")
    with pytest.raises(clisc.BadInput, match="no step 'segment'"):
        project.run("segment")


def test_what_is_fresh_is_skipped_and_what_is_forced_is_made_again(copied):
    project = clisc.open_project(str(copied.root))
    before = project.case("p0").probabilities
    assert [report.fresh for report in project.run("label")] == [[case.name for case in project]]
    (report,) = project.run("label", device="cpu", cases=["p0"], force=True)
    assert report.done == ["p0"]
    np.testing.assert_array_equal(project.case("p0").probabilities, before)


def test_a_project_that_somebody_else_holds_is_left_alone(copied):
    from clisc_engine.project.lock import hold

    project = clisc.open_project(copied.root)
    held = hold(copied.root, "clisc train", say=print, lost=print)
    with held, pytest.raises(clisc.BadInput, match="clisc train"):
        project.run("label")
