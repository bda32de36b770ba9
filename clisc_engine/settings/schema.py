"""Every setting of the method, typed, bounded and explained in one place.

The defaults are the paper's where the paper gives a value ("paper: ..."), else the authors' released
code's ("code: ..."), else ours. A setting that clisc 0.1.0 did not have defaults to what 0.1.0 did, since
its projects lack the key. What the presets change stands in presets.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from clisc_engine.settings.baselines import BaselineSettings, with_tiny
from clisc_engine.settings.classifier import AmdaSettings, CamSettings, ClassifierSettings
from clisc_engine.settings.label import LabelSettings
from clisc_engine.settings.section import Fraction, Percent, Section

Preset = Literal["tiny", "paper"]
Augmentation = Literal["paper", "wide", "none"]
TINY: Preset = "tiny"
"""What the settings of a bundled model say."""


class ImageSettings(Section):
    """Import and preprocessing (`init`)."""

    clip_percentile: Annotated[float, Field(gt=50, le=100)] = Field(
        99.9, description="clip at this percentile of the brain's intensities (code: 99.9)"
    )
    resample_in_plane: Annotated[float, Field(ge=0, le=10)] = Field(
        0.0, description="in-plane spacing in mm to resample to; 0 keeps the volume's own"
    )
    allow_skull: bool = Field(False, description="import volumes that look not skull-stripped")


class WindowSettings(Section):
    """Window from normalised intensity to the 8-bit slices that the 2-D models see."""

    low: Percent = Field(0.5, description="percentile of the volume's brain voxels shown as black")
    high: Percent = Field(99.9, description="percentile of the brain voxels shown as white")

    @model_validator(mode="after")
    def _ordered(self) -> WindowSettings:
        if self.low >= self.high:
            raise ValueError("low must be under high")
        return self


class RoiSettings(Section):
    """From a class activation map to a region of interest."""

    smoothing: Annotated[float, Field(ge=0, le=50)] = Field(
        0.0,
        description="maps are first averaged through the slices, by a Gaussian of this standard deviation "
        "in mm; 0: not (paper)",
    )
    threshold: Literal["otsu", "sam"] | Annotated[float, Field(gt=0, lt=1)] = Field(
        "otsu",
        description="otsu per volume, sam (best agreement with SAM's answer), or a value in 0..1",
    )
    opening: bool = Field(True, description="3 x 3 x 3 opening of the region (code: yes)")
    keep_fraction: Fraction = Field(
        1 / 3, description="keep components of at least this share of the largest (code: 1/3)"
    )


class PromptSettings(Section):
    """Prompts made from a region (`prompt-sam`, `self-train`), paper section 2.2."""

    kind: Literal["both", "box", "points"] = Field(
        "both", description="prompt with box and points (paper), box, or points"
    )
    foreground: Literal["center", "bright5"] = Field(
        "center", description="the box's centre (paper) or five bright pixels of the ROI (code)"
    )
    dilation: Annotated[int, Field(ge=0, le=200)] = Field(
        10, description="pixels by which a CAM's box grows on each side (code: 10)"
    )
    dilation_self_training: Annotated[int, Field(ge=0, le=200)] = Field(
        0, description="the same for boxes of the round-1 prediction (code: 0)"
    )
    region: Literal["map", "map+bundled"] = Field(
        "map",
        description="map: the map's region prompts SAM (paper); map+bundled: joined by what the bundled "
        "network marks where the two touch; what it marks beyond SAM's answer counts where it is bright",
    )
    per_component: bool = Field(False, description="prompt each component by itself and unite the answers")


class SamSettings(Section):
    """The Segment Anything Model (`prompt-sam`, `self-train`)."""

    model: Literal["vit_b", "vit_l", "vit_h", "medsam", "tiny"] = Field(
        "vit_b",
        description="SAM's image encoder (paper: ViT-Base); medsam: vit_b fed as MedSAM was trained",
    )
    checkpoint: str = Field(
        "", description="local file in segment_anything's format; empty: the known name"
    )
    equalise: bool = Field(True, description="equalise the slice's histogram first (code: yes)")
    inside_brain: bool = Field(
        True, description="cut SAM's answer at the brain's border (code); with a border it is anyway"
    )
    mirror: bool = Field(
        False, description="also ask about the mirrored slice and average both answers (paper: no)"
    )
    border: Annotated[float, Field(ge=0, le=20)] = Field(
        0.0, description="mm by which brightness moves the border of SAM's masks; 0: not (paper)"
    )
    image_size: Annotated[int, Field(ge=0, le=1024, multiple_of=16)] = Field(
        0, description="side of SAM's input in pixels; less is faster and only approximate; 0: its own"
    )
    batch_size: Annotated[int, Field(ge=1)] = Field(
        4, description="slices encoded at once; a CPU takes one"
    )
    cache_gb: Annotated[float, Field(ge=0)] = Field(
        20.0, description="GB of SAM's embeddings kept in the project, to prompt again fast; 0 none"
    )


class UnetSettings(Section):
    """The 3-D segmentation network (`train`, `self-train`), paper sections 2.3 and 3.1."""

    channels: Annotated[list[Annotated[int, Field(ge=1, le=2048)]], Field(min_length=2, max_length=8)] = (
        Field([16, 32, 64, 128, 256], description="feature channels of the levels (paper)")
    )
    patch: Annotated[
        list[Annotated[int, Field(ge=16, multiple_of=16)]], Field(min_length=3, max_length=3)
    ] = Field([128, 128, 128], description="input size (Z, Y, X), multiples of 16 (paper)")
    spacing: list[Annotated[float, Field(gt=0, le=20)]] = Field(
        [], description="(Z, Y, X) in mm of the volumes that the network sees; empty: their own"
    )
    epochs: Annotated[int, Field(ge=1)] = Field(400, description="passes (paper: 400)")
    batch_size: Annotated[int, Field(ge=1)] = Field(2, description="patches a step (paper: 2)")
    patches_per_volume: Annotated[int, Field(ge=1)] = Field(
        1, description="random patches taken from a volume at a time"
    )
    patches_per_epoch: Annotated[int, Field(ge=0)] = Field(
        0, description="patches an epoch, volumes taken by turns; 0 visits each volume once"
    )
    start: Literal["scratch", "bundled"] = Field(
        "scratch",
        description="scratch: round 1 starts from random weights (paper); bundled: from the network that "
        "comes with clisc and has learned from phantoms, for few volumes",
    )
    optimiser: Literal["sgd", "adamw"] = Field("sgd", description="sgd (paper) or adamw")
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.01, description="initial learning rate (paper: 0.01)"
    )
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(0.9, description="momentum of sgd (code: 0.9)")
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = Field(
        1e-4, description="weight decay (code: 0.0001)"
    )
    poly_power: Annotated[float, Field(ge=0, le=10)] = Field(
        0.9, description="learning rate times (1 - epoch/epochs) to this power (code: 0.9)"
    )
    loss: Literal["dice_ce", "ce", "dice"] = Field("dice_ce", description="dice_ce, ce (code), or dice")
    augment: Augmentation = Field(
        "paper",
        description="paper, so called but not told by the paper: random rotation, flips, intensity "
        "(code: quarter turns and flips); wide: more of them and scaling, for few volumes; or none",
    )
    select: Literal["last", "best"] = Field(
        "last", description="keep the last epoch, or the best on valid's pseudo-labels"
    )
    inference: Literal["sliding", "resize"] = Field(
        "sliding", description="sliding window, or the whole volume resized to the patch (code)"
    )
    overlap: Annotated[float, Field(ge=0, lt=1)] = Field(0.5, description="overlap of neighbouring windows")
    border: Annotated[float, Field(ge=0, le=20)] = Field(
        0.0, description="mm by which brightness moves the border of predictions; 0: not (paper)"
    )
    largest_component: bool = Field(
        True, description="keep the prediction's largest connected component (code: yes)"
    )
    rival_share: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0,
        description="where one component is kept: of those of at least this share of the largest the one "
        "that the network is surest of; 1: the largest (code)",
    )
    ask_sam: bool = Field(
        False,
        description="each prediction prompts SAM, whose answer counts, and beyond it what is marked and "
        "bright (paper: no)",
    )

    @field_validator("spacing")
    @classmethod
    def _three_or_none(cls, spacing: list[float]) -> list[float]:
        if len(spacing) not in (0, 3):
            raise ValueError("give three numbers (Z, Y, X), or none for the volumes' own")
        return spacing


class S3fSettings(Section):
    """SAM-Seg similarity-based filtering (`self-train`), paper section 2.3."""

    p: Annotated[float, Field(ge=0, lt=100)] = Field(
        20.0, description="percentage of the volumes dropped, least similar first (paper: 20)"
    )
    start: Literal["scratch", "round1"] = Field(
        "scratch",
        description="scratch: round 2 starts from random weights, trained as round 1 (paper); round1: it "
        "goes on from round 1's, for few volumes, with the next two settings",
    )
    epochs: Annotated[int, Field(ge=1)] = Field(
        200, description="passes of a round 2 that goes on from round 1's weights"
    )
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.0025, description="initial learning rate of such a round 2"
    )


class TrainingSettings(Section):
    """How trainings are kept and fed; no part of what comes out."""

    save_every_minutes: Annotated[float, Field(ge=0)] = Field(
        10.0, description="save within an epoch after so many minutes; 0 after whole epochs only"
    )
    memory_gb: Annotated[float, Field(ge=0)] = Field(
        8.0, description="GB of decoded volumes that U-Net trainings hold; the others are read ahead"
    )


class Settings(Section):
    """All settings of one project, as clisc.toml holds them."""

    weights: Preset = Field(
        "paper",
        description="the models that `clisc init` chose, tiny (bundled) or paper; changed by itself it is "
        "refused, for which are used stands in label.model, sam.model, prompts.region and unet.start",
    )
    seed: Annotated[int, Field(ge=0, lt=2**31)] = Field(0, description="seed of all random draws")
    image: ImageSettings = ImageSettings()
    window: WindowSettings = WindowSettings()
    label: LabelSettings = LabelSettings()
    classifier: ClassifierSettings = ClassifierSettings()
    cam: CamSettings = CamSettings()
    amda: AmdaSettings = AmdaSettings()
    roi: RoiSettings = RoiSettings()
    prompts: PromptSettings = PromptSettings()
    sam: SamSettings = SamSettings()
    unet: UnetSettings = UnetSettings()
    s3f: S3fSettings = S3fSettings()
    training: TrainingSettings = TrainingSettings()
    baselines: BaselineSettings = BaselineSettings()

    @model_validator(mode="before")
    @classmethod
    def _tiny_rivals(cls, values: Any) -> Any:
        """A project that was made before the rivals were there gets them in its own size."""
        if isinstance(values, Mapping) and values.get("weights") == "tiny":
            given = values.get("baselines", {})
            return {**values, "baselines": with_tiny(given)} if isinstance(given, Mapping) else values
        return values

    @property
    def bundled(self) -> list[str]:
        """The settings that take a bundled model."""
        taken = {
            "label.model": any(model == TINY for model, _ in self.label.clips()),
            "sam.model": self.sam.model == TINY,
            "prompts.region": self.prompts.region == "map+bundled",
            "unet.start": self.unet.start == "bundled",
        }
        return [key for key, is_taken in taken.items() if is_taken]

    @property
    def made_with(self) -> Preset:
        """The models to name beside results, whatever ``weights`` says: tiny if any of them is bundled."""
        return TINY if self.bundled else "paper"
