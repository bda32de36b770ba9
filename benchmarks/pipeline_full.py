"""The pipeline at full size: a few slices and steps of each stage, multiplied up to the paper's settings.

Weights are random, so what a stage needs of those before it is put there by hand: labels, maps and masks
after the drawn lesions. Both ways get the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch

from benchmarks.measure import BFLOAT16, Row
from benchmarks.pipeline_unit import Unit
from benchmarks.plain import masks, networks, slices
from benchmarks.plain.study import Study
from benchmarks.projects import add, sam_file
from clisc_engine.core.filtering import s3f_keep
from clisc_engine.products.kinds import (
    AMDA_MAPS,
    CLASSIFIER_AMDA,
    CLASSIFIER_RAW,
    LABELS,
    RAW_MAPS,
    ROUND1,
    SAM_MASKS,
    UNET_ROUND1,
)
from clisc_engine.project.project import Project, open_project
from clisc_engine.running.allocator import keep_freed_memory
from clisc_engine.running.control import Control
from clisc_engine.running.runner import CaseStage, run_cases
from clisc_engine.settings.file import write_changes
from clisc_engine.settings.keys import with_changes
from clisc_engine.settings.presets import preset
from clisc_engine.settings.schema import Settings
from clisc_engine.stages.amda import amda
from clisc_engine.stages.cam import Maps, cam
from clisc_engine.stages.init import Request, initialise
from clisc_engine.stages.label import SliceLabels
from clisc_engine.stages.prompt_sam import MapMasks
from clisc_engine.stages.self_train import PredictionMasks
from clisc_engine.stages.train import train
from clisc_engine.stages.unet.prediction import Predictions

PAPER = preset("paper")
STEPS, UNET_STEPS = 2, 1
"""Steps of a training that are measured; with AMDA's copies the classifier takes twice as many."""
MAPPED, PROMPTED = 12, 2
"""Slices of the first case that are measured."""
GROUP = "full size"
SLICES, PATCHES = "classifier.slices_per_epoch", "unet.patches_per_epoch"


def full(
    folder: Path, lesions: Mapping[str, Any], same: Mapping[str, Row], controls: Sequence[Control]
) -> list[Row]:
    """All steps with the settings of the preset ``paper``.

    Args:
        folder: with the volumes under ``files``.
        lesions: drawn, (Z, Y, X), by case.
        same: rows of the pipeline with tiny models by stage; what needs no model is taken from there.
        controls: of ours in float32, whose stages are told, and in bfloat16.
    """
    bench = _Bench(folder, lesions)
    units = [*bench.trainings(), bench.maps(), *bench.sam(), bench.unet(), bench.predictions()]
    units.append(bench.label())  # last: labels made at random take the others' place
    plain = {unit.name: unit.plain_seconds() for unit in units}
    keep_freed_memory()
    found = []
    for control in controls:
        bench.control = control
        rows = {
            unit.name: Row(
                f"full: {unit.name}", "", unit.our_seconds(), plain[unit.name], note=unit.note, group=GROUP
            )
            for unit in units
        }
        found.append(_in_order(rows | _any_size(same), len(lesions)))
    measured = ", ".join(f"{row.work[6:]} {row.note}" for row in found[0] if row.note)
    totals = [
        Row(
            f"whole pipeline, full size{of}",
            "four volumes",
            sum(row.seconds for row in rows),
            sum(row.plain for row in rows),
            wanted,
            note=note,
        )
        for of, rows, wanted, note in zip(
            ("", BFLOAT16), found, (5.0, None), (f"multiplied up: {measured}", ""), strict=True
        )
    ]
    return [*totals, *(replace(row, note="") for row in found[0])]


def _any_size(same: Mapping[str, Row]) -> dict[str, Row]:
    """The rows of what needs no model."""
    names = ("`init`", "`evaluate`, measures")
    return {name: replace(same[name], work=f"full: {name}", group=GROUP) for name in names}


def _in_order(found: Mapping[str, Row], cases: int) -> list[Row]:
    """The rows of all stages; round 2 is as round 1, on the volumes that S3F leaves."""
    left = len(s3f_keep({str(number): number / cases for number in range(1, cases + 1)}, PAPER.s3f.p))
    again, share = found["`train`"], left / cases
    second = replace(
        again,
        work="full: `self-train`, training",
        seconds=again.seconds * share,
        plain=again.plain * share,
        note=f"as `train`, for {left} of {cases} volumes",
    )
    predicted = found["`self-train`, predictions"]
    last = replace(predicted, work="full: `evaluate`, predictions", note="as round 1's")
    names = [
        "`init`",
        "`label`",
        "`cam`, training",
        "`amda`, training",
        "`cam` and `amda`, maps",
        "`prompt-sam`",
    ]
    names += ["`train`", "`self-train`, predictions", "`self-train`, SAM again"]
    return [*(found[name] for name in names), second, last, found["`evaluate`, measures"]]


class _Bench:
    """The study and the project, and the pieces that are measured on them, ours by its ``control``."""

    def __init__(self, folder: Path, lesions: Mapping[str, Any]) -> None:
        """Import the volumes, and put labels, maps and masks there."""
        self.settings, files = _settings(folder), folder / "files"
        self.control = Control(device="cpu")
        images, references = str(files / "images"), str(files / "references")
        request = Request(folder / "full", images, references, files / "split.csv", None, False)
        self.project: Project = initialise(request, self.settings, self.control).project
        self.study = Study(folder / "plain-full", self.settings, tuple(lesions))
        self.study.normalise(files / "images")
        self.cases = {case.info.name: case for case in self.project.cases()}
        self.lesions = {name: lesions[name][self.study.box(name)] for name in lesions}
        for name, lesion in self.lesions.items():
            self._put_labels(name, lesion.any(axis=(1, 2)))
            self._put(name, {RAW_MAPS: "cam-raw"}, lesion * np.uint8(255))
            self._put(name, {SAM_MASKS: "sam"}, lesion)
        self.first = next(iter(lesions))
        self.alone = replace(self.study, names=(self.first,))
        self.shown = {name: len(self.study.certain(name)) for name in self.lesions}
        self.ill = sum(int(self.study.labels(name).sum()) for name in self.lesions)
        slices.mask_copies(self.study)

    def label(self) -> Unit:
        """CLIP on the slices of the first case."""
        count, total = self.shown[self.first], sum(self.shown.values())
        return Unit(
            "`label`",
            lambda: self._stage(SliceLabels(self.project, self.control)),
            lambda: slices.label(self.alone),
            total / count,
            f"{count} of {total} slices",
        )

    def trainings(self) -> list[Unit]:
        """A few steps of both classifiers."""
        return [self._classifier("cam", masked=False), self._classifier("amda", masked=True)]

    def _classifier(self, name: str, *, masked: bool) -> Unit:
        settings, total, study = PAPER.classifier, sum(self.shown.values()), self.study
        copies = 2 if masked else 1
        steps = copies * settings.epochs * -(-total // settings.batch_size)
        few = STEPS * settings.batch_size
        more = replace(study, settings=with_changes(study.settings, {SLICES: 2 * few}, "benchmark"))

        def before() -> None:
            self._put_labels(self.first, self.lesions[self.first].any(axis=(1, 2)))

        def ours(slices_per_epoch: int) -> None:
            project = self._with(SLICES, slices_per_epoch)
            if masked:
                amda(project, self.control, until=CLASSIFIER_AMDA)
            else:
                cam(project, self.control, until=CLASSIFIER_RAW)

        return Unit(
            f"`{name}`, training",
            lambda: ours(few),
            lambda: slices.train_classifier(study, name, masked=masked),
            steps / (copies * STEPS),
            f"{copies * STEPS} of {steps} steps",
            before=before,
            ours_twice=lambda: ours(2 * few),
            plain_twice=lambda: slices.train_classifier(more, name, masked=masked),
            reading=lambda: slices.gather(study, masked=masked),
            epochs=settings.epochs,
        )

    def maps(self) -> Unit:
        """Maps of some slices of the first case; both classifiers' cost the same."""
        labels = self.lesions[self.first].any(axis=(1, 2))
        few = labels & (np.cumsum(labels) <= MAPPED)
        return Unit(
            "`cam` and `amda`, maps",
            lambda: self._stage(Maps(self.project, RAW_MAPS, self.control)),
            lambda: slices.maps(self.alone, "cam", "cam-raw"),
            2 * self.ill / MAPPED,
            f"{MAPPED} of {2 * self.ill} slices",
            before=lambda: self._put_labels(self.first, few),
        )

    def sam(self) -> list[Unit]:
        """SAM on some slices, and again with the prompts of round 1's predictions."""
        lesion = self.lesions[self.first].copy()
        middle = len(lesion) // 2
        lesion[:middle] = 0
        lesion[middle + PROMPTED :] = 0
        note = f"{PROMPTED} of {self.ill} slices"
        return [
            Unit(
                "`prompt-sam`",
                lambda: self._stage(MapMasks(self.project, SAM_MASKS, self.control)),
                lambda: masks.prompt_with_maps(self.alone),
                self.ill / PROMPTED,
                note,
                before=lambda: self._put(self.first, {AMDA_MAPS: "cam-amda"}, lesion * np.uint8(255)),
            ),
            Unit(
                "`self-train`, SAM again",
                lambda: self._stage(PredictionMasks(self.project, self.control)),
                lambda: masks.prompt_with_predictions(self.alone),
                self.ill / PROMPTED,
                note,
                before=lambda: self._put(self.first, {ROUND1: "round1"}, lesion),
            ),
        ]

    def unet(self) -> Unit:
        """A few steps of the U-Net on patches of 128^3."""
        study, patches = self.study, PAPER.unet.epochs * len(self.lesions)
        steps, few = patches // PAPER.unet.batch_size, UNET_STEPS * PAPER.unet.batch_size
        more = with_changes(study.settings, {PATCHES: 2 * few}, "benchmark").unet

        def before() -> None:
            for name, lesion in self.lesions.items():
                self._put(name, {SAM_MASKS: "sam"}, lesion)

        return Unit(
            "`train`",
            lambda: train(self._with(PATCHES, few), self.control),
            lambda: networks.train(study, "round1", "sam", study.names, study.settings.unet),
            steps / UNET_STEPS,
            f"{UNET_STEPS} of {steps} steps",
            before=before,
            ours_twice=lambda: train(self._with(PATCHES, 2 * few), self.control),
            plain_twice=lambda: networks.train(study, "round1", "sam", study.names, more),
        )

    def predictions(self) -> Unit:
        """The U-Net on the windows of the first case."""
        return Unit(
            "`self-train`, predictions",
            lambda: self._stage(Predictions(self.project, UNET_ROUND1, ROUND1, "self-train", self.control)),
            lambda: networks.predict(self.alone, "round1", "round1", self.alone.names),
            len(self.lesions),
            f"1 of {len(self.lesions)} volumes",
        )

    def _with(self, key: str, value: int) -> Project:
        """The project with another setting."""
        write_changes(self.project.root / "clisc.toml", {key: value})
        self.project = open_project(self.project.root)
        return self.project

    def _stage(self, stage: CaseStage) -> None:
        report = run_cases(stage, [self.cases[self.first]], replace(self.control, force=True))
        if report.failed:
            raise RuntimeError(f"a stage failed: {report.failed}")

    def _put(self, name: str, where: Mapping[str, str], data: Any) -> None:
        """An array of a case, ours and the plain way's file."""
        for array, what in where.items():
            add(self.cases[name], array, data)
            self.study.write(name, what, data)

    def _put_labels(self, name: str, ill: Any) -> None:
        labels = ill.astype(np.uint8)
        add(self.cases[name], LABELS, labels)
        self.study.keep_labels(name, labels)


def _settings(folder: Path) -> Settings:
    """The paper's, with random weights and few steps."""
    weights = folder / "ViT-B-32.pt"
    torch.manual_seed(0)
    torch.save(open_clip.create_model("ViT-B-32", pretrained=None).state_dict(), weights)
    changes = {
        "label.pretrained": str(weights),
        "sam.checkpoint": str(sam_file(folder)),
        "classifier.pretrained": "none",
        "classifier.epochs": 1,
        SLICES: STEPS * PAPER.classifier.batch_size,
        "unet.epochs": 1,
        PATCHES: UNET_STEPS * PAPER.unet.batch_size,
        "training.save_every_minutes": 0,
    }
    return with_changes(PAPER, changes, "benchmark")
