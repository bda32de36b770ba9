"""Charts say what the numbers say."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clisc_engine.report.charts import box_chart, curve_chart, probability_chart, similarity_chart
from clisc_engine.report.choose import Ranking, evenly, first_of, place_in_words
from clisc_engine.report.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, ticks

BASE = HEIGHT - BOTTOM


def drawn(markup, kind):
    """Elements of a CSS class, among others."""
    return [element for element in ET.fromstring(markup).iter() if kind in element.get("class", "").split()]


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_round_and_inside(low, length):
    high = low + length
    found = ticks(low, high)
    slack = 1e-6 * max(abs(low), abs(high), 1)
    assert len(found) <= 6 and all(low - slack <= value <= high + slack for value in found)
    assert found == sorted(set(found))


def test_ticks_by_hand():
    assert ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(0, 7) == [0, 2, 4, 6]
    assert ticks(3, 3) == [3]


def test_a_bar_a_slice_as_high_as_its_probability_and_of_its_label_s_kind():
    chart = probability_chart("p", [0.0, 1.0, 0.5, 0.25], [0, 1, 1, 255])
    (tumour,), (normal,), (uncertain,) = (drawn(chart, kind) for kind in ("tumour", "normal", "uncertain"))
    tops = [float(top) for top in re.findall(r"V([\d.]+)H", tumour.get("d"))]
    assert tops == [TOP, (TOP + BASE) / 2]
    assert [float(top) for top in re.findall(r"V([\d.]+)H", uncertain.get("d"))] == [
        BASE - (BASE - TOP) / 4
    ]
    assert normal.get("d").count("M") == 1
    assert "2 of 4 slices" in ET.fromstring(chart).get("aria-label")


def test_a_curve_goes_from_the_first_epoch_to_the_last():
    (line,) = drawn(curve_chart("unet", "loss", [2.0, 1.0, 0.5]), "curve")
    places = [tuple(map(float, pair.split(","))) for pair in line.get("points").split()]
    assert [x for x, _ in places] == [LEFT, (LEFT + WIDTH - RIGHT) / 2, WIDTH - RIGHT]
    heights = [BASE - y for _, y in places]
    assert heights == pytest.approx([heights[0], heights[0] / 2, heights[0] / 4], abs=0.02)


def test_one_epoch_is_a_chart_too():
    assert len(drawn(curve_chart("unet", "loss", [0.0]), "end")) == 1


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=60, unique=True), st.integers(1, 5))
def test_the_cut_parts_the_dropped_from_the_kept(scores, count):
    ordered = sorted(scores)
    dropped, kept = ordered[:-1][:count], ordered[min(count, len(ordered) - 1) :]
    chart = similarity_chart(kept, dropped)
    hints = [title.text for title in ET.fromstring(chart).iter("title")]
    for kind, volumes in (("dropped", dropped), ("kept", kept)):
        assert sum(int(hint.split()[-2]) for hint in hints if hint.endswith(kind)) == len(volumes)
    (cut,) = drawn(chart, "cut")
    bars = drawn(chart, "bar")
    assert max(float(b.get("x")) for b in bars if "dropped" in b.get("class")) <= float(cut.get("x1")) + 0.8
    assert min(float(b.get("x")) for b in bars if "kept" in b.get("class")) >= float(cut.get("x1")) - 0.8


@pytest.mark.parametrize("volumes", [1, 2, 7, 30])
def test_volumes_are_counted_in_whole_numbers(volumes):
    chart = similarity_chart([0.9] * volumes, [])
    counts = [tick.text for tick in drawn(chart, "tick") if tick.get("text-anchor") == "end"]
    assert len(counts) >= 2 and all(count.isdecimal() for count in counts), counts


def test_a_box_spans_the_quartiles_and_whiskers_stop_before_an_outlier():
    values = {f"c{v}": float(v) for v in (0, 60, 70, 80, 90)}
    chart = box_chart("DSC", "DSC %", {"SAM": values, "nothing": {}})
    (box,), (median,) = drawn(chart, "box"), drawn(chart, "median")
    share = (BASE - TOP) / 100
    assert float(box.get("y")) == pytest.approx(BASE - 80 * share, abs=0.01)
    assert float(box.get("height")) == pytest.approx(20 * share, abs=0.02)
    assert float(median.get("y1")) == pytest.approx(BASE - 70 * share, abs=0.01)
    ends = sorted(float(line.get("y2")) for line in drawn(chart, "whisker"))
    assert ends == pytest.approx([BASE - 90 * share, BASE - 60 * share], abs=0.01)
    assert len(drawn(chart, "case")) == 5 and "nothing" not in chart


@pytest.mark.parametrize("values", [[20, 20, 20, 100], [0, 80, 80, 80], [50.0], [0, 100]])
def test_no_whisker_runs_through_its_box(values):
    scores = {f"c{index}": float(value) for index, value in enumerate(values)}
    chart = box_chart("words", "DSC %", {"full": scores})
    (box,) = drawn(chart, "box")
    top = float(box.get("y"))
    bottom = top + float(box.get("height"))
    for line in drawn(chart, "whisker"):
        ends = sorted(float(line.get(key)) for key in ("y1", "y2"))
        assert ends[1] <= top + 0.01 or ends[0] >= bottom - 0.01


def test_box_plots_say_how_many_cases_they_stand_for():
    three, two = {"a": 1.0, "b": 2.0, "c": 3.0}, {"a": 1.0, "b": 2.0}
    words = [element.text for element in drawn(box_chart("", "DSC %", {"SAM": three, "CAM": two}), "tick")]
    assert {"n = 3", "n = 2", "SAM", "CAM"} <= set(words)
    alike = box_chart("", "DSC %", {"SAM": three, "CAM": three})
    assert "3 cases each" in [element.text for element in drawn(alike, "name")]
    assert "n = " not in alike


def test_a_name_full_of_markup_stays_a_name():
    name = "<img src=x onerror=alert(1)>&\"'"
    chart = box_chart(name, "DSC %", {name: {name: 1.0}})
    assert "<img" not in chart
    assert name in [element.text for element in drawn(chart, "tick")]


def test_cases_are_spread_over_their_ranking():
    ranked = list("abcdefghi")
    assert evenly(ranked, 3) == ["a", "e", "i"]
    assert evenly(ranked, 1) == ["e"] and evenly(ranked, 0) == [] and evenly([], 3) == []
    assert evenly(ranked, 20) == ranked
    assert first_of(3, "ab", "bc", "de") == ["a", "b", "c"]
    ranking = Ranking("DSC", {name: float(place) for place, name in enumerate(ranked)}, unit=" %")
    assert [place_in_words(n, ranking) for n in "aei"] == ["worst", "median", "best"]
    assert place_in_words("b", ranking) == "2 of 9 from the worst" and place_in_words("z", ranking) == ""
    assert ranking.in_words("c") == "DSC 2.0 %"
