"""What stands on a picture of a slice: the letters of its sides can be told apart wherever they fall."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from clisc_engine.imaging.axial import AxialView
from clisc_engine.results.picture_marks import draw_sides

VIEW = AxialView("R", "L", "A", "P", 0.0, (1.0, 1.0), 0)


@pytest.mark.parametrize("part", np.arange(0, 1, 0.125))
def test_an_l_has_its_foot_wherever_it_falls_between_pixels(part):
    for other in np.arange(0, 1, 0.125):
        width, height = 150 + part, 120 + other
        figure = Figure(figsize=(width / 110, height / 110), dpi=110, facecolor="black")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        draw_sides(axes, VIEW, all_four=False)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        grey = np.asarray(canvas.buffer_rgba())[..., :3].max(axis=2).astype(int)
        letter = grey[:40, 75:]
        rows, columns = np.nonzero(letter > 40)
        letter = letter[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        stem, foot = letter[:, :2].max(axis=1), letter[-3:].max(axis=0)
        assert (stem[1:-1] > 90).all() and (foot > 60).sum() >= len(letter) / 2, (part, other)
