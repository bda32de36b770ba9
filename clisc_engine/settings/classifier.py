"""Settings of the slice classifier, of its class activation maps and of AMDA (`cam`, `amda`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from clisc_engine.settings.section import Section

CamLayer = Literal["layer1", "layer2", "layer3", "layer4"]


class ClassifierSettings(Section):
    """The slice classifier whose activations are mapped (`cam`, `amda`)."""

    backbone: Literal["resnet50", "resnet18", "clip"] = Field(
        "resnet50",
        description="resnet50 (paper), resnet18, or clip: CLIP's own ResNet tower, of several the first's",
    )
    pretrained: str = Field(
        "imagenet", description="imagenet (paper), none, or a local file; unused with clip"
    )
    image_size: Annotated[int, Field(ge=32, le=1024)] = Field(
        224, description="side of the classifier's input in pixels (code: 224)"
    )
    head: Literal["mlp", "linear"] = Field(
        "mlp", description="mlp: hidden layer of 256 with dropout (code); linear: one layer"
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.5, description="dropout before the last layer of the mlp head (code: 0.5)"
    )
    epochs: Annotated[int, Field(ge=1)] = Field(200, description="passes over the slices (paper)")
    batch_size: Annotated[int, Field(ge=1)] = Field(8, description="slices a step (paper: 8)")
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = Field(
        1e-4, description="Adam's learning rate (paper: 0.0001)"
    )
    decay_every: Annotated[int, Field(ge=0)] = Field(
        0, description="epochs between decays of the learning rate by 0.1; 0 never (code: 7)"
    )
    slices_per_epoch: Annotated[int, Field(ge=0)] = Field(
        0,
        description="at most this many slices an epoch (amda: and as many masked copies), drawn anew "
        "each time; 0 takes all",
    )
    passes: Annotated[float, Field(ge=0)] = Field(
        0.0,
        description="at most so many passes over the slices in all epochs together, so that few are not "
        "learnt by heart; 0: any number (paper)",
    )
    augment: bool = Field(
        True,
        description="random flips, rotation, scaling, shifts and brightness; the paper tells none",
    )
    select: Literal["last", "best"] = Field(
        "last", description="keep the last epoch, or the best on CLIP's labels of valid"
    )


class CamSettings(Section):
    """Class activation maps (`cam`, `amda`), paper eq. (2)."""

    method: Literal["layercam", "gradcam", "cam"] = Field(
        "layercam", description="how activations are weighted (paper: layercam)"
    )
    layers: Annotated[list[CamLayer], Field(min_length=1)] = Field(
        ["layer3"], description="layers to map, fused by their maximum (code: layer3)"
    )
    slices: Literal["tumour", "tumour-or-uncertain"] = Field(
        "tumour-or-uncertain",
        description="slices that get a map if the classifier sees a tumour too: those that CLIP labels "
        "tumour (paper), or also those that it is uncertain of",
    )


class AmdaSettings(Section):
    """Adaptive masking-based data augmentation (`amda`), paper section 2.1.2."""

    t: Annotated[float, Field(ge=0, lt=100)] = Field(
        20.0, description="percentage of the brain's pixels masked out (paper: 20)"
    )
    fill: Literal["black", "mean", "around"] = Field(
        "black",
        description="what masked pixels become: black (code), the mean of the slice's brain, or what the "
        "brain around them is like; the paper normalises by the brain's mean, so that its 0 is near that",
    )
