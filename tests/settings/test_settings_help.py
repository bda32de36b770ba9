"""Explanations agree with what validation accepts."""

import json

import pytest

from clisc_engine.errors import BadInput
from clisc_engine.settings.help import explain, in_words
from clisc_engine.settings.keys import known_keys, with_changes
from clisc_engine.settings.presets import PRESETS, preset


def test_every_setting_is_explained_with_a_range_and_its_value_in_each_preset():
    for key in known_keys():
        told = explain(key)
        assert told.meaning and told.allowed, key
        assert list(told.presets) == list(PRESETS)


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        ("amda.t", "a number from 0 to under 100"),
        ("label.confidence", "a number from 0.5 to 1"),
        ("image.clip_percentile", "a number above 50 to 100"),
        ("classifier.epochs", "a whole number from 1"),
        ("unet.patch", "a list of 3, each a whole number from 16 in steps of 16"),
        ("cam.method", 'one of "layercam", "gradcam", "cam"'),
        ("roi.threshold", 'one of "otsu", "sam", or a number above 0 to under 1'),
        ("unet.augment", 'one of "paper", "wide", "none"'),
        ("classifier.augment", "true or false"),
        ("sam.checkpoint", "text, or empty"),
        ("seed", "a whole number from 0 to under 2147483648"),
    ],
)
def test_ranges_are_in_words(key, allowed):
    assert explain(key).allowed == allowed


@pytest.mark.parametrize(
    ("key", "inside", "outside"),
    [("amda.t", 0, 100), ("amda.t", 99.9, -0.1), ("image.clip_percentile", 100, 50), ("seed", 0, 2**31)],
)
def test_the_ends_are_in_or_out_as_the_words_say(key, inside, outside):
    with_changes(preset("tiny"), {key: inside}, "test")
    with pytest.raises(BadInput):
        with_changes(preset("tiny"), {key: outside}, "test")


def test_words_of_a_schema_that_no_setting_has():
    assert in_words({"const": 3}) == "3"
    assert in_words({"type": "array", "items": {"type": "string"}}) == "a list, each text, or empty"
    assert in_words({"type": "number"}) == "a number"


def test_a_wrong_key_gets_the_nearest_one():
    with pytest.raises(BadInput, match=r"amda\.t"):
        explain("amda.tt")


def test_the_fast_preset_differs_from_the_papers_in_epochs_alone():
    paper, fast = preset("paper").model_dump_json(), preset("fast").model_dump_json()
    one, two = json.loads(paper), json.loads(fast)
    changed = {
        f"{table}.{key}"
        for table, values in one.items()
        if isinstance(values, dict)
        for key, value in values.items()
        if two[table][key] != value
    }
    assert changed == {"classifier.epochs", "classifier.slices_per_epoch", "unet.epochs", "s3f.epochs"}
    assert two["weights"] == "paper"
