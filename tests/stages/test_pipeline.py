"""What each stage makes, and when it makes it anew."""

import csv
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from segment_anything import SamPredictor
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from clisc_engine.core.border import by_brightness
from clisc_engine.core.labelling import UNCERTAIN
from clisc_engine.core.overlap import dice
from clisc_engine.core.prompts import roi_prompts
from clisc_engine.core.seeds import case_seed
from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.models.sam import load_sam
from clisc_engine.models.unet import build_unet
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.running.control import Control
from clisc_engine.settings.keys import with_changes
from clisc_engine.stages.classifier.slices import windowed
from clisc_engine.stages.evaluate import evaluate
from clisc_engine.stages.prompting.regions import region_of_interest
from tests.support.small import SPLITS, STAGES, run_stages, small_project


def test_arrays_have_the_image_s_grid_and_their_ranges(finished):
    for case in finished.cases():
        image = case.read("image")
        assert case.read("labels/probability").shape == image.shape[:1]
        assert set(np.unique(case.read("labels/tumour"))) <= {0, 1, 255}
        for name in ("cams/raw", "cams/amda"):
            assert case.read(name).shape == image.shape and case.read(name).dtype == np.uint8
        mask = case.read("masks/sam")
        assert mask.shape == image.shape and set(np.unique(mask)) <= {0, 1}
        assert not mask[image == 0].any(), "pseudo-labels lie inside the brain"


def test_maps_are_zero_where_clip_saw_no_tumour(finished):
    seen = 0
    for case in finished.cases():
        normal = case.read("labels/tumour") == 0
        for name in ("cams/raw", "cams/amda"):
            assert not case.read(name)[normal].any()
            seen += int(case.read(name)[~normal].any())
    assert seen, "some tumour slice has a map"


def test_uncertain_slices_get_a_map_only_where_the_setting_says_so(copied):
    case = copied.case("p4")
    labels = case.read("labels/tumour")
    labels[labels == 1] = 255
    case.write("labels/tumour", labels, case.seal("labels/tumour"))
    shown = {}
    for slices in ("tumour", "tumour-or-uncertain"):
        copied.settings = with_changes(copied.settings, {"cam.slices": slices}, "test")
        run_stages(copied, "cam", cases=("p4",))
        shown[slices] = copied.case("p4").read("cams/raw")
    assert not shown["tumour"].any() and shown["tumour-or-uncertain"].any()
    reports = run_stages(copied, "cam", dry_run=True, cases=("p4",))
    assert not reports["cam"].planned, "a project of 0.1.0 has no such key, and stays fresh"


def test_pseudo_labels_are_upstreams_answers_to_the_maps_prompts(finished):
    settings = finished.settings
    predictor = SamPredictor(load_sam("tiny", "", torch.device("cpu")).network)
    case = finished.case("p4")
    image = case.read("image")
    roi = region_of_interest(case.read("cams/amda"), image != 0, case.info.spacing, settings.roi)
    slices, stored = windowed(image, settings.window), case.read("masks/sam")
    expected = np.zeros(roi.shape, bool)
    for z in np.flatnonzero(roi.any(axis=(1, 2))):
        rng = np.random.default_rng([case_seed(settings.seed, case.info.name), z])
        (prompt,) = roi_prompts(
            roi[z],
            slices[z],
            kind=settings.prompts.kind,
            foreground=settings.prompts.foreground,
            dilation=settings.prompts.dilation,
            rng=rng,
        )
        last = slices.shape[2] - 1
        left, top, right, bottom = prompt.box
        asked = [
            (slices[z], prompt.points, (left, top, right, bottom)),
            (
                slices[z][:, ::-1],
                [[last - x, y] for x, y in prompt.points],
                (last - right, top, last - left, bottom),
            ),
        ]
        logits = []
        for shown, points, box in asked:
            predictor.set_image(np.repeat(shown[..., None], 3, axis=2))
            found, _, _ = predictor.predict(
                np.array(points),
                prompt.point_labels,
                np.array(box),
                multimask_output=False,
                return_logits=True,
            )
            logits.append(found[0])
        expected[z] = (logits[0] + logits[1][:, ::-1] > 0) & (image[z] != 0)
    marked = by_brightness(expected, image, case.info.spacing, settings.sam.border)
    assert expected.any() and dice(marked, stored) > 0.99 > dice(expected, stored)


def test_only_train_volumes_get_a_similarity_and_the_worst_is_dropped(finished):
    rows = list(csv.DictReader((finished.results / "s3f.csv").open(encoding="utf-8")))
    assert {row["case"] for row in rows} == {name for name, split in SPLITS.items() if split == "train"}
    scores = [float(row["similarity"]) for row in rows]
    assert scores == sorted(scores)
    # Of three scores only the lowest lies under their 20th percentile.
    assert [row["kept"] for row in rows] == ["0", "1", "1"]


def test_a_higher_p_drops_more_and_trains_anew(copied):
    changes = {"s3f.p": 70.0}
    copied.change_settings(with_changes(copied.settings, changes, "test"), changes)
    report = run_stages(copied, "self-train")["self-train"]
    rows = list(csv.DictReader((copied.results / "s3f.csv").open(encoding="utf-8")))
    assert [row["kept"] for row in rows] == ["0", "0", "1"]
    assert report.done == ["unet-round2"]


def test_a_finished_pipeline_has_nothing_to_do(finished):
    for name, report in run_stages(finished).items():
        assert not report.done and not report.planned and not report.failed, name
        assert report.fresh


def test_a_changed_setting_makes_stale_what_it_determines_and_says_why(copied):
    changes = {"amda.t": 7.0}
    copied.change_settings(with_changes(copied.settings, changes, "test"), changes)
    plans = run_stages(copied, dry_run=True)
    assert not plans["label"].planned and not plans["cam"].planned
    assert all("amda.t" in reason for reason in plans["amda"].planned.values())
    assert set(plans["amda"].planned) >= set(SPLITS)


def test_force_remakes_the_same_arrays(copied):
    before = {case.info.name: case.read("labels/tumour") for case in copied.cases()}
    report = run_stages(copied, "label", force=True)["label"]
    assert sorted(report.done) == sorted(SPLITS)
    for case in copied.cases():
        assert np.array_equal(case.read("labels/tumour"), before[case.info.name])


def steps_of(project, stage, changes):
    """How many steps a stage's training takes after these settings were changed."""
    project.change_settings(with_changes(project.settings, changes, "test"), changes)
    taken = []
    hook = register_optimizer_step_post_hook(lambda *_: taken.append(1))
    run_stages(project, stage)
    hook.remove()
    return len(taken)


def test_amda_s_epoch_is_twice_as_long_since_every_slice_has_its_copy(copied):
    changes = {"classifier.slices_per_epoch": 16, "classifier.batch_size": 8, "classifier.epochs": 3}
    steps = {stage: steps_of(copied, stage, changes) for stage in ("cam", "amda")}
    assert steps == {"cam": 3 * 16 // 8, "amda": 3 * 2 * 16 // 8}


@pytest.mark.parametrize(("passes", "wanted"), [(0.0, 16), (1.0, 14), (0.25, 8), (5.0, 16)])
def test_all_epochs_together_pass_over_the_slices_so_often_at_most(copied, passes, wanted):
    """Of 40 to 42 slices in 3 epochs 14 each make a pass; never fewer than a batch, nor too many."""
    slices = sum(int((c.read("labels/tumour") != UNCERTAIN).sum()) for c in copied.cases(("train",)))
    assert 40 <= slices <= 42
    changes = {"slices_per_epoch": 16, "batch_size": 8, "epochs": 3, "passes": passes}
    changes = {f"classifier.{key}": value for key, value in changes.items()}
    steps = {stage: steps_of(copied, stage, changes) for stage in ("cam", "amda")}
    assert steps == {"cam": 3 * math.ceil(wanted / 8), "amda": 3 * math.ceil(2 * wanted / 8)}


@pytest.mark.parametrize(("passes", "epochs"), [(0.0, 1), (1.0, 4)])
def test_a_finished_classifier_goes_on_to_more_epochs_unless_each_then_takes_fewer(copied, passes, epochs):
    settings = {"classifier.passes": passes, "classifier.batch_size": 32}
    assert steps_of(copied, "cam", {**settings, "classifier.epochs": 3})
    assert steps_of(copied, "cam", {**settings, "classifier.epochs": 4}) == epochs


@pytest.mark.parametrize(("start", "epochs"), [("round1", 3), ("scratch", 2)])
def test_round_2_goes_on_from_round_1_or_starts_anew_as_round_1_did(copied, start, epochs):
    changes = {"s3f.start": start, "s3f.epochs": 3, "s3f.learning_rate": 0.0005}
    copied.change_settings(with_changes(copied.settings, changes, "test"), changes)
    first, rates = [], []

    def look(optimiser, *_):
        group = optimiser.param_groups[0]
        first.extend(weight.detach().clone() for weight in group["params"] if not rates)
        rates.append(group["initial_lr"])

    hook = register_optimizer_step_pre_hook(look)
    run_stages(copied, "self-train", force=True)
    hook.remove()
    patches = sum(split == "train" for split in SPLITS.values()) - 1  # one volume is dropped
    assert len(rates) == epochs * -(-patches // copied.settings.unet.batch_size)
    round1 = Checkpoint(copied.checkpoints, "unet-round1").tensors()
    names = dict(build_unet(copied.settings.unet.channels, copied.settings.unet.spacing).named_parameters())
    same = all(torch.equal(ours, round1[name]) for ours, name in zip(first, names, strict=True))
    assert same == (start == "round1")
    assert set(rates) == {0.0005 if start == "round1" else copied.settings.unet.learning_rate}


def test_cases_restricts_the_work(copied):
    report = run_stages(copied, "label", force=True, cases=("p1",))["label"]
    assert report.done == ["p1"]
    with pytest.raises(BadInput, match="No case nobody"):
        run_stages(copied, "label", cases=("nobody",))


@pytest.mark.parametrize(
    ("stage", "before"),
    [
        ("cam", "label"),
        ("amda", "cam"),
        ("prompt-sam", "amda"),
        ("train", "prompt-sam"),
        ("self-train", "train"),
    ],
)
def test_a_stage_names_the_one_that_is_missing(tmp_path, data, stage, before):
    project = small_project(tmp_path / "project", data)
    with pytest.raises(MissingStage, match=f"clisc {before}") as error:
        STAGES[stage](project, Control(device="cpu"))
    assert error.value.exit_code == 4


def test_a_damaged_case_fails_alone(copied):
    shard = next(p for p in (copied.store.root / "cases/p1/image/c").rglob("*") if p.is_file())
    damaged = bytearray(shard.read_bytes())
    damaged[len(damaged) // 3] ^= 0xFF
    shard.write_bytes(bytes(damaged))
    report = run_stages(copied, "label", force=True)["label"]
    assert set(report.failed) == {"p1"} and "p1" in report.failed["p1"]
    assert sorted(report.done) == ["p0", "p2", "p3", "p4"]


def test_precision_and_batch_size_are_no_part_of_the_method(finished):
    control = replace(Control(device="cpu"), precision="bf16", batch_size=3)
    assert not STAGES["label"](finished, control).planned


def test_a_finished_pipeline_is_known_to_be_so_without_any_voxel(copied):
    control = Control(device="cpu")
    measured = evaluate(copied, control)
    for data in sorted((copied.root / "store.zarr" / "cases").rglob("c")):
        shutil.rmtree(data)
    for name, report in run_stages(copied).items():
        assert report.fresh and not (report.done or report.planned or report.failed), name
    assert evaluate(copied, control) == measured


@pytest.mark.parametrize("border", [0.0, 4.0])
def test_sam_s_answer_leaves_the_brain_where_a_setting_lets_it(copied, border):
    """But where brightness moves the masks' borders, which it does within the brain alone."""
    before, masks = copied.settings, {}
    for inside in (True, False):
        changes = {"sam.border": border, "sam.inside_brain": inside, "prompts.dilation": 20}
        copied.settings = with_changes(before, changes, "test")
        assert run_stages(copied, "prompt-sam")["prompt-sam"].done
        masks[inside] = [case.read("masks/sam") for case in copied.cases()]
    brains = [case.read("image") != 0 for case in copied.cases()]
    beyond = sum(int(mask[~brain].sum()) for mask, brain in zip(masks[False], brains, strict=True))
    assert (beyond > 0) == (border == 0)
    for inside, whole, brain in zip(masks[True], masks[False], brains, strict=True):
        assert np.array_equal(inside, whole * brain)
