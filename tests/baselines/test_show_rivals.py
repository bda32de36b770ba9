"""`clisc show --table1`: a column a method that was run."""

import pytest
from PIL import Image

from clisc_engine.baselines.methods import run_baseline
from clisc_engine.products.rivals import OTSU_MASKS, SAM_REFERENCE_MASKS
from clisc_engine.results.case_picture import case_picture
from clisc_engine.results.layers import RIVALS
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
