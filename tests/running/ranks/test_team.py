"""A step of several ranks is that of the whole batch, however the batch is shared."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from clisc_engine.running.control import Control
from tests.support import meet, train_small

PROGRAM = Path(train_small.__file__)


def result(folder):
    text = (folder / "net.csv").read_text(encoding="utf-8")
    curve = [[float(cell) for cell in line.split(",")[:-1]] for line in text.splitlines()[1:]]
    return curve, load_file(folder / "checkpoints" / "net.safetensors")


@pytest.mark.parametrize(
    ("ranks", "batch_size", "norm"),
    [(2, 5, "instance"), (3, 5, "instance"), (3, 2, "instance"), (2, 1, "instance"), (2, 5, "batch")],
)
def test_several_ranks_end_where_one_does(cluster, tmp_path, ranks, batch_size, norm):
    """Also with more ranks than samples; Dice sees the whole batch, and batch normalisation too."""
    train_small.train(tmp_path / "alone", batch_size, norm, Control())
    ended = cluster.run(tmp_path / "team", batch_size, norm, ranks=ranks, program=PROGRAM)
    assert ended.codes == [0] * ranks, ended.outputs
    (curve, weights), (expected, alone) = result(tmp_path / "team"), result(tmp_path / "alone")
    assert np.allclose(curve, expected, rtol=1e-4)
    assert weights.keys() == alone.keys()
    for name, values in weights.items():
        assert np.allclose(values, alone[name], rtol=1e-3, atol=1e-5), name


def test_a_stop_while_one_rank_scores_ends_all_and_the_next_call_goes_on(cluster, tmp_path):
    """Rank 0 scores alone; the others, which wait for it, hear of the stop from it."""
    ended = cluster.run(tmp_path / "team", 4, "instance", "score", program=PROGRAM)
    assert ended.codes == [75, 75], ended.outputs
    assert "all have left" in ended.message, "those that do not hear of it are left behind after a minute"
    assert not (tmp_path / "team" / "net.csv").exists()
    ended = cluster.run(tmp_path / "team", 4, "instance", program=PROGRAM)
    assert ended.codes == [0, 0], ended.outputs
    assert cluster.run(tmp_path / "whole", 4, "instance", program=PROGRAM).codes == [0, 0]
    assert result(tmp_path / "team")[0] == result(tmp_path / "whole")[0]


@pytest.mark.parametrize("fails", [0, 1])
def test_a_rank_that_fails_in_a_step_ends_the_others(cluster, tmp_path, fails):
    """They are told, and do not only find the connection broken when that rank has gone."""
    ended = cluster.run(tmp_path / "team", 4, "instance", fails, program=PROGRAM)
    assert ended.codes == [3, 3], ended.outputs
    assert all("no memory here" in output for output in ended.outputs), ended.outputs


@pytest.mark.parametrize("when", ["after", "before"])
def test_an_error_after_all_have_met_does_not_undo_the_meeting(cluster, when):
    """Rank 0 gets what all brought however late it sees that they came; it ends early if one did not."""
    ended = cluster.run(when, program=Path(meet.__file__))
    assert ended.codes == [5, 5] and "1 of 5 cases failed" in ended.message, ended.outputs
    met = "met: ['of rank 0', 'of rank 1']"
    assert (met in ended.message) == (when == "after")
    assert ("ended elsewhere:" in ended.message) == (when == "before")
