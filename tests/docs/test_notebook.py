"""The notebook of the docs runs from its first cell to its last, and is kept without outputs."""

import os
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"


@pytest.fixture(scope="module")
def cells(finished, data, tmp_path_factory):
    """The cells after they have run on a small project, by their source."""
    folder = tmp_path_factory.mktemp("notebook")
    shutil.copytree(finished.root, folder / "glioma")
    (folder / "new").mkdir()
    shutil.copy(data / "images" / "p4_flair.nii.gz", folder / "new" / "case1.nii.gz")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace("patient-007", "p4")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return {cell.source: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def shown(cells, words):
    """The data and the text that the one cell with these words shows."""
    ((_, outputs),) = [item for item in cells.items() if words in item[0]]
    return {kind: data for output in outputs for kind, data in output.get("data", {}).items()} | {
        output.name: output.text for output in outputs if output.output_type == "stream"
    }


def test_it_is_kept_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in code] == [[]] * len(code)
    assert {cell.execution_count for cell in code} == {None}


def test_projects_tables_and_pictures_show_themselves(cells):
    assert "<td>prompt-sam</td>" in shown(cells, "clisc.open")["text/html"]
    assert "up to date" in shown(cells, "until=")["text/html"]
    assert "p4" in shown(cells, "project.table()")["text/html"]
    assert "image/png" in shown(cells, "project.show")
    assert "without-self-training" in shown(cells, 'table("rows")')["text/html"]


def test_it_segments_and_tells_of_errors(cells):
    assert " ml" in shown(cells, '"new/case1.nii.gz")\nfound')["text/html"]
    assert shown(cells, "voxels = ")["stdout"].startswith("True")
    assert "no case 'nobody'" in shown(cells, "nobody")["stdout"]


def test_nothing_else_is_printed(cells):
    said = {source: [o for o in outputs if o.output_type == "stream"] for source, outputs in cells.items()}
    silent = [source for source in said if "print(" not in source and "tqdm" not in source]
    assert len(silent) > 3 and [said[source] for source in silent] == [[]] * len(silent)
