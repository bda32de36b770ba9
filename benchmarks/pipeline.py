"""The whole pipeline on four volumes of BraTS's size: ours by the stages of a project, and plainly."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import pipeline_full
from benchmarks.measure import BFLOAT16, Action, Row
from benchmarks.pipeline_unit import Unit
from benchmarks.plain import masks, measures, networks, slices
from benchmarks.plain.study import Study
from benchmarks.volumes import brain, write
from clisc_engine.core.overlap import dice
from clisc_engine.models.clip import load_clip
from clisc_engine.products.declared import GOING_ON
from clisc_engine.products.kinds import (
    CLASSIFIER_AMDA,
    CLASSIFIER_RAW,
    ROUND2,
    SIMILARITIES,
    UNET_ROUND2,
)
from clisc_engine.project.project import Project, open_project
from clisc_engine.running.allocator import keep_freed_memory
from clisc_engine.running.control import Control
from clisc_engine.settings.file import write_changes
from clisc_engine.settings.keys import value_of, with_changes
from clisc_engine.settings.label import NORMAL_PROMPT, TUMOUR_PROMPT
from clisc_engine.settings.presets import preset
from clisc_engine.settings.schema import Settings
from clisc_engine.stages.amda import amda
from clisc_engine.stages.cam import cam
from clisc_engine.stages.evaluate import evaluate
from clisc_engine.stages.init import Request, initialise
from clisc_engine.stages.label import label
from clisc_engine.stages.prompt_sam import prompt_sam
from clisc_engine.stages.self_train import self_train
from clisc_engine.stages.train import train
from clisc_engine.stages.unet.prediction import predict_cases

NAMES = ("a", "b", "c", "d")
CONTROLS = (Control(device="cpu"), Control(device="cpu", precision="bf16"))
"""Ours is measured with both; the plain way computes in float32 as it comes."""
EPOCHS = {"unet.epochs": 3, "s3f.epochs": 3}
"""Of the U-Net's trainings that are measured; the time of the preset's follows from theirs."""
COMPARED = {"masks/sam": "sam", "masks/round1": "round1", "masks/round2": "round2"}


def pipeline() -> list[Row]:
    """Tiny models end to end with a share of the epochs; full-size ones by their slices and steps."""
    _warm_up()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lesions = draw(folder / "files")
        rows = tiny(folder)
        same_at_any_size = {row.work.removeprefix("tiny: "): row for row in rows}
        return [*rows, *pipeline_full.full(folder, lesions, same_at_any_size, CONTROLS)]


def _warm_up() -> None:
    """What the process does but once, such as importing torch's compiler, is neither way's."""
    clip = load_clip("tiny", "", torch.device("cpu"))
    weights = [torch.nn.Parameter(torch.zeros(1))]
    for optimiser in (torch.optim.Adam(weights), torch.optim.AdamW(weights), torch.optim.SGD(weights)):
        weights[0].sum().backward()
        optimiser.step()
    text = clip.text_features({"normal": [NORMAL_PROMPT], "tumour": [TUMOUR_PROMPT]})
    clip.probabilities(np.zeros((1, 8, 8), np.uint8), text)


def draw(files: Path) -> dict[str, Any]:
    """The volumes and references as NIfTI files; the lesions (Z, Y, X) by case."""
    lesions = {}
    for number, name in enumerate(NAMES):
        image, lesion = brain(seed=10 * number)
        write(files / "images" / f"{name}_flair.nii.gz", image)
        write(files / "references" / f"{name}_seg.nii.gz", lesion)
        lesions[name] = lesion
    lines = ["case,split", *(f"{name},train" for name in NAMES)]
    (files / "split.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return lesions


def tiny(folder: Path) -> list[Row]:
    """All steps with the bundled models and the settings of their preset, but for the epochs."""
    settings, files = with_changes(preset("tiny"), EPOCHS, "benchmark"), folder / "files"
    study = Study(folder / "plain", settings, NAMES)
    runs = [_Run(folder / f"project-{control.precision}", files, settings, control) for control in CONTROLS]
    units, in_bfloat16 = (_units(run, study, files) for run in runs)
    plain = [unit.plain_seconds() for unit in units]
    keep_freed_memory()
    ours = [unit.our_seconds() for unit in units]
    rows = [
        Row(f"tiny: {unit.name}", "", one, other, group="tiny models")
        for unit, one, other in zip(units, ours, plain, strict=True)
    ]
    quicker = [unit.our_seconds() for unit in in_bfloat16]
    totals = [
        Row(
            f"whole pipeline, tiny models{of}",
            "four volumes",
            sum(seconds),
            sum(plain),
            wanted,
            note=f"{agreement(run.project, study)}; the U-Net's trainings measured with {_told(EPOCHS)} "
            "and multiplied up to the preset's epochs",
        )
        for of, seconds, wanted, run in zip(("", BFLOAT16), (ours, quicker), (3.0, None), runs, strict=True)
    ]
    return [*totals, *rows]


class _Run:
    """Ours: the project, which its first stage makes."""

    project: Project

    def __init__(self, root: Path, files: Path, settings: Settings, control: Control) -> None:
        self.request = Request(
            root,
            str(files / "images"),
            str(files / "references"),
            files / "split.csv",
            None,
            False,
        )
        self.settings, self.control = settings, control

    def initialise(self) -> None:
        """Import the volumes."""
        self.project = initialise(self.request, self.settings, self.control).project

    def training(self, name: str, ours: Action, plain: Action, key: str) -> Unit:
        """A stage that trains for as many epochs as the setting says; measured with a share of them."""
        measured = EPOCHS[key]

        def with_epochs(count: int) -> Action:
            def act() -> None:
                write_changes(self.project.root / "clisc.toml", {key: count})
                self.project = open_project(self.project.root)
                ours()

            return act

        times = value_of(preset("tiny"), key) / measured
        once, twice = with_epochs(measured), with_epochs(2 * measured)
        return Unit(name, once, plain, times, ours_twice=twice)

    def predict(self) -> None:
        """Round 2's masks."""
        predict_cases(self.project, UNET_ROUND2, ROUND2, "evaluate", ("train",), self.control)


def _units(run: _Run, study: Study, files: Path) -> list[Unit]:
    unet = study.settings.unet
    pace = {key.removeprefix("unet."): value_of(study.settings, other) for key, other in GOING_ON.items()}
    going_on = unet.model_copy(update=pace)

    def amdas_training() -> None:
        slices.mask_copies(study)
        slices.train_classifier(study, "amda", masked=True)

    def first_round() -> None:
        networks.train(study, "round1", "sam", NAMES, unet)

    def round1() -> None:
        networks.predict(study, "round1", "round1", NAMES)
        masks.prompt_with_predictions(study)

    def round2() -> None:
        networks.train(study, "round2", "round1", masks.kept(study), going_on, start="round1")

    def ours(step: Any, **options: Any) -> Action:
        return lambda: step(run.project, run.control, **options)

    return [
        Unit("`init`", run.initialise, lambda: study.normalise(files / "images")),
        Unit("`label`", ours(label), lambda: slices.label(study)),
        Unit(
            "`cam`, training",
            ours(cam, until=CLASSIFIER_RAW),
            lambda: slices.train_classifier(study, "raw", masked=False),
        ),
        Unit("`cam`, maps", ours(cam), lambda: slices.maps(study, "raw", "cam-raw")),
        Unit("`amda`, training", ours(amda, until=CLASSIFIER_AMDA), amdas_training),
        Unit("`amda`, maps", ours(amda), lambda: slices.maps(study, "amda", "cam-amda")),
        Unit("`prompt-sam`", ours(prompt_sam), lambda: masks.prompt_with_maps(study)),
        run.training("`train`", ours(train), first_round, "unet.epochs"),
        Unit("`self-train`, predictions and S3F", ours(self_train, until=SIMILARITIES), round1),
        run.training("`self-train`, training", ours(self_train), round2, "s3f.epochs"),
        Unit(
            "`evaluate`, predictions",
            run.predict,
            lambda: networks.predict(study, "round2", "round2", NAMES),
        ),
        Unit(
            "`evaluate`, measures",
            ours(evaluate, splits=("train",), seen=True),
            lambda: measures.evaluate(study, files / "references", NAMES),
        ),
    ]


def agreement(project: Project, study: Study) -> str:
    """How far both ways' results are the same: labels, and Dice of masks, the least of the cases."""
    cases = project.cases()
    alike = np.concatenate([case.read("labels/tumour") == study.labels(case.info.name) for case in cases])
    words = [f"{100 * alike.mean():.1f} % of the labels are the same"]
    for array, what in COMPARED.items():
        found = [dice(case.read(array), study.read(case.info.name, what)) for case in cases]
        words.append(f"Dice of `{array}` {min(found):.4f} or more")
    return ", ".join(words)


def _told(changes: Mapping[str, Any]) -> str:
    return ", ".join(f"`{key}={value}`" for key, value in changes.items())
