"""The one declaration of what is made from what, and what follows from it."""

import json
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer

from clisc_cli.registry import whole_app
from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.products import graph
from clisc_engine.products.kinds import EVALUATION, RAW_MAPS
from clisc_engine.products.page import with_tables
from clisc_engine.products.rivals import METHODS
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.project.fingerprint import difference, fingerprint
from clisc_engine.running.control import Control
from clisc_engine.running.spec import made_from
from clisc_engine.stages import recipes
from clisc_engine.stages.cam import cam
from clisc_engine.upkeep.survey import survey
from clisc_engine.upkeep.verify import verify
from tests.support.command import caller
from tests.support.handmade import VARIANTS, declared_project, seal
from tests.support.old_weights import count_as_those_of_0_1_0

ROOT = Path(__file__).parents[2]
RECORDED = json.loads(Path(__file__).with_name("made_from_0_1_0.json").read_text(encoding="utf-8"))
"""What the products of `declared_project` were made from in clisc 0.1.0, recorded by running it."""

BY = {
    "image": "verify --repair",
    "reference": "verify --repair",
    "labels/probability": "label",
    "labels/tumour": "label",
    "cams/raw": "cam",
    "cams/amda": "amda",
    "masks/sam": "prompt-sam",
    "masks/round1": "self-train",
    "masks/sam-round1": "self-train",
    "masks/round2": "evaluate --splits train",
    "masks/sam-points": "evaluate --ablation --splits train",
    "masks/sam-box": "evaluate --ablation --splits train",
    "masks/without-s3f": "evaluate --ablation --splits train",
    "masks/baseline-otsu": "baseline otsu --splits train",
    "masks/baseline-phantoms-only": "baseline phantoms-only --splits train",
    **{
        f"{group}{row}": f"baseline {row.removesuffix('-stage1')} --splits train"
        for row in ("amcons", "gradcamcons", "if3d", "sim2real-stage1", "sim2real")
        for group in ("baselines/", "masks/baseline-")
    },
    "masks/baseline-salip": "baseline salip --splits train",
    "masks/baseline-sam-reference": "baseline sam-reference --splits train",
    "masks/baseline-supervised": "baseline supervised --splits train",
}
"""The command that makes each array of a train case again."""

TRAINED_BY = {
    "classifier-raw": "cam",
    "classifier-amda": "amda",
    "unet-round1": "train",
    "unet-round2": "self-train",
    "unet-without-s3f": "evaluate --ablation",
    "baseline-supervised": "baseline supervised",
    "baseline-amcons": "baseline amcons",
    "baseline-gradcamcons": "baseline gradcamcons",
    "baseline-if3d": "baseline if3d",
    "baseline-sim2real-stage1": "baseline sim2real",
    "baseline-sim2real": "baseline sim2real",
}


@pytest.fixture
def clisc(monkeypatch, capsys):
    return caller(monkeypatch, capsys)


@pytest.fixture
def project(tmp_path):
    return declared_project(tmp_path / "p", graph.ARRAYS, graph.NETWORKS)


@pytest.mark.parametrize("variant", VARIANTS)
def test_everything_is_made_from_what_0_1_0_made_it_from(tmp_path, variant, monkeypatch):
    count_as_those_of_0_1_0(monkeypatch)
    project = declared_project(tmp_path / "p", graph.ARRAYS, graph.NETWORKS, variant)
    for name, recorded in RECORDED[variant].items():
        if name in graph.ARRAYS:
            array = graph.ARRAYS[graph.ARRAYS[name].along_with or name]
            trained = Checkpoint(project.checkpoints, array.network).fingerprint() if array.network else ""
            recipe = recipes.array(project.settings, array.name, trained=trained)
            assert made_from(recipe, project.case("a")) == recorded, name
        elif name in graph.NETWORKS:
            kept = [case for case in project.cases() if name != "unet-round2" or case.info.name != "a"]
            assert recipes.network(project, name, kept) == recorded, name
        else:
            test = project.cases(("test",))
            now = recipes.evaluation_provenance(project, test, recipes.present_rows(test))
            assert now == recorded | graph.revisions(EVALUATION)  # what was mended since is told
    later = {name for name, command in graph.MADE_BY.items() if command.startswith("baseline")}
    made = (graph.ARRAYS.keys() | graph.NETWORKS.keys() | {EVALUATION}) - {"image", "reference"}
    assert RECORDED[variant].keys() == made - later


def test_each_product_is_declared_after_what_it_is_made_from_and_rests_on_an_image():
    before = set()
    for name in graph.PRODUCTS:
        assert set(graph.needs(name)) <= before, name
        before.add(name)
        assert name in graph.IMPORTED or "image" in graph.ancestors(name)
        assert name not in graph.ancestors(name)


def test_each_product_has_a_command_that_there_is():
    commands = typer.main.get_command(whole_app()).commands
    assert graph.MADE_BY.keys() == graph.PRODUCTS.keys()
    for command in graph.MADE_BY.values():
        name, *further = command.split()
        options = {option for one in commands[name].params for option in one.opts}
        assert set(further) <= options | {*METHODS} if name == "baseline" else set(further) <= options
    with pytest.raises(KeyError):
        graph.command_for("masks/unheard-of")


def test_the_graph_is_read_without_anything_heavy():
    code = (
        "import sys, clisc_engine.products.graph; print({'numpy', 'pydantic', 'torch'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert shown.stdout.strip() == "set()"


def test_the_tables_of_the_page_are_current():
    page = (ROOT / "docs" / "store.md").read_text(encoding="utf-8")
    assert page == with_tables(page)
    for name in graph.PRODUCTS:
        assert f"\n| `{name}` |" in page


def test_verify_names_the_command_that_makes_each_damaged_array_again(project):
    # Every array counts as damaged here, since the fingerprints are made up.
    found = {finding.path: finding for finding in verify(project.root, Control()).faults}
    for array, command in BY.items():
        remedy = found[f"store.zarr/cases/a/{array}"].remedy
        assert f"`{pasted(project.root, command)}`" in remedy, array
    assert BY.keys() == graph.ARRAYS.keys()


def pasted(root, command):
    """The command as it is to be typed anywhere."""
    name, dashes, options = command.partition(" --")
    return f"clisc {name} {shlex.quote(str(root))}{dashes}{options}"


@pytest.mark.parametrize("network", TRAINED_BY)
def test_a_network_that_is_missing_or_damaged_names_the_command_that_trains_it(project, network):
    assert TRAINED_BY.keys() == graph.NETWORKS.keys()
    checkpoint = Checkpoint(project.checkpoints, network)
    checkpoint.weights.write_bytes(b"spoilt")
    with pytest.raises(BadInput, match=re.escape(pasted(project.root, TRAINED_BY[network]))):
        checkpoint.fingerprint()
    (found,) = (f for f in verify(project.root, Control()).faults if f.what == "weights")
    assert f"`{pasted(project.root, TRAINED_BY[network])}`" in found.remedy
    checkpoint.weights.unlink()
    with pytest.raises(MissingStage, match=re.escape(pasted(project.root, TRAINED_BY[network]))):
        checkpoint.fingerprint()


def test_weights_that_no_step_trains_get_no_command(project):
    (project.checkpoints / "mine.safetensors").write_bytes(b"spoilt")
    (found,) = (f for f in verify(project.root, Control()).faults if f.what == "weights")
    assert "`clisc" not in found.remedy and "copy" in found.remedy


@pytest.mark.parametrize(
    ("missing", "arguments", "command"),
    [
        ("labels/tumour", ["cam"], "label"),
        ("cams/raw", ["amda"], "cam"),
        ("cams/amda", ["prompt-sam"], "amda"),
        ("masks/sam", ["train"], "prompt-sam"),
        ("masks/sam", ["export", "masks", "--masks", "sam"], "prompt-sam"),
        ("masks/sam-round1", ["export", "masks", "--masks", "sam-round1"], "self-train"),
        ("masks/sam-points", ["export", "masks", "--masks", "sam-points"], "evaluate --ablation"),
        ("masks/sam-box", ["export", "masks", "--masks", "sam-box"], "evaluate --ablation"),
        ("masks/without-s3f", ["export", "masks", "--masks", "without-s3f"], "evaluate --ablation"),
        ("unet-round1", ["export", "masks", "--masks", "round1"], "train"),
        ("unet-round2", ["export", "masks", "--masks", "round2"], "self-train"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[-1],
)
def test_a_command_names_the_one_that_makes_what_it_lacks(clisc, tmp_path, missing, arguments, command):
    root = tmp_path / "p"
    networks = graph.NETWORKS.keys() - {missing}
    declared_project(root, graph.ARRAYS.keys() - {missing}, networks)
    name, *options = arguments
    inner, options = ([options[0]], options[1:]) if name == "export" else ([], options)
    out = ["--out", tmp_path / "out"] if name == "export" else []
    shown = clisc(name, *inner, root, *options, *out)
    assert shown.code == 4, shown.err
    assert f"run `{pasted(root, command)}`" in shown.message


@pytest.mark.parametrize(
    ("array", "case", "command"),
    [
        ("masks/round2", "t", "evaluate"),
        ("masks/round2", "v", "evaluate --splits valid"),
        ("masks/round1", "t", "evaluate"),
        ("masks/round1", "a", "self-train"),
        ("masks/sam-box", "t", "evaluate --ablation"),
        ("masks/without-s3f", "b", "evaluate --ablation --splits train"),
        ("masks/sam", "t", "prompt-sam"),
        ("cams/raw", "t", "cam"),
    ],
)
def test_evaluate_names_the_command_that_makes_the_mask_a_case_lacks(clisc, tmp_path, array, case, command):
    project = declared_project(tmp_path / "p", graph.ARRAYS, ())
    for one in project.cases():
        reference = np.zeros((3, 4, 4), np.uint8)
        reference[1, 1:3, 1:3] = 1
        image = np.ones((3, 4, 4), np.float16)
        one.write("image", image, seal(f"image of {one.info.name}"))
        one.write("reference", reference, seal(f"reference of {one.info.name}"))
    project.store.remove(f"cases/{case}/{array}")
    shown = clisc("evaluate", project.root, "--splits", "train,valid,test", "--json", "--quiet")
    assert json.loads(shown.out)["failed"].keys() == {case}
    lacking = f"{array} yet; run `{pasted(project.root, command)}` first"
    assert lacking in json.loads(shown.out)["failed"][case]


def mend(monkeypatch, name, *faults):
    """As if these faults had been mended in the algorithm that makes a product."""
    product = replace(graph.PRODUCTS[name], mended=faults)
    for table in (graph.PRODUCTS, graph.ARRAYS, graph.NETWORKS, graph.TABLES):
        if name in table:
            monkeypatch.setitem(table, name, product)


FAULT = "left out the last slice"
SAID = "{} was made by an earlier revision of {} that left out the last slice"


def not_fresh(project):
    return {item.product: item.why for status in survey(project) for item in status.items if item.why}


@pytest.mark.parametrize("name", ["labels/tumour", "cams/raw", "classifier-amda", "unet-round2"])
def test_a_mended_fault_makes_stale_what_rests_on_it_and_nothing_else(finished, monkeypatch, name):
    everything = {item.product for status in survey(finished) for item in status.items}
    before = not_fresh(finished)
    mend(monkeypatch, name, FAULT)
    found = not_fresh(finished)
    resting = {one for one in everything if name == one or name in graph.ancestors(one)}
    assert found.keys() - before.keys() == resting - before.keys()
    assert found[name] == SAID.format(name, graph.MADE_BY[name])


def test_a_dry_run_and_verify_tell_of_the_mended_fault(finished, clisc, monkeypatch):
    mend(monkeypatch, RAW_MAPS, FAULT)
    said = SAID.format(RAW_MAPS, "cam")
    shown = clisc("cam", finished.root, "--dry-run")
    assert shown.code == 0 and f"p0, p1, p2, p3, p4: {said}" in " ".join(shown.out.split())
    shown = clisc("verify", finished.root, "--json")
    assert shown.code == 0
    found = json.loads(shown.out)["findings"]
    assert {f["path"] for f in found} == {f"store.zarr/cases/p{n}/cams/raw" for n in range(5)}
    assert {(f["state"], f["problem"]) for f in found} == {("to be made", said)}
    assert all(f"`{pasted(finished.root, 'cam')}`" in f["remedy"] for f in found)


def test_what_is_made_after_the_fault_was_mended_is_fresh_and_says_its_revision(copied, monkeypatch):
    mend(monkeypatch, RAW_MAPS, FAULT, "turned it round")
    assert sorted(cam(copied, Control(device="cpu")).done) == ["p0", "p1", "p2", "p3", "p4"]
    assert RAW_MAPS not in not_fresh(copied)
    provenance = copied.case("p0").seal(RAW_MAPS).made_from
    assert provenance["revision of cams/raw"] == "3"
    mend(monkeypatch, RAW_MAPS, FAULT)
    assert not_fresh(copied)[RAW_MAPS] == "cams/raw was made by a later revision of clisc"


def test_only_the_faults_mended_since_are_told(monkeypatch):
    mend(monkeypatch, RAW_MAPS, "lost a slice", "lost two", "lost three")
    said = "cams/raw was made by an earlier revision of cam that "
    now = graph.revisions(RAW_MAPS)
    assert difference({}, now) == f"{said}lost a slice and lost two and lost three"
    assert difference({"revision of cams/raw": "3"}, now) == f"{said}lost three"
    assert graph.outdated(RAW_MAPS, {"revision of cams/raw": "2"}) == f"{said}lost two and lost three"
    assert graph.outdated(RAW_MAPS, now) == ""


def test_an_evaluation_by_an_earlier_revision_is_told_from_one_of_other_masks(project, monkeypatch):
    cases = project.cases(("test",))
    rows = recipes.present_rows(cases)
    mend(monkeypatch, EVALUATION)
    before = fingerprint(recipes.evaluation_provenance(project, cases, rows))
    mend(monkeypatch, EVALUATION, "measured one slice only", "measured two slices only")
    now = recipes.evaluation_provenance(project, cases, rows)
    said = "results/evaluation.json was made by an earlier revision of evaluate that measured "
    assert recipes.why_not_measured(before, now) == f"{said}one slice only and measured two slices only"
    assert recipes.why_not_measured("00", now) == "masks, references, names or roi changed"
    assert recipes.why_not_measured(fingerprint(now), now) == ""
