"""The products of the paper's Table 1: what `clisc baseline` makes, method by method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from clisc_engine.products.kinds import (
    IMAGE,
    LABELS,
    REFERENCE,
    ROUND2,
    Array,
    Command,
    Network,
    Product,
    Table,
)
from clisc_engine.products.shared import BINARY, INFERENCE, PROMPTED, SAM, UNET, prediction

Method = Literal[
    "otsu",
    "phantoms-only",
    "amcons",
    "gradcamcons",
    "if3d",
    "sim2real",
    "salip",
    "sam-reference",
    "supervised",
]
METHODS: tuple[Method, ...] = get_args(Method)
"""The methods of `clisc baseline`, in the order in which it runs them all."""

TABLE1 = "results/table1.json"
OTSU_MASKS = "masks/baseline-otsu"
PHANTOMS_ONLY_MASKS = "masks/baseline-phantoms-only"
SALIP_MASKS = "masks/baseline-salip"
SAM_REFERENCE_MASKS = "masks/baseline-sam-reference"
SUPERVISED_MASKS = "masks/baseline-supervised"
SUPERVISED = "baseline-supervised"

TABLE1_ROWS: Mapping[str, str] = {
    "salip": SALIP_MASKS,
    "amcons": "masks/baseline-amcons",
    "gradcamcons": "masks/baseline-gradcamcons",
    "if3d": "masks/baseline-if3d",
    "sim2real-stage1": "masks/baseline-sim2real-stage1",
    "sim2real": "masks/baseline-sim2real",
    "otsu": OTSU_MASKS,
    "phantoms-only": PHANTOMS_ONLY_MASKS,
    "full": ROUND2,
    "sam-reference": SAM_REFERENCE_MASKS,
    "supervised": SUPERVISED_MASKS,
}
"""The rows of Table 1 and the array that each one measures. Three are not in the paper:
``sim2real-stage1``, Sim2Real as it was released, ``otsu``, a floor, and the bundled U-Net."""

CONSTANT_THRESHOLDS: Mapping[str, float] = {"sim2real-stage1": 0.5, "sim2real": 0.5}
"""Rows whose maps are probabilities, cut where the mask is likelier than not."""

GOES_ON_FROM: Mapping[str, str] = {"sim2real": "sim2real-stage1"}
"""Rows whose network goes on from another row's."""

_COMMON = (
    "baselines.normal",
    "baselines.normal_cases",
    "baselines.min_area",
    "baselines.min_slices",
    "baselines.held_out",
)
_CLIP = ("label.model", "label.pretrained", "label.normal_prompts", "label.tumour_prompts")


def own_masks(row: str) -> str:
    """The array of a row that a user's own file makes, such as ``own-threshold``."""
    return f"masks/{row}"


def map_of(row: str) -> str:
    """The array of a row's maps, for the rows that have one."""
    return f"baselines/{row}"


def network_of(row: str) -> str:
    """The network of a row, for the rows that train one."""
    return f"baseline-{row}"


def threshold_of(row: str) -> str:
    """The table that holds the threshold of a row's maps."""
    return f"results/threshold-{row}.json"


def _anomaly(
    row: str, command: Command, title: str, settings: tuple[str, ...], mended: tuple[str, ...] = ()
) -> tuple[Product, ...]:
    """What a method makes that learns what is normal: a network, maps, their threshold, and masks."""
    network, maps, threshold = network_of(row), map_of(row), threshold_of(row)
    return (
        Network(
            name=network,
            command=command,
            meaning=f"{title}, trained on normal slices",
            mended=mended,
            inputs=(IMAGE, LABELS),
            settings=(*settings, *_COMMON, "seed"),
        ),
        Array(
            name=maps,
            command=command,
            meaning=f"{title}'s anomaly map",
            inputs=(IMAGE,),
            settings=(*settings, "seed"),
            dtype="float16",
            network=network,
            cases="measured",
        ),
        Table(
            name=threshold,
            command=command,
            meaning=f"the threshold of {title}'s maps, from held-out train cases",
            inputs=(maps, LABELS),
            settings=("baselines.threshold", "baselines.percentile", *_COMMON),
        ),
        _mask(row, command, f"{title}'s map over its threshold", (IMAGE, LABELS, maps)),
    )


def _mask(
    row: str, command: Command, meaning: str, inputs: tuple[str, ...], settings: tuple[str, ...] = ()
) -> Array:
    return Array(
        name=TABLE1_ROWS[row],
        command=command,
        meaning=meaning,
        inputs=inputs,
        settings=(*settings, "baselines.gate") if LABELS in inputs else settings,
        values=BINARY,
        cases="measured",
    )


def _sim2real(
    row: str, meaning: str, leave_out: tuple[str, ...], select_setting: str = ""
) -> tuple[Product, ...]:
    """What one of the two networks of Sim2Real makes; its maps are probabilities of tumour."""
    command: Command = "baseline sim2real"
    before = (network_of(GOES_ON_FROM[row]),) if row in GOES_ON_FROM else ()
    return (
        Network(
            name=network_of(row),
            command=command,
            meaning=meaning,
            inputs=(IMAGE, LABELS),
            settings=("baselines.sim2real", *_COMMON, "seed"),
            without=tuple(f"baselines.sim2real.{key}" for key in leave_out),
            select_setting=select_setting,
            chosen_by=before,
        ),
        Array(
            name=map_of(row),
            command=command,
            meaning=f"tumour probability by {network_of(row)}",
            inputs=(IMAGE,),
            settings=("baselines.sim2real.grid",),
            dtype="float16",
            bounds=(0.0, 1.0),
            network=network_of(row),
            cases="measured",
        ),
        _mask(row, command, f"where {map_of(row)} is over a half", (IMAGE, LABELS, map_of(row))),
    )


_ROWS: tuple[Product, ...] = (
    _mask("otsu", "baseline otsu", "voxels over Otsu's threshold of the brain", (IMAGE,), ("window",)),
    Array(
        name=PHANTOMS_ONLY_MASKS,
        command="baseline phantoms-only",
        meaning="masks of the bundled U-Net and SAM, trained on phantoms alone",
        inputs=(IMAGE,),
        values=BINARY,
        weights=("bundled",),
        cases="measured",
    ),
    *_anomaly("amcons", "baseline amcons", "AMCons", ("baselines.amcons", "window")),
    *_anomaly("gradcamcons", "baseline gradcamcons", "GradCAMCons", ("baselines.gradcamcons", "window")),
    *_anomaly(
        "if3d",
        "baseline if3d",
        "3D IF",
        ("baselines.if3d",),
        ("took the most frequent class in boxes of too many mm along thick slices",),
    ),
    *_sim2real(
        "sim2real-stage1",
        "Sim2Real's network, trained on simulated tumours",
        ("stage2_epochs", "stage2_learning_rate", "stage2_min_ml", "stage2_drop"),
        "baselines.sim2real.select",
    ),
    *_sim2real(
        "sim2real",
        "the same, gone on with its own answers on real volumes",
        ("select", "warm_up", "epochs", "learning_rate"),
    ),
    Array(
        name=SALIP_MASKS,
        command="baseline salip",
        meaning="SaLIP: SAM's answer to the box of the part that CLIP prefers",
        inputs=(IMAGE, LABELS),
        settings=("baselines.salip", *_CLIP, *SAM),
        values=BINARY,
        weights=("clip", "sam"),
        cases="measured",
    ),
    Array(
        name=SAM_REFERENCE_MASKS,
        command="baseline sam-reference",
        meaning="SAM's answer to prompts from the reference",
        inputs=(IMAGE, REFERENCE),
        settings=("prompts.kind", *PROMPTED),
        values=BINARY,
        weights=("sam",),
        cases="measured",
    ),
    Network(
        name=SUPERVISED,
        command="baseline supervised",
        meaning="3-D U-Net, trained on the references",
        inputs=(IMAGE, REFERENCE),
        settings=UNET,
        without=INFERENCE,
        select_setting="unet.select",
    ),
    prediction(
        SUPERVISED_MASKS,
        "baseline supervised",
        SUPERVISED,
        "measured",
        "the supervised network's prediction",
    ),
)


def _table1(made: tuple[Product, ...]) -> tuple[Product, ...]:
    """The tables of `evaluate --table1`, from what is measured: CLISC's masks, and those of the rivals."""
    measured = {*TABLE1_ROWS.values(), *map(map_of, TABLE1_ROWS)}
    return (
        Table(
            name=TABLE1,
            command="evaluate --table1",
            meaning="DSC and HD95 of every row of Table 1, each against CLISC",
            mended=(
                "approximated the p-values where a row and CLISC are the same on a case",
                "brought masks of resampled scans back with a shift to one side",
            ),
            inputs=(REFERENCE, LABELS, ROUND2, *(one.name for one in made if one.name in measured)),
            settings=("baselines.gate",),
        ),
        Table(
            name="results/table1.csv",
            command="evaluate --table1",
            meaning="the rows of Table 1 with size groups, p-values and the paper's figures",
            inputs=(TABLE1,),
        ),
        Table(
            name="results/table1-cases.csv",
            command="evaluate --table1",
            meaning="every case in every row of Table 1",
            inputs=(TABLE1,),
        ),
    )


RIVALS: tuple[Product, ...] = (*_ROWS, *_table1(_ROWS))
