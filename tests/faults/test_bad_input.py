"""Every kind of bad input ends with its documented exit code, says what is wrong, and spoils nothing.

docs/bad-input.md lists these kinds by name.
"""

import gzip
import os
import shutil
import struct
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from clisc_engine.project.fingerprint import fingerprint
from clisc_engine.project.project import open_project
from clisc_engine.stages.unet import learning as unet_training
from tests.support.volumes import ball, write

BAD = "c_flair.nii.gz"
"""The bad one among the images a, b and c."""


@dataclass
class Desk:
    """Where a kind is prepared: images and references to import, or a finished project to spoil."""

    tmp: Path
    root: Path
    patch: pytest.MonkeyPatch

    @property
    def images(self):
        return self.tmp / "images"

    @property
    def references(self):
        return self.tmp / "references"

    @property
    def bad(self):
        return self.images / BAD

    def file(self, name, text):
        (self.tmp / name).write_text(text, encoding="utf-8")

    def project(self):
        return open_project(self.root)


def desk_with_images(tmp_path, patch):
    desk = Desk(tmp_path, tmp_path / "p", patch)
    for number, name in enumerate("abc"):
        write(desk.images / f"{name}_flair.nii.gz", ball())
        write(desk.references / f"{name}_seg.nii.gz", (ball() > 110 + number).astype(np.uint8))
    return desk


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def with_value(value):
    array = ball()
    array[5, 5, 5] = value
    return array


def small_brain():
    array = np.zeros((12, 24, 24), np.float32)
    array[5, 5:15, 5:15] = np.arange(100).reshape(10, 10) + 1
    return array


def in_air():
    """A head in air that is noise."""
    return ball() + np.random.default_rng(0).random((12, 24, 24), np.float32) * 50


def image(array, **grid):
    """Replace the bad image."""
    return lambda desk: write(desk.bad, array, **grid)


def header(offset, layout, *values):
    """Change a field in the bad image's header."""

    def change(desk):
        data = bytearray(gzip.decompress(desk.bad.read_bytes()))
        struct.pack_into(layout, data, offset, *values)
        desk.bad.write_bytes(gzip.compress(data))

    return change


def sitk_image(make):
    return lambda desk: sitk.WriteImage(make(), str(desk.bad))


def two_series(desk):
    for path in desk.images.iterdir():
        path.unlink()
    for uid in ("1.2.3", "1.2.4"):
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        volume = sitk.Cast(sitk.GetImageFromArray(ball((4, 24, 24))), sitk.sitkInt16)
        for z in range(4):
            slice_ = volume[:, :, z]
            slice_.SetMetaData("0020|000e", uid)
            slice_.SetMetaData("0008|0018", f"{uid}.{z}")
            (desk.images / "c").mkdir(exist_ok=True)
            writer.SetFileName(str(desk.images / "c" / f"{uid}-{z}.dcm"))
            writer.Execute(slice_)


def only_links_out(desk):
    desk.images.rename(desk.tmp / "elsewhere")
    desk.images.mkdir()
    for path in (desk.tmp / "elsewhere").iterdir():
        (desk.images / path.name).symlink_to(path)


def manifest(text):
    return lambda desk: desk.file("m.csv", text)


def split(text, name="split.csv"):
    return lambda desk: desk.file(name, text)


MANIFEST = ("--images", "{tmp}/m.csv")
SPLIT = ("--split", "{tmp}/split.csv")
REFERENCES = ("--references", "{tmp}/references")

IMPORTS = {
    # kind: (spoil it, further options of `clisc init`, what is said)
    "truncated nii.gz": (lambda d: halve(d.bad), (), [BAD, "damaged or truncated"]),
    "truncated nii": (
        lambda d: halve(write(d.images / "d_flair.nii", ball())),
        (),
        ["d_flair.nii", "damaged or truncated"],
    ),
    "no image": (lambda d: d.bad.write_text("no image", encoding="utf-8"), (), [BAD, "cannot be read"]),
    "empty file": (lambda d: d.bad.write_bytes(b""), (), [BAD, "cannot be read"]),
    "2-D": (sitk_image(lambda: sitk.GetImageFromArray(ball()[6])), (), [BAD, "not a 3-D volume"]),
    "4-D": (
        sitk_image(lambda: sitk.JoinSeries([sitk.GetImageFromArray(ball())] * 2)),
        (),
        [BAD, "4-D with 2 volumes"],
    ),
    "colours": (
        sitk_image(lambda: sitk.GetImageFromArray(np.stack([ball()] * 3, -1), isVector=True)),
        (),
        [BAD, "3 values a voxel"],
    ),
    "NaN": (image(with_value(np.nan)), (), [BAD, "1 NaN or infinite"]),
    "infinity": (image(with_value(np.inf)), (), [BAD, "1 NaN or infinite"]),
    "all zero": (image(np.zeros_like(ball())), (), [BAD, "zero everywhere"]),
    "constant": (image(np.full_like(ball(), 7)), (), [BAD, "same value 7 everywhere"]),
    "a mask for an image": (image((ball() > 0).astype(np.float32)), (), [BAD, "may be a mask"]),
    "too little brain": (image(small_brain()), (), [BAD, "too few for a brain"]),
    "a brain larger than any": (
        lambda d: write(d.bad, ball(), (1.0, 16.0, 5.0)),
        (),
        [BAD, "brain of 50 x 320 x 20 mm"],
    ),
    "not skull-stripped": (image(in_air()), (), [BAD, "not skull-stripped", "image.allow_skull"]),
    "absurd size": (header(42, "<3h", 30000, 30000, 30000), (), [BAD, "cannot hold"]),
    "spacing of zero": (header(80, "<f", 0.0), (), [BAD, "spacing"]),
    "spacing that is no number": (header(80, "<f", np.nan), (), [BAD, "spacing"]),
    "axes that span nothing": (header(280, "<f", np.nan), (), [BAD, "directions"]),
    "two of one name": (
        lambda d: write(d.images / "more" / BAD, ball()),
        (),
        ["have the same case name 'c'"],
    ),
    "names that differ by case": (
        lambda d: write(d.images / "C_flair.nii.gz", ball()),
        (),
        ["have the same case name"],
    ),
    "unsafe name": (
        lambda d: d.bad.rename(d.images / "-rf_flair.nii.gz"),
        (),
        ["'-rf' cannot be a case name", "CSV with the columns case,image"],
    ),
    "links out of the folder": (only_links_out, (), ["lead out of the folder"]),
    "two DICOM series": (two_series, (), ["2 DICOM series"]),
    "no such folder": (lambda d: shutil.rmtree(d.images), (), ["no such folder"]),
    "empty folder": (lambda d: [p.unlink() for p in d.images.iterdir()], (), ["no images there"]),
    "reference of another shape": (
        lambda d: write(d.references / "c_seg.nii.gz", np.ones((11, 24, 24), np.uint8)),
        REFERENCES,
        ["c_seg.nii.gz", "image's grid", "24 x 24 x 11"],
    ),
    "reference on another grid": (
        lambda d: write(d.references / "c_seg.nii.gz", np.ones((12, 24, 24), np.uint8), origin=(9, 0, 0)),
        REFERENCES,
        ["c_seg.nii.gz", "image's grid", "origin"],
    ),
    "reference without an image": (
        lambda d: d.bad.unlink(),
        REFERENCES,
        ["c_seg.nii.gz has no image of the case name 'c'"],
    ),
    "damaged reference": (
        lambda d: halve(d.references / "c_seg.nii.gz"),
        REFERENCES,
        ["c_seg.nii.gz", "damaged or truncated"],
    ),
    "manifest without its columns": (
        manifest("name,file\na,images/a_flair.nii.gz\n"),
        MANIFEST,
        ["m.csv", "columns case,image"],
    ),
    "manifest with an unsafe name": (
        manifest("case,image\n../x,images/a_flair.nii.gz\n"),
        MANIFEST,
        ["m.csv, line 2", "cannot be a case name"],
    ),
    "manifest that names a missing file": (
        manifest("case,image\na,images/z.nii\n"),
        MANIFEST,
        ["z.nii does not exist"],
    ),
    "split without its columns": (
        split("name,part\na,train\n"),
        SPLIT,
        ["split.csv", "columns case,split"],
    ),
    "split of another name": (
        split("case,split\na,train\nb,training\nc,test\n"),
        SPLIT,
        ["split.csv, line 3", "'training'"],
    ),
    "split of an unknown case": (
        split("case,split\na,train\nb,train\nd,test\n"),
        SPLIT,
        ["split.csv, line 4", "no case 'd'"],
    ),
    "split that gives a case twice": (
        split("case,split\na,train\na,test\nb,test\nc,test\n"),
        SPLIT,
        ["split.csv, line 3", "twice"],
    ),
    "split that leaves a case out": (split("case,split\na,train\n"), SPLIT, ["gives no split for b, c"]),
    "split without training cases": (
        split("case,split\na,test\nb,test\nc,test\n"),
        SPLIT,
        ["no case into train"],
    ),
    "split that is no JSON": (
        split('{"train": ["a"', "split.json"),
        ("--split", "{tmp}/split.json"),
        ["split.json is not valid JSON"],
    ),
    "missing split file": (lambda d: None, SPLIT, ["split.csv", "No such file"]),
    "wrong split ratio": (lambda d: None, ("--split-ratio", "7:1"), ["--split-ratio '7:1'"]),
    "wrong setting at init": (lambda d: None, ("--set", "amda.t=140"), ["amda.t", "140"]),
}


@pytest.mark.parametrize("kind", IMPORTS)
def test_init(clisc, tmp_path, monkeypatch, kind):
    spoil, options, parts = IMPORTS[kind]
    desk = desk_with_images(tmp_path, monkeypatch)
    spoil(desk)
    images = () if "--images" in options else ("--images", desk.images)
    shown = clisc(
        *("init", desk.root, *images, "--weights", "tiny"),
        *(option.format(tmp=tmp_path) for option in options),
    )
    assert shown.code == 3 and shown.out == "", shown.err
    assert all(part in shown.message for part in parts), shown.message
    assert not desk.root.exists(), "nothing is half-written"


def test_init_over_another_project(clisc, root, tmp_path, monkeypatch):
    desk = desk_with_images(tmp_path / "other", monkeypatch)
    shown = clisc("init", root, "--images", desk.images, "--weights", "tiny")
    assert shown.code == 3 and "already holds a project with other cases" in shown.message
    assert clisc("verify", root).code == 0


def remove(array):
    return lambda desk: desk.project().store.remove(f"cases/p1/{array}")


def overwrite(array, change, cases=("p0", "p1", "p2")):
    """Let an array be of other values, as if its stage had made it so."""

    def spoil(desk):
        project = desk.project()
        for name in cases:
            seal = replace(project.case(name).seal(array), made_from={"made": "up"})
            seal = replace(seal, fingerprint=fingerprint(seal.made_from))
            path = f"cases/{name}/{array}"
            project.store.write(
                path, change(project.store.read(path)), seal, project.store.attributes(path)
            )

    return spoil


def move(split, to):
    def spoil(desk):
        project = desk.project()
        for case in project.cases((split,)):
            record = {"case": asdict(replace(case.info, split=to))}
            project.store.write_group(f"cases/{case.info.name}", record)

    return spoil


def toml(change):
    def spoil(desk):
        file = desk.root / "clisc.toml"
        file.write_text(change(file.read_text(encoding="utf-8")), encoding="utf-8")

    return spoil


def nothing(desk):
    pass


def without_project(desk):
    shutil.rmtree(desk.root)
    desk.root.mkdir()


def loss_of_nan(desk):
    desk.patch.setattr(
        unet_training, "segmentation_loss", lambda kind: lambda found, _: found.sum() * np.nan
    )


def cramped(desk):
    def loss(found, _):
        raise torch.OutOfMemoryError("out of memory")

    desk.patch.setattr(unet_training, "segmentation_loss", lambda kind: loss)


def weights(text):
    """A weight file that holds this, or nothing of the kind."""
    return lambda desk: desk.file("weights.pt", text)


def wrong_weights(desk):
    torch.save({"w": torch.zeros(3)}, desk.tmp / "weights.pt")


class Bomb:
    """Unpickling this would make a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def bomb(name):
    """A file that would run code when it is unpickled."""
    return lambda desk: torch.save({"state_dict": {"w": Bomb(desk.tmp / "owned")}}, desk.tmp / name)


def model_file(desk):
    shutil.copy(desk.root / "checkpoints/unet-round1.safetensors", desk.tmp / "model.clisc")


SET = "--set"
RESNET = (SET, "classifier.backbone=resnet18", SET, "classifier.pretrained={tmp}/weights.pt")
BEST = (SET, "unet.select=best")
FILES = ["{tmp}/images/a_flair.nii.gz", "-o", "{tmp}/out"]

PROJECTS = {
    # kind: (spoil it, the command, its exit code, what is said, exit code of `clisc verify` afterwards)
    "no project": (without_project, ["label", "{root}"], 4, ["clisc init"], 4),
    "earlier stage missing": (
        lambda d: [d.project().store.remove(f"cases/p{i}/masks/sam") for i in range(5)],
        ["train", "{root}"],
        4,
        ["No case of the train split has masks/sam", "clisc prompt-sam"],
        3,
    ),
    "a train case without its input": (
        remove("masks/sam"),
        ["train", "{root}"],
        4,
        ["1 of the 3 train cases lack masks/sam: p1", "clisc prompt-sam"],
        3,
    ),
    "unknown case": (nothing, ["label", "{root}", "--cases", "nobody"], 3, ["nobody", "p0"], 0),
    "case that leads elsewhere": (nothing, ["show", "{root}", "../p0"], 3, ["no case '../p0'"], 0),
    "unknown option": (nothing, ["label", "{root}", "--colour"], 2, ["--colour"], 0),
    "unknown split": (nothing, ["label", "{root}", "--splits", "trainn"], 2, ["trainn"], 0),
    "unknown device": (nothing, ["label", "{root}", "--force", "--device", "abacus"], 3, ["abacus"], 0),
    "unknown setting": (
        nothing,
        ["label", "{root}", SET, "amda.tt=3"],
        3,
        ["unknown setting 'amda.tt'", "did you mean 'amda.t'"],
        0,
    ),
    "setting of the wrong type": (
        nothing,
        ["label", "{root}", SET, "amda.t=many"],
        3,
        ["amda.t = 'many'", "valid number"],
        0,
    ),
    "setting out of range": (nothing, ["label", "{root}", SET, "amda.t=140"], 3, ["amda.t = 140"], 0),
    "setting without a value": (nothing, ["label", "{root}", SET, "amda.t"], 3, ["KEY=VALUE"], 0),
    "setting that is no text": (nothing, ["label", "{root}", SET, "label.model=\udc80"], 3, ["UTF-8"], 0),
    "setting that no file can hold": (
        nothing,
        ["label", "{root}", SET, 'label.model="\\ud800"'],
        3,
        ["label.model"],
        0,
    ),
    "half-written clisc.toml": (
        toml(lambda text: text[:-5] + '"'),
        ["label", "{root}"],
        3,
        ["clisc.toml is not valid TOML"],
        3,
    ),
    "unknown key in clisc.toml": (
        toml(lambda text: text.replace("[amda]", "[amda]\ntt = 3")),
        ["label", "{root}"],
        3,
        ["clisc.toml", "amda.tt"],
        3,
    ),
    "missing weights": (
        nothing,
        ["prompt-sam", "{root}", SET, "sam.model=vit_b"],
        3,
        ["not on this machine", "clisc models pull"],
        0,
    ),
    "weight file that is not there": (
        nothing,
        ["cam", "{root}", *RESNET],
        3,
        ["weights.pt does not exist"],
        0,
    ),
    "weights of something else": (
        wrong_weights,
        ["cam", "{root}", *RESNET],
        3,
        ["weights.pt does not hold a resnet18"],
        0,
    ),
    "corrupt weights": (
        weights("no weights"),
        ["cam", "{root}", *RESNET],
        3,
        ["weights.pt is not a readable weight file"],
        0,
    ),
    "weights that hold code": (
        bomb("weights.pt"),
        ["cam", "{root}", *RESNET],
        3,
        ["weights.pt is not a readable weight file", "hold code"],
        0,
    ),
    "model file that holds code": (
        bomb("model.clisc"),
        ["predict", "{tmp}/model.clisc", *FILES],
        3,
        ["model.clisc is damaged or no model file"],
        0,
    ),
    "weights for a model file": (
        model_file,
        ["predict", "{tmp}/model.clisc", *FILES],
        3,
        ["no model that `clisc export model` wrote"],
        0,
    ),
    "no model file": (
        nothing,
        ["predict", "{tmp}/none.clisc", *FILES],
        3,
        ["none.clisc does not exist"],
        0,
    ),
    "volume to predict that is not there": (
        nothing,
        ["predict", "{root}", "{tmp}/none.nii", "-o", "{tmp}/out"],
        3,
        ["none.nii does not exist"],
        0,
    ),
    "volume to predict that is damaged": (
        lambda d: halve(d.images / "a_flair.nii.gz"),
        ["predict", "{root}", *FILES],
        3,
        ["a_flair.nii.gz", "damaged or truncated"],
        0,
    ),
    "loss that is no number": (
        loss_of_nan,
        ["train", "{root}", "--force"],
        3,
        ["loss of unet-round1 became NaN", "epoch 1"],
        0,
    ),
    "memory that does not suffice for a step": (
        cramped,
        ["train", "{root}", "--force"],
        3,
        ["unet.batch_size"],
        0,
    ),
    "no slice called a tumour": (
        overwrite("labels/tumour", np.zeros_like),
        ["cam", "{root}"],
        3,
        ["a tumour", "label.tumour_prompts"],
        0,
    ),
    "every slice called a tumour": (
        overwrite("labels/tumour", np.ones_like),
        ["cam", "{root}"],
        3,
        ["normal tissue", "label.confidence"],
        0,
    ),
    "empty pseudo-labels": (
        overwrite("masks/sam", np.zeros_like),
        ["train", "{root}"],
        3,
        ["masks/sam of the train split are empty", "roi.threshold"],
        0,
    ),
    "empty maps": (
        lambda d: [overwrite(name, np.zeros_like)(d) for name in ("cams/amda", "masks/sam")],
        ["train", "{root}"],
        3,
        [
            "masks/sam of the train split are empty (3 cases)",
            "the classifier sees none",
            "clisc cases move {root} CASE train",
        ],
        0,
    ),
    "empty pseudo-labels where CLIP sees no tumour": (
        lambda d: [overwrite(name, np.zeros_like)(d) for name in ("labels/tumour", "masks/sam")],
        ["train", "{root}"],
        3,
        ["calls none of their slices a tumour", "label.tumour_prompts"],
        0,
    ),
    "empty train split": (move("train", "test"), ["train", "{root}"], 3, ["train split is empty"], None),
    "best epoch without a valid split": (
        move("valid", "test"),
        ["train", "{root}", *BEST],
        3,
        ["valid split, which is empty", "unet.select=last"],
        None,
    ),
    "evaluation without references": (
        lambda d: (
            [shutil.rmtree(p) for p in (d.root / "store.zarr/cases").glob("*/reference")]
            + [without_references(d)]
        ),
        ["evaluate", "{root}"],
        3,
        ["No case has a reference mask"],
        0,
    ),
    "masks of an unknown name": (
        nothing,
        ["export", "masks", "{root}", "--masks", "rounds", "-o", "{tmp}/out"],
        3,
        ["no masks 'rounds'"],
        0,
    ),
    "name of a data set that leads elsewhere": (
        nothing,
        ["export", "nnunet", "{root}", "-o", "{tmp}/out", "--name", "../x"],
        3,
        ["--name '../x'"],
        0,
    ),
}


def without_references(desk):
    project = desk.project()
    for case in project.cases():
        record = asdict(replace(case.info, has_reference=False, reference_source="", reference_sha256=""))
        project.store.write_group(f"cases/{case.info.name}", {"case": record})


@pytest.mark.parametrize("kind", PROJECTS)
def test_project(clisc, root, tmp_path, monkeypatch, kind):
    spoil, command, code, parts, after = PROJECTS[kind]
    desk = desk_with_images(tmp_path, monkeypatch)
    desk.root = root
    with monkeypatch.context() as patch:
        desk.patch = patch
        spoil(desk)
        texts = [text.replace("{root}", str(root)).replace("{tmp}", str(tmp_path)) for text in command]
        device = [] if {"--device", "show", "export"} & set(command) else ["--device", "cpu"]
        shown = clisc(*texts, *device)
    assert shown.code == code, shown.err
    assert all(part.replace("{root}", str(root)) in shown.message for part in parts), shown.message
    assert not (tmp_path / "owned").exists(), "no code of a file's was run"
    if after is not None:
        assert clisc("verify", root).code == after


def test_a_training_state_that_holds_code_is_left_aside(clisc, root, tmp_path):
    state = root / "checkpoints/unet-round1.training.pt"
    torch.save({"fingerprint": "x", "module": Bomb(tmp_path / "owned")}, state)
    assert clisc("verify", root).code == 3
    shown = clisc("train", root, "--force", "--device", "cpu")
    assert shown.code == 0 and f"{state} is damaged" in shown.message
    assert not (tmp_path / "owned").exists() and clisc("verify", root).code == 0
