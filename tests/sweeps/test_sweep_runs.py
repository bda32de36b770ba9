"""A sweep gives what projects of their own would, makes nothing twice, and goes on where it was stopped."""

import json
import shutil

import pytest

from clisc_engine.errors import MissingStage, Stopped
from clisc_engine.project.project import open_project
from clisc_engine.project.variants import open_variant, variant_names
from clisc_engine.running.control import Control
from clisc_engine.stages.evaluate import evaluate
from tests.support.small import StopsAfter, contents, differing, run_stages, stamps
from tests.support.sweeping import digests, made_in


def test_a_value_gives_what_a_project_with_it_would(swept, copied):
    project, outcome = swept
    copied.change_settings(copied.settings.model_copy(deep=True), {"amda.t": 0.0})
    alone = open_project(copied.root)
    run_stages(alone)
    document = evaluate(alone, Control(device="cpu"))
    points = {point["values"]["amda.t"]: point for point in outcome.result["points"]}
    [row] = [row for row in document["rows"] if row["name"] == "full"]
    summary = row.keys() - {"name", "paper_row", "state", "why", "fingerprint"}
    assert {key: points[0.0][key] for key in summary} == {key: row[key] for key in summary}
    variant = open_variant(project, "amda.t=0")
    mine, theirs = contents(variant), contents(alone)
    assert "cases/p4/masks/round2" in mine
    assert differing(mine, {name: theirs[name] for name in mine}) == []


def test_only_what_depends_on_the_value_is_made(swept):
    project, _ = swept
    assert variant_names(project) == ["amda.t=0"]
    made = made_in(project.root / "variants" / "amda.t=0")
    assert made == {
        *("classifier-amda", "cams/amda", "masks/sam", "unet-round1"),
        *("masks/round1", "masks/sam-round1", "unet-round2", "masks/round2"),
    }
    assert not list((project.root / "variants").glob("*/store.zarr/cases/p3"))  # no training reads valid


def test_the_project_is_left_as_it_is(finished, swept):
    project, _ = swept
    before, after = digests(finished), digests(project)
    made = {name for name in after if name not in before}
    assert {name for name in before if before[name] != after.get(name)} == set()
    assert all("masks/round2" in name or name.startswith("logs/runs.jsonl") for name in made), made


def test_a_second_call_makes_and_measures_nothing(swept, sweep):
    project, first = swept
    before = stamps(project), digests(project, skip=())
    again = sweep(project, "amda.t=0,20")
    assert (again.made, again.measured) == ({}, [])
    assert again.result == first.result
    assert (stamps(project), digests(project, skip=())) == before


def test_the_tables_hold_every_case_and_the_means(swept):
    project, outcome = swept
    folder = project.root / "sweeps" / "amda.t@full"
    lines = (folder / "table.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("amda.t,n,empty,dsc_mean,dsc_std,hd95_mean")
    assert [line.split(",")[0] for line in lines[1:]] == ["0.0", "20.0"]
    cases = (folder / "cases.csv").read_text(encoding="utf-8").splitlines()
    assert len(cases) == 1 + 2 and cases[1].split(",")[2] == "p4"
    assert json.loads((folder / "result.json").read_text(encoding="utf-8")) == outcome.result


@pytest.mark.parametrize("units", [1, 3, 8])
def test_a_stopped_sweep_goes_on_to_the_same_bits(swept, copied, sweep, units):
    stopper = StopsAfter(units)
    with pytest.raises(Stopped):
        sweep(copied, "amda.t=0,20", control=Control(device="cpu", progress=stopper, stop=stopper.flag))
    finished_before = stamps(copied)
    outcome = sweep(copied, "amda.t=0,20")
    project, uninterrupted = swept
    ours, theirs = open_variant(copied, "amda.t=0"), open_variant(project, "amda.t=0")
    assert differing(contents(ours), contents(theirs)) == []
    assert [p["dsc_mean"] for p in outcome.result["points"]] == [
        p["dsc_mean"] for p in uninterrupted.result["points"]
    ]
    kept = {path for path, stamp in finished_before.items() if stamps(copied).get(path) == stamp}
    assert kept == finished_before.keys()


def back_to_round1(project):
    """Take away all that `self-train` made."""
    for case in project.cases():
        for array in ("masks/round1", "masks/sam-round1", "masks/round2"):
            project.store.remove(f"cases/{case.info.name}/{array}")
    for path in project.checkpoints.glob("unet-round2.*"):
        path.unlink()
    shutil.rmtree(project.results)


def test_what_p_does_not_change_is_made_once_in_the_project(copied, sweep):
    project = copied
    back_to_round1(project)
    outcome = sweep(project, "s3f.p=0,50")
    assert set(outcome.made) == {"project", "s3f.p=0", "s3f.p=50"}
    assert {"masks/round1", "masks/sam-round1"} <= made_in(project.root)
    assert not project.checkpoint("unet-round2").weights.exists()
    assert (project.root / "results" / "similarities.json").is_file()
    for name in ("s3f.p=0", "s3f.p=50"):
        folder = project.root / "variants" / name
        assert made_in(folder) == {"unet-round2", "masks/round2"}
        assert not (folder / "results" / "similarities.json").exists()
    rows = (folder / "results" / "s3f.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert [row.rsplit(",", 1)[1] for row in rows].count("0") == 1  # half of three volumes, rounded down


def test_seeds_share_what_the_value_does_not_change(copied, sweep):
    outcome = sweep(copied, "amda.t=0,20", row="cam-amda", seeds=2)
    assert variant_names(copied) == ["amda.t=0", "seed=1", "seed=1+amda.t=0"]
    variants = copied.root / "variants"
    assert made_in(variants / "seed=1") == {"classifier-raw", "cams/raw", "classifier-amda", "cams/amda"}
    assert made_in(variants / "seed=1+amda.t=0") == {"classifier-amda", "cams/amda"}
    for point in outcome.result["points"]:
        assert [one["seed"] for one in point["seeds"]] == [0, 1]
        assert point["n"] == 2
        means = [one["dsc_mean"] for one in point["seeds"]]
        assert point["dsc_mean"] == pytest.approx(sum(means) / 2)
        assert point["dsc_std_of_seeds"] == pytest.approx(abs(means[0] - means[1]) / 2)


def test_every_combination_of_two_settings_is_a_point(copied, sweep):
    outcome = sweep(copied, "prompts.dilation=3,6", "amda.t=0,20", row="sam")
    assert [list(point["values"].values()) for point in outcome.result["points"]] == [
        [3, 0.0], [3, 20.0], [6, 0.0], [6, 20.0],
    ]  # fmt: skip
    assert variant_names(copied) == ["amda.t=0", "amda.t=0+prompts.dilation=6", "prompts.dilation=6"]
    assert made_in(copied.root / "variants" / "amda.t=0+prompts.dilation=6") == {"masks/sam"}


@pytest.mark.parametrize(
    ("row", "word", "made"),
    [
        ("sam-box", "prompts.dilation=3,6", {"masks/sam-box"}),
        ("without-self-training", "unet.overlap=0.25,0.5", {"masks/round1"}),
        ("cam-raw", "roi.opening=true,false", set()),
        ("cam-raw", "cam.method=layercam,gradcam", {"cams/raw"}),
        ("otsu", "window.high=99,99.9", {"masks/baseline-otsu"}),
    ],
)
def test_every_kind_of_row_is_made_as_far_as_it_depends(copied, sweep, row, word, made):
    outcome = sweep(copied, word, row=row)
    assert [point["n"] for point in outcome.result["points"]] == [1, 1]
    [name] = variant_names(copied)
    assert made_in(copied.root / "variants" / name) == made
    assert sweep(copied, word, row=row).made == {}


def test_a_value_that_cannot_be_made_does_not_stop_the_others(copied, sweep):
    outcome = sweep(copied, "label.confidence=1,0.5", row="cam-raw")
    assert list(outcome.failed) == outcome.waiting == ["label.confidence=1"]
    assert [point["values"]["label.confidence"] for point in outcome.result["points"]] == [0.5]


def test_tasks_of_an_array_write_their_own_variant_alone(copied, sweep):
    run = {"row": "cam-amda"}
    shutil.rmtree(copied.store.root / "cases" / "p0" / "cams" / "raw")
    with pytest.raises(MissingStage, match=r"clisc sweep .* --prepare"):
        sweep(copied, "amda.t=0,20", **run, only=0)
    assert not (copied.root / "variants").exists()
    prepared = sweep(copied, "amda.t=0,20", **run, prepare=True)
    assert (list(prepared.made), prepared.measured) == (["project"], [])
    before = digests(copied)
    tasks = [sweep(copied, "amda.t=0,20", **run, only=index) for index in (1, 0)]
    assert [task.result is None for task in tasks] == [True, False]
    assert digests(copied) == before
    whole = sweep(copied, "amda.t=0,20", **run)
    assert (whole.made, whole.measured) == ({}, [])
    assert [point["values"]["amda.t"] for point in whole.result["points"]] == [0, 20]


def test_a_dry_run_tells_what_is_made_and_shared_and_writes_nothing(copied, sweep):
    before = stamps(copied), digests(copied, skip=())
    outcome = sweep(copied, "amda.t=0,20", row="cam-amda", control=Control(device="cpu", dry_run=True))
    assert set(outcome.made) == {"amda.t=0"}
    assert outcome.made["amda.t=0"].keys() == {"classifier-amda", "cams/amda"}
    assert outcome.made["amda.t=0"]["cams/amda"].keys() == {"p4"}
    assert outcome.shared["amda.t=0"] == ["cams/raw", "classifier-raw", "image", "labels/tumour"]
    assert outcome.measured == ["amda.t=0", "amda.t=20"]
    assert (stamps(copied), digests(copied, skip=())) == before
