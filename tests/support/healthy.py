"""A project whose train phantoms have no tumour, for what learns from normal slices."""

import numpy as np

from clisc_engine.baselines.method import NormalCase
from clisc_engine.imaging.phantom import Protocol, make_phantom
from clisc_engine.running.control import Control
from clisc_engine.settings.keys import with_changes
from clisc_engine.settings.presets import preset
from clisc_engine.stages.init import Request, initialise
from tests.support.volumes import write

SHAPE, SPACING = (14, 56, 48), (9.0, 3.4, 3.4)
PROTOCOL = Protocol(grey=1.2, fluid=0.15, gamma=1.0, blur=0.6, noise=0.03, smooth_noise=0.6)
CPU = Control(device="cpu")


def phantom(seed, tumour):
    return make_phantom(
        seed,
        shape=SHAPE,
        spacing=SPACING,
        thickness=4.0,
        kind="solid",
        volume_ml=60.0,
        brightness=1.9,
        protocol=PROTOCOL,
        tumour=tumour,
    )


def healthy_project(root, *, train=10, test=3, seed=6000, changes=None):
    """``train`` volumes without a tumour, named h0 and on, and ``test`` with one, t0 and on."""
    names = [f"h{i}" for i in range(train)] + [f"t{i}" for i in range(test)]
    data = root / "data"
    for index, name in enumerate(names):
        made = phantom(seed + index, name[0] == "t")
        write(data / "images" / f"{name}_flair.nii.gz", made.image, SPACING[::-1])
        write(data / "references" / f"{name}_seg.nii.gz", made.mask, SPACING[::-1])
    lines = [f"{name},{'test' if name[0] == 't' else 'train'}" for name in names]
    (data / "split.csv").write_text("\n".join(["case,split", *lines]) + "\n", encoding="utf-8")
    request = Request(
        root=root / "project",
        images=str(data / "images"),
        references=str(data / "references"),
        split_file=data / "split.csv",
        split_ratio="7:1:2",
        skip_bad=False,
    )
    settings = with_changes(preset("tiny"), changes or {}, "test")
    return initialise(request, settings, CPU).project


def normal_cases(project, names=None):
    """The train cases (or those named), all their larger slices normal."""
    found = []
    for case in project.cases(("train",)):
        area = np.count_nonzero(case.read("image"), axis=(1, 2))
        if names is None or case.info.name in names:
            found.append(NormalCase(case, area >= 0.3 * area.max()))
    return found
