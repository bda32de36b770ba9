"""A variant's settings and results become the project's, whole or not at all, whenever it is killed."""

import os
import shutil
import sys

import numpy as np
import pytest
import torch

from clisc_engine.errors import BadInput
from clisc_engine.project import promotion, variants
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.project.project import open_project
from tests.support.handmade import declared_project, seal

EVENTS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"}
"""What changes a folder; a file that is only begun lies beside its place."""
MADE = ("masks/sam", "masks/round1")


@pytest.fixture
def project(tmp_path):
    """A project by hand with a variant ``v`` that has masks, a network and results of its own."""
    made = declared_project(tmp_path / "p", ("image", *MADE), ("unet-round1", "classifier-raw"))
    filled(made, "old")
    variant = variants.check_new(made, "v", {"prompts.kind": "box"})
    variants.keep(variant, variants.Record(changes={"prompts.kind": "box"}))
    for case in (variant.case("a"), variant.case("t")):
        case.write("masks/sam", np.ones((3, 4, 4), np.uint8), seal(f"new sam of {case.info.name}"))
    case.write("masks/sam-box", np.ones((3, 4, 4), np.uint8), seal("new"))
    network = Checkpoint(variant.checkpoints, "unet-round1")
    network.finish({"weight": torch.ones(1)}, {"trained": "anew"}, keep_state=False)
    filled(variant, "new")
    return made


def filled(project, word):
    """Results, logs and a journal that say which they are."""
    for folder in (project.results / "history", project.logs):
        folder.mkdir(parents=True, exist_ok=True)
    (project.results / "s3f.csv").write_text(word, encoding="utf-8")
    (project.results / "history" / f"{word}.json").write_text(word, encoding="utf-8")
    (project.logs / "unet-round1.csv").write_text(word, encoding="utf-8")
    (project.logs / "runs.jsonl").write_text(f'"{word}"\n', encoding="utf-8")
    project.store.write_group("metrics/evaluation", {"evaluation": word})
    (project.results / "evaluation.json").write_text(word, encoding="utf-8")
    if word == "old":
        (project.results / "without_tumour.csv").write_text(word, encoding="utf-8")


def state(root):
    """All that can be told of a project and its variants, by what it holds."""
    found = {}
    for folder in (root, *sorted((root / "variants").glob("[!.]*"))):
        name = folder.name if folder != root else ""
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            part = any(piece.startswith(".") and piece.endswith(".partial") for piece in inside.parts)
            if path.is_file() and not part and inside.parts[0] != "variants":
                found[name, inside.as_posix()] = path.read_bytes()
    return {key: value for key, value in found.items() if key[1].split("/")[-1] != "zarr.json"} | {
        (name, path): "" for name, path in found if path.endswith("zarr.json") and "/masks/" in path
    }


def test_all_moves_and_the_former_is_kept(project):
    todo = promotion.plan(project, "v")
    promotion.promote(project, todo)
    again = open_project(project.root)
    assert again.settings.prompts.kind == "box" and variants.variant_names(again) == ["before-v"]
    former = variants.open_variant(again, "before-v")
    assert former.settings.prompts.kind == "both"
    assert not again.case("b").read("masks/sam").any()
    for name in "at":
        assert again.case(name).read("masks/sam").all() and not former.case(name).read("masks/sam").any()
        assert again.case(name).seal("masks/round1") == former.case(name).seal("masks/round1")
    assert again.checkpoint("unet-round1").made_from() == {"trained": "anew"}
    assert former.checkpoint("unet-round1").made_from() == {"trained": "unet-round1"}
    assert former.checkpoint("classifier-raw").holder.folder == again.checkpoints
    assert (again.results / "s3f.csv").read_text(encoding="utf-8") == "new"
    assert not (again.results / "without_tumour.csv").exists()
    assert (former.results / "without_tumour.csv").read_text(encoding="utf-8") == "old"
    assert again.store.own_attributes("metrics/evaluation") == {"evaluation": "new"}
    assert former.store.own_attributes("metrics/evaluation") == {"evaluation": "old"}
    assert (again.logs / "runs.jsonl").read_text(encoding="utf-8") == '"old"\n"new"\n'
    assert sorted(path.name for path in (again.results / "history").iterdir()) == ["new.json", "old.json"]
    assert not (project.root / promotion.FILE).exists()


def test_another_promotion_is_the_way_back(project):
    before = state(project.root)
    promotion.promote(project, promotion.plan(project, "v"))
    back = promotion.plan(project, "before-v")
    promotion.promote(project, back)
    after = state(project.root)
    masks = {key: value for key, value in before.items() if key[0] == "" and "/masks/" in key[1]}
    assert {key: after[key] for key in masks} == masks
    assert project.settings.prompts.kind == "both"
    for path in ("results/s3f.csv", "results/without_tumour.csv", "checkpoints/unet-round1.safetensors"):
        assert after["", path] == before["", path]


def test_what_lay_over_it_lies_over_the_project_then(project):
    above = variants.lay_over(variants.open_variant(project, "v"), "above", {"seed": 3})
    variants.keep(above, variants.Record(changes={"seed": 3}, over="v"))
    with pytest.raises(BadInput, match="promote that one first"):
        promotion.plan(project, "above")
    promotion.promote(project, promotion.plan(project, "v"))
    found = variants.open_variant(open_project(project.root), "above")
    assert found.settings.prompts.kind == "box" and found.parent.root == project.root


def test_discard_lets_go_of_what_was_there(project):
    promotion.promote(project, promotion.plan(project, "v", discard=True))
    assert variants.variant_names(project) == []
    assert project.case("a").read("masks/sam").all()


def killed_at(number, root, discard):
    """Promote in a process of its own that ends right before a disk operation; the count of all if none."""
    pid = os.fork()
    if pid == 0:
        count = 0

        def hear(event, details):
            nonlocal count
            if event in EVENTS and any(str(root) in str(detail) for detail in details[:2]):
                count += 1
                if count == number:
                    os._exit(0)

        project = open_project(root)
        todo = promotion.plan(project, "v", discard=discard)
        sys.addaudithook(hear)
        promotion.promote(project, todo)
        os._exit(count)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


@pytest.mark.parametrize("discard", [False, True])
def test_a_kill_at_any_point_loses_nothing(project, tmp_path, discard, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # a kill ends a process, not the machine
    whole, root = tmp_path / "whole" / "p", tmp_path / "struck" / "p"
    shutil.copytree(project.root, whole)
    total = killed_at(0, whole, discard)
    wanted, started, seen = state(whole), state(project.root), set()
    assert 30 < total < 200
    first = total - 15 if discard else 1  # until then it is the same
    for number in range(first, total + 1):
        shutil.copytree(project.root, root)
        assert killed_at(number, root, discard) == 0
        begun = promotion.settle(open_project(root))
        assert state(root) == wanted if begun else state(root) in (started, wanted), number
        seen.add(begun)
        shutil.rmtree(root.parent)
    assert True in seen
