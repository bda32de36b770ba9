"""What a setting changes, against the fingerprints themselves."""

import pytest

from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.products.dependence import MEASURED, changed_by, row_is_changed_by
from clisc_engine.products.graph import ARRAYS, IMPORTED
from clisc_engine.settings.keys import known_keys, value_of, with_changes
from clisc_engine.settings.presets import preset
from clisc_engine.stages import recipes

TINY = preset("tiny")
WORDS = ["otsu", "sam", "box", "bright5", "scratch", "last", "best", "gradcam", "none", "paper"]
WORDS += ["clip", "sgd", "ce", "resize", "tumour", "mlp", "vit_b", "x"]


def other_value(key):
    """Settings in which the key has another value that it may have; None where none was found."""
    now = value_of(TINY, key)
    tried = [not now] if isinstance(now, bool) else []
    if isinstance(now, int | float) and not isinstance(now, bool):
        tried += [now + 1, now / 2, now + 16, max(now - 0.1, 0.01)]
    tried += [*WORDS, ["layer1"], ["x"], [16, 16, 16], [16, 32], [1.0, 1.0, 1.0]]
    for value in tried:
        try:
            changed = with_changes(TINY, {key: value}, "test")
        except BadInput:
            continue
        if value_of(changed, key) != now:
            return changed
    return None


@pytest.mark.parametrize("key", known_keys())
def test_an_array_s_recipe_changes_with_the_settings_that_are_said_to_change_it(key):
    changed = other_value(key)
    if changed is None or key.startswith("image."):
        pytest.skip("no other value, or of the import")
    said = changed_by(key)
    for name, array in ARRAYS.items():
        if name in IMPORTED or array.along_with:
            continue
        try:
            differs = recipes.array(TINY, name) != recipes.array(changed, name)
        except (BadInput, MissingStage):  # weights that are not on this machine
            continue
        assert not differs or name in said, f"{key} changes {name}, which is not said"


@pytest.mark.parametrize(
    ("key", "unchanged", "first_changed"),
    [
        ("label.confidence", "image", "labels/tumour"),
        ("classifier.epochs", "labels/tumour", "classifier-raw"),
        ("cam.method", "classifier-raw", "cams/raw"),
        ("amda.t", "cams/raw", "classifier-amda"),
        ("prompts.dilation", "cams/amda", "masks/sam"),
        ("unet.epochs", "masks/sam", "unet-round1"),
        ("unet.overlap", "unet-round1", "masks/round1"),
        ("prompts.dilation_self_training", "masks/round1", "masks/sam-round1"),
        ("s3f.p", "masks/sam-round1", "unet-round2"),
    ],
)
def test_the_chain_changes_from_a_point_on(key, unchanged, first_changed):
    chain = ["image", "labels/tumour", "classifier-raw", "cams/raw", "classifier-amda", "cams/amda",
             "masks/sam", "unet-round1", "masks/round1", "masks/sam-round1", "unet-round2",
             "masks/round2"]  # fmt: skip
    changed = changed_by(key)
    place = chain.index(first_changed)
    assert chain[place - 1] == unchanged
    assert [name in changed for name in chain] == [index >= place for index in range(len(chain))]


def test_p_does_not_change_the_row_without_s3f():
    assert row_is_changed_by("full", "s3f.p") and not row_is_changed_by("without-s3f", "s3f.p")


def test_settings_of_going_on_count_only_where_round_2_goes_on():
    assert row_is_changed_by("full", "s3f.epochs")
    assert not row_is_changed_by("full", "s3f.epochs", going_on=False)


def test_a_kind_of_prompt_of_its_own_does_not_change():
    assert row_is_changed_by("sam", "prompts.kind") and not row_is_changed_by("sam-box", "prompts.kind")


def test_the_region_changes_how_maps_are_measured():
    assert row_is_changed_by("cam-raw", "roi.keep_fraction")


@pytest.mark.parametrize("key", ["training.memory_gb", "sam.batch_size", "sam.cache_gb", "weights"])
def test_what_only_changes_speed_changes_no_row(key):
    assert not any(row_is_changed_by(row, key) for row in MEASURED)
