"""Every array, network and table that clisc makes, in the order of its making."""

from __future__ import annotations

from collections.abc import Mapping

from clisc_engine.products.kinds import (
    AMDA_MAPS,
    CLASSIFIER_AMDA,
    CLASSIFIER_RAW,
    EVALUATION,
    IMAGE,
    LABELS,
    PROBABILITY,
    RAW_MAPS,
    REFERENCE,
    ROUND1,
    ROUND2,
    S3F_TABLE,
    SAM_BOX,
    SAM_MASKS,
    SAM_POINTS,
    SAM_ROUND1,
    SIMILARITIES,
    TRUST,
    TRUST_TABLE,
    UNET_ROUND1,
    UNET_ROUND2,
    UNET_WITHOUT_S3F,
    WITHOUT_S3F,
    Array,
    Command,
    Network,
    Product,
    Table,
)
from clisc_engine.products.rivals import RIVALS
from clisc_engine.products.shared import ASKED, BINARY, INFERENCE, PROMPTED, UNET, prediction

GOING_ON: Mapping[str, str] = {"unet.epochs": "s3f.epochs", "unet.learning_rate": "s3f.learning_rate"}
"""Settings of a U-Net that goes on from another's weights: which takes the place of which."""

ROWS: Mapping[str, str] = {
    "cam-raw": RAW_MAPS,
    "cam-amda": AMDA_MAPS,
    "sam-points": SAM_POINTS,
    "sam-box": SAM_BOX,
    "sam": SAM_MASKS,
    "without-self-training": ROUND1,
    "without-s3f": WITHOUT_S3F,
    "full": ROUND2,
}
"""The rows of the paper's Table 2 and the array that each one measures."""

_FROM_CAM = ("roi", "prompts.kind", "prompts.dilation", "prompts.region", *PROMPTED)
_CLASSIFIER = ("classifier", "window", "label.model", "label.pretrained", "seed")


def _maps(name: str, command: Command, network: str, meaning: str) -> Array:
    return Array(
        name=name,
        command=command,
        meaning=meaning,
        inputs=(IMAGE, LABELS),
        settings=("cam", "window"),
        network=network,
    )


def _sam_masks(name: str, command: Command, meaning: str, kind: str = "") -> Array:
    return Array(
        name=name,
        command=command,
        meaning=meaning,
        inputs=(IMAGE, AMDA_MAPS),
        settings=_FROM_CAM,
        instead={"prompts.kind": kind} if kind else {},
        unquoted=("prompts.kind",),
        values=BINARY,
        weights=("sam",),
        cases="measured" if kind else "all",
    )


def _second_unet(name: str, command: Command, meaning: str, chosen_by: tuple[str, ...]) -> Network:
    return Network(
        name=name,
        command=command,
        meaning=meaning,
        inputs=(IMAGE, ROUND1),
        settings=UNET,
        without=INFERENCE,
        select_setting="unet.select",
        chosen_by=chosen_by,
        choice=("s3f.p",) if chosen_by else (),
        goes_on_from=UNET_ROUND1,
    )


ALL: tuple[Product, ...] = (
    Array(
        name=IMAGE,
        command="init",
        meaning="the FLAIR volume, normalised, cropped to the brain; background 0",
        settings=("image",),
        dtype="float16",
    ),
    Array(
        name=REFERENCE,
        command="init",
        meaning="a human's mask, only if given; `evaluate` and the marked rows of Table 1 read it",
        settings=("image",),
        values=BINARY,
    ),
    Array(
        name=PROBABILITY,
        command="label",
        meaning="CLIP's tumour probability of each slice",
        dtype="float32",
        shape=("Z",),
        bounds=(0.0, 1.0),
        along_with=LABELS,
    ),
    Array(
        name=LABELS,
        command="label",
        meaning="CLIP's label of each slice: 0 normal, 1 tumour, 255 uncertain",
        inputs=(IMAGE,),
        settings=("label", "window"),
        shape=("Z",),
        values=(0, 1, 255),
        weights=("clip",),
    ),
    Network(
        name=CLASSIFIER_RAW,
        command="cam",
        meaning="slice classifier, trained on CLIP's labels",
        inputs=(IMAGE, LABELS),
        settings=_CLASSIFIER,
        select_setting="classifier.select",
    ),
    _maps(RAW_MAPS, "cam", CLASSIFIER_RAW, "class activation maps, 255 standing for 1"),
    Network(
        name=CLASSIFIER_AMDA,
        command="amda",
        meaning="slice classifier, trained on masked copies too (AMDA)",
        inputs=(IMAGE, LABELS, RAW_MAPS),
        settings=(*_CLASSIFIER, "amda"),
        select_setting="classifier.select",
    ),
    _maps(
        AMDA_MAPS,
        "amda",
        CLASSIFIER_AMDA,
        "maps by the classifier with AMDA, 255 standing for 1",
    ),
    _sam_masks(SAM_MASKS, "prompt-sam", "pseudo-labels: SAM's answer to prompts from the maps"),
    Network(
        name=UNET_ROUND1,
        command="train",
        meaning="3-D U-Net, trained on the pseudo-labels",
        inputs=(IMAGE, SAM_MASKS),
        settings=UNET,
        without=INFERENCE,
        select_setting="unet.select",
    ),
    prediction(ROUND1, "self-train", UNET_ROUND1, "train", "round 1's prediction"),
    Array(
        name=SAM_ROUND1,
        command="self-train",
        meaning="SAM's answer to prompts from round 1's prediction",
        inputs=(IMAGE, ROUND1),
        settings=ASKED,
        values=BINARY,
        weights=("sam",),
        cases="train",
    ),
    Table(
        name=SIMILARITIES,
        command="self-train",
        meaning="how far SAM and round 1 agree on each train volume (S3F)",
        inputs=(ROUND1, SAM_ROUND1, LABELS),
        mended=("took two empty masks for full agreement, though CLIP saw a tumour there",),
    ),
    Table(
        name=S3F_TABLE,
        command="self-train",
        meaning="the same as a table, with the volumes that stay",
        inputs=(SIMILARITIES,),
        settings=("s3f.p",),
    ),
    _second_unet(
        UNET_ROUND2,
        "self-train",
        "3-D U-Net, trained on round 1's predictions of the volumes that S3F keeps",
        (SAM_ROUND1, SIMILARITIES),
    ),
    prediction(ROUND2, "evaluate", UNET_ROUND2, "measured", "round 2's prediction, the result"),
    _sam_masks(SAM_POINTS, "evaluate --ablation", "SAM's answer to points alone", "points"),
    _sam_masks(SAM_BOX, "evaluate --ablation", "SAM's answer to boxes alone", "box"),
    _second_unet(
        UNET_WITHOUT_S3F,
        "evaluate --ablation",
        "3-D U-Net, trained on round 1's predictions of all train volumes",
        (),
    ),
    prediction(
        WITHOUT_S3F,
        "evaluate --ablation",
        UNET_WITHOUT_S3F,
        "measured",
        "prediction without S3F",
    ),
    Table(
        name=EVALUATION,
        command="evaluate",
        meaning="DSC and HD95 of every row, size group and case",
        mended=(
            "measured on the brain's crop and counted cases without tumour among the others",
            "brought masks of resampled scans back with a shift to one side",
        ),
        inputs=(
            REFERENCE,
            RAW_MAPS,
            AMDA_MAPS,
            SAM_POINTS,
            SAM_BOX,
            SAM_MASKS,
            ROUND1,
            WITHOUT_S3F,
            ROUND2,
        ),
        settings=("roi",),
    ),
    *(
        Table(name=f"results/{name}.csv", command="evaluate", meaning=meaning, inputs=(EVALUATION,))
        for name, meaning in (
            ("rows", "means of every row"),
            ("groups", "means of every row in each group of tumour size"),
            ("cases", "every case in every row"),
        )
    ),
    Table(
        name=TRUST,
        command="trust",
        meaning="how far SAM and the final network agree on each case, and the volume of its mask",
        inputs=(LABELS, SAM_MASKS, ROUND2),
    ),
    Table(
        name=TRUST_TABLE,
        command="trust",
        meaning="the same as a table, with the DSC to expect",
        inputs=(TRUST,),
    ),
    *RIVALS,
)
