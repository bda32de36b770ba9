"""What `clisc status` says is what the stages then do."""

import pytest

from clisc_engine.project.case_changes import Change, apply
from clisc_engine.project.project import open_project
from clisc_engine.running.control import Control
from clisc_engine.settings.keys import with_changes
from clisc_engine.stages.evaluate import evaluate
from clisc_engine.upkeep.status import disk_use, items_of, next_stage, seals_of
from clisc_engine.upkeep.survey import survey
from tests.support.small import STAGES, run_stages, small_project


def states(project):
    return {status.stage: status.state for status in survey(project)}


def test_a_new_project_starts_with_label(data, tmp_path):
    found = survey(small_project(tmp_path / "p", data))
    assert next_stage(found) == "label"
    assert {status.state for status in found} == {"missing"}
    assert found[0].cases == (0, 5) and found[0].why == "labels/probability is missing"
    assert found[1].why == "labels/tumour of 3 cases are missing"


def test_without_a_train_case_only_labels_can_be_made(data, tmp_path):
    project = small_project(tmp_path / "p", data)
    apply(project, Change(move={case.info.name: "test" for case in project.cases()}))
    assert next_stage(survey(project)) == "label"
    run_stages(project, "label")
    found = survey(project)
    assert next_stage(found) == "" and {s.state for s in found if s.stage != "label"} == {"impossible"}
    assert "train split is empty" in found[1].why


def test_without_a_train_case_what_was_made_can_still_be_measured(copied):
    apply(copied, Change(move={case.info.name: "test" for case in copied.cases()}))
    found = {status.stage: status for status in survey(copied)}
    assert found["cam"].state == "impossible" and found["label"].state == "fresh"
    assert next_stage(survey(copied)) == "evaluate"


def test_a_finished_project_lacks_the_evaluation_alone(finished):
    found = states(finished)
    assert found.pop("evaluate") == "missing"
    assert set(found.values()) == {"fresh"}
    assert next_stage(survey(finished)) == "evaluate"


def test_an_evaluated_project_is_done_until_a_mask_changes(copied):
    evaluate(copied, Control(device="cpu"))
    assert next_stage(survey(copied)) == ""
    copied.store.remove("cases/p4/masks/round2")
    assert states(copied)["evaluate"] == "stale"


@pytest.mark.parametrize(
    "change",
    [
        {"label.vote_reach": 0},
        {"amda.t": 30.0},
        {"prompts.dilation": 1},
        {"s3f.p": 60.0},
        {"s3f.start": "scratch"},
        {"s3f.epochs": 1},
        {"unet.overlap": 0.1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_called_stale_is_what_the_stages_make_anew(copied, change):
    copied.settings = with_changes(copied.settings, change, "test")
    found = survey(copied)
    promised = {status.stage for status in found if status.stage in STAGES and status.state != "fresh"}
    assert promised, "the change matters"
    first = next(status for status in found if status.stage in promised)
    if change.keys() != {"s3f.p"}:
        assert next(iter(change)) in first.why
    reports = run_stages(copied)
    assert {name for name, report in reports.items() if report.done} == promised
    assert {state for stage, state in states(copied).items() if stage in STAGES} == {"fresh"}


def test_a_lost_array_makes_its_stage_partly_done_and_what_follows_stale(copied):
    copied.store.remove("cases/p1/cams/raw")
    found = {status.stage: status for status in survey(copied)}
    assert (found["label"].state, found["cam"].state, found["cam"].cases) == ("fresh", "partly", (4, 5))
    assert found["cam"].why == "cams/raw is missing"
    assert (found["amda"].state, found["amda"].why) == ("stale", "cams/raw of p1 is missing")
    assert found["self-train"].state == "stale"


def test_a_lost_test_case_array_leaves_the_trainings_fresh(copied):
    copied.store.remove("cases/p4/cams/amda")
    found = states(copied)
    assert found["amda"] == "partly" and found["prompt-sam"] == "stale"
    assert found["train"] == found["self-train"] == "fresh"


def test_a_training_that_was_stopped_says_how_far_it_came(copied):
    (copied.checkpoints / "unet-round2.safetensors").unlink()
    (copied.checkpoints / "unet-round2.training.pt").write_bytes(b"state")
    copied.settings = with_changes(copied.settings, {"s3f.epochs": 7}, "test")
    found = {status.stage: status for status in survey(copied)}
    assert found["self-train"].note == "unet-round2: stopped after epoch 2 of 7"


def test_a_finished_training_that_can_go_on_counts_as_finished(copied):
    assert (copied.checkpoints / "classifier-raw.training.pt").is_file()
    assert [status.note for status in survey(copied) if status.stage != "evaluate"] == [""] * len(STAGES)
    copied.settings = with_changes(copied.settings, {"classifier.epochs": 5}, "test")
    assert survey(copied)[1].note == "classifier-raw: stopped after epoch 2 of 5"


def test_an_evaluation_in_which_a_case_failed_is_to_be_done_again(copied):
    shards = [
        path for path in (copied.root / "store.zarr/cases/p2/reference/c").rglob("*") if path.is_file()
    ]
    whole = {shard: shard.read_bytes() for shard in shards}
    for shard, content in whole.items():
        shard.write_bytes(content[:-40])
    everywhere = ("train", "valid", "test")
    assert list(evaluate(copied, Control(device="cpu"), splits=everywhere)["failed"]) == ["p2"]
    status = survey(copied)[-1]
    assert status.state == "stale" and "p2" in status.why
    for shard, content in whole.items():
        shard.write_bytes(content)
    assert not evaluate(copied, Control(device="cpu"), splits=everywhere)["failed"]
    assert states(copied)["evaluate"] == "fresh"


def test_weights_that_are_not_here_block_their_stage_with_what_to_do(copied):
    copied.settings = with_changes(copied.settings, {"sam.model": "vit_b"}, "test")
    found = {status.stage: status for status in survey(copied)}
    assert "sam_vit_b_01ec64.pth" in found["prompt-sam"].note
    assert found["amda"].state == "fresh"


def test_a_case_is_listed_array_by_array_without_its_reference(finished):
    case = finished.case("p0")
    assert set(seals_of(finished, case)) == {
        *("image", "labels/probability", "labels/tumour", "cams/raw", "cams/amda"),
        *("masks/sam", "masks/round1", "masks/sam-round1"),
    }
    items = items_of(survey(finished), "p0")
    assert items["masks/round1"].state == "fresh" and items["masks/round1"].time


def test_disk_use_adds_up_to_the_files(finished):
    files = [path for path in finished.root.rglob("*") if path.is_file() and path.name != "clisc.toml"]
    assert sum(disk_use(finished).values()) == sum(path.stat().st_size for path in files)


def test_voxels_are_not_opened(copied):
    for shard in copied.store.root.rglob("c/*/*/*"):
        shard.write_bytes(b"")
    assert set(states(open_project(copied.root)).values()) == {"fresh", "missing"}
