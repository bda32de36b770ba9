"""What a variant has of its own is verified with its project, repaired, and made again to the bit."""

import errno
import json
import shutil

import pytest

from clisc_engine.project import variants
from tests.faults.test_damage import edit, flip, halve, shard
from tests.faults.test_unreadable import away, files, oserror
from tests.support.command import caller
from tests.support.small import contents, differing

OWN = "variants/t0/"
CPU = ("--device", "cpu", "-q")


@pytest.fixture
def clisc(monkeypatch, capsys):
    return caller(monkeypatch, capsys)


def verified(clisc, root, *more, code=0):
    told = clisc("verify", root, "--json", *more)
    assert told.code == code, told.message
    return json.loads(told.out)


def lose_seal(root):
    edit(root / "store.zarr/cases/p1/masks/sam/zarr.json", lambda attributes: attributes.pop("clisc"))


DAMAGE = {
    # kind: (spoil it, place in the variant, its state, the step that makes it again)
    "flipped bit": (
        lambda root: flip(shard(root, "p1/cams/amda")),
        *("store.zarr/cases/p1/cams/amda", "damaged", "amda"),
    ),
    "lost seal": (lose_seal, "store.zarr/cases/p1/masks/sam", "damaged", "prompt-sam"),
    "half the weights": (
        lambda root: halve(root / "checkpoints/unet-round2.safetensors"),
        *("checkpoints/unet-round2.safetensors", "damaged", "self-train"),
    ),
    "no weights": (
        lambda root: (root / "checkpoints/classifier-amda.safetensors").unlink(),
        *("checkpoints/classifier-amda.safetensors", "missing", "amda"),
    ),
    "no maps": (
        lambda root: shutil.rmtree(root / "store.zarr/cases/p0/cams/amda"),
        *("store.zarr/cases/p0/cams/amda", "missing", "amda"),
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_in_a_variant_is_found_and_the_project_is_not_blamed(clisc, varied, kind):
    spoil, place, state, step = DAMAGE[kind]
    spoil(varied.root / OWN)
    told = verified(clisc, varied.root, code=3)
    assert [(one["path"], one["state"]) for one in told["findings"]] == [(OWN + place, state)]
    assert f"`clisc {step} {varied.root} --variant t0`" in told["findings"][0]["remedy"]


def test_what_is_taken_out_is_made_again_in_the_variant_to_the_bit(clisc, varied):
    variant = variants.open_variant(varied, "t0")
    before, project = contents(variant), contents(varied)
    for kind in ("flipped bit", "lost seal", "half the weights"):
        DAMAGE[kind][0](varied.root / OWN)
    told = verified(clisc, varied.root, "--repair")
    assert all(one["repaired"] or one["state"] == "to be made" for one in told["findings"])
    assert verified(clisc, varied.root)["clean"]
    assert differing(contents(varied), project) == []
    assert clisc("run", varied.root, "--variant", "t0", *CPU).code == 0
    assert differing(contents(variants.open_variant(varied, "t0")), before) == []


def test_whole_variants_are_counted_and_one_case_alone_can_be_looked_at(clisc, varied):
    whole, one = verified(clisc, varied.root), verified(clisc, varied.root, "--cases", "p1")
    shutil.rmtree(varied.root / "variants")
    without, one_without = verified(clisc, varied.root), verified(clisc, varied.root, "--cases", "p1")
    # Of each of the five cases at least AMDA's maps and SAM's mask; three networks come after AMDA's step.
    assert whole["arrays"] >= without["arrays"] + 10
    assert whole["checkpoints"] == without["checkpoints"] + 3
    assert one["arrays"] > one_without["arrays"] and whole["clean"] and without["clean"]


def test_a_variant_over_another_reads_what_that_one_has(clisc, varied):
    more = ("--over", "t0", "--set", "prompts.kind=box", "-q")
    assert clisc("variant", "new", varied.root, "box", *more).code == 0
    assert clisc("prompt-sam", varied.root, "--variant", "box", *CPU).code == 0
    assert verified(clisc, varied.root)["clean"]
    flip(shard(varied.root / "variants/box", "p2/masks/sam"))
    told = verified(clisc, varied.root, code=3)
    assert [one["path"] for one in told["findings"]] == ["variants/box/store.zarr/cases/p2/masks/sam"]


def test_a_record_that_says_nothing_is_named(clisc, varied):
    (varied.root / OWN / variants.FILE).write_text("{}")
    told = verified(clisc, varied.root, code=3)
    assert [one["path"] for one in told["findings"]] == [OWN + variants.FILE]
    assert "remove" in told["findings"][0]["remedy"]


@pytest.mark.parametrize(
    ("inside", "named"),
    [
        (OWN + "store.zarr/cases", OWN + "store.zarr/cases"),
        (OWN + "store.zarr/cases/p1/cams/amda/c", OWN + "store.zarr/cases/p1/cams/amda"),
        (OWN + "checkpoints/unet-round1.safetensors", OWN + "checkpoints/unet-round1.safetensors"),
        (OWN + "logs/runs.jsonl", OWN + "logs/runs.jsonl"),
        (OWN + variants.FILE, OWN + variants.FILE),
    ],
)
def test_what_cannot_be_read_of_a_variant_is_named_and_left_alone(clisc, varied, inside, named):
    before = files(varied.root)
    for options in ((), ("--repair",)):
        with away(varied.root / inside, oserror(errno.EIO)):
            told = verified(clisc, varied.root, *options, code=3)
        assert {(one["path"], one["state"]) for one in told["findings"]} == {(named, "unreadable")}
        assert not any(one["repaired"] for one in told["findings"]) and files(varied.root) == before
    assert verified(clisc, varied.root)["clean"]


def test_variants_that_cannot_be_listed_are_named_and_all_else_is_read(clisc, varied):
    before = files(varied.root)
    with away(varied.root / "variants", oserror(errno.EIO)):
        told = verified(clisc, varied.root, code=3)
        repaired = clisc("verify", varied.root, "--repair", "--json")
    assert {(one["path"], one["state"]) for one in told["findings"]} == {("variants", "unreadable")}
    assert told["arrays"] and told["checkpoints"]
    assert repaired.code == 3, "nobody can tell who works on them"
    message = json.loads(repaired.out)["error"]["message"]
    assert f"Cannot read {varied.root / 'variants'}: Input/output error" in message
    assert "Look at its disk and its rights, then run the same command again" in message
    assert files(varied.root) == before
