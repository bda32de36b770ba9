"""Why something is stale, told as people can read it."""

from clisc_engine.project.fingerprint import difference

ONE, TWO = "882da04a5a2770b3", "5f026d4946c3f5d9"


def learnt(**masks):
    return {f"train/{case}/masks/sam": mark for case, mask in masks.items() for mark in [mask]}


def test_cases_are_counted_and_fingerprints_left_out():
    before = learnt(a=ONE, b=ONE, c=ONE) | {"unet.epochs": "3", "unet-round1": ONE}
    after = learnt(a=TWO, b=TWO, c=ONE) | {"unet.epochs": "5", "unet-round1": TWO}
    told = difference(before, after)
    assert told == "unet-round1 changed, unet.epochs 3 -> 5, masks/sam of 2 cases changed"
    assert difference(learnt(a=ONE), learnt(a=TWO)) == "masks/sam of a changed"


def test_digests_of_weight_files_are_told_since_they_can_be_looked_up():
    before, after = {"clip": "4a" * 32, "seed": "0"}, {"clip": "9f" * 32, "seed": "0"}
    assert difference(before, after) == f"clip changed (SHA-256 {'4a' * 8} -> {'9f' * 8})"


def test_cases_that_came_and_went_are_told_by_array_and_what_is_alike_at_once():
    before = {"train/a/image": ONE, "train/a/masks/sam": ONE, "valid/b/image": ONE}
    after = {f"train/{case}/{array}": TWO for case in "cd" for array in ("image", "masks/sam")}
    assert difference(before, after) == (
        "image of 2 cases went, masks/sam of a went, image and masks/sam of 2 cases came"
    )
