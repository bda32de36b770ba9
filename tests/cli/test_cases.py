"""`clisc cases` and `clisc clean`: projects that grow, shrink and are put in order."""

import json
import shutil

import numpy as np
import pytest

from clisc_engine.errors import DiskFault
from clisc_engine.project import case_changes, pending_change
from clisc_engine.project.project import open_project
from tests.support.small import contents, differing, stamps
from tests.support.volumes import ball, write

CPU = ("--device", "cpu", "--quiet")


def as_json(clisc, *arguments, code=0):
    shown = clisc(*arguments, "--json")
    assert shown.code == code, shown.err
    return json.loads(shown.out)


def states(clisc, root):
    return {one["stage"]: one["state"] for one in as_json(clisc, "status", root)["stages"]}


def names(clisc, root):
    return {one["name"]: one["split"] for one in as_json(clisc, "cases", "list", root)["cases"]}


def test_the_list_tells_split_size_source_volume_and_score(clisc, copied):
    assert clisc("evaluate", copied.root, *CPU).code == 0
    listed = {one["name"]: one for one in as_json(clisc, "cases", "list", copied.root)["cases"]}
    assert {name: one["split"] for name, one in listed.items()} == {
        **dict.fromkeys(("p0", "p1", "p2"), "train"),
        **{"p3": "valid", "p4": "test"},
    }
    case = copied.case("p4")
    mask = case.read("masks/round2") != 0
    assert listed["p4"]["mask"] == "masks/round2" and listed["p4"]["source"] == case.info.source
    assert listed["p4"]["ml"] == pytest.approx(mask.sum() * np.prod(case.info.spacing) / 1000, abs=0.01)
    assert listed["p4"]["voxels"] == [48, 56, 14] and set(listed["p4"]["dsc"]) >= {"sam", "full"}
    shown = clisc("cases", "list", copied.root)
    assert "5 cases: 3 train, 1 valid, 1 test" in shown.out and case.info.source in shown.out


def test_dry_runs_say_what_would_become_stale_and_change_nothing(clisc, finished):
    before = stamps(finished)
    moved = as_json(clisc, "cases", "move", finished.root, "p1", "test", "--dry-run")
    assert set(moved["stale"]) >= {"cam", "amda", "prompt-sam", "train", "self-train"}
    assert "label" not in moved["stale"]
    renamed = as_json(clisc, "cases", "rename", finished.root, "p1", "q1", "--dry-run")
    assert renamed["stale"] == {}
    gone = as_json(clisc, "cases", "remove", finished.root, "p4", "--dry-run")
    assert "masks/sam" in gone["lost"]["p4"] and gone["bytes"] > 0 and gone["stale"] == {}
    assert clisc("cases", "remove", finished.root, "p9", "--dry-run").code == 3
    assert clisc("cases", "rename", finished.root, "p1", "p2", "--dry-run").code == 3
    assert clisc("cases", "rename", finished.root, "p1", "a/b", "--dry-run").code == 3
    assert clisc("cases", "move", finished.root, "p1", "exam", "--dry-run").code == 2
    assert stamps(finished) == before


def test_a_new_name_makes_an_evaluation_stale_that_names_the_case_and_no_other(clisc, copied):
    root = copied.root
    assert clisc("evaluate", root, *CPU).code == 0
    assert as_json(clisc, "cases", "rename", root, "p0", "z0")["stale"] == {}
    assert states(clisc, root)["evaluate"] == "fresh"
    assert list(as_json(clisc, "cases", "rename", root, "p4", "z4")["stale"]) == ["evaluate"]
    assert states(clisc, root)["evaluate"] == "stale"


def test_a_new_name_leaves_all_fresh_and_every_draw_the_same(clisc, copied):
    """Trained and prompted anew under the new name, every network and mask has the same bits."""
    root, before = copied.root, contents(copied)
    assert clisc("cases", "rename", root, "p0", "z0").code == 0
    assert "z0" in names(clisc, root) and "p0" not in names(clisc, root)
    assert set(states(clisc, root).values()) <= {"fresh", "missing"}
    assert clisc("verify", root).code == 0
    assert as_json(clisc, "run", root, "--until", "self-train", *CPU)["stages"][-1]["done"] == []
    for step in ("amda", "prompt-sam", "train", "self-train"):
        assert clisc(step, root, "--force", *CPU).code == 0
    after = contents(open_project(root))
    same = {key.replace("cases/z0/", "cases/p0/"): value for key, value in after.items()}
    assert differing(before, same) == []
    assert clisc("cases", "rename", root, "z0", "p0").code == 0
    assert open_project(root).case("p0").info.imported_as == ""
    assert set(states(clisc, root).values()) <= {"fresh", "missing"}


def test_a_chain_of_new_names_that_is_called_again_is_done(clisc, copied):
    """As by a script that was killed after its last rename; not so if the name is another case's now."""
    root = copied.root

    def rename(old, new):
        return clisc("cases", "rename", root, old, new)

    for old, new in (("p1", "q1"), ("q1", "r1"), ("r1", "s1")) * 2:
        assert rename(old, new).code == 0
    assert f"{old}: renamed to {new} already" in rename(old, new).out
    assert rename("p1", "s1").code == 0, "imported as p1"
    assert rename("q1", "s1").code == 3, "q1 never got that name"
    assert rename("p2", "q1").code == 0 and rename("p2", "q1").code == 0
    assert rename("p1", "q1").code == 3, "q1 is another case now"
    assert rename("r1", "s1").code == 0
    assert clisc("cases", "remove", root, "s1").code == 0
    assert rename("r1", "s1").code == 3, "the case is gone"
    assert clisc("verify", root).code == 0
    assert rename("q1", "p2").code == rename("q1", "p2").code == 0, "the way back"


def test_what_learnt_from_a_case_is_never_measured_on_it_as_unseen(clisc, copied):
    root = copied.root
    assert clisc("cases", "move", root, "p1", "test").code == 0
    shown = clisc("evaluate", root, "--device", "cpu")
    assert shown.code == 0 and "p1 is left out: classifier-raw" in " ".join(shown.out.split())
    document = as_json(clisc, "evaluate", root, *CPU)
    assert {entry["case"] for entry in document["cases"]} == {"p4"}
    assert "unet-round2" in document["leaks"]["p1"]
    asked = as_json(clisc, "evaluate", root, "--seen", *CPU)
    assert {entry["case"] for entry in asked["cases"]} == {"p1", "p4"} and asked["leaks"]
    assert clisc("run", root, *CPU).code == 0
    honest = as_json(clisc, "evaluate", root, *CPU)
    assert {entry["case"] for entry in honest["cases"]} == {"p1", "p4"} and honest["leaks"] == {}


def test_a_case_that_comes_back_under_another_name_is_known_by_its_image(clisc, copied, data, tmp_path):
    root = copied.root
    (tmp_path / "in").mkdir()
    (tmp_path / "masks").mkdir()
    shutil.copy(data / "images" / "p1_flair.nii.gz", tmp_path / "in" / "other_flair.nii.gz")
    shutil.copy(data / "references" / "p1_seg.nii.gz", tmp_path / "masks" / "other_seg.nii.gz")
    assert clisc("cases", "remove", root, "p1").code == 0
    assert clisc("verify", root).code == 0, "what was removed on purpose is not missed"
    added = clisc(
        "cases",
        "add",
        root,
        "--images",
        tmp_path / "in",
        "--references",
        tmp_path / "masks",
        "--to",
        "test",
    )
    assert added.code == 0 and names(clisc, root)["other"] == "test", added.err
    for step in ("label", "prompt-sam"):
        clisc(step, root, "--cases", "other", *CPU)
    document = as_json(clisc, "evaluate", root, *CPU, code=0)
    assert "other" in document["leaks"] and {e["case"] for e in document["cases"]} == {"p4"}


@pytest.mark.parametrize("at", range(6))
@pytest.mark.parametrize("change", [("remove", "p4"), ("rename", "p4", "q4"), ("move", "p4", "valid")])
def test_a_change_that_is_cut_short_is_completed_by_the_next_command(
    clisc, copied, monkeypatch, change, at
):
    """Cut at its n-th step, it is completed by whichever command takes the lock next."""
    root, steps = copied.root, iter(range(100))

    def cut(step):
        def stepping(*arguments, **options):
            if next(steps) == at:
                raise DiskFault("No space left.")
            return step(*arguments, **options)

        return stepping

    with monkeypatch.context() as patch:
        for owner, name in (
            (case_changes.manifest, "note"),
            (case_changes, "take_away"),
            (case_changes, "write_atomically"),
            (case_changes.Store, "rename"),
            (case_changes.Store, "write_group"),
            (case_changes.Project, "change_record"),
        ):
            patch.setattr(owner, name, cut(getattr(owner, name)))
        begun = clisc("cases", change[0], root, *change[1:]).code == 0 or pending_change.pending(root)
    cut_short = pending_change.pending(root) is not None
    for looking in (("status",), ("cases", "list"), ("verify",)):
        shown = clisc(*looking, root)
        told = " ".join(shown.out.split())
        assert shown.code == 0 and "left out" not in told and "missing:" not in told, told
        assert ("A change of cases was cut short (" in told) == cut_short
    clisc("verify", root, "--repair")
    whole = {"remove": ("p4", None), "rename": ("q4", "test"), "move": ("p4", "valid")}[change[0]]
    name, split = whole if begun else ("p4", "test")
    assert names(clisc, root).get(name) == split and pending_change.pending(root) is None
    assert clisc("verify", root).code == 0
    assert len(names(clisc, root)) == (4 if begun and change[0] == "remove" else 5)


def test_clean_says_what_it_wins_and_no_result_is_lost(clisc, copied):
    root, before = copied.root, contents(copied)
    told = as_json(clisc, "clean", root)
    assert told["removed"] == 0 and told["bytes"]["states"] > 0
    won = as_json(clisc, "clean", root, "--cache", "--states")
    assert won["removed"] == sum(told["bytes"].values())
    assert as_json(clisc, "clean", root)["bytes"] == {"cache": 0, "states": 0}
    assert differing(before, contents(open_project(root))) == []
    assert set(states(clisc, root).values()) <= {"fresh", "missing"}


def test_status_and_run_measure_what_the_last_evaluation_was_asked_for(clisc, copied):
    root, splits = copied.root, ["--splits", "train,valid,test"]
    assert clisc("evaluate", root, *splits, *CPU).code == 0
    measured = as_json(clisc, "run", root, "--device", "cpu")["evaluation"]["cases"]
    assert {entry["case"] for entry in measured} == {"p0", "p1", "p2", "p3", "p4"}
    removed = clisc("cases", "remove", root, "p4")
    assert removed.code == 0
    following = as_json(clisc, "status", root)["next"].split()
    assert following == ["clisc", "evaluate", str(root), *splits]
    assert clisc(*following[1:], *CPU).code == 0
    assert as_json(clisc, "status", root)["next"] == ""
    assert clisc("run", root, *CPU).code == 0 and as_json(clisc, "status", root)["next"] == ""
    assert clisc("evaluate", root, *splits, "--cases", "p0,p1", *CPU).code == 0
    measured = as_json(clisc, "run", root, "--device", "cpu")["evaluation"]["cases"]
    assert {entry["case"] for entry in measured} == {"p0", "p1"}
    assert clisc("cases", "rename", root, "p0", "q0").code == 0
    assert as_json(clisc, "status", root)["next"].split()[3:] == [*splits, "--cases", "p1"]


def test_messages_tell_one_case_from_several_and_what_an_empty_train_split_needs(clisc, copied, data):
    given = ("--images", data / "images", "--references", data / "references")
    assert clisc("cases", "remove", copied.root, "p0", "p1", "p2", "p4").code == 0
    added = clisc("cases", "add", copied.root, *given, "--cases", "p4", "--to", "test")
    told = " ".join(added.err.split())
    assert added.code == 0 and "1 case added: p4 (test)" in told
    assert "No train case" in told and "--split-ratio" not in told
    assert clisc("label", copied.root, *CPU).code == 0
    refused = clisc("cam", copied.root, *CPU)
    assert (
        refused.code == 3
        and f"`clisc cases move {copied.root} CASE train` puts cases there" in refused.message
    )


def test_a_move_that_parts_a_patient_s_scans_is_told(clisc, tmp_path):
    images, root = tmp_path / "images", tmp_path / "p"
    for seed, name in enumerate(("sub-1_ses-1", "sub-1_ses-2", "sub-2")):
        write(images / f"{name}_FLAIR.nii.gz", ball(seed=seed))
    assert clisc("init", root, "--images", images, "--weights", "tiny", "--split-ratio", "1:0:0").code == 0
    for options in (("--dry-run",), ()):
        moved = clisc("cases", "move", root, "sub-1_ses-2", "sub-2", "test", *options)
        assert moved.code == 0 and "Scans of sub-1 are in several splits" in moved.message, moved.err
    moved = clisc("cases", "move", root, "sub-1_ses-1", "test")
    assert moved.code == 0 and "several splits" not in moved.message
