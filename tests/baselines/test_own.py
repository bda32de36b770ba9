"""A method of one's own: the file that docs/comparison.md shows, and files that go wrong."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from clisc_engine.core.overlap import dice
from tests.support.command import caller

PAGE = (Path(__file__).parents[2] / "docs" / "comparison.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r"```python\n(.*?)```", PAGE, re.S)[1]


@pytest.fixture
def clisc(monkeypatch, capsys):
    return caller(monkeypatch, capsys)


def test_the_example_of_the_page_stands_beside_the_built_in_floor(copied, clisc, tmp_path):
    assert len(EXAMPLE.splitlines()) <= 40
    file = tmp_path / "bright.py"
    file.write_text(EXAMPLE, encoding="utf-8")
    assert clisc("baseline", file, copied.root).out.startswith("baseline own-bright: 1 done")
    assert clisc("baseline", "otsu", copied.root).code == 0
    case = copied.case("p4")
    own, built_in = (case.read(f"masks/{name}") != 0 for name in ("own-bright", "baseline-otsu"))
    assert not own[case.read("image") == 0].any()
    assert own.any() and dice(own, built_in) > 0.8, "it differs by the opening alone"
    assert "nothing to do" in clisc("baseline", file, copied.root).out
    file.write_text(EXAMPLE + "\n", encoding="utf-8")
    assert "1 done" in clisc("baseline", file, copied.root).out, "another file, other masks"
    assert clisc("verify", copied.root).code == 0
    table = json.loads(clisc("evaluate", copied.root, "--table1", "--json").out)
    assert any("own-bright; whether labels went into it" in note for note in table["notes"])
    told = clisc("export", "masks", copied.root, "--masks", "own-bright", "-o", tmp_path / "out")
    assert told.code == 0 and (tmp_path / "out" / "p4_own-bright.nii.gz").is_file()


def test_a_mask_outside_the_brain_is_cut_off(copied, clisc, tmp_path):
    file = tmp_path / "all.py"
    file.write_text("def segment(image, spacing):\n    return image > -100\n", encoding="utf-8")
    assert clisc("baseline", file, copied.root).code == 0
    case = copied.case("p4")
    assert np.array_equal(case.read("masks/own-all") != 0, case.read("image") != 0)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("def segment(image, spacing):\n    return image[0] > 0\n", "a mask of 0 and 1"),
        ("def segment(image, spacing):\n    return image\n", "a mask of 0 and 1"),
        ("def segment(image, spacing):\n    return 1 / 0\n", "ZeroDivisionError: division by zero"),
        ("def segments(image):\n    return image\n", "defines no function segment"),
        ("import no_such_package\n", "No module named 'no_such_package'"),
        ("def segment(:\n", "SyntaxError"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_and_nothing_is_written(copied, clisc, tmp_path, code, told):
    file = tmp_path / "mine.py"
    file.write_text(code, encoding="utf-8")
    outcome = clisc("baseline", file, copied.root)
    assert outcome.code in (3, 5) and told in outcome.message and "mine.py" in outcome.message
    assert copied.case("p4").seal("masks/own-mine") is None


@pytest.mark.parametrize("name", ["gone.py", "my file.py", "../x y.py"])
def test_a_file_that_is_not_there_or_whose_name_cannot_be_a_row_is_refused(copied, clisc, tmp_path, name):
    if name != "gone.py":
        (tmp_path / "inside").mkdir()
        (tmp_path / "inside" / name).write_text("def segment(i, s):\n    return i != 0\n", encoding="utf-8")
    outcome = clisc("baseline", tmp_path / "inside" / name, copied.root)
    assert outcome.code == 3
