"""Settings with which a step could not be done are refused where they are given, not hours later."""

import json
import shlex
import shutil

import pytest

from clisc_engine.settings.file import write_changes
from tests.support.small import small_project

TINY = ("--weights", "tiny")
CONTRADICTIONS = [
    ("cam.method=cam", "cam.layers", ('cam.layers=["layer4"]', "cam.method=cam")),
    ("unet.start=bundled", "unet.start=scratch", ("unet.start=bundled", "unet.spacing=[4,2.5,2.5]")),
    ("unet.channels=[8,8,8,8,8,8,8]", "larger patch", ("unet.channels=[8,8,8]",)),
    (
        "label.model=[tiny,RN50]",
        "no such model",
        ('label.model=["tiny","RN50"]', "label.pretrained=openai"),
    ),
    (
        'label.normal_prompts=["b","a"] label.tumour_prompts=["a","b"]',
        "phrasings of its own",
        ('label.normal_prompts=["b","a"]', 'label.tumour_prompts=["a","c"]'),
    ),
    ("sam.checkpoint=own.pth", "sam.model=vit_b", ("sam.checkpoint=own.pth", "sam.model=vit_b")),
    (
        "classifier.pretrained=own.pth",
        "classifier.backbone=resnet50",
        ("classifier.pretrained=own.pth", "classifier.backbone=resnet18"),
    ),
    (
        "baselines.sim2real.grid=[16,16,16]",
        "a single voxel",
        ("baselines.sim2real.grid=[16,16,32]", "baselines.sim2real.channels=[2,2,2,2,2]"),
    ),
    ("label.model=ViT-B/32", "no such model", ("label.model=tiny",)),
    ("label.model=ViT-B-32", "ResNet image tower", ("label.model=RN50", "label.pretrained=openai")),
    ("sam.image_size=256", "multiples of 8 up to 128", ("sam.image_size=64",)),
    (
        "classifier.image_size=32 classifier.batch_size=1",
        "classifier.batch_size",
        ("classifier.image_size=64", "classifier.batch_size=1"),
    ),
]


@pytest.fixture
def root(data, tmp_path):
    """A project that is imported and no more."""
    return small_project(tmp_path / "project", data).root


def settings_of(root):
    return (root / "clisc.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(("wrong", "said", "right"), CONTRADICTIONS)
def test_a_contradiction_is_refused_by_all_that_sets(clisc, root, wrong, said, right):
    before, words = settings_of(root), wrong.split()
    by_option = [word for one in words for word in ("--set", one)]
    calls = [
        ("config", "set", root, *words),
        ("label", root, *by_option),
        ("run", root, "--dry-run", *by_option),
        ("variant", "new", root, "other", *by_option),
    ]
    for call in calls:
        ended = clisc(*call)
        assert ended.code == 3 and said in ended.message, call
        assert settings_of(root) == before and not (root / "variants").exists(), call
    assert clisc("config", "set", root, *right).code == 0, "what goes together is judged together"


def test_a_sweep_names_a_value_that_no_step_can_take_before_it_makes_any(clisc, root):
    ended = clisc("sweep", root, "sam.image_size=64,256", "--row", "sam")
    assert ended.code == 3 and "multiples of 8 up to 128" in ended.message and "label:" not in ended.err
    assert not (root / "variants").exists()


@pytest.mark.parametrize("key", ["classifier.select", "unet.select"])
def test_a_choice_on_an_empty_valid_split_is_refused_where_it_is_set(clisc, root, key):
    assert clisc("cases", "move", root, "p3", "train").code == 0
    before = settings_of(root)
    ended = clisc("config", "set", root, f"{key}=best", "amda.t=10")
    assert ended.code == 3 and "valid split, which is empty" in ended.message
    assert settings_of(root) == before
    way = shlex.split(ended.message.partition("`clisc ")[2].partition("`")[0])
    assert clisc(*["p3" if word == "CASE" else word for word in way]).code == 0
    assert clisc("config", "set", root, f"{key}=best").code == 0


def test_a_file_that_no_step_reads_stops_no_run(clisc, root):
    """As a project has it that was made when it was taken."""
    write_changes(root / "clisc.toml", {"sam.checkpoint": "own.pth"})
    assert clisc("config", "set", root, "amda.t=10").code == 0
    assert clisc("run", root, "--dry-run").code == 0


def test_a_change_of_cases_says_which_choice_it_makes_impossible(clisc, root):
    assert clisc("config", "set", root, "unet.select=best").code == 0
    for words in (("move", root, "p3", "train", "--dry-run"), ("move", root, "p3", "train")):
        ended = clisc("cases", *words)
        assert ended.code == 0 and "valid split, which is empty" in ended.message
    assert "valid split" not in clisc("cases", "move", root, "p0", "test").message, "it was so before"


@pytest.mark.parametrize("look", [(), ("--dry-run",)])
def test_init_refuses_a_choice_on_a_split_without_a_case(clisc, data, tmp_path, look):
    given = ("--images", data / "images", *TINY, "--set", "unet.select=best", *look)
    ended = clisc("init", tmp_path / "p", *given, "--split-ratio", "3:0:2")
    assert ended.code == 3 and "valid split, which is empty" in ended.message
    assert "--split-ratio" in ended.message and not (tmp_path / "p").exists()
    assert clisc("init", tmp_path / "p", *given, "--split-ratio", "3:1:1").code == 0


def test_a_demo_draws_no_phantom_for_settings_that_cannot_be(clisc, tmp_path):
    ended = clisc("demo", tmp_path / "demo", "--set", "cam.method=cam")
    assert ended.code == 3 and "cam.method=layercam" in ended.message and not (tmp_path / "demo").exists()


def test_one_of_two_faults_can_be_mended_alone(clisc, root):
    """They came by an editor; what stays is told, and only what is new is refused."""
    write_changes(root / "clisc.toml", {"cam.method": "cam", "sam.image_size": 256})
    ended = clisc("config", "set", root, "sam.image_size=0")
    assert (
        ended.code == 0 and "cam.method=layercam" in ended.message and "sam.image_size is" not in ended.err
    )
    assert clisc("config", "set", root, "unet.start=bundled").code == 3
    shown = clisc("config", "set", root, "amda.t=10", "--json")
    assert shown.code == 0 and json.loads(shown.out)["changed"] == {"amda.t": 10}
    assert clisc("config", "set", root, "cam.method=layercam").message.count("every step") == 0


def test_a_variant_is_judged_by_what_it_lies_over(clisc, root):
    over = ("variant", "new", root, "linear", "--set", 'cam.layers=["layer4"]')
    assert clisc(*over).code == 0
    alone, above = ("variant", "new", root, "cam", "--set", "cam.method=cam"), ("--over", "linear")
    assert clisc(*alone).code == 3
    assert clisc(*alone, *above).code == 0
    shutil.rmtree(root / "variants")
