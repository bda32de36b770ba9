"""What `init` says of a folder before and after it takes it: folders, voxels, how few test cases."""

import json
import shlex
import shutil
import sys

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from safetensors.torch import save_file

import clisc_engine
from clisc_engine.project.project import open_project
from clisc_engine.settings.file import write_changes
from clisc_engine.settings.keys import parse_assignment
from tests.support.clip_folders import small_clip
from tests.support.small import small_project
from tests.support.volumes import ball, write

TINY = ("--weights", "tiny")


@pytest.fixture
def root(data, tmp_path):
    """A project that is imported and no more."""
    return small_project(tmp_path / "project", data).root


@pytest.fixture
def mixed(data, tmp_path):
    """Images and masks of which p1 has a skull, p2 not-a-numbers, and p3's mask marks all of the brain."""
    folder = shutil.copytree(data, tmp_path / "mixed")
    rng = np.random.default_rng(0)

    def change(path, how):
        image = sitk.ReadImage(str(path))
        write(path, how(sitk.GetArrayFromImage(image)), image.GetSpacing(), image.GetOrigin())

    image, mask = (lambda name: folder / "images" / f"{name}_flair.nii.gz"), folder / "references"
    change(image("p1"), lambda a: rng.uniform(1, 2, a.shape).astype(np.float32))
    change(image("p2"), lambda a: np.full_like(a, np.nan, dtype=np.float32))
    change(next(mask.glob("p3*")), lambda a: np.full_like(a, 7))
    return ("--images", folder / "images", "--references", folder / "references", *TINY)


def test_a_check_names_what_the_import_refuses_and_writes_nothing(clisc, mixed, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    looked = json.loads(clisc("init", tmp_path / "p", *mixed, "--dry-run", "--check", "--json").out)
    assert sorted(tmp_path.rglob("*")) == before
    problems = {case["case"]: case["problem"] for case in looked["cases"] if case["problem"]}
    done = json.loads(clisc("init", tmp_path / "p", *mixed, "--skip-bad", "--json").out)
    assert problems == done["skipped"] and {"p1", "p2"} <= set(problems)
    unread = json.loads(clisc("init", tmp_path / "q", *mixed, "--dry-run", "--json").out)
    assert not any(case["problem"] for case in unread["cases"]), "headers alone cannot tell"


def test_a_dry_run_ends_as_the_import_would(clisc, mixed, data, tmp_path):
    """Some cannot be imported; they are left out; none can be; all can."""
    look, root = ("--dry-run", "--check"), tmp_path / "p"
    good = ("--images", data / "images", "--references", data / "references", *TINY)
    ways = [
        (mixed, 3),
        ((*mixed, "--skip-bad"), 0),
        ((*mixed, "--cases", "p1,p2", "--skip-bad"), 3),
        (good, 0),
    ]
    for given, code in ways:
        for place in (root, tmp_path / "other"):
            options = () if place == root else ("--json",)
            assert clisc("init", place, *given, *look, *options).code == code, given
            assert clisc("init", place, *given, *options).code == code, given
            shutil.rmtree(place, ignore_errors=True)
    looked = clisc("init", root, *mixed, *look)
    assert "3 of 5 cases cannot be imported: p1, p2, p3; --skip-bad takes the others." in looked.message
    found = json.loads(clisc("init", root, *mixed, *look, "--json").out)
    assert found["error"]["code"] == 3 and len(found["cases"]) == 5 and not root.exists()


def test_a_check_says_of_files_what_the_import_says(clisc, data, tmp_path):
    given = ("--images", data / "images", "--references", data / "references", *TINY)
    looked = clisc("init", tmp_path / "p", *given, "--dry-run", "--check")
    assert looked.code == 0 and "Read: 5 cases; all can be imported." in looked.err
    notes = {
        c["case"]: c["notes"]
        for c in document(clisc("init", tmp_path / "p", *given, "--dry-run", "--check", "--json"))["cases"]
        if c["notes"]
    }
    assert notes == document(clisc("init", tmp_path / "p", *given, "--json"))["notes"]


def test_a_brain_yet_to_be_extracted_is_no_fault(clisc, mixed, tmp_path):
    extractor = ("--brain-extraction", "cp {input} {output}")
    looked = json.loads(
        clisc("init", tmp_path / "p", *mixed, *extractor, "--dry-run", "--check", "--json").out
    )
    assert "p1" not in {case["case"] for case in looked["cases"] if case["problem"]}


def test_what_surrounds_a_brain_yet_to_be_extracted_is_no_fault(clisc, tmp_path):
    """The import reads it inside the mask alone, so two paddings are none of its business."""
    rng, brain = np.random.default_rng(0), ball((24, 48, 48))
    scan = np.where(brain != 0, brain, rng.uniform(20, 40, brain.shape)).astype(np.float32)
    scan[:, :, :6], scan[-4:] = 0, -1
    write(tmp_path / "images" / "a_flair.nii.gz", scan)
    drawn = np.zeros(brain.shape, np.uint8)
    drawn[10:14, 20:28, 20:28] = 1
    write(tmp_path / "masks" / "a_seg.nii.gz", drawn)
    extractor = tmp_path / "extract.py"
    extractor.write_text(
        "import sys, nibabel as nib, numpy as np\n"
        "scan = nib.load(sys.argv[1])\n"
        "mask = (np.asarray(scan.dataobj) > 45).astype(np.uint8)\n"
        "nib.save(nib.Nifti1Image(mask, scan.affine), sys.argv[2])\n",
        encoding="utf-8",
    )
    given = ("--images", tmp_path / "images", "--references", tmp_path / "masks", *TINY)
    extraction = ("--brain-extraction", f"{sys.executable} {extractor} {{input}} {{output}}")
    looked = clisc("init", tmp_path / "p", *given, *extraction, "--dry-run", "--check", "--json")
    assert [case["problem"] for case in document(looked)["cases"]] == [""]
    assert clisc("init", tmp_path / "p", *given, *extraction).code == 0


def test_a_reference_that_is_read_is_no_fault_of_a_dry_run(clisc, data, tmp_path):
    """A 4-D mask of one volume is read as that volume."""
    folder = shutil.copytree(data, tmp_path / "mixed")
    mask = nib.load(next((folder / "references").glob("p3*")))
    single = nib.Nifti1Image(np.asarray(mask.dataobj)[..., None], mask.affine, mask.header)
    nib.save(single, mask.get_filename())
    given = ("--images", folder / "images", "--references", folder / "references", *TINY)
    looked = document(clisc("init", tmp_path / "p", *given, "--dry-run", "--json"))
    assert not any(case["problem"] for case in looked["cases"])
    assert clisc("init", tmp_path / "p", *given).code == 0


@pytest.mark.parametrize("words", [("init",), ("cases", "add")])
def test_a_check_goes_with_a_dry_run(clisc, data, root, words):
    ended = clisc(*words, root, "--images", data / "images", "--check")
    assert ended.code == 2 and "--check" in ended.message


def test_cases_add_checks_too(clisc, mixed, root):
    shutil.copy(mixed[1] / "p1_flair.nii.gz", mixed[1] / "new_flair.nii.gz")
    given = ("--images", mixed[1], "--cases", "new")
    ended = clisc("cases", "add", root, *given, "--dry-run", "--check", "--json")
    problems = [case["problem"] for case in json.loads(ended.out)["cases"]]
    assert ["not skull-stripped" in problem for problem in problems] == [True]
    assert ended.code == clisc("cases", "add", root, *given).code == 3


def test_images_of_several_folders_are_told(clisc, data, tmp_path):
    folder = shutil.copytree(data / "images", tmp_path / "all")
    (folder / "stroke").mkdir()
    (folder / "p4_flair.nii.gz").rename(folder / "stroke/p4_flair.nii.gz")
    told = clisc("init", tmp_path / "p", "--images", folder, *TINY, "--dry-run").message
    assert f"5 images are taken from 2 folders: 4 in {folder}, 1 in {folder}/stroke." in told
    pattern = told.partition("quoted glob: --images ")[2].partition(". ")[0].strip("'.")
    one = clisc("init", tmp_path / "p", "--images", pattern, *TINY, "--dry-run", "--json")
    assert sorted(document(one)["splits"]) == ["p0", "p1", "p2", "p3"] and "folders" not in one.message


def test_a_folder_for_each_case_is_no_surprise(clisc, data, tmp_path):
    for image in (data / "images").iterdir():
        own = tmp_path / "all" / image.name[:2]
        own.mkdir(parents=True)
        shutil.copy(image, own)
    told = clisc("init", tmp_path / "p", "--images", tmp_path / "all", *TINY, "--dry-run")
    assert told.code == 0 and "folders" not in told.message


def test_few_test_cases_are_told_where_they_are_measured(clisc, tmp_path):
    for seed in range(7):
        volume, mask = ball(seed=seed), np.zeros((12, 24, 24), np.uint8)
        mask[5:7, 10:14, 4 + seed : 8 + seed] = 1
        write(tmp_path / "images" / f"b{seed}_flair.nii.gz", volume)
        write(tmp_path / "masks" / f"b{seed}_seg.nii.gz", mask)
    given = ("--images", tmp_path / "images", *TINY, "--split-ratio", "5:0:2")
    told = clisc("init", tmp_path / "p", *given, "--references", tmp_path / "masks").message
    assert "2 test cases with a reference" in told and "will measure all 7" in told
    assert "with a reference" not in clisc("init", tmp_path / "q", *given).message


def test_how_to_learn_from_more_cases_fits_the_command(clisc, data, root, tmp_path):
    given = ("--images", data / "images", *TINY)
    told = clisc("init", tmp_path / "p", *given, "--split-ratio", "3:1:1").message
    moving = told.partition("` lets it learn from more")[0].rpartition("`clisc ")[2]
    assert "3 train cases" in told and moving.startswith("cases move ") and "--split-ratio" not in told
    assert clisc(*shlex.split(moving)).code == 0
    listed = json.loads(clisc("cases", "list", tmp_path / "p", "--json").out)
    assert {case["split"] for case in listed["cases"]} == {"train"}
    shutil.copytree(data / "images", tmp_path / "more")
    (tmp_path / "more/p1_flair.nii.gz").rename(tmp_path / "more/new_flair.nii.gz")
    added = clisc("cases", "add", root, "--images", tmp_path / "more", "--cases", "new", "--to", "train")
    assert added.code == 0 and f"`clisc cases move {root} CASE train`" in added.message
    assert "--split-ratio" not in added.message


@pytest.mark.parametrize("setting", ["classifier.select", "unet.select"])
def test_a_choice_on_an_empty_valid_split_is_refused_before_the_first_step(clisc, root, setting):
    assert clisc("cases", "move", root, "p3", "train").code == 0
    ended = clisc("run", root, "--set", f"{setting}=best")
    assert ended.code == 3 and "valid split, which is empty" in ended.message
    assert f"{setting}=last" in ended.message and "label:" not in ended.message


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("sam.model=vit_b", "`clisc models pull sam-vit-b`"),
        ("sam.checkpoint=gone.pth sam.model=vit_h", "gone.pth does not exist"),
        (
            "label.model=ViT-B-32 label.pretrained=openai classifier.backbone=resnet18",
            "`clisc models pull clip-vit-b-32`",
        ),
        ("classifier.backbone=resnet50 classifier.pretrained=imagenet", "`clisc models pull resnet50`"),
        ("classifier.backbone=resnet18 classifier.pretrained=gone.pth", "gone.pth does not exist"),
        ('cam.method=cam cam.layers=["layer3"]', "cam.layers"),
        ("unet.start=bundled", "unet.spacing"),
        ("label.model=ViT-B-32 label.pretrained=openai classifier.backbone=clip", "ResNet image tower"),
    ],
)
def test_what_a_later_step_lacks_is_told_before_the_first(
    clisc, root, setting, said, monkeypatch, tmp_path
):
    """By the command and from Python, where an editor set it; without that step, the run begins."""
    monkeypatch.setenv("CLISC_MODELS", str(tmp_path / "none"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path / "none"))
    write_changes(root / "clisc.toml", dict(parse_assignment(one) for one in setting.split()))
    ended = clisc("run", root)
    assert ended.code == 3 and said in ended.message and "label:" not in ended.err
    with pytest.raises(clisc_engine.BadInput) as refused:
        clisc_engine.open(root).run(device="cpu")
    assert said in str(refused.value)
    project = open_project(root)
    assert all(case.seal("labels/tumour") is None for case in project.cases())
    if not setting.startswith("label"):
        assert clisc("run", root, "--until", "label").code == 0


def cut(state, path, share=0.9):
    """Weights as a download leaves them that broke off."""
    torch.save(state, path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


def cut_safetensors(state, path):
    save_file(state, path)
    path.write_bytes(path.read_bytes()[:-1])


SPOILT = {
    "cut": ("weights.pth", cut),
    "cut safetensors": ("weights.safetensors", cut_safetensors),
    "empty": ("weights.pth", lambda state, path: path.write_bytes(b"")),
    "a page": ("weights.pth", lambda state, path: path.write_text("<html>Not found</html>")),
    "a pointer": ("weights.safetensors", lambda state, path: path.write_text("version https://git-lfs")),
}


@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.parametrize(
    "setting",
    [
        "sam.model=vit_b sam.checkpoint={}",
        "classifier.backbone=resnet18 classifier.pretrained={}",
        "label.model=RN50 label.pretrained={}",
    ],
)
def test_a_damaged_file_for_a_later_step_is_told_before_the_first(clisc, root, tmp_path, setting, how):
    name, spoil = SPOILT[how]
    spoil({"a": torch.zeros(1000)}, tmp_path / name)
    changes = [word for one in setting.format(tmp_path / name).split() for word in ("--set", one)]
    ended = clisc("run", root, *changes)
    assert ended.code == 3 and "label:" not in ended.err
    assert f"{tmp_path / name} is not a readable weight file" in ended.message
    assert "Download it again" in ended.message


def test_a_file_of_an_older_pytorch_passes_as_whole(clisc, root, tmp_path):
    """It begins with a pickle, as some of torchvision's do; what is in it, its step finds out."""
    file = tmp_path / "weights.pth"
    torch.save({"a": torch.zeros(3)}, file, _use_new_zipfile_serialization=False)
    ended = clisc("run", root, "--set", f"sam.checkpoint={file}", "--set", "sam.model=vit_b")
    assert ended.code == 3 and "weights.pth does not hold a SAM" in ended.message


@pytest.mark.parametrize(
    ("clip", "code"),
    [("ViT-B-32", 3), ("local-dir:{own}", 3), ("RN50", 0), ("local-dir:gone", 0), ("tiny", 0)],
)
def test_init_refuses_a_classifier_from_a_clip_whose_tower_is_no_resnet(clisc, data, tmp_path, clip, code):
    """What a CLIP that is not here is like cannot be told: `label` says that it lacks."""
    model = clip.format(own=small_clip(tmp_path / "own"))
    settings = ("--set", f"label.model={model}", "--set", "classifier.backbone=clip")
    ended = clisc("init", tmp_path / "p", "--images", data / "images", *TINY, *settings)
    assert ended.code == code, ended.err
    if code:
        assert "ResNet image tower" in ended.message and model in ended.message
        assert not (tmp_path / "p").exists()


def document(ended):
    assert ended.code == 0, ended.err
    return json.loads(ended.out)
