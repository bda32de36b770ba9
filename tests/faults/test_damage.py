"""What is damaged on the disk is named, taken out by `verify --repair`, and made again to the bit."""

import json
import shutil

import numpy as np
import pytest
import torch

from clisc_engine.project.project import open_project
from clisc_engine.running.control import Control
from clisc_engine.settings.file import write_changes
from tests.support.small import STAGES, contents, differing, small_project


def shard(root, array):
    return next(p for p in (root / "store.zarr/cases" / array / "c").rglob("*") if p.is_file())


def flip(path, position=0.5):
    data = bytearray(path.read_bytes())
    data[int(len(data) * position)] ^= 4
    path.write_bytes(bytes(data))


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def edit(path, change):
    metadata = json.loads(path.read_text(encoding="utf-8"))
    change(metadata["attributes"])
    path.write_text(json.dumps(metadata), encoding="utf-8")


def metadata(root, node):
    return root / "store.zarr" / node / "zarr.json"


CASES = "store.zarr/cases"
DAMAGE = {
    # kind: (spoil it, what verify names, its state, a command that meets it, its exit code,
    #        what the command says, the stage that makes it again)
    "flipped bit": (
        lambda root: flip(shard(root, "p1/cams/amda")),
        f"{CASES}/p1/cams/amda",
        "damaged",
        ["prompt-sam", "--force", "--cases", "p1"],
        5,
        ["p1/cams/amda", "clisc verify /", "/project --repair"],
        "amda",
    ),
    "truncated shard": (
        lambda root: halve(shard(root, "p0/masks/sam")),
        f"{CASES}/p0/masks/sam",
        "damaged",
        ["train", "--force"],
        3,
        ["p0/masks/sam", "clisc verify /", "/project --repair"],
        "prompt-sam",
    ),
    "lost shard": (
        lambda root: shard(root, "p0/masks/sam").unlink(),
        f"{CASES}/p0/masks/sam",
        "damaged",
        ["train", "--force"],
        3,
        ["p0/masks/sam", "clisc verify /", "/project --repair"],
        "prompt-sam",
    ),
    "deleted array": (
        lambda root: shutil.rmtree(root / CASES / "p0/cams/raw"),
        f"{CASES}/p0/cams/raw",
        "missing",
        None,
        0,
        [],
        "cam",
    ),
    "deleted input": (
        lambda root: shutil.rmtree(root / CASES / "p4/labels/tumour"),
        f"{CASES}/p4/labels/tumour",
        "missing",
        ["cam", "--cases", "p4"],
        4,
        ["Case p4 has no labels/tumour", "clisc label"],
        "label",
    ),
    "flipped bit in an image": (
        lambda root: flip(shard(root, "p1/image")),
        f"{CASES}/p1/image",
        "damaged",
        ["label", "--force", "--cases", "p1"],
        5,
        ["p1/image", "clisc verify /", "/project --repair"],
        None,
    ),
    "deleted image": (
        lambda root: shutil.rmtree(root / CASES / "p2/image"),
        f"{CASES}/p2/image",
        "missing",
        ["label", "--cases", "p2"],
        4,
        ["Case p2 has no image"],
        None,
    ),
    "truncated reference": (
        lambda root: halve(shard(root, "p4/reference")),
        f"{CASES}/p4/reference",
        "damaged",
        ["evaluate"],
        3,
        ["p4/reference", "clisc verify /", "/project --repair"],
        None,
    ),
    "half-written metadata": (
        lambda root: halve(metadata(root, "cases/p3/labels/tumour")),
        f"{CASES}/p3/labels/tumour",
        "damaged",
        ["cam", "--cases", "p3"],
        4,
        ["Case p3 has no labels/tumour", "clisc label"],
        "label",
    ),
    "lost seal": (
        lambda root: edit(metadata(root, "cases/p3/cams/raw"), lambda a: a.pop("clisc")),
        f"{CASES}/p3/cams/raw",
        "damaged",
        None,
        0,
        [],
        "cam",
    ),
    "forged fingerprint": (
        lambda root: edit(
            metadata(root, "cases/p3/cams/raw"), lambda a: a["clisc"].update(fingerprint="0" * 16)
        ),
        f"{CASES}/p3/cams/raw",
        "damaged",
        None,
        0,
        [],
        "cam",
    ),
    "lost record of a case": (
        lambda root: halve(metadata(root, "cases/p1")),
        f"{CASES}/p1",
        "damaged",
        ["label"],
        0,
        ["case p1 is left out", "zarr.json no longer holds the record", "--repair"],
        None,
    ),
    "half-written group": (
        lambda root: halve(metadata(root, "cases")),
        CASES,
        "damaged",
        None,
        0,
        [],
        None,
    ),
    "truncated weights": (
        lambda root: halve(root / "checkpoints/unet-round1.safetensors"),
        "checkpoints/unet-round1.safetensors",
        "damaged",
        ["self-train"],
        3,
        ["unet-round1.safetensors", "clisc verify /", "/project --repair", "clisc train"],
        "train",
    ),
    "flipped bit in weights": (
        lambda root: flip(root / "checkpoints/unet-round1.safetensors", 0.9),
        "checkpoints/unet-round1.safetensors",
        "damaged",
        ["self-train", "--force"],
        3,
        ["unet-round1.safetensors", "clisc verify /", "/project --repair", "clisc train"],
        "train",
    ),
}


def findings(clisc, root, *options, code):
    shown = clisc("verify", root, "--json", *options)
    assert shown.code == code, shown.err
    return json.loads(shown.out)["findings"]


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_named_taken_out_and_made_again(clisc, root, finished, kind):
    spoil, path, state, command, code, parts, stage = DAMAGE[kind]
    spoil(root)
    if command:
        shown = clisc(command[0], root, "--device", "cpu", *command[1:])
        assert shown.code == code, shown.err
        assert all(part in shown.message for part in parts), shown.message
    (found,) = findings(clisc, root, code=3)
    assert (found["path"], found["state"], found["repaired"]) == (path, state, False)
    (found,) = findings(clisc, root, "--repair", code=0)
    assert found["path"] == path and found["repaired"]
    assert clisc("verify", root).code == 0
    if stage:
        STAGES[stage](open_project(root), Control(device="cpu"))
    assert findings(clisc, root, code=0) == []
    before, after = contents(finished), contents(open_project(root))
    assert differing(before, {name: after[name] for name in after if name in before}) == []


def test_the_reference_is_restored_too(clisc, root, finished):
    flip(shard(root, "p4/reference"))
    assert clisc("verify", root, "--repair").code == 0
    for case in finished.cases():
        again = open_project(root).references.read(case.info)
        assert np.array_equal(again, finished.references.read(case.info))


def test_settings_that_are_half_written_are_named_and_left_to_their_owner(clisc, root):
    file = root / "clisc.toml"
    file.write_text(file.read_text(encoding="utf-8")[:-7] + '"', encoding="utf-8")
    kept = file.read_bytes()
    assert clisc("label", root).code == 3
    (found,) = findings(clisc, root, code=3)
    assert (found["path"], found["state"]) == ("clisc.toml", "damaged")
    (found,) = findings(clisc, root, "--repair", code=3)
    assert not found["repaired"] and file.read_bytes() == kept


def test_verify_names_no_repair_for_settings_that_only_their_owner_can_mend(clisc, root):
    (root / "clisc.toml").write_text("seed =", encoding="utf-8")
    shown = clisc("verify", root)
    assert shown.code == 3 and "--repair" not in shown.message and "mend it by hand" in shown.message


def test_a_truncated_training_state_is_named_and_removed(clisc, root):
    state = root / "checkpoints/unet-round2.training.pt"
    torch.save({"fingerprint": "x", "module": {"w": torch.ones(1000)}}, state)
    assert findings(clisc, root, code=0) == []
    flip(state)
    (found,) = findings(clisc, root, code=3)
    assert found["path"] == "checkpoints/unet-round2.training.pt"
    halve(state)
    (found,) = findings(clisc, root, "--repair", code=0)
    assert found["repaired"] and not state.exists()


def test_an_image_is_left_alone_when_its_source_is_gone_or_changed(clisc, data, tmp_path):
    shutil.copytree(data, tmp_path / "data")
    root = small_project(tmp_path / "p", tmp_path / "data").root
    flip(shard(root, "p1/image"))
    source = tmp_path / "data/images/p1_flair.nii.gz"
    kept = source.read_bytes()
    source.unlink()
    (found,) = findings(clisc, root, "--repair", code=3)
    assert not found["repaired"] and str(source) in found["remedy"] and "not there" in found["remedy"]
    source.write_bytes(kept + b" ")
    shown = clisc("verify", root, "--repair")
    assert shown.code == 3 and "has changed since it was imported" in shown.message
    source.write_bytes(kept)
    (found,) = findings(clisc, root, "--repair", code=0)
    assert found["repaired"] and findings(clisc, root, code=0) == []


def test_an_image_is_imported_again_as_it_was_imported(clisc, data, finished, tmp_path):
    """Settings of the import that were changed since do not reach the image."""
    root = small_project(tmp_path / "p", data).root
    write_changes(root / "clisc.toml", {"image.clip_percentile": 80.0})
    flip(shard(root, "p1/image"))
    assert clisc("verify", root, "--repair").code == 0
    again, before = open_project(root).case("p1"), finished.case("p1")
    assert np.array_equal(again.read("image"), before.read("image"))
    assert again.seal("image").fingerprint == before.seal("image").fingerprint


def test_an_array_with_values_that_no_stage_makes_is_damaged(clisc, root):
    case = open_project(root).case("p0")
    mask = case.read("masks/sam")
    for wrong in (mask + 7, mask[1:], mask.astype(np.float32)):
        case.write("masks/sam", wrong, case.seal("masks/sam"))
        (found,) = findings(clisc, root, code=3)
        assert found["path"] == f"{CASES}/p0/masks/sam"


def test_what_killed_writers_left_is_harmless_and_removed_on_request(clisc, root):
    store = root / "store.zarr"
    left = [
        ".clisc.toml.4711.partial",
        "checkpoints/.unet-round1.safetensors.4711.partial",
        "store.zarr/cases/p0/masks/.sam.4711.partial",
        "store.zarr/cases/p0/masks/.sam.4711.old.partial",
        f"store.zarr/cases/p0/image/c/0/0/0.{'a' * 32}.partial",
    ]
    for path in left[:2] + left[4:]:
        (root / path).write_bytes(b"half")
    for path in left[2:4]:
        shutil.copytree(store / "cases/p0/masks/sam", root / path)
    found = findings(clisc, root, code=0)
    assert sorted(f["path"] for f in found) == sorted(left)
    assert {f["state"] for f in found} == {"left over"}
    findings(clisc, root, "--repair", code=0)
    assert findings(clisc, root, code=0) == []


def test_a_case_whose_name_looks_like_a_leftover_is_kept(clisc, data, tmp_path):
    name = f"p0.{'a' * 32}.partial"
    (tmp_path / "m.csv").write_text(
        f"case,image\n{name},{data / 'images/p0_flair.nii.gz'}\n", encoding="utf-8"
    )
    made = clisc("init", tmp_path / "p", "--images", tmp_path / "m.csv", "--weights", "tiny")
    assert made.code == 0 and findings(clisc, tmp_path / "p", "--repair", code=0) == []
    assert open_project(tmp_path / "p").case(name).read("image").any()


def test_cases_restricts_what_is_read(clisc, root):
    flip(shard(root, "p1/cams/raw"))
    assert clisc("verify", root, "--cases", "p0,p2").code == 0
    assert clisc("verify", root, "--cases", "p1").code == 3
    shown = clisc("verify", root, "--cases", "nobody")
    assert shown.code == 3 and "nobody" in shown.err


def test_verify_changes_nothing_and_repair_only_what_it_names(clisc, root):
    flip(shard(root, "p1/cams/raw"))

    def files():
        return {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}

    before = files()
    clisc("verify", root)
    assert files() == before
    clisc("verify", root, "--repair")
    after = files()
    changed = {p for p in before.keys() | after.keys() if before.get(p) != after.get(p)}
    assert changed and all(p.is_relative_to(root / CASES / "p1/cams/raw") for p in changed)


def test_the_table_of_verify(clisc, root):
    shown = clisc("verify", root)
    assert shown.code == 0 and "arrays and 4 checkpoints read, all whole" in shown.out
    flip(shard(root, "p1/cams/raw"))
    shown = clisc("verify", root)
    assert "1 damaged or missing" in shown.out and f"damaged: {CASES}/p1/cams/raw: " in shown.out
    assert f"run `clisc cam {root}`" in shown.out and f"clisc verify {root} --repair" in shown.message
    assert "1 repaired" in clisc("verify", root, "--repair").out
    assert clisc("verify", root.parent / "nowhere").code == 4


@pytest.mark.parametrize("name", ["rows.csv", "evaluation.json", "similarities.json"])
@pytest.mark.parametrize("text", [None, "{"])
def test_a_table_that_is_lost_is_told_and_written_again(clisc, root, name, text):
    """A table of other content may be somebody's own work; JSON that is not whole is nobody's."""
    assert clisc("evaluate", root, "--device", "cpu").code == 0
    file = root / "results" / name
    before = file.read_text(encoding="utf-8")
    file.unlink()
    if text:
        file.write_text(text, encoding="utf-8")
    shown = clisc("verify", root)
    told = text is None if name == "rows.csv" else text is not None or name == "evaluation.json"
    assert shown.code == 0 and (f"to be made: results/{name}: it is" in shown.out) == told
    command = "self-train" if name == "similarities.json" else "evaluate"
    assert clisc(command, root, "--device", "cpu").code == 0
    if told:
        again = file.read_text(encoding="utf-8")
        assert json.loads(again) == json.loads(before) if name.endswith(".json") else again == before
        assert "to be made" not in clisc("verify", root).out


def test_a_folder_that_lost_its_settings_is_not_overwritten_by_init(clisc, root, data):
    (root / "clisc.toml").unlink()
    shown = clisc("init", root, "--images", data / "images", "--weights", "tiny")
    assert shown.code == 3 and "clisc.toml" in shown.message
    assert (root / CASES / "p0/masks/sam").is_dir()


@pytest.mark.parametrize("command", [("status",), ("verify",), ("train", "--dry-run"), ("config", "show")])
def test_a_project_that_lost_its_settings_is_told_by_every_command(clisc, root, command):
    (root / "clisc.toml").unlink()
    shown = clisc(*command, root)
    assert shown.code == 3 and "put that file back" in shown.message


@pytest.mark.parametrize("command", [("status",), ("verify",), ("train", "--dry-run"), ("config", "show")])
@pytest.mark.parametrize("kept", [0, 0.2, 0.4])
def test_settings_that_were_cut_are_not_taken_for_the_papers(clisc, root, command, kept):
    """A disk that ran full leaves an empty file, or one that ends with some line: TOML all the same."""
    file = root / "clisc.toml"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(lines[: round(kept * len(lines))]), encoding="utf-8")
    shown = clisc(*command, root)
    told = shown.message + shown.out
    assert shown.code == 3 and "it was emptied or cut" in told and "[baselines]" not in told
    assert ("lacks weights, seed, [image]" in told) == (kept == 0)


def test_a_table_of_settings_whose_name_alone_is_left_has_the_defaults(clisc, root):
    file = root / "clisc.toml"
    head, tail = file.read_text(encoding="utf-8").split("[training]\n")
    file.write_text(f"{head}[training]\n[baselines]{tail.split('[baselines]')[1]}", encoding="utf-8")
    assert clisc("config", "get", root, "training.save_every_minutes").out.strip() == "10.0"
