"""The kinds of products and their names; `declared` says of each what it is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Stage = Literal["label", "cam", "amda", "prompt-sam", "train", "self-train", "evaluate"]
Command = Literal[
    "init",
    "label",
    "cam",
    "amda",
    "prompt-sam",
    "train",
    "self-train",
    "evaluate",
    "evaluate --ablation",
    "evaluate --table1",
    "trust",
    "baseline salip",
    "baseline amcons",
    "baseline gradcamcons",
    "baseline if3d",
    "baseline sim2real",
    "baseline sam-reference",
    "baseline supervised",
    "baseline otsu",
    "baseline phantoms-only",
]
Cases = Literal["all", "train", "measured"]
Weights = Literal["clip", "sam", "bundled"]

IMAGE = "image"
REFERENCE = "reference"
PROBABILITY = "labels/probability"
LABELS = "labels/tumour"
RAW_MAPS = "cams/raw"
AMDA_MAPS = "cams/amda"
SAM_MASKS = "masks/sam"
SAM_POINTS = "masks/sam-points"
SAM_BOX = "masks/sam-box"
ROUND1 = "masks/round1"
SAM_ROUND1 = "masks/sam-round1"
ROUND2 = "masks/round2"
WITHOUT_S3F = "masks/without-s3f"
NEWEST_FIRST = (ROUND2, ROUND1, SAM_MASKS)
"""The masks that stand for a case, the last step's first."""

CLASSIFIER_RAW = "classifier-raw"
CLASSIFIER_AMDA = "classifier-amda"
UNET_ROUND1 = "unet-round1"
UNET_ROUND2 = "unet-round2"
UNET_WITHOUT_S3F = "unet-without-s3f"

SIMILARITIES = "results/similarities.json"
S3F_TABLE = "results/s3f.csv"
EVALUATION = "results/evaluation.json"
TRUST = "results/trust.json"
TRUST_TABLE = "results/trust.csv"


@dataclass(frozen=True, kw_only=True)
class Product:
    """Something that a step makes.

    Attributes:
        name: an array's path in its case, a network's name, or a table's path in the project.
        command: the command that makes it.
        meaning: what it is, in a few words.
        inputs: the products it is made from. An array's are of its own case, a network's of every case
            that it learns from, a table's of every case that it tells of.
        settings: sections and keys of the settings that determine it.
        mended: for each revision of the algorithm after the first, what was wrong before: a clause that
            follows "an earlier revision of STEP that". Add one whenever the outcome changes for the same
            settings and inputs; all that was made before is then told as stale, with this reason.
    """

    name: str
    command: Command
    meaning: str
    inputs: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    mended: tuple[str, ...] = ()

    @property
    def revision(self) -> int:
        """Counted from 1."""
        return 1 + len(self.mended)

    def of_revision(self, earlier: int) -> str:
        """That what is there was made by an earlier revision, with what was mended since."""
        faults = " and ".join(self.mended[earlier - 1 :])
        return f"{self.name} was made by an earlier revision of {self.command} that {faults}"


@dataclass(frozen=True, kw_only=True)
class Array(Product):
    """An array of a case.

    Attributes:
        dtype: of its values.
        shape: its axes, ("Z", "Y", "X") of the case's image or ("Z",).
        values: the only values allowed; empty allows all that are finite.
        bounds: the least and the largest value allowed.
        cases: whose arrays the command makes: all, train, or those that `evaluate` measures.
        network: the network that makes it, if one does.
        weights: the foundation models that make it, if any do.
        instead: settings that have another value here than in the project.
        unquoted: settings whose text stands without JSON's quotes in seals, as 0.1.0 wrote it.
        along_with: the array that is made in the same go, which tells what this one is made from.
    """

    dtype: str = "uint8"
    shape: tuple[str, ...] = ("Z", "Y", "X")
    values: tuple[int, ...] = ()
    bounds: tuple[float, float] | None = None
    cases: Cases = "all"
    network: str = ""
    weights: tuple[Weights, ...] = ()
    instead: Mapping[str, str] = field(default_factory=dict)
    unquoted: tuple[str, ...] = ()
    along_with: str = ""


@dataclass(frozen=True, kw_only=True)
class Network(Product):
    """A network that a project trains on its train split.

    Attributes:
        select_setting: the setting that has the valid split choose the epoch when it is "best".
        without: settings among `settings` that change its predictions alone, not its training.
        chosen_by: arrays that decide which train cases it learns from.
        choice: settings that decide, with ``chosen_by``, which train cases those are; the cases it learnt
            from tell what they were.
        goes_on_from: the network whose weights it starts from when ``s3f.start`` is "round1".
    """

    select_setting: str = ""
    without: tuple[str, ...] = ()
    chosen_by: tuple[str, ...] = ()
    choice: tuple[str, ...] = ()
    goes_on_from: str = ""


@dataclass(frozen=True, kw_only=True)
class Table(Product):
    """A file of results."""
