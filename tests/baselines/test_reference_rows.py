"""The floor and the two rows that read references by design."""

import json
from dataclasses import replace

import numpy as np
import pytest

from clisc_engine.baselines.methods import run_baseline
from clisc_engine.products.rivals import OTSU_MASKS, SAM_REFERENCE_MASKS, SUPERVISED, SUPERVISED_MASKS
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.project.fingerprint import fingerprint
from clisc_engine.project.project import open_project
from clisc_engine.project.store import Seal
from clisc_engine.running.control import Control
from clisc_engine.settings.file import write_changes
from clisc_engine.settings.keys import with_changes
from clisc_engine.stages.prompt_sam import prompt_sam
from clisc_engine.upkeep.survey import survey
from tests.support.command import caller
from tests.support.rivals import QUICK
from tests.support.small import contents, differing, run_stages, small_project

CPU = Control(device="cpu")


@pytest.fixture
def clisc(monkeypatch, capsys):
    return caller(monkeypatch, capsys)


def write_mask(project, name, array, mask, seal="by hand"):
    project.case(name).write(array, mask, Seal.now("test", seal, {}))


def write_reference(project, name, mask):
    """Replace a case's reference by a mask on the stored image's grid, as 0.1.0 kept it."""
    project.store.write(f"cases/{name}/reference", mask, Seal.now("init", fingerprint({"of": name}), {}))


def test_the_floor_marks_the_brighter_class_of_each_brain(copied):
    report = run_baseline("otsu", copied, CPU, ("test",))
    assert report.done == ["p4"]
    case = copied.case("p4")
    image, mask = case.read("image").astype(float), case.read(OTSU_MASKS) != 0
    brain = image != 0
    assert mask.any() and not mask[~brain].any()
    assert image[mask].min() >= np.quantile(image[brain & ~mask], 0.99)
    values = np.sort(image[brain])
    between = [  # Otsu's criterion at each cut, by its definition
        n * (len(values) - n) * (values[:n].mean() - values[n:].mean()) ** 2
        for n in range(1, len(values), max(1, len(values) // 400))
    ]
    best = max(between)
    n = int((brain & ~mask).sum())
    found = n * (len(values) - n) * (values[:n].mean() - values[n:].mean()) ** 2
    assert found > 0.9 * best, "the window's clipping shifts the cut by little"


def test_a_network_that_cannot_be_is_refused_by_every_training(clisc, copied):
    """One that starts from the bundled network has that one's channels and grid."""
    write_changes(copied.root / "clisc.toml", {"unet.start": "bundled", "unet.channels": [8, 16]})
    before = contents(copied)
    for command in (("train",), ("baseline", "supervised")):
        told = clisc(*command, copied.root)
        assert told.code == 3 and "unet.start=scratch" in told.message, command
    assert differing(before, contents(copied)) == []


def test_sam_reference_is_prompt_sam_with_maps_that_are_the_reference(copied):
    run_baseline("sam-reference", copied, CPU, ("test",))
    answer = copied.case("p4").read(SAM_REFERENCE_MASKS)
    reference = copied.references.read_cropped(copied.case("p4").info)
    assert answer.any() and not answer[~reference.any(axis=(1, 2))].any(), "other slices stay empty"
    changes = {"roi.threshold": 0.5, "roi.opening": False, "roi.keep_fraction": 0.0, "prompts.dilation": 0}
    copied.settings = with_changes(copied.settings, changes, "test")
    write_mask(copied, "p4", "cams/amda", reference * np.uint8(255))
    prompt_sam(copied, CPU, ("test",))
    assert np.array_equal(copied.case("p4").read("masks/sam"), answer)


def test_sam_reference_leaves_a_slice_of_empty_reference_empty(copied):
    reference = copied.references.read_cropped(copied.case("p4").info)
    middle = int(np.argmax(reference.sum(axis=(1, 2))))
    reference[middle] = 0
    write_reference(copied, "p4", reference)
    run_baseline("sam-reference", copied, CPU, ("test",))
    assert not copied.case("p4").read(SAM_REFERENCE_MASKS)[middle].any()


def test_supervised_by_references_that_are_sams_masks_is_the_network_of_train(copied):
    for case in copied.cases(("train",)):
        write_reference(copied, case.info.name, case.read("masks/sam"))
    run_baseline("supervised", copied, CPU, ("test",))
    trained = Checkpoint(copied.checkpoints, SUPERVISED).tensors()
    round1 = Checkpoint(copied.checkpoints, "unet-round1").tensors()
    assert trained.keys() == round1.keys()
    assert all(np.array_equal(trained[key].numpy(), round1[key].numpy()) for key in trained)
    assert copied.case("p4").read(SUPERVISED_MASKS).shape == copied.case("p4").read("image").shape


def test_a_train_case_without_reference_is_left_out_and_named(data, tmp_path, clisc):
    project = small_project(tmp_path / "p", data)
    info = project.case("p0").info
    project.change_record(replace(info, has_reference=False))
    project.store.remove("cases/p0/reference")
    told = clisc("baseline", "supervised", project.root)
    assert told.code == 0
    assert "1 of 3 train cases have no reference and are left out: p0" in told.message
    assert "train/p0/reference" not in (Checkpoint(project.checkpoints, SUPERVISED).made_from() or {})


def test_they_change_nothing_else_and_a_second_call_does_nothing(copied, clisc):
    before = contents(copied, skip=())
    first = json.loads(clisc("baseline", "supervised", copied.root, "--json").out)
    assert first["done"] == [SUPERVISED, "p4"]
    for name in ("otsu", "sam-reference", "supervised"):
        run_baseline(name, copied, CPU, ("test",))
    after = contents(copied, skip=())
    assert all(name.startswith(SUPERVISED) or "baseline" in name for name in differing(before, after))
    for name in ("otsu", "sam-reference", "supervised"):
        told = clisc("baseline", name, copied.root)
        assert told.code == 0 and "nothing to do" in told.out
    assert differing(after, contents(copied, skip=())) == []


def test_a_dry_run_plans_and_writes_nothing(copied, clisc):
    before = contents(copied, skip=())
    for name, planned in (("otsu", "1 to do"), ("sam-reference", "1 to do"), ("supervised", "1 to do")):
        told = clisc("baseline", name, copied.root, "--dry-run")
        assert told.code == 0 and planned in told.out, name
    assert differing(before, contents(copied, skip=())) == []


def test_status_tells_of_those_that_were_run_and_why_they_are_stale(copied, clisc):
    assert not [status for status in survey(copied) if status.stage.startswith("baseline")]
    for name in ("otsu", "sam-reference", "supervised"):
        run_baseline(name, copied, CPU, ("test",))
    states = {status.stage: status.state for status in survey(copied)}
    assert {states[f"baseline {name}"] for name in ("otsu", "sam-reference", "supervised")} == {"fresh"}
    told = clisc("config", "set", copied.root, "unet.epochs=3", "window.high=99.0")
    assert told.code == 0
    project = open_project(copied.root)
    why = {status.stage: status.why for status in survey(project)}
    assert "window.high" in why["baseline otsu"] and "window.high" in why["baseline sam-reference"]
    assert "unet.epochs" in why["baseline supervised"]


@pytest.mark.parametrize("name", ["sam-reference", "supervised"])
def test_without_references_both_refuse_and_say_how_to_add_them(data, tmp_path, clisc, name):
    project = small_project(tmp_path / "p", data, references=False)
    before = contents(project)
    told = clisc("baseline", name, project.root)
    assert told.code == 3 and "--references" in told.message and name in told.message
    assert differing(before, contents(project)) == []


def test_all_leaves_out_what_needs_references_and_does_the_others(data, tmp_path, clisc):
    project = small_project(tmp_path / "p", data, references=False, changes=QUICK)
    run_stages(project, "label")
    told = clisc("baseline", "all", project.root)
    assert "baseline supervised: skipped" in told.message and "baseline otsu: 1 done" in told.out


def test_an_unknown_method_is_seen_on_the_command_line(tmp_path, clisc):
    told = clisc("baseline", "salipp", tmp_path)
    assert told.code == 2 and "sam-reference" in told.message


def test_export_writes_the_masks_of_a_rival(copied, clisc, tmp_path):
    run_baseline("otsu", copied, CPU, ("test",))
    told = clisc("export", "masks", copied.root, "--masks", "baseline-otsu", "-o", tmp_path / "out")
    assert told.code == 0 and [path.name for path in (tmp_path / "out").glob("*.nii.gz")] == [
        "p4_baseline-otsu.nii.gz"
    ]
