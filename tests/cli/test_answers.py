"""Every answer in JSON, errors too, is what `clisc schema` publishes; one document a call."""

import json
import shutil
from pathlib import Path

import pytest
import typer
from jsonschema import Draft202012Validator

from clisc_cli.answer import KINDS, SCHEMA
from clisc_cli.answers.registry import ANSWERS
from clisc_cli.commands.schema import answering_commands
from clisc_cli.registry import whole_app
from clisc_engine.running.control import StopFlag
from tests.support.answers import wrong

CPU = ("--device", "cpu")
CALLS = {
    "init": [
        ("{root}", "--images", "{images}"),
        (
            "{out}/new",
            "--images",
            "{images}",
            "--references",
            "{references}",
            "--weights",
            "tiny",
            "--dry-run",
        ),
    ],
    **{step: [("{root}", *CPU)] for step in ("label", "cam", "amda", "prompt-sam", "train", "self-train")},
    "evaluate": [
        ("{root}", "--splits", "valid,test", *CPU),
        ("{root}", "--dry-run", "--force"),
        ("{root}", "--table1", *CPU),
        ("{root}", "--table1", "--dry-run", "--force"),
        ("{root}", "--history"),
    ],
    "variant new": [("{root}", "t30", "--set", "amda.t=30", "--dry-run")],
    "variant list": [("{root}",)],
    "variant remove": [("{root}", "otsu", "--dry-run")],
    "variant promote": [("{root}", "otsu", "--dry-run")],
    "compare": [("{root}", "otsu", "--csv", "{out}/compared.csv")],
    "trust": [("{root}", *CPU), ("{root}", "--dry-run")],
    "baseline": [("otsu", "{root}", *CPU)],
    "sweep run": [
        ("{root}", "amda.t=20", "--row", "cam-amda", *CPU),
        ("{root}", "amda.t=20,30", "--row", "cam-amda", "--dry-run"),
    ],
    "sweep list": [("{root}",)],
    "sweep remove": [("{root}", "amda.t@cam-amda", "--dry-run")],
    "run": [
        ("{root}", "--until", "cam", *CPU),
        ("{root}", "--from", "evaluate", *CPU),
        ("{root}", "--dry-run"),
    ],
    "demo": [("{out}/demo", "--cases", "6", "--dry-run")],
    "status": [("{root}",), ("{root}", "p4")],
    "show": [("{root}", "p4", "-o", "{out}/p4.png", "--rows", "1")],
    "report": [("{root}", "-o", "{out}/report.html", "--pictures", "1", "--viewers", "1")],
    "explain": [("{root}", "p4"), ("{root}", "p4", "--masks", "sam", "--commands")],
    "verify": [("{root}",)],
    "clean": [("{root}",)],
    "cases list": [("{root}",)],
    "cases add": [("{root}", "--images", "{images}")],
    "cases remove": [("{root}", "p0", "--dry-run")],
    "cases rename": [("{root}", "p0", "q0", "--dry-run")],
    "cases move": [("{root}", "p0", "test", "--dry-run")],
    "config show": [("{root}",)],
    "config get": [("{root}", "cam.layers")],
    "config set": [("{root}", "amda.t=20")],
    "config diff": [("{root}", "--against", "paper")],
    "config explain": [("amda.t", "{root}"), ("prompts",), ("roi.threshold",)],
    "doctor": [CPU],
    "models list": [()],
    "models verify": [()],
    "models pull": [("resnet18",)],
    "predict": [
        ("{root}", "{images}", "-o", "{out}/masks", *CPU),
        ("{root}", "{images}/p4_flair.nii.gz", "-o", "{out}/p4.nii.gz", *CPU),
    ],
    "export masks": [("{root}", "-o", "{out}/m", "--masks", "sam")],
    "export bids": [("{root}", "-o", "{out}/b", "--masks", "sam")],
    "export dicom-seg": [("{root}", "-o", "{out}/d", "--masks", "sam")],
    "export nnunet": [
        ("{root}", "-o", "{out}/n", "--masks", "sam"),
        ("{root}", "-o", "{out}/x", "--masks", "sam", "--dry-run"),
    ],
    "export csv": [("{root}", "-o", "{out}/t")],
    "export model": [("{root}", "-o", "{out}/m.clisc")],
    "export bundle": [("{root}", "-o", "{out}/bundle")],
}
REFUSED = {"export dicom-seg": 3}
"""On a project that did not come from DICOM; else it answers as the other exports of masks do."""


@pytest.fixture(scope="module")
def worked(finished, tmp_path_factory):
    """A copy of the finished project; no call below makes another one fail."""
    root = tmp_path_factory.mktemp("answers") / "project"
    shutil.copytree(finished.root, root)
    return root


@pytest.fixture
def words(worked, data, tmp_path, monkeypatch):
    """The words of a call with its places filled in; one weight file seems to be here."""
    monkeypatch.setenv("CLISC_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "resnet18-f37072fd.pth").write_bytes(b"damaged")
    places = {"root": worked, "out": tmp_path, "images": data / "images", "references": data / "references"}
    return lambda call: [word.format(**places) for word in call]


def answered(clisc, command, call):
    """Exit code and answer of a call; what stands on stdout is one document of the published form."""
    shown = clisc(*command.split(), *call, "--json")
    document = json.loads(shown.out)
    assert document["schema"] == SCHEMA and next(iter(document)) == "schema"
    assert wrong(command, document) == [], (command, call, document)
    assert ("error" in document) == (shown.code != 0), shown.err
    return shown, document


def test_every_command_with_json_has_a_form_and_a_call_here():
    commands = answering_commands(typer.main.get_command(whole_app()))
    assert sorted(commands) == sorted(ANSWERS) == sorted(CALLS)


@pytest.mark.parametrize("command", CALLS)
def test_an_answer_is_of_the_published_form(clisc, words, command):
    if command in ("variant list", "variant remove", "variant promote", "compare"):
        clisc("variant", "new", *words(["{root}", "otsu", "--set", "roi.threshold=0.4"]))
        for variant in ((), ("--variant", "otsu")):
            clisc("evaluate", *words(["{root}", *variant, *CPU]), "--quiet")
    if command == "sweep remove":
        clisc(*command.split()[:1], "run", *words(CALLS["sweep run"][0]), "--quiet")
    for call in CALLS[command]:
        shown, document = answered(clisc, command, words(call))
        expected = 3 if command in ("models verify", "doctor") else REFUSED.get(command, 0)
        assert shown.code == expected, shown.err
        assert len(document) > 1


def test_the_schema_of_all_is_the_schema_of_each(clisc):
    whole = json.loads(clisc("schema").out)
    Draft202012Validator.check_schema(whole)
    assert {f"clisc {command}" for command in ANSWERS} < set(whole["$defs"])
    one = json.loads(clisc("schema", "export", "masks").out)
    assert one["title"] == "clisc export masks --json" and "seconds" in one["$defs"]["Report"]["required"]
    table = json.loads(clisc("schema", "evaluate").out)["$defs"]
    assert "Wilcoxon" in table["Test"]["description"]
    assert table["Evaluation"]["properties"]["seconds"]["description"] == "how long it took."
    assert '"description": "mm"' in json.dumps(table["MarkedMeasured"]["properties"]["hd95"])
    answer = {"schema": SCHEMA, "models": [{"name": "a", "path": "b"}]}
    assert Draft202012Validator(whole).is_valid(answer)
    assert not Draft202012Validator(whole).is_valid({**answer, "schema": "clisc/2"})
    assert clisc("schema", "config").code == 2


def test_what_a_schema_tells_of_is_all_there_is():
    answer = {"schema": SCHEMA, "models": [{"name": "a", "path": "b"}]}
    assert wrong("models pull", answer) == []
    assert wrong("models pull", {**answer, "more": 1})
    assert wrong("models pull", {"schema": SCHEMA, "models": [{"name": "a"}]})


@pytest.mark.parametrize(
    ("command", "call", "code", "run"),
    [
        ("label", ("{root}", "--colour"), 2, ["clisc", "label", "--help"]),
        ("export masks", ("{root}",), 2, ["clisc", "export", "masks", "--help"]),
        ("config set", ("{root}",), 2, ["clisc", "config", "set", "--help"]),
        ("label", ("{out}",), 4, None),
        ("label", ("{root}", "--set", "amda.tt=3"), 3, None),
        ("label", ("{root}", "--cases", ""), 2, None),
        ("models verify", ("sam-vit-b",), 3, ["clisc", "models", "pull", "sam-vit-b"]),
    ],
)
def test_an_error_says_its_code_a_word_for_it_and_what_helps(clisc, words, command, call, code, run):
    shown, document = answered(clisc, command, words(call))
    error = document["error"]
    assert shown.code == error["code"] == code and error["kind"] == KINDS[code]
    assert error["run"] == run and error["message"]
    plain = "".join(character for character in shown.err if character.isalnum())
    told = "".join(character for character in error["message"] if character.isalnum())
    assert told in plain, "stderr says the same"


def test_a_missing_step_names_the_call_that_makes_it(clisc, copied):
    for case in copied.cases():
        copied.store.remove(f"cases/{case.info.name}/cams/amda")
    shown, document = answered(clisc, "prompt-sam", [copied.root, *CPU])
    assert shown.code == 4 and document["error"]["kind"] == "missing-stage"
    assert document["error"]["run"] == ["clisc", "amda", str(copied.root)]
    assert clisc(*document["error"]["run"][1:], "--quiet", *CPU).code == 0
    assert clisc("prompt-sam", copied.root, *CPU).code == 0


def spoil(project, array):
    shard = next(path for path in (project.store.root / f"cases/{array}/c").rglob("*") if path.is_file())
    shard.write_bytes(shard.read_bytes()[:-40])


def test_what_was_done_stands_beside_the_error(clisc, copied):
    spoil(copied, "p1/image")
    shown, document = answered(clisc, "label", [copied.root, "--force", *CPU])
    assert shown.code == 5 and document["error"]["kind"] == "cases-failed"
    assert list(document["failed"]) == ["p1"] and sorted(document["done"]) == ["p0", "p2", "p3", "p4"]
    shown, document = answered(clisc, "verify", [copied.root])
    assert shown.code == 3 and document["findings"][0]["state"] == "damaged"
    assert document["error"]["run"] == ["clisc", "verify", str(copied.root), "--repair"]
    shown, document = answered(clisc, "run", [copied.root, "--until", "label", "--force", *CPU])
    assert shown.code == 5 and document["stages"][0]["failed"].keys() == {"p1"}


def test_a_stop_says_how_to_go_on(clisc, copied, monkeypatch):
    def asked_to_stop(_heard):
        flag = StopFlag()
        flag.reason = "SIGTERM"
        return flag

    monkeypatch.setattr("clisc_cli.app.stop_on_signals", asked_to_stop)
    call = ["label", str(copied.root), "--force", *CPU, "--json"]
    shown, document = answered(clisc, "label", call[1:-1])
    assert shown.code == 75 and document["error"]["kind"] == "stopped"
    assert document["error"]["run"] == ["clisc", *call]


def test_ctrl_c_for_the_second_time_is_a_stop(clisc, copied, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("clisc_engine.stages.pipeline.run_stage", interrupted)
    shown, document = answered(clisc, "label", [copied.root])
    assert shown.code == document["error"]["code"] == 75 and "go on" in shown.message


def test_the_same_is_told_in_the_same_way(clisc, copied, data):
    """Lists are lists, and settings are values, not JSON within JSON."""
    images = ("--images", data / "images")
    again = json.loads(clisc("init", copied.root, *images, "--json").out)
    label = json.loads(clisc("label", copied.root, "--json").out)
    assert again["fresh"] == label["fresh"] == ["p0", "p1", "p2", "p3", "p4"]
    arrays = json.loads(clisc("status", copied.root, "p4", "--json").out)["arrays"]
    made_from = arrays["masks/sam"]["made_from"]
    assert made_from["prompts.kind"] == "both" and made_from["prompts.per_component"] is False
    assert clisc("sweep", copied.root, "amda.t=20", "--row", "cam-amda", "--quiet", *CPU).code == 0
    swept = json.loads(clisc("sweep", copied.root, "amda.t=20", "--row", "cam-amda", "--json", *CPU).out)
    assert swept["result"]["settings"]["cam.layers"] == copied.settings.cam.layers


def test_a_new_project_has_nothing_from_before(clisc, data, tmp_path):
    made = clisc("init", tmp_path / "p", "--images", data / "images", "--weights", "tiny", "--json")
    assert json.loads(made.out)["fresh"] == [] and wrong("init", json.loads(made.out)) == []


def test_the_words_for_exit_codes_are_those_of_the_page():
    page = (Path(__file__).parents[2] / "docs" / "batch.md").read_text(encoding="utf-8")
    for code, kind in KINDS.items():
        assert f"| {code} | `{kind}` |" in page
    assert SCHEMA in page
