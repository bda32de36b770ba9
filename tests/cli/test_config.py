"""`clisc config` and the presets of `clisc init`."""

import json

import tomlkit

from clisc_engine.settings.keys import known_keys
from tests.support.small import CHANGES, small_project


def test_show_marks_what_differs_from_the_preset(clisc, finished):
    lines = clisc("config", "show", finished.root).out.splitlines()
    assert "unet.epochs = 2   # tiny: 30" in lines and "seed = 0" in lines
    marked = {line.split(" = ")[0] for line in lines if "# tiny:" in line}
    assert marked == set(CHANGES)
    assert json.loads(clisc("config", "show", finished.root, "--json").out)["unet"]["epochs"] == 2


def test_set_writes_the_file_and_says_what_becomes_stale(clisc, copied):
    shown = clisc("config", "set", copied.root, "prompts.dilation=5", "unet.overlap=0.25")
    assert shown.code == 0
    assert "prompts.dilation = 5 (was 3)" in shown.out
    assert "Stale now: prompt-sam, train, self-train" in shown.out
    written = tomlkit.parse((copied.root / "clisc.toml").read_text(encoding="utf-8"))
    assert written["prompts"]["dilation"] == 5 and written["unet"]["overlap"] == 0.25
    again = clisc("config", "set", copied.root, "prompts.dilation=5")
    assert "as it was" in again.out and "Stale" not in again.out


def test_set_inside_the_project_and_its_errors(clisc, copied, monkeypatch):
    monkeypatch.chdir(copied.root)
    before = (copied.root / "clisc.toml").read_text(encoding="utf-8")
    assert clisc("config", "set", "amda.t=500").code == 3
    assert clisc("config", "set", "amda.tt=5").code == 3
    turned_round = clisc("config", "set", "amda.t=5", copied.root)
    assert turned_round.code == 2 and "a project comes first" in " ".join(turned_round.message.split())
    assert clisc("config", "set", str(copied.root)).code == 2
    assert (copied.root / "clisc.toml").read_text(encoding="utf-8") == before
    assert clisc("config", "set", "amda.t=6").code == 0


def test_diff_against_presets_and_projects(clisc, finished, data, tmp_path):
    assert (
        "unet.epochs = 2   # paper: 400" in clisc("config", "diff", finished.root, "--against", "paper").out
    )
    assert set(json.loads(clisc("config", "diff", finished.root, "--json").out)["settings"]) == set(CHANGES)
    other = small_project(tmp_path / "p", data, changes={"amda.t": 9}).root
    shown = clisc("config", "diff", finished.root, "--against", other)
    assert shown.out.split(" = ")[0] == "amda.t" and len(shown.out.splitlines()) <= 2
    assert "No setting differs" in clisc("config", "diff", other, "--against", other).out


def test_explain_needs_no_project(clisc, finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = clisc("config", "explain", "amda.t")
    assert shown.code == 0 and "percentage of the brain's pixels" in shown.out
    assert "from 0 to under 100" in shown.out and "here" not in shown.out
    document = json.loads(clisc("config", "explain", "amda.t", finished.root, "--json").out)
    assert (
        document["presets"] == dict.fromkeys(["paper", "fast", "medical", "tiny"], 20.0)
        and document["here"] == 20.0
    )
    wrong = clisc("config", "explain", "amda.tt")
    assert wrong.code == 3 and "amda.t" in wrong.err


def test_the_settings_file_says_meaning_and_range(finished):
    text = (finished.root / "clisc.toml").read_text(encoding="utf-8")
    assert (
        "# percentage of the brain's pixels masked out (paper: 20); a number from 0 to under 100\nt = "
        in text
    )


def test_presets_of_init(clisc, data, tmp_path):
    images = ("--images", data / "images")
    made = clisc("init", tmp_path / "p", *images, "--preset", "fast")
    assert made.code == 0 and "fewer epochs than the paper's" in made.err
    assert clisc("config", "diff", tmp_path / "p", "--against", "fast").out.startswith("No setting differs")
    assert clisc("init", tmp_path / "q", *images, "--preset", "fast", "--weights", "tiny").code == 2
    assert clisc("init", tmp_path / "q", *images, "--preset", "tiny", "--weights", "tiny").code == 0


def test_get_prints_the_bare_value(clisc, finished, monkeypatch):
    assert clisc("config", "get", finished.root, "amda.t").out == "20.0\n"
    monkeypatch.chdir(finished.root)
    assert clisc("config", "get", "prompts.kind").out == "both\n"
    assert clisc("config", "get", "unet.patch").out == "[16, 32, 32]\n"
    assert clisc("config", "get", "image.allow_skull").out == "false\n"
    assert json.loads(clisc("config", "get", "amda.t", "--json").out)["value"] == 20.0
    several = clisc("config", "get", "epochs")
    assert several.code == 3 and "classifier.epochs" in several.message and several.out == ""
    assert clisc("config", "get", finished.root, "amda.t", "amda.t").code == 2


def test_explain_takes_a_section_and_the_end_of_a_key(clisc, finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    section = clisc("config", "explain", "prompts")
    keys = [key for key in known_keys() if key.startswith("prompts.")]
    told = [line.split()[0].rstrip(":") for line in section.out.splitlines() if line.startswith("  ")]
    assert section.code == 0 and told == keys
    assert " = " in clisc("config", "explain", "prompts", finished.root).out
    assert clisc("config", "explain", "t").out == clisc("config", "explain", "amda.t").out
    ends = json.loads(clisc("config", "explain", "epochs", "--json").out)
    assert {one["key"].split(".")[-1] for one in ends["keys"]} == {"epochs"} and len(ends["keys"]) > 2
    assert ends["section"] == ""
    assert clisc("config", "explain", "baselines.if3d").code == 0
    assert clisc("config", "explain", "nonsense").code == 3


def test_weights_alone_choose_no_model_and_are_refused(clisc, copied):
    before = (copied.root / "clisc.toml").read_text(encoding="utf-8")
    for call in (
        ("config", "set", copied.root, "weights=paper"),
        ("label", copied.root, "--set", "weights=paper"),
    ):
        shown = clisc(*call)
        assert shown.code == 3 and "label.model, sam.model" in shown.message
        assert "`clisc init --weights paper`" in shown.message
    assert (copied.root / "clisc.toml").read_text(encoding="utf-8") == before
    others = ("label.model=ViT-B-32", "label.pretrained=openai", "classifier.backbone=resnet50")
    others += ("sam.model=vit_b", "prompts.region=map")
    assert clisc("config", "set", copied.root, "weights=paper", *others, "unet.start=scratch").code == 0


def test_results_of_bundled_models_say_so_whatever_weights_says(clisc, copied, tmp_path):
    """As a clisc.toml has it in which somebody changed that line alone."""
    settings = copied.root / "clisc.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace('weights = "tiny"', 'weights = "paper"'), encoding="utf-8")
    assert json.loads(clisc("status", copied.root, "--json").out)["weights"] == "tiny"
    document = json.loads(clisc("evaluate", copied.root, "--json").out)
    assert document["weights"] == "tiny" and "bundled tiny models" in document["note"]
    for kind, name in (("masks", "p4_round2.json"), ("bids", "sub-p4/anat/sub-p4_label-tumour_mask.json")):
        assert clisc("export", kind, copied.root, "-o", tmp_path / kind).code == 0
        sidecar = json.loads((tmp_path / kind / name).read_text(encoding="utf-8"))
        assert next(part for part in sidecar.values() if "Weights" in part)["Weights"] == "tiny"
    assert clisc("export", "model", copied.root, "-o", tmp_path / "m.clisc").code == 0
    assert "bundled tiny models" in clisc("explain", tmp_path / "m.clisc").out
    assert clisc("report", copied.root).code == 0
    report = (copied.root / "results" / "report.html").read_text(encoding="utf-8")
    assert "demos and tests" in report
