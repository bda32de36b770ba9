"""Slices inside a page are the slices."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clisc_engine.core.prompts import Prompt
from clisc_engine.report.images import COLUMNS, Grid, grey_sheet, heat, mask_sheet, outline
from clisc_engine.report.pictures import drawn
from tests.support.documents import opened


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_the_outline_is_every_edge_between_inside_and_outside(mask):
    edges = set()
    for y, x in np.argwhere(mask).tolist():  # an edge of a single pixel that two pixels share is no border
        edges ^= {(x, y, "h"), (x, y + 1, "h"), (x, y, "v"), (x + 1, y, "v")}
    found = set()
    for x, y, way, length in re.findall(r"M(\d+) (\d+)([hv])(\d+)", outline(mask)):
        for step in range(int(length)):
            found.add((int(x) + step * (way == "h"), int(y) + step * (way == "v"), way))
    assert found == edges


def test_slices_keep_their_proportions_and_are_never_enlarged():
    assert (Grid.of((240, 200), 1.0, 160).width, Grid.of((240, 200), 1.0, 160).height) == (133, 160)
    wide = Grid.of((40, 40), 2.0, 160)
    assert (wide.width, wide.height) == (40, 80), "pixels twice as high as they are wide"
    narrow = Grid.of((40, 40), 0.5, 160)
    assert (narrow.width, narrow.height) == (80, 40)
    assert Grid.of((500, 3), 1.0, 160).width == 1


def test_a_prompt_lies_where_its_pixels_are_shown():
    grid = Grid.of((320, 320), 1.0, 160)
    prompt = Prompt(
        (10.0, 20.0, 29.0, 59.0), np.array([(19.5, 39.5), (10, 20)], np.float32), np.array([1, 0])
    )
    shown = drawn(prompt, grid)
    assert shown.box == (5.0, 10.0, 10.0, 20.0)
    assert shown.foreground == [(10.0, 20.0)] and shown.background == [(5.2, 10.2)]


def test_a_sheet_of_masks_gives_every_bit_back():
    masks = np.random.default_rng(0).random((2 * COLUMNS + 3, 7, 5)) < 0.3
    sheet = np.asarray(opened(mask_sheet(list(masks))))
    assert sheet.shape == (3 * 7, COLUMNS * 5)
    for index, mask in enumerate(masks):
        row, column = divmod(index, COLUMNS)
        np.testing.assert_array_equal(sheet[row * 7 : row * 7 + 7, column * 5 : column * 5 + 5], mask)


def test_a_sheet_of_slices_is_close_to_them():
    y, x = np.mgrid[:64, :48]
    slices = [np.uint8(127 + 100 * np.sin((x + 5 * k) / 9) * np.cos(y / 11)) for k in range(5)]
    sheet = np.asarray(opened(grey_sheet(slices)).convert("L")).astype(float)
    for index, slice_ in enumerate(slices):
        assert np.abs(sheet[:, index * 48 : index * 48 + 48] - slice_).mean() < 6


def test_a_map_is_clear_where_it_is_zero_and_denser_where_it_is_higher():
    grey = np.zeros((32, 32), np.uint8)
    grey[:, 8:16], grey[:, 16:] = 60, 255
    alpha = np.asarray(opened(heat(grey)))[..., 3]
    assert alpha[:, 2].max() == 0 and 0 < alpha[:, 12].mean() < alpha[:, 28].mean() < 255
