"""A small data set and a small project on which every stage really runs, in seconds."""

import csv
import json
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from clisc_engine.imaging.phantom import make_phantom
from clisc_engine.project.project import open_project
from clisc_engine.running.control import Control, Silent, StopFlag
from clisc_engine.settings.keys import with_changes
from clisc_engine.settings.presets import preset
from clisc_engine.stages.amda import amda
from clisc_engine.stages.cam import cam
from clisc_engine.stages.init import Request, initialise
from clisc_engine.stages.label import label
from clisc_engine.stages.prompt_sam import prompt_sam
from clisc_engine.stages.self_train import self_train
from clisc_engine.stages.train import train
from tests.support.volumes import write

SHAPE, SPACING = (14, 56, 48), (9.0, 3.4, 3.4)
SPLITS = {"p0": "train", "p1": "train", "p2": "train", "p3": "valid", "p4": "test"}
STAGES = {
    "label": label,
    "cam": cam,
    "amda": amda,
    "prompt-sam": prompt_sam,
    "train": train,
    "self-train": self_train,
}
CHANGES = {
    "label.confidence": 0.5,
    "classifier.epochs": 2,
    "classifier.slices_per_epoch": 32,
    "classifier.passes": 0.0,
    "unet.epochs": 2,
    "s3f.epochs": 2,
    "unet.start": "scratch",
    "prompts.region": "map",
    "unet.patch": [16, 32, 32],
    "unet.patches_per_epoch": 0,
    "unet.spacing": [9.0, 4.0, 4.0],
}


SHELF, IMPORTED = tempfile.TemporaryDirectory(prefix="clisc-imported-"), {}
"""Projects that are imported and no more, by what they were imported from and how."""


class StopsAfter(Silent):
    """Asks the run to stop after some finished units."""

    def __init__(self, units):
        self.left, self.flag = units, StopFlag()

    def advance(self, note=""):
        self.left -= 1
        if self.left <= 0:
            self.flag.reason = "SIGTERM"


def small_data(folder, references=True):
    """Five phantoms with large solid tumours as NIfTI files, and a split file."""
    for index, name in enumerate(SPLITS):
        phantom = make_phantom(
            4000 + index, shape=SHAPE, spacing=SPACING, thickness=5.0, kind="solid", volume_ml=120.0
        )
        spacing = SPACING[::-1]
        write(folder / "images" / f"{name}_flair.nii.gz", phantom.image, spacing)
        if references:
            write(folder / "references" / f"{name}_seg.nii.gz", phantom.mask, spacing)
    lines = ["case,split", *(f"{name},{split}" for name, split in SPLITS.items())]
    (folder / "split.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def small_project(root, data, *, changes=None, references=True):
    """A project of the small data set, imported and no more; the same import is done once, then copied."""
    files = sorted(path for path in data.rglob("*") if path.is_file())
    stats = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    key = json.dumps([stats, changes, references], sort_keys=True)
    if key not in IMPORTED:
        imported = Path(SHELF.name) / str(len(IMPORTED))
        IMPORTED[key] = import_small(imported, data, changes, references)
    shutil.copytree(IMPORTED[key], root)
    return open_project(root)


def import_small(root, data, changes, references):
    """Import the small data set; the project's folder."""
    request = Request(
        root=root,
        images=str(data / "images"),
        references=str(data / "references") if references else None,
        split_file=data / "split.csv",
        split_ratio="7:1:2",
        skip_bad=False,
    )
    settings = with_changes(preset("tiny"), {**CHANGES, **(changes or {})}, "test")
    return initialise(request, settings, Control(device="cpu")).project.root


def run_stages(project, *names, **options):
    """Run these stages, all by default; their reports by name."""
    control = replace(Control(device="cpu"), **options)
    return {name: STAGES[name](project, control) for name in names or STAGES}


def contents(project, skip=("reference",)):
    """Every sealed array of a project and every tensor of its checkpoints, by path."""
    from safetensors.numpy import load_file

    found = {}
    for metadata in sorted((project.root / "store.zarr" / "cases").rglob("zarr.json")):
        path = metadata.parent.relative_to(project.store.root).as_posix()
        if project.store.seal(path) is not None and path.split("/")[-1] not in skip:
            found[path] = project.store.read(path)
    for weights in sorted(project.checkpoints.glob("*.safetensors")):
        found |= {f"{weights.stem}/{key}": value for key, value in load_file(weights).items()}
    return found


@contextmanager
def left_as_it_is(project):
    """Fails in the end if a project that many tests share is no longer what it was, to the bit."""
    before = contents(project, skip=())
    yield
    changed = differing(before, contents(project, skip=()))
    assert not changed, f"a test changed the shared project {project.root}: {changed[:5]}; copy it instead"


def stamps(project):
    """Size and time of each file of a project's settings, store and checkpoints, by path."""
    files = [project.root / "clisc.toml", *project.store.root.rglob("*"), *project.checkpoints.rglob("*")]
    return {str(file): (file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()}


def curve(project, network):
    """A training's loss by epoch, as its log keeps it."""
    text = (project.logs / f"{network}.csv").read_text(encoding="utf-8")
    return [float(row["loss"]) for row in csv.DictReader(text.splitlines())]


def differing(one, other):
    """Names of the arrays that two `contents` do not share to the bit."""
    names = sorted(one.keys() | other.keys())
    return [n for n in names if n not in one or n not in other or not np.array_equal(one[n], other[n])]
