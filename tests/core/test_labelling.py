import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from clisc_engine.core.labelling import NORMAL, TUMOUR, UNCERTAIN, Vote, slice_labels, smoothed


def labels(probability, brain=None, **settings):
    probability = np.array(probability, np.float32)
    brain = np.ones(len(probability), bool) if brain is None else np.array(brain)
    return slice_labels(probability, brain, **settings).tolist()


def test_confident_slices_get_their_class_and_the_others_are_uncertain():
    assert labels([0.1, 0.41, 0.55, 0.59, 0.65, 0.9], vote=Vote(reach=0)) == [0, 255, 255, 255, 1, 1]


def test_confidence_counts_at_exactly_the_threshold():
    assert labels([0.25, 0.75], confidence=0.75, vote=Vote(reach=0)) == [NORMAL, TUMOUR]


def test_slices_without_brain_are_normal_whatever_clip_says():
    assert labels([0.99, 0.99, 0.5], brain=[True, False, False], vote=Vote(reach=0)) == [1, 0, 0]


def test_a_lone_dissenter_follows_its_neighbours():
    probability = [0.9] * 15
    probability[7] = 0.1
    assert labels(probability) == [1] * 15


def test_the_vote_needs_more_than_the_quorum_of_voters():
    probability = [0.9] * 9
    probability[4] = 0.1  # eight neighbours: not more than eight
    assert labels(probability)[4] == NORMAL
    assert labels(probability, vote=Vote(quorum=7))[4] == TUMOUR


def test_voters_lie_within_the_window_in_z():
    probability = np.full(31, 0.5)
    probability[::3] = 0.9  # kept slices three apart: five on each side reach 15 away
    probability[15] = 0.1
    assert labels(probability)[15] == NORMAL, "only four voters lie within six slices"
    assert labels(probability, vote=Vote(window=15))[15] == TUMOUR


def test_a_tie_changes_nothing():
    probability = [0.9] * 5 + [0.1] + [0.1] * 5
    assert labels(probability)[5] == NORMAL
    probability[5] = 0.9
    assert labels(probability)[5] == TUMOUR


def test_votes_count_the_labels_before_any_vote():
    probability = [0.9] * 6 + [0.1] * 12
    first = [1] * 6 + [0] * 12
    voted = labels(probability)
    for z in range(5, 13):  # slices with ten voters
        voters = first[z - 5 : z] + first[z + 1 : z + 6]
        expected = first[z] if sum(voters) == 5 else int(sum(voters) > 5)
        assert voted[z] == expected


@pytest.mark.parametrize("n", [0, 1])
def test_very_short_volumes(n):
    assert labels([0.9] * n) == [1] * n


def test_uncertain_slices_stay_uncertain_among_certain_ones():
    probability = [0.9] * 15
    probability[7] = 0.5
    assert labels(probability)[7] == UNCERTAIN


def test_thick_slices_vote_over_the_same_millimetres():
    vote = Vote()
    assert vote.for_spacing(1.0) == vote.for_spacing(0.7) == vote == Vote(5, 6, 8)
    assert vote.for_spacing(2.5) == Vote(reach=2, window=2, quorum=3)
    assert vote.for_spacing(5.5) == Vote(reach=1, window=1, quorum=1)
    assert Vote(reach=0).for_spacing(5.0) == Vote(reach=0)


def test_a_window_under_the_reach_holds_for_thick_slices_too():
    """Slices of 2 mm, voters at most 2 mm away: the four of the other class beyond them have no say."""
    vote = Vote(reach=10, window=2, quorum=2).for_spacing(2.0)
    probability = [0.1] * 3 + [0.9] * 3 + [0.1] * 3
    assert labels(probability, vote=vote) == [0, 0, 0, 1, 1, 1, 0, 0, 0]
    assert vote.window * 2.0 <= 2
    assert Vote(reach=5, window=1, quorum=0).for_spacing(5.0).window == 1, "the next slice at the least"


def test_a_tumour_of_five_thick_slices_is_not_voted_away():
    probability = [0.1] * 10 + [0.9] * 5 + [0.1] * 10
    assert labels(probability) == [0] * 25
    found = labels(probability, vote=Vote().for_spacing(4.0))
    assert found == [0] * 10 + [1] * 5 + [0] * 10


def test_smoothing_is_a_gaussian_mean_over_the_slices_with_brain():
    """By SciPy's filter of the probabilities and of the brain, one over the other."""
    rng = np.random.default_rng(0)
    probability, brain = rng.random(60), np.ones(60, bool)
    brain[[0, 1, 30, 58, 59]] = False
    weights = gaussian_filter1d(brain.astype(float), 3, mode="constant", truncate=30)
    expected = gaussian_filter1d(probability * brain, 3, mode="constant", truncate=30) / weights
    found = smoothed(probability, brain, 3)
    assert np.allclose(found[brain], expected[brain])
    assert np.array_equal(found[~brain], probability[~brain])


def test_smoothing_leaves_what_is_the_same_all_over_and_nothing_where_it_is_off():
    probability, brain = np.full(20, 0.7), np.arange(20) > 4
    assert np.allclose(smoothed(probability, brain, 5), 0.7)
    jumping = np.random.default_rng(1).random(20)
    assert np.array_equal(smoothed(jumping, brain, 0), jumping)
    assert np.array_equal(smoothed(jumping, np.zeros(20, bool), 5), jumping)


def test_smoothing_outvotes_a_lone_answer_and_leaves_the_border_uncertain():
    probability = np.array([0.1] * 20 + [0.9] * 20)
    probability[5] = 0.9
    found = slice_labels(smoothed(probability, np.ones(40, bool), 4), np.ones(40, bool), vote=Vote(reach=0))
    assert (found[:15] == NORMAL).all() and (found[25:] == TUMOUR).all()
    assert found[19] == found[20] == UNCERTAIN
