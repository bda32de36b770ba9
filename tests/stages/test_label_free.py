"""References reach `evaluate` alone."""

import numpy as np
import pytest
import SimpleITK as sitk

from clisc_engine.errors import BadInput
from tests.support.small import SPACING, contents, differing, run_stages, small_data, small_project
from tests.support.volumes import write


def test_no_array_before_evaluate_depends_on_the_references(finished, tmp_path):
    data = small_data(tmp_path / "data")
    rng = np.random.default_rng(0)
    for path in (data / "references").iterdir():
        shape = sitk.GetArrayFromImage(sitk.ReadImage(str(path))).shape
        write(path, rng.integers(0, 2, shape).astype(np.uint8), SPACING[::-1])
    project = small_project(tmp_path / "project", data)
    run_stages(project)
    noisy = [c for c in project.cases() if project.references.read(c.info).mean() > 0.3]
    assert len(noisy) == 5, "the references did become noise"
    assert differing(contents(finished), contents(project)) == []


def test_without_any_reference_the_arrays_are_the_same(finished, data, tmp_path):
    project = small_project(tmp_path / "project", data, references=False)
    run_stages(project)
    assert not any(case.info.has_reference for case in project.cases())
    assert differing(contents(finished), contents(project)) == []


def test_with_references_that_cannot_be_read_the_arrays_are_the_same(finished, data, tmp_path):
    project = small_project(tmp_path / "project", data)
    for case in project.cases():
        folder = project.store.root / "cases" / case.info.name / "reference"
        for file in folder.rglob("*"):
            if file.is_file() and file.name != "zarr.json":
                file.write_bytes(b"no mask")
        with pytest.raises(BadInput):
            project.references.read(case.info)
    run_stages(project)
    assert differing(contents(finished), contents(project)) == []


def test_stages_cannot_read_a_reference_by_accident(finished):
    with pytest.raises(PermissionError):
        finished.case("p0").read("reference")
