"""`clisc show --table1`: a column a method that was run."""

import pytest
from PIL import Image

from clisc_engine.baselines.methods import run_baseline
from clisc_engine.products.rivals import OTSU_MASKS, SAM_REFERENCE_MASKS
from clisc_engine.results.case_picture import case_picture
from clisc_engine.results.layers import RIVALS, rivals_of
from clisc_engine.running.control import Control
from tests.support.command import caller


@pytest.fixture
def clisc(monkeypatch, capsys):
    return caller(monkeypatch, capsys)


def test_each_method_that_was_run_gets_a_column(copied, clisc, tmp_path):
    told = clisc("show", copied.root, "p4", "--table1", "-o", tmp_path / "none.png")
    assert told.code == 0 and "clisc baseline all" in told.message
    for name in ("otsu", "sam-reference"):
        run_baseline(name, copied, Control(device="cpu"), ("test",))
    picture = case_picture(copied, "p4", 2, RIVALS)
    assert [layer.array for layer in picture.steps] == [OTSU_MASKS, SAM_REFERENCE_MASKS]
    assert clisc("show", copied.root, "p4", "--table1").out.strip().endswith("results/p4-table1.png")
    with Image.open(copied.results / "p4-table1.png") as drawn:
        assert drawn.width > 300


def test_a_method_of_one_s_own_stands_before_clisc_s_with_what_was_measured(copied, clisc, tmp_path):
    own = tmp_path / "bright.py"
    own.write_text("def segment(image, spacing):\n    return image > 2\n", encoding="utf-8")
    for arguments in (("baseline", own, copied.root), ("evaluate", copied.root, "--table1")):
        done = clisc(*arguments, "--device", "cpu", "--quiet")
        assert done.code == 0, done.err
    picture = case_picture(copied, "p4", 2, rivals_of(copied, copied.case("p4")))
    assert [layer.id for layer in picture.steps] == ["own-bright", "full"]
    assert picture.figures(picture.steps[0]).count("DSC") == 1
    assert [layer.id for layer in picture.layers][-4:] == [
        "own-bright",
        "full",
        "sam-reference",
        "supervised",
    ]
    shown = clisc("show", copied.root, "p4", "--table1")
    assert shown.code == 0 and "No method" not in shown.message
