"""Whatever stage is killed, at whatever moment: the next call ends where nobody had disturbed it."""

import json
import random
import shutil
from collections import Counter
from dataclasses import dataclass, field

import pytest

from clisc_engine.project.lock import LOCK
from clisc_engine.project.project import STAGING, open_project
from tests.support.killing import ALL_STAGES
from tests.support.small import CHANGES, SPLITS

SIGNALS = ("SIGTERM", "SIGUSR1", "SIGINT", "SIGHUP")


@pytest.mark.parametrize("stage", ALL_STAGES)
def test_a_killed_stage_goes_on(undisturbed, tmp_path, stage):
    draw = random.Random(f"fast {stage}")
    root = tmp_path / "project"
    undisturbed.start(stage, root)
    at = draw.randrange(1, undisturbed.operations[stage] + 1)
    assert undisturbed.run(stage, root, at=at, signal="SIGKILL").code == -9
    again = undisturbed.run(stage, root)
    assert again.code == 0, again.output
    assert undisturbed.differing(stage, root) == []


@pytest.mark.parametrize(("stage", "name"), [("train", "SIGTERM"), ("cam", "SIGUSR1"), ("label", "SIGINT")])
def test_a_stage_asked_to_stop_ends_with_75_and_goes_on(undisturbed, tmp_path, stage, name):
    root = tmp_path / "project"
    undisturbed.start(stage, root)
    stopped = undisturbed.run(stage, root, at=undisturbed.operations[stage] // 3, signal=name)
    assert stopped.code == 75 and "Run the same command again" in " ".join(stopped.output.split())
    again = undisturbed.run(stage, root)
    assert again.code == 0 and "Took over" not in again.output
    assert undisturbed.differing(stage, root) == []


@pytest.mark.parametrize("before_its_end", range(0, 12, 3))
def test_ctrl_c_twice_at_the_end_of_a_stage_gives_its_lock_back(undisturbed, tmp_path, before_its_end):
    root = tmp_path / "project"
    undisturbed.start("label", root)
    at = undisturbed.operations["label"] - before_its_end
    stopped = undisturbed.run("label", root, at=at, signal="SIGINT", times=2)
    assert stopped.code in (0, 75) and "Traceback" not in stopped.output
    assert not list(root.glob(f"{LOCK}*"))
    again = undisturbed.run("label", root)
    assert again.code == 0 and "Took over" not in again.output
    assert undisturbed.differing("label", root) == []


@pytest.mark.parametrize(("stage", "array"), [("label", "labels/tumour"), ("prompt-sam", "masks/sam")])
def test_what_was_finished_is_not_done_again(undisturbed, tmp_path, stage, array):
    root = tmp_path / "project"
    undisturbed.start(stage, root)
    undisturbed.run(stage, root, at=2 * undisturbed.operations[stage] // 3, signal="SIGKILL")
    finished = {case.info.name for case in open_project(root).cases() if case.seal(array)}
    assert 0 < len(finished) < len(SPLITS)
    again = json.loads(undisturbed.run(stage, root, options=["--json", "--quiet"]).output)
    assert set(again["fresh"]) == finished and set(again["done"]) == set(SPLITS) - finished


@pytest.mark.parametrize("before_its_end", range(0, 12, 2))
def test_an_import_killed_at_its_end_leaves_no_litter(undisturbed, tmp_path, before_its_end):
    root = tmp_path / "project"
    at = undisturbed.operations["init"] - before_its_end
    assert undisturbed.run("init", root, at=at, signal="SIGKILL").code == -9
    if (root / "clisc.toml").exists():  # the project is in place, so any command may come next
        shutil.copytree(root, tmp_path / "other")
        assert undisturbed.run("label", tmp_path / "other").code == 0
        assert not (tmp_path / "other" / STAGING).exists()
    again = undisturbed.run("init", root)
    assert again.code == 0, again.output
    assert undisturbed.differing("init", root) == []
    assert sorted(path.name for path in root.iterdir()) == ["clisc.toml", "store.zarr"]


def test_an_import_goes_on_with_what_it_had_and_forgets_cases_no_longer_wanted(undisturbed, tmp_path):
    root = tmp_path / "project"
    assert (
        undisturbed.run("init", root, at=undisturbed.operations["init"] - 20, signal="SIGKILL").code == -9
    )
    others = tmp_path / "data"
    shutil.copytree(undisturbed.data, others)
    for path in (others / "images/p4_flair.nii.gz", others / "references/p4_seg.nii.gz"):
        path.rename(path.with_name(path.name.replace("p4", "q4")))
    split = others / "split.csv"
    split.write_text(split.read_text(encoding="utf-8").replace("p4", "q4"), encoding="utf-8")
    again = undisturbed.run("init", root, data=others)
    assert again.code == 0, again.output
    assert [case.info.name for case in open_project(root).cases()] == ["p0", "p1", "p2", "p3", "q4"]


def test_a_case_is_renamed_by_the_same_command(undisturbed, tmp_path):
    root = tmp_path / "project"

    def rename(**moment):
        return undisturbed.launcher.run("cases", "rename", root, "p1", "q1", folder=root, **moment)

    undisturbed.start("label", root)
    operations = rename().operations
    begun = 0
    for at in range(operations // 4, operations, operations // 10):
        undisturbed.start("label", root)
        assert rename(at=at, signal="SIGKILL").code == -9
        if (root / "case-change.json").exists():
            begun += 1
            again = rename()
            assert again.code == 0 and "p1: renamed to q1" in again.output, (at, again.output)
            done = rename()  # as after a kill once all was done
            assert done.code == 0 and "p1: renamed to q1 already" in done.output, (at, done.output)
        names = [case.info.name for case in open_project(root).cases()]
        assert sorted(names) in (["p0", "p1", "p2", "p3", "p4"], ["p0", "p2", "p3", "p4", "q1"])
    assert begun > 1


def test_a_case_half_removed_is_neither_lost_nor_damaged(undisturbed, tmp_path):
    root = tmp_path / "project"

    def call(*words, **moment):
        return undisturbed.launcher.run(*words, folder=root, **moment)

    undisturbed.start("label", root)
    operations = call("cases", "remove", root, "p1").operations
    half = 0
    for at in range(operations - 16, operations - 4):
        undisturbed.start("label", root)
        assert call("cases", "remove", root, "p1", at=at, signal="SIGKILL").code == -9
        if any((root / "store.zarr/cases").glob(".p1.*")):
            half += 1
            verified, listed = call("verify", root), call("cases", "list", root)
            assert verified.code == 0 and "left over: store.zarr/cases/.p1." in verified.output
            assert "4 cases: 2 train, 1 valid, 1 test\n" in listed.output
            again = call("cases", "remove", root, "p1")
            assert again.code == 0 and not list(root.rglob("*.partial")), again.output
    assert half > 1


def test_trainings_are_killed_within_their_epochs_too(undisturbed):
    """The moments above are disk operations; trainings have some for every step, as they should here."""
    assert undisturbed.operations["train"] > 5 * CHANGES["unet.epochs"]


@dataclass
class Tally:
    """What the soak did to one stage."""

    kills: Counter = field(default_factory=Counter)
    resumes: int = 0
    ended_before: int = 0
    slowest_stop: float = 0.0
    differing: list = field(default_factory=list)
    wrong: list = field(default_factory=list)


def moments(draw, operations, seconds):
    """Where to strike in each attempt on a stage: most by SIGKILL, some of them again while going on."""
    for _ in range(8):
        yield [{"at": draw.randrange(1, operations + 1), "signal": "SIGKILL"}]
    for _ in range(2):
        yield [{"at": draw.randrange(1, operations + 1), "signal": "SIGKILL"} for _ in range(3)]
    for _ in range(3):
        yield [{"after": draw.uniform(0.02, 1.0) * seconds}]
    for name in SIGNALS:
        yield [{"at": draw.randrange(1, operations + 1), "signal": name}]


@pytest.mark.soak
def test_soak(undisturbed, tmp_path, capsys):
    tallies = {stage: Tally() for stage in ALL_STAGES}
    for stage, tally in tallies.items():
        draw = random.Random(f"soak {stage}")
        for strikes in moments(draw, undisturbed.operations[stage], undisturbed.seconds[stage]):
            attempt(undisturbed, tmp_path / "project", stage, strikes, tally)
    with capsys.disabled():
        print(report(undisturbed, tallies))
    assert [line for tally in tallies.values() for line in tally.wrong] == []
    assert [name for tally in tallies.values() for name in tally.differing] == []
    assert sum(sum(tally.kills.values()) for tally in tallies.values()) >= 60


def attempt(undisturbed, root, stage, strikes, tally):
    undisturbed.start(stage, root)
    for strike in strikes:
        name = strike.get("signal", "SIGKILL (timer)")
        struck = undisturbed.run(stage, root, **strike)
        expected = 75 if name in SIGNALS else -9 if "at" in strike else -14
        if struck.code == 0:
            tally.ended_before += 1
        elif struck.code == expected:
            tally.kills[name] += 1
        else:
            tally.wrong.append(f"{stage} {strike}: {struck.code} {struck.output}")
        if name in SIGNALS:
            tally.slowest_stop = max(tally.slowest_stop, struck.seconds)
    again = undisturbed.run(stage, root)
    tally.resumes += len(strikes)
    if again.code:
        tally.wrong.append(f"{stage} after {strikes}: {again.code} {again.output}")
    else:
        tally.differing += [f"{stage} after {strikes}: {n}" for n in undisturbed.differing(stage, root)]


def report(undisturbed, tallies):
    names = ("SIGKILL", "SIGKILL (timer)", *SIGNALS)
    head = ["stage", "operations", *names, "ended before", "resumes", "arrays", "differing", "slowest stop"]
    rows = [
        [
            *(stage, undisturbed.operations[stage], *(tally.kills[name] for name in names)),
            *(tally.ended_before, tally.resumes, len(undisturbed.contents[stage]), len(tally.differing)),
            f"{tally.slowest_stop:.1f} s",
        ]
        for stage, tally in tallies.items()
    ]
    sums = [sum(row[i] for row in rows) for i in range(1, len(head) - 1)]
    rows.append(["all", *sums, ""])
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in (head, ["---"] * len(head), *rows)]
    return "\n" + "\n".join(lines)
