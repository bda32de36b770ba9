"""Finished projects of many small cases, made without a network: every array has the seal it would get.

`init` imports real files and `evaluate` measures; between them, what networks would make is put in place.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.volumes import ellipsoid
from clisc_engine.core.filtering import s3f_keep
from clisc_engine.imaging.geometry import Geometry
from clisc_engine.imaging.volume import write_image
from clisc_engine.products import graph
from clisc_engine.products.kinds import (
    LABELS,
    PROBABILITY,
    ROUND1,
    ROUND2,
    SIMILARITIES,
    Array,
    Network,
    Product,
)
from clisc_engine.project.fingerprint import fingerprint
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.project.store import SEAL, Seal
from clisc_engine.running.control import Control
from clisc_engine.running.journal import entry
from clisc_engine.running.spec import made_from
from clisc_engine.stages import recipes
from clisc_engine.stages.learning import learnt_from
from clisc_engine.stages.s3f import table as s3f_table
from clisc_engine.stages.s3f.similarity import similarities

SHAPE = (10, 20, 20)
"""Of the volumes: a brain needs a thousand voxels."""
EPOCHS = 200
"""Lines of each training's curve."""
SECONDS = 0.1
"""What each array is said to have taken."""


def write_volumes(folder: Path, count: int) -> tuple[Path, Path]:
    """So many NIfTI images of one brain with other noise, and their masks: two folders."""
    images, masks = folder / "images", folder / "references"
    images.mkdir(parents=True)
    masks.mkdir()
    inside, lesion = _brain(), _lesion()
    grid = Geometry(SHAPE[::-1], (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel()))
    rng, hands = np.random.default_rng(0), np.random.default_rng(1)
    for index in range(count):
        noise = rng.uniform(250, 350, SHAPE)
        image = np.where(inside, noise + 250 * lesion, 0).astype(np.int16)
        write_image(images / f"case-{index:04d}_flair.nii.gz", image, grid)
        drawn = lesion & (hands.uniform(size=SHAPE) > 0.1)  # no two masks of two scans are the same
        write_image(masks / f"case-{index:04d}_seg.nii.gz", drawn.astype(np.uint8), grid)
    return images, masks


def finish(project: Project, control: Control) -> None:
    """Make what all steps before `evaluate`, and its predictions, would make of an imported project."""
    for step in graph.STAGES:
        with entry(project, step, control) as note:
            for product in graph.made_in(step):
                _make(project, product, control)
            note.made = [case.info.name for case in project.cases()]
    tested = [case for case in project.cases(("test",)) if case.info.has_reference]
    for name in (ROUND1, ROUND2):
        _fill(project, graph.ARRAYS[name], tested)


def _make(project: Project, product: Product, control: Control) -> None:
    cases = project.cases()
    if isinstance(product, Network):
        _train(project, product, cases)
    elif isinstance(product, Array) and not product.along_with:
        _fill(project, product, cases if product.cases == "all" else project.cases(("train",)))
    elif product.name == SIMILARITIES:
        path = project.root / SIMILARITIES
        scores, _ = similarities(project.cases(("train",)), path, path, control)
        s3f_table.record(project, scores, s3f_keep(scores, project.settings.s3f.p))


def _train(project: Project, network: Network, cases: Sequence[CaseArrays]) -> None:
    """Weights of one number, with the provenance that the training would have."""
    provenance = recipes.network(project, network.name, learnt_from(project, network, cases))
    project.checkpoint(network.name).finish({"weight": torch.zeros(1)}, provenance, keep_state=False)
    lines = [f"{epoch},{1 / epoch:.5f},0.01,{SECONDS}" for epoch in range(1, EPOCHS + 1)]
    project.logs.mkdir(exist_ok=True)
    curve = "\n".join(["epoch,loss,learning_rate,seconds", *lines, ""])
    (project.logs / f"{network.name}.csv").write_text(curve, encoding="utf-8")


def _fill(project: Project, array: Array, cases: Sequence[CaseArrays]) -> None:
    """Give the cases an array, and those made along with it, as it would be now.

    The first case's is written as a step does; the others get copies of its file, sealed as their own.
    """
    trained = project.checkpoint(array.network).fingerprint() if array.network else ""
    spec = recipes.array(project.settings, array.name, trained=trained)
    for case in cases:
        provenance = made_from(spec, case)
        seal = Seal.now(spec.name, fingerprint(provenance), provenance, SECONDS)
        for name in spec.outputs:
            if case is cases[0]:
                case.write(name, _data(name, case), seal)
                continue
            path = f"cases/{case.info.name}/{name}"
            group = path.rpartition("/")[0]
            if group not in project.store.children(f"cases/{case.info.name}"):
                project.store.write_group(group, {})
            model = project.store.root / f"cases/{cases[0].info.name}/{name}"
            shutil.copytree(model, project.store.root / path)
            project.store.change_attributes(path, {SEAL: asdict(seal)})


def _data(name: str, case: CaseArrays) -> npt.NDArray[Any]:
    """What a step might have made: the same lesion in every map and mask."""
    lesion = _lesion()[tuple(slice(*side) for side in case.info.placement["crop"])]
    if name == PROBABILITY:
        return np.asarray(lesion.any(axis=(1, 2)), np.float32)
    if name == LABELS:
        return np.asarray(lesion.any(axis=(1, 2)), np.uint8)
    return lesion.astype(np.uint8) * np.uint8(255 if name.startswith("cams/") else 1)


def _brain() -> npt.NDArray[np.bool_]:
    return ellipsoid(SHAPE, (0.5, 0.5, 0.5), (0.45, 0.45, 0.45), 0)


def _lesion() -> npt.NDArray[np.bool_]:
    return _brain() & ellipsoid(SHAPE, (0.5, 0.5, 0.45), (0.2, 0.2, 0.2), 1)
