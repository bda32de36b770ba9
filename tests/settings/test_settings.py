import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clisc_engine.errors import BadInput
from clisc_engine.project.fingerprint import difference, fingerprint, settings_used
from clisc_engine.settings.file import read_settings, write_changes, write_settings
from clisc_engine.settings.keys import known_keys, parse_assignment, validate, with_changes
from clisc_engine.settings.presets import preset
from clisc_engine.settings.schema import Settings


def test_defaults_are_the_papers():
    s = preset("paper")
    assert (s.classifier.backbone, s.classifier.epochs, s.classifier.batch_size) == ("resnet50", 200, 8)
    assert s.classifier.learning_rate == 1e-4 and s.cam.method == "layercam"
    assert s.amda.t == 20 and s.s3f.p == 20 and s.s3f.start == "scratch"
    assert (s.prompts.kind, s.prompts.foreground) == ("both", "center")
    assert s.unet.channels == [16, 32, 64, 128, 256] and s.unet.patch == [128] * 3
    assert (s.unet.optimiser, s.unet.learning_rate, s.unet.batch_size, s.unet.epochs) == (
        "sgd",
        0.01,
        2,
        400,
    )
    assert s.sam.model == "vit_b" and s.label.model == "ViT-B-32"


@pytest.mark.parametrize("name", ["tiny", "paper"])
def test_the_file_says_what_each_key_means_and_reads_back(tmp_path, name):
    path = tmp_path / "clisc.toml"
    write_settings(path, preset(name))
    assert read_settings(path) == preset(name)
    text = path.read_text(encoding="utf-8")
    for key in known_keys():
        assert f"\n{key.rsplit('.', 1)[-1]} = " in text, key
    assert "(paper: 20)" in text


WRONG = {
    "unknown key": ("amda.tt", 3, r"unknown setting 'amda.tt'; did you mean 'amda.t'"),
    "unknown table": ("amdaa.t", 3, "unknown setting 'amdaa.t'"),
    "a table": ("amda", 3, "unknown setting 'amda'"),
    "too large": ("amda.t", 100, r"amda.t = 100: .*less than 100"),
    "wrong choice": ("cam.method", "scorecam", r"cam.method = 'scorecam': .*'layercam'"),
    "wrong type": ("unet.epochs", "many", r"unet.epochs = 'many': .*integer"),
    "true for 1": ("unet.rival_share", True, r"unet.rival_share = True: .*a number, not true or false"),
    "true for 1, in a list": ("unet.patch", [128, True, 128], "unet.patch.*a number, not true or false"),
    "false for a choice": ("roi.threshold", False, "roi.threshold = False: .*a number, not true or false"),
    "wrong list": ("unet.patch", [128, 128], r"unet.patch = .*at least 3 items"),
    "not a multiple": ("unet.patch", [128, 128, 100], r"unet.patch.* = 100: .*multiple of 16"),
    "wrong union": ("roi.threshold", "otsuu", r"roi.threshold = 'otsuu': .*'otsu' or 'sam'"),
    "not finite": ("unet.learning_rate", float("nan"), "unet.learning_rate = nan"),
    "our own rule": ("unet.spacing", [1.0, 2.0], r"unet.spacing = \[1.0, 2.0\]: give three numbers \(Z, Y"),
    "crossed": ("window.low", 99.95, "low must be under high"),
    "empty prompts": ("label.tumour_prompts", [], "label.tumour_prompts"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_value_is_named_with_what_is_allowed(kind):
    key, value, reason = WRONG[kind]
    with pytest.raises(BadInput, match=reason):
        with_changes(preset("paper"), {key: value}, "--set")


def test_an_unknown_key_in_the_file_names_the_file(tmp_path):
    path = tmp_path / "clisc.toml"
    write_settings(path, preset("tiny"))
    path.write_text(
        path.read_text(encoding="utf-8").replace("[amda]", "[amda]\nspeed = 3"), encoding="utf-8"
    )
    with pytest.raises(BadInput, match=r"clisc.toml: unknown setting 'amda.speed'.*newer clisc"):
        read_settings(path)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("cam.layers", "layer2", 'such as ["layer2"]'),
        (
            "cam.layers",
            "[layer2, layer3]",
            """such as '["layer2", "layer3"]', with both kinds of quotes in a shell""",
        ),
        ("label.normal_prompts", "a brain", 'such as ["a brain"]'),
    ],
)
def test_a_text_in_the_place_of_a_list_is_told_with_the_list(key, value, said):
    with pytest.raises(BadInput) as caught:
        with_changes(preset("paper"), {key: value}, "--set")
    assert str(caught.value).endswith(f"input should be a valid list, {said}.")


def test_a_half_written_file_is_refused(tmp_path):
    path = tmp_path / "clisc.toml"
    write_settings(path, preset("tiny"))
    path.write_text(path.read_text(encoding="utf-8")[:-7] + '"', encoding="utf-8")
    with pytest.raises(BadInput, match=r"clisc.toml is not valid TOML"):
        read_settings(path)


def test_a_file_that_windows_saved_with_a_mark_of_utf_8_is_read(tmp_path):
    path = tmp_path / "clisc.toml"
    write_settings(path, preset("tiny"))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_settings(path) == preset("tiny")
    write_changes(path, {"amda.t": 12.5})
    assert read_settings(path).amda.t == 12.5


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_file_in_another_encoding_is_refused_with_the_remedy(tmp_path, encoding):
    path = tmp_path / "clisc.toml"
    write_settings(path, preset("tiny"))
    path.write_bytes(("# größer\n" + path.read_text(encoding="utf-8")).encode(encoding))
    with pytest.raises(BadInput, match=r"clisc.toml is not UTF-8 \(.*\); save it in that encoding."):
        read_settings(path)


def test_a_misspelt_table_is_not_called_cut(tmp_path):
    path = tmp_path / "clisc.toml"
    write_settings(path, preset("tiny"))
    path.write_text(path.read_text(encoding="utf-8").replace("[unet]", "[uent]"), encoding="utf-8")
    with pytest.raises(BadInput, match=r"lacks \[unet\] and has uent, which is no setting; mend the name."):
        read_settings(path)


def test_changes_keep_the_users_comments(tmp_path):
    path = tmp_path / "clisc.toml"
    write_settings(path, preset("tiny"))
    path.write_text("# my own note\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    write_changes(path, {"amda.t": 12.5, "unet.patch": [32, 64, 64], "seed": 4})
    changed = read_settings(path)
    assert (changed.amda.t, changed.unet.patch, changed.seed) == (12.5, [32, 64, 64], 4)
    assert path.read_text(encoding="utf-8").startswith(
        "# my own note\n"
    ) and "(paper: 20)" in path.read_text(encoding="utf-8")


def test_assignments():
    assert parse_assignment("amda.t=10") == ("amda.t", 10)
    assert parse_assignment("cam.method=gradcam") == ("cam.method", "gradcam")
    assert parse_assignment('cam.layers=["layer2"]') == ("cam.layers", ["layer2"])
    assert parse_assignment("sam.checkpoint=/a=b.pth") == ("sam.checkpoint", "/a=b.pth")
    for text in ("amda.t", "=3", ""):
        with pytest.raises(BadInput, match="not KEY=VALUE"):
            parse_assignment(text)


@given(st.text(max_size=300))
def test_any_text_as_settings_is_read_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "fuzz.toml"
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        assert isinstance(read_settings(path), Settings)
    except BadInput as error:
        assert "fuzz.toml" in str(error)


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["amda", "unet", "roi", "seed", "weights", "x"]), _PLAIN))
def test_any_values_are_accepted_or_refused(values):
    try:
        validate(values, "here")
    except BadInput as error:
        assert str(error).startswith("here: ")


def test_fingerprints_depend_on_values_and_not_on_order():
    assert fingerprint({"a": "1", "b": "2"}) == fingerprint({"b": "2", "a": "1"})
    assert fingerprint({"a": "1"}) != fingerprint({"a": "2"})


def test_staleness_says_what_changed():
    before = settings_used(preset("tiny"), "cam", "amda.t")
    changed = with_changes(preset("tiny"), {"cam.method": "gradcam"}, "--set")
    after = settings_used(changed, "cam", "amda.t")
    assert difference(before, after) == 'cam.method "layercam" -> "gradcam"'
    assert json.loads(after["amda.t"]) == preset("tiny").amda.t
