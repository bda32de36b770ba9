"""Bad cases and trainings that cannot work: who is named, and who goes on."""

import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.models import segmenter
from clisc_engine.models.clip import ClipModel
from clisc_engine.models.sam import SamModel
from clisc_engine.models.unet import at_spacing
from clisc_engine.running.control import Control, Silent
from clisc_engine.settings.keys import with_changes
from clisc_engine.stages import cam
from clisc_engine.stages.amda import masked_copies
from tests.support.small import SPLITS, STAGES, contents, run_stages

TRAIN = sorted(name for name, split in SPLITS.items() if split == "train")


class RecordingProgress(Silent):
    def __init__(self):
        self.lines = []

    def say(self, message):
        self.lines.append(message)


def change(project, **changes):
    project.settings = with_changes(
        project.settings, {key.replace("__", "."): value for key, value in changes.items()}, "test"
    )


def overwrite(project, array, change_, cases=TRAIN, *, as_new=True):
    """Replace an array of some cases, as if its stage had made it so."""
    for name in cases:
        seal = project.case(name).seal(array)
        if as_new:
            seal = replace(seal, fingerprint="spoilt")
        data = project.store.read(f"cases/{name}/{array}")
        project.store.write(f"cases/{name}/{array}", change_(data), seal)


def damage(project, array, cases=TRAIN):
    for name in cases:
        folder = project.store.root / "cases" / name / array
        for shard in (path for path in (folder / "c").rglob("*") if path.is_file()):
            shard.write_bytes(shard.read_bytes()[:-40])


def refused(project, stage):
    with pytest.raises(BadInput) as error:
        run_stages(project, stage)
    assert error.value.exit_code == 3
    return str(error.value)


@pytest.mark.parametrize(("value", "lacking"), [(0, "a tumour"), (1, "normal tissue")])
@pytest.mark.parametrize("stage", ["cam", "amda"])
def test_slices_of_one_class_cannot_be_told_apart(copied, stage, value, lacking):
    overwrite(copied, "labels/tumour", lambda labels: np.full_like(labels, value))
    message = refused(copied, stage)
    assert lacking in message and "label.tumour_prompts" in message and "label.confidence" in message


@pytest.mark.parametrize(
    ("stage", "network", "array"),
    [("cam", "classifier-raw", "cams/raw"), ("amda", "classifier-amda", "cams/amda")],
)
def test_a_network_whose_output_is_not_finite_marks_nothing_empty(copied, stage, network, array):
    checkpoint = copied.checkpoint(network)
    spoilt = {key: value * torch.nan for key, value in checkpoint.tensors().items()}
    checkpoint.finish(spoilt, checkpoint.made_from(), keep_state=True)
    shutil.rmtree(copied.store.root / "cases" / "p0" / array)
    report = run_stages(copied, stage)[stage]
    assert "output is NaN or infinite" in report.failed["p0"] and copied.case("p0").seal(array) is None


@pytest.mark.parametrize(("stage", "array"), [("train", "masks/sam"), ("self-train", "masks/round1")])
def test_empty_pseudo_labels_are_nothing_to_learn(copied, stage, array):
    overwrite(copied, array, np.zeros_like, as_new=stage == "train")
    if stage == "self-train":
        change(copied, s3f__p=70.0)
    message = refused(copied, stage)
    assert array in message and "empty" in message and "roi.threshold" in message


def test_a_round_without_volumes_names_what_befell_them(copied):
    damage(copied, "image")
    for name in TRAIN:
        copied.store.remove(f"cases/{name}/masks/round1")
    message = refused(copied, "self-train")
    assert "No train volume is left for round 2: all 3 failed" in message and "s3f.p" in message
    assert ".." not in message
    assert "p0" in message and "damaged" in message


@pytest.mark.parametrize("stage", ["train", "cam"])
def test_less_data_than_a_batch_is_said(copied, stage):
    change(copied, unet__batch_size=8, classifier__batch_size=512)
    progress = RecordingProgress()
    run_stages(copied, stage, progress=progress)
    name = {"train": "unet", "cam": "classifier"}[stage]
    (line,) = [line for line in progress.lines if "batch_size" in line]
    assert f"{name}.batch_size is" in line and "only" in line


@pytest.mark.parametrize(
    ("channels", "patch"),
    [([2, 4, 4, 4, 4], [16, 16, 16]), ([2, 4, 4, 4, 4, 4], [48, 64, 64]), ([2] * 8, [128, 128, 128])],
)
def test_a_patch_that_does_not_fit_the_levels_is_refused(copied, channels, patch):
    change(copied, unet__channels=channels, unet__patch=patch, unet__spacing=[])
    message = refused(copied, "train")
    assert f"unet.patch {patch}" in message and f"multiples of {[2 ** (len(channels) - 1)] * 3}" in message


@pytest.mark.parametrize("change_", [{"cam__layers": ["layer2"]}, {"classifier__head": "mlp"}])
def test_cam_is_refused_before_a_training_where_it_cannot_map(copied, change_):
    change(copied, cam__method="cam", cam__layers=["layer4"], classifier__head="linear")
    run_stages(copied, "cam")
    assert copied.case("p0").read("cams/raw").any()
    change(copied, **change_)
    assert 'cam.layers = ["layer4"]' in refused(copied, "cam")


def test_batches_of_one_slice_are_learned_from(copied):
    change(copied, classifier__batch_size=1)
    run_stages(copied, "cam")
    first, *_ = (copied.logs / "classifier-raw.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert float(first.split(",")[1]) > 0
    change(copied, classifier__image_size=32)
    assert "classifier.batch_size = 1" in refused(copied, "cam"), "nothing to normalise one pixel by"
    change(copied, classifier__image_size=64)
    run_stages(copied, "cam")


def move(project, split, to):
    """Let the cases of a split belong to another."""
    for case in project.cases((split,)):
        record = asdict(replace(case.info, split=to))
        project.store.write_group(f"cases/{case.info.name}", {"case": record})


@pytest.mark.parametrize("stage", ["cam", "amda", "train"])
def test_an_empty_train_split_is_nothing_to_learn_from(copied, stage):
    move(copied, "train", "test")
    assert "train split is empty" in refused(copied, stage)


@pytest.mark.parametrize(
    ("stage", "setting"),
    [
        ("cam", "classifier.select"),
        ("amda", "classifier.select"),
        ("train", "unet.select"),
        ("self-train", "unet.select"),
    ],
)
def test_the_best_epoch_needs_a_valid_split(copied, stage, setting):
    move(copied, "valid", "test")
    change(copied, **{setting.replace(".", "__"): "best"})
    message = refused(copied, stage)
    assert "valid split, which is empty" in message and f"{setting}=last" in message


def test_the_best_epoch_needs_a_certain_valid_slice(copied):
    overwrite(copied, "labels/tumour", lambda labels: np.full_like(labels, 255), cases=["p3"])
    change(copied, classifier__select="best")
    assert "classifier.select=last" in refused(copied, "cam")


def poison(image):
    image = image.copy()
    image[3, 20, 20] = np.nan
    return image


def test_a_case_that_is_no_number_fails_alone_and_is_made_alone(copied):
    healthy = copied.case("p1").read("image")
    overwrite(copied, "image", poison, cases=["p1"])
    report = run_stages(copied, "label", force=True)["label"]
    assert list(report.failed) == ["p1"] and "NaN" in report.failed["p1"]
    assert report.done == ["p0", "p2", "p3", "p4"]
    overwrite(copied, "image", lambda _: healthy, cases=["p1"])
    before = contents(copied)
    again = run_stages(copied, "label", cases=("p1",), force=True)["label"]
    assert again.done == ["p1"] and not again.failed
    assert contents(copied).keys() == before.keys()


@pytest.mark.parametrize("stage", ["cam", "train"])
def test_a_training_names_the_case_that_is_no_number(copied, stage):
    overwrite(copied, "image", poison, cases=["p1"])
    message = refused(copied, stage)
    assert "image of case p1 holds NaN" in message and "p1_flair" in message


@pytest.mark.parametrize(
    ("stage", "array", "command"),
    [
        ("cam", "labels/tumour", "clisc label"),
        ("amda", "cams/raw", "clisc cam"),
        ("train", "masks/sam", "clisc prompt-sam"),
    ],
)
def test_a_training_does_not_begin_without_one_of_its_cases(copied, stage, array, command):
    copied.store.remove(f"cases/p1/{array}")
    before = {path: path.read_bytes() for path in copied.checkpoints.iterdir()}
    with pytest.raises(MissingStage) as error:
        run_stages(copied, stage)
    assert f"1 of the 3 train cases lack {array}: p1." in str(error.value) and command in str(error.value)
    assert {path: path.read_bytes() for path in copied.checkpoints.iterdir()} == before
    shutil.rmtree(copied.store.root / "cases" / "p1")  # as the message advises
    assert not run_stages(copied, stage, dry_run=True)[stage].failed


@pytest.mark.parametrize(
    ("stage", "setting", "array"),
    [("cam", "classifier__select", "labels/tumour"), ("train", "unet__select", "masks/sam")],
)
def test_the_best_epoch_is_chosen_on_every_valid_case(copied, stage, setting, array):
    record = asdict(replace(copied.case("p4").info, split="valid"))
    copied.store.write_group("cases/p4", {"case": record})
    copied.store.remove(f"cases/p4/{array}")
    run_stages(copied, stage, dry_run=True)  # the last epoch needs no valid case
    change(copied, **{setting: "best"})
    with pytest.raises(MissingStage, match=f"1 of the 2 valid cases lack {array}: p4"):
        run_stages(copied, stage)


@pytest.mark.parametrize("stage", ["cam", "amda"])
def test_maps_that_mark_nothing_are_told(copied, monkeypatch, stage):
    """A classifier that learned from too little sees no tumour anywhere."""
    monkeypatch.setattr(cam, "slice_maps", lambda module, slices, *_: np.zeros(slices.shape, np.float32))
    told = RecordingProgress()
    STAGES[stage](copied, Control(device="cpu", force=True, cases=("p0", "p4"), progress=told))
    line = next(line for line in told.lines if "mark nothing" in line)
    assert line.startswith(f"{stage}: of 2 cases the maps of 2 mark nothing") and "p0, p4" in line
    assert "from 3 train cases" in line and f"`clisc cases move {copied.root} CASE train`" in line


def test_maps_that_mark_something_are_not_told(copied):
    told = RecordingProgress()
    STAGES["cam"](copied, Control(device="cpu", force=True, progress=told))
    assert not any("mark nothing" in line for line in told.lines)


def test_answers_that_are_no_numbers_are_not_stored(copied, monkeypatch):
    found = ClipModel.probabilities
    monkeypatch.setattr(ClipModel, "probabilities", lambda *a: found(*a) * np.float32("nan"))
    report = run_stages(copied, "label", force=True, cases=("p2",))["label"]
    assert "labels/probability of case p2 holds NaN" in report.failed["p2"]


def test_memory_that_runs_out_on_one_case_leaves_the_others(copied, monkeypatch):
    def seen(case):
        return at_spacing(case.read("image"), case.info.spacing, copied.settings.unet.spacing).shape

    shape = seen(copied.case("p1"))
    found = segmenter.predict_volume

    def predict(network, image, *arguments, **options):
        if image.shape == shape:
            raise MemoryError("cannot allocate")
        return found(network, image, *arguments, **options)

    monkeypatch.setattr(segmenter, "predict_volume", predict)
    alike = [case.info.name for case in copied.cases(("train",)) if seen(case) == shape]
    report = STAGES["self-train"](copied, Control(device="cpu", force=True))
    assert sorted(report.failed) == sorted(alike) and report.done == ["unet-round2"]


ROOM = 3


def cramped(function, measure):
    """The function on an accelerator that holds only three units at once."""

    def call(*arguments, **options):
        if measure(*arguments, **options) > ROOM:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return function(*arguments, **options)

    return call


@pytest.mark.parametrize(
    ("stage", "owner", "name", "measure"),
    [
        ("label", ClipModel, "probabilities", lambda _self, slices, _text: len(slices)),
        ("prompt-sam", SamModel, "decode", lambda _self, _images, prompts, *_rest: len(prompts)),
    ],
)
def test_a_cramped_accelerator_gets_smaller_batches(copied, monkeypatch, stage, owner, name, measure):
    before = contents(copied)
    monkeypatch.setattr(owner, name, cramped(getattr(owner, name), measure))
    progress = RecordingProgress()
    report = run_stages(copied, stage, force=True, progress=progress)[stage]
    assert not report.failed and sorted(report.done) == sorted(SPLITS)
    sizes = [line for line in progress.lines if line.startswith("Out of memory")]
    assert len(sizes) == len(set(sizes)) > 0, "each size is said once, not once a case"
    after = contents(copied)
    changed = [key for key in before if np.mean(~np.isclose(before[key], after[key], atol=1e-3)) > 1e-3]
    assert changed == []


@pytest.mark.parametrize("t", [10.0, 0.0])
def test_copies_that_amda_cannot_mask_are_counted(copied, t):
    """A tumour slice with an empty map loses nothing; by amda.t = 0 none is to lose anything."""
    empty = ["p0", "p2"]
    overwrite(copied, "cams/raw", np.zeros_like, cases=empty)
    change(copied, amda__t=t)
    tumours = {}
    for name in TRAIN:
        case = copied.case(name)
        brain = (case.read("image") != 0).any(axis=(1, 2))
        tumours[name] = int(((case.read("labels/tumour") == 1) & brain).sum())
    bare, total = sum(tumours[name] for name in empty), sum(tumours.values())
    assert 0 < bare < total
    heard = RecordingProgress()
    copies = masked_copies(copied, copied.cases(("train",)), Control(device="cpu", progress=heard))
    assert len(copies.labels) >= total
    said = f"amda: {bare} of {total} tumour slices have no map to mask by; their copies are not masked"
    assert heard.lines == ([said] if t else [])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, False),
        ({"label.vote_reach": 4}, True),
        ({"label.vote_reach": 4, "label.vote_quorum": 7}, False),
        ({"label.vote_quorum": 10}, True),
        ({"label.vote_reach": 0}, False),
    ],
)
def test_a_vote_that_can_never_hold_is_told(copied, changes, told):
    """And it does not: the labels are those without a vote."""
    before = copied.settings

    def labelled(changes):
        copied.settings = with_changes(before, {"label.smoothing": 0.0, **changes}, "test")
        said = RecordingProgress()
        run_stages(copied, "label", progress=said, force=True)
        labels = [case.read("labels/tumour").tolist() for case in copied.cases()]
        return labels, any("no vote of neighbours holds" in line for line in said.lines)

    labels, said = labelled(changes)
    assert said == told
    if told:
        assert labels == labelled({**changes, "label.vote_reach": 0})[0]
