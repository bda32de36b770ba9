"""`clisc variant`, and `--variant` on the commands that work on a project."""

import json
import re

import pytest

from clisc_engine.project import variants
from clisc_engine.project.lock import Lock
from clisc_engine.project.lock_owner import Owner
from clisc_engine.project.project import open_project
from clisc_engine.running import journal
from tests.support.small import contents, differing, small_project, stamps
from tests.support.sweeping import digests, made_in

CPU = ("--device", "cpu", "--quiet")


def as_json(clisc, *arguments, code=0):
    shown = clisc(*arguments, "--json")
    assert shown.code == code, shown.err
    return json.loads(shown.out)


@pytest.fixture
def plain(data, tmp_path):
    """A project just imported."""
    return small_project(tmp_path / "plain", data)


def test_a_dry_run_foresees_what_has_to_be_made_anew_and_what_is_shared(clisc, finished):
    before = stamps(finished)
    told = as_json(clisc, "variant", "new", finished.root, "t5", "--set", "amda.t=5", "--dry-run")
    assert set(told["anew"]) == {"amda", "prompt-sam", "train", "self-train"}
    assert told["shared"] == {"label": 5, "cam": 6} and told["lacking"] == ["evaluate"]
    assert told["changes"] == {"amda.t": 5.0} and told["dry_run"]
    assert stamps(finished) == before and not (finished.root / "variants").exists()


def test_only_what_depends_on_the_change_is_made_once_as_the_journal_tells(varied, finished):
    variant = variants.open_variant(varied, "t0")
    stages = [entry.stage for entry in journal.entries(variant)]
    assert stages == ["amda", "prompt-sam", "train", "self-train", "evaluate"]
    assert [entry.stage for entry in journal.entries(varied)] == ["evaluate"]
    assert made_in(variant.root) == {
        *("classifier-amda", "cams/amda", "masks/sam", "unet-round1", "masks/round1", "masks/sam-round1"),
        *("unet-round2", "masks/round2"),
    }
    mine = contents(varied)
    assert [name for name in differing(contents(finished), mine) if name in contents(finished)] == []


def test_commands_go_on_with_a_variant_and_write_nothing_else(clisc, varied, data, tmp_path):
    before = digests(varied)
    root, it = varied.root, ("--variant", "t0")
    for step in ("label", "amda", "self-train"):
        assert "nothing to do" in clisc(step, root, *it, *CPU).out
    assert as_json(clisc, "run", root, *it, "--dry-run")["stages"][2]["planned"] == {}
    assert clisc("show", root, "p4", *it, "-q").out.strip() == str(root / "variants/t0/results/p4.png")
    assert clisc("report", root, *it, "--viewers", 0, "--pictures", 0, "-q").code == 0
    assert (root / "variants/t0/results/report.html").is_file()
    shown = as_json(clisc, "status", root, *it)
    assert shown["variant"] == "t0" and shown["project"] == str(root)
    states = {one["stage"]: one["state"] for one in shown["stages"]}
    assert set(states.values()) == {"fresh"}
    assert clisc("export", "masks", root, "--masks", "sam", "-o", tmp_path / "b", *it, *CPU).code == 0
    told = as_json(clisc, "explain", tmp_path / "b" / "p4_sam.nii.gz")
    maps = next(link for link in told["chain"] if link["product"] == "classifier-amda")
    assert maps["settings"]["amda.t"] == 0
    assert digests(varied) == before


@pytest.mark.parametrize(
    ("command", "options", "lacking", "makes_it"),
    [
        ("prompt-sam", (), "no cams/amda yet", ("amda",)),
        ("train", (), "has masks/sam", ("prompt-sam",)),
        ("self-train", (), "unet-round1 is not trained", ("train",)),
        ("evaluate", (), "nothing to evaluate", ("run", "--until", "cam")),
        ("export masks", ("-o", "out"), "unet-round2 is not trained", ("self-train",)),
        ("baseline salip", (), "no labels/tumour yet", ("label",)),
    ],
)
def test_what_a_variant_lacks_is_told_with_the_command_that_makes_it_there(
    clisc, plain, tmp_path, monkeypatch, command, options, lacking, makes_it
):
    monkeypatch.chdir(tmp_path)
    assert clisc("variant", "new", plain.root, "a", "--set", "amda.t=5", "-q").code == 0
    told = clisc(*command.split(), plain.root, *options, "--variant", "a", "--device", "cpu", "--json")
    error = json.loads(told.out)["error"]
    assert told.code == 4 and lacking in error["message"] and "--variant a`" in error["message"]
    assert error["run"] == ["clisc", makes_it[0], str(plain.root), *makes_it[1:], "--variant", "a"]


def test_a_variant_predicts_with_its_own_network(clisc, varied, data, tmp_path):
    image = data / "images" / "p4_flair.nii.gz"
    answers = [
        clisc("predict", varied.root, image, "-o", tmp_path / out, *more, *CPU).code
        for out, more in (("a", ()), ("b", ("--variant", "t0")))
    ]
    assert answers == [0, 0]
    networks = [
        json.loads((tmp_path / out / "predictions.json").read_text(encoding="utf-8")) for out in ("a", "b")
    ]
    assert networks[0] != networks[1]
    wrong = clisc("predict", "bundled", image, "-o", tmp_path / "c", "--variant", "t0")
    assert wrong.code == 3 and "no project" in wrong.message


def test_settings_given_with_a_variant_are_the_variant_s(clisc, plain):
    assert clisc("variant", "new", plain.root, "a", "--set", "amda.t=5", "-q").code == 0
    before = (plain.root / "clisc.toml").read_bytes()
    assert clisc("label", plain.root, "--variant", "a", "--set", "label.confidence=0.6", *CPU).code == 0
    assert (plain.root / "clisc.toml").read_bytes() == before
    assert variants.record_of(plain, "a").changes == {"amda.t": 5.0, "label.confidence": 0.6}
    assert made_in(plain.root / "variants" / "a") == {"labels/tumour", "labels/probability"}
    assert not list((plain.root / "store.zarr").rglob("labels"))
    refused = clisc("label", plain.root, "--variant", "a", "--set", "image.clip_percentile=98")
    assert refused.code == 3 and "project of its own" in refused.message
    assert clisc("label", plain.root, "--variant", "a", "--set", "amda.tt=1").code == 3


WRONG = {
    "of a sweep": (("t=1", "--set", "amda.t=5"), 3, "cannot be a variant's name"),
    "upwards": (("../t", "--set", "amda.t=5"), 3, "cannot be a variant's name"),
    "the project": (("Base", "--set", "amda.t=5"), 3, "stands for the project"),
    "taken": (("A", "--set", "amda.t=5"), 3, "has a variant 'a' already"),
    "nothing changed": (("b",), 3, "at least one --set"),
    "unknown key": (("b", "--set", "amda.tt=5"), 3, "did you mean 'amda.t'"),
    "out of range": (("b", "--set", "amda.t=500"), 3, "amda.t = 500"),
    "images": (("b", "--set", "image.clip_percentile=98"), 3, "project of its own"),
    "only speed": (("b", "--set", "sam.cache_gb=2"), 3, "Nothing that is made depends on sam.cache_gb"),
    "over none": (("b", "--set", "amda.t=5", "--over", "aa"), 3, "no variant 'aa'; did you mean 'a'"),
}


@pytest.mark.parametrize(("words", "code", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_no_variant_can_be_is_said_and_nothing_is_made(clisc, plain, words, code, said):
    clisc("variant", "new", plain.root, "a", "--set", "amda.t=5")
    before = digests(plain, skip=("logs",))
    answer = clisc("variant", "new", plain.root, *words)
    assert answer.code == code and said in answer.message
    assert digests(plain, skip=("logs",)) == before


def test_a_name_that_is_none_is_told_with_the_closest(clisc, varied):
    for arguments in (
        *((step, varied.root) for step in ("label", "run", "evaluate", "status", "report")),
        ("show", varied.root, "p4"),
        ("export", "csv", varied.root, "-o", "x"),
    ):
        wrong = clisc(*arguments, "--variant", "t00")
        assert wrong.code == 3 and "no variant 't00'; did you mean 't0'" in wrong.message, arguments
    assert not (varied.root / "variants" / "t00").exists()


@pytest.fixture
def busy():
    """Hold the lock of a folder as another command would."""
    held = []

    def hold(folder):
        lock = Lock(folder, Owner.this_process("clisc busy"))
        lock.acquire()
        held.append(lock)

    yield hold
    for lock in held:
        lock.release()


def test_two_variants_are_worked_on_side_by_side(clisc, plain, busy):
    for name, value in (("a", 5), ("b", 10)):
        assert clisc("variant", "new", plain.root, name, "--set", f"amda.t={value}", "-q").code == 0
    busy(plain.root / "variants" / "a")
    assert clisc("label", plain.root, "--variant", "b", *CPU).code == 0
    assert clisc("variant", "new", plain.root, "c", "--set", "amda.t=15", "-q").code == 0
    assert "at work: `clisc busy`" in clisc("variant", "list", plain.root).out
    refused = clisc("label", plain.root, "--variant", "a", *CPU)
    assert refused.code == 3 and "`clisc busy` (process" in refused.message


def test_a_project_is_not_changed_while_a_variant_reads_it_nor_the_other_way(clisc, plain, busy):
    assert clisc("variant", "new", plain.root, "a", "--set", "amda.t=5", "-q").code == 0
    busy(plain.root / "variants" / "a")
    for words in (("label", plain.root), ("config", "set", plain.root, "amda.t=7")):
        refused = clisc(*words)
        assert refused.code == 3 and f"which reads from {plain.root}" in refused.message, words
    assert clisc("label", plain.root, "--dry-run").code == 0
    assert not list((plain.root / "store.zarr").rglob("labels"))


def test_a_variant_waits_for_a_command_on_its_project(clisc, plain, busy):
    assert clisc("variant", "new", plain.root, "a", "--set", "amda.t=5", "-q").code == 0
    assert clisc("variant", "new", plain.root, "b", "--set", "seed=3", "--over", "a", "-q").code == 0
    busy(plain.root)
    for words in (("label", plain.root, "--variant", "b"), ("variant", "remove", plain.root, "b")):
        refused = clisc(*words)
        assert refused.code == 3 and "the variant b reads from" in refused.message, words
    assert clisc("status", plain.root, "--variant", "b").code == 0
    assert variants.variant_names(plain) == ["a", "b"]
    assert not list((plain.root / "variants").rglob(".clisc-lock"))


def test_the_list_tells_changes_states_and_bytes(clisc, varied):
    clisc("variant", "new", varied.root, "t0-box", "--set", "prompts.kind=box", "--over", "t0", "-q")
    found = {one["name"]: one for one in as_json(clisc, "variant", "list", varied.root)["variants"]}
    assert set(found) == {"t0", "t0-box"} and set(found["t0"]["steps"].values()) == {"fresh"}
    assert found["t0"]["bytes"] > found["t0-box"]["bytes"] > 0
    assert found["t0-box"]["over"] == "t0" and found["t0-box"]["changes"] == {"prompts.kind": "box"}
    assert found["t0-box"]["steps"]["amda"] == "fresh"
    assert found["t0-box"]["steps"]["prompt-sam"] == "stale"
    (varied.root / "variants" / "t0-box" / "variant.json").write_text("{", encoding="utf-8")
    found = {one["name"]: one for one in as_json(clisc, "variant", "list", varied.root)["variants"]}
    assert "does not say" in found["t0-box"]["problem"] and not found["t0"]["problem"]
    assert "t0: amda.t=0 over the project" in clisc("variant", "list", varied.root).out


def test_remove_takes_its_own_and_nothing_that_others_or_people_need(clisc, varied):
    before = digests(varied)
    clisc("variant", "new", varied.root, "above", "--set", "seed=3", "--over", "t0", "-q")
    refused = clisc("variant", "remove", varied.root, "t0")
    assert refused.code == 3 and "above lies over" in refused.message
    assert clisc("variant", "remove", varied.root, "above").code == 0
    notes = varied.root / "variants" / "t0" / "results" / "notes.txt"
    notes.write_text("mine", encoding="utf-8")
    refused = clisc("variant", "remove", varied.root, "t0")
    assert refused.code == 3 and "notes.txt: not written by clisc" in refused.message
    notes.unlink()
    foreseen = as_json(clisc, "variant", "remove", varied.root, "t0", "--dry-run")
    assert foreseen["bytes"] > 0 and variants.variant_names(varied) == ["t0"]
    assert as_json(clisc, "variant", "remove", varied.root, "t0")["bytes"] == foreseen["bytes"]
    assert not (varied.root / "variants").exists() and digests(varied) == before
    assert clisc("variant", "remove", varied.root, "t0").code == 3
    assert clisc("variant", "list", varied.root).out.strip() == "No variants."


def test_promote_is_told_before_and_done_at_once(clisc, varied):
    before = digests(varied, skip=())
    foreseen = as_json(clisc, "variant", "promote", varied.root, "t0", "--dry-run")
    assert foreseen["changes"] == {"amda.t": 0.0} and foreseen["before"] == {"amda.t": 20.0}
    assert foreseen["kept_as"] == "before-t0" and foreseen["replaced_bytes"] > 0
    assert digests(varied, skip=()) == before
    told = as_json(clisc, "variant", "promote", varied.root, "t0")
    assert {**told, "dry_run": True} == foreseen
    assert variants.variant_names(varied) == ["before-t0"]
    states = as_json(clisc, "status", varied.root)["stages"]
    assert {one["state"] for one in states} == {"fresh"}
    states = as_json(clisc, "status", varied.root, "--variant", "before-t0")["stages"]
    assert {one["state"] for one in states} == {"fresh"}
    assert open_project(varied.root).settings.amda.t == 0


def test_the_table_of_a_variant_advises_commands_on_the_variant(clisc, varied):
    root = varied.root
    changed = ("--variant", "t0", "--device", "cpu")
    clisc("run", root, *changed, "--set", "prompts.kind=box", "--until", "prompt-sam")
    said = " ".join(clisc("evaluate", root, *changed, "--splits", "train,valid,test").out.split())
    run, again = f"clisc run {root} --variant t0", f"clisc evaluate {root} --variant t0"
    ablation = f"clisc evaluate {root} --ablation --variant t0"
    assert f"`{run}` makes them anew, then `{again}`" in said
    assert f"Not made yet: sam-points, sam-box, without-s3f (`{ablation}`)" in said
    document = as_json(clisc, "evaluate", root, *changed, "--splits", "train,valid,test")
    assert document["stale"]["renew"] == [run]
    assert {row["command"] for row in document["lacking"]} == {ablation}
    table1 = as_json(clisc, "evaluate", root, *changed, "--table1")
    assert f"clisc baseline otsu {root} --variant t0" in {row["command"] for row in table1["lacking"]}
    told = " ".join(as_json(clisc, "explain", root / "variants/t0/results/rows.csv")["notes"])
    assert f"run `{run}` and `{again}` to measure anew" in told


def test_a_variant_s_report_advises_commands_on_the_variant(clisc, varied):
    page, words = varied.root / "variants" / "t0" / "results" / "report.html", ("--variant", "t0")
    assert clisc("config", "set", varied.root, "label.confidence=0.6").code == 0
    assert clisc("evaluate", varied.root, "--table1", *words, *CPU).code == 0
    assert clisc("report", varied.root, *words, "--pictures", 0, "-q").code == 0
    commands = re.findall("<code>(clisc [^<]+)</code>", page.read_text(encoding="utf-8"))
    assert {command.split()[1] for command in commands} >= {"label", "train", "evaluate", "baseline"}
    assert {command for command in commands if not command.endswith(" --variant t0")} <= {"clisc report"}
