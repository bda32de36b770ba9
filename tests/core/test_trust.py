"""What a calibration makes of agreement."""

from clisc_engine.core.trust import Calibration

LINE = Calibration(constant=10, slope=80, margin=15, coverage=0.8, volumes=9)


def test_the_expected_dsc_is_a_line_with_an_interval():
    some = LINE.expect(0.5)
    assert (some.low, some.dsc, some.high) == (35, 50, 65)


def test_no_figure_leaves_0_to_100():
    full, none = LINE.expect(1.0), LINE.expect(0.0)
    assert (full.low, full.dsc, full.high) == (75, 90, 100)
    assert (none.low, none.dsc, none.high) == (0, 10, 25)
