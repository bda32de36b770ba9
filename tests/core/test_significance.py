"""Wilcoxon's test against its exact distribution, Holm's correction against its definition."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clisc_engine.core.significance import holm, paired_p


def exact_p(differences):
    """All 2^n signs of the ranks are equally likely under the hypothesis."""
    ranks = np.argsort(np.argsort(np.abs(differences))) + 1
    middle = ranks.sum() / 2
    observed = abs(ranks[np.array(differences) > 0].sum() - middle)
    signs = itertools.product((0, 1), repeat=len(ranks))
    return np.mean([abs(np.dot(sign, ranks) - middle) >= observed for sign in signs])


@pytest.mark.parametrize(
    "differences", [[1, 2, 3, 4, 5], [1, -2, 3, 4, 5, 6, 7], [-0.5, 1.5, -2.5, 3.5, 4.5]]
)
def test_the_p_value_is_that_of_all_signs_of_the_ranks(differences):
    second = np.linspace(50, 90, len(differences))
    assert paired_p(list(second + differences), list(second)) == pytest.approx(exact_p(differences))
    assert paired_p(list(second), list(second + differences)) == pytest.approx(exact_p(differences))


def test_methods_that_never_differ_and_no_case_at_all():
    assert paired_p([80, 90.5], [80, 90.5]) == 1
    assert paired_p([], []) is None


def test_cases_without_a_difference_say_nothing():
    assert paired_p([1, 2, 3, 4, 7], [0, 0, 0, 0, 7]) == pytest.approx(exact_p([1, 2, 3, 4]))


@pytest.mark.parametrize("alike", [1, 9, 60])
def test_cases_without_a_difference_say_nothing_however_many_they_are(alike):
    differences = [1, 2, 3, 4, 5]
    first, second = [*differences, *[7] * alike], [*[0] * len(differences), *[7] * alike]
    assert paired_p(first, second) == pytest.approx(exact_p(differences))


def test_holm_as_worked_by_hand():
    # sorted 0.005 x4 = 0.02, 0.01 x3 = 0.03, 0.03 x2 = 0.06, 0.04 x1 -> not under 0.06
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1, 1] and holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.001, 0.999))
def test_holm_rejects_what_the_step_down_procedure_rejects(values, level):
    rejected = set()
    for step, index in enumerate(sorted(range(len(values)), key=lambda i: values[i])):
        if values[index] * (len(values) - step) > level:
            break
        rejected.add(index)
    assert {i for i, p in enumerate(holm(values)) if p <= level} == rejected
