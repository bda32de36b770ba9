"""What AMCons and GradCAMCons share: both train a variational autoencoder on normal slices."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from clisc_engine.settings.section import Section


class VaeSettings(Section):
    """The autoencoder, and the slices that it sees."""

    image_size: Annotated[int, Field(ge=64, le=1024, multiple_of=32)] = Field(
        224, description="side of the network's input in pixels (original: 224)"
    )
    width: Annotated[int, Field(ge=4, le=256, multiple_of=4)] = Field(
        64, description="channels of the encoder's first stage; later ones double (original: 64, ResNet-18)"
    )
    latent: Annotated[int, Field(ge=1, le=4096)] = Field(
        32, description="numbers in the latent code (original: 32)"
    )
    erosion: Annotated[int, Field(ge=1, le=64)] = Field(
        6, description="side in pixels of the square by which a slice's brain is eroded (original: 6)"
    )
    histogram: Literal["volume", "slice", "none"] = Field(
        "volume",
        description="match grey values to the pooled normal slices: a volume's all alike, each slice by "
        "itself (original, to one slice), or not at all",
    )
    epochs: Annotated[int, Field(ge=1)] = Field(300, description="epochs of training (original: 300)")
    slices_per_epoch: Annotated[int, Field(ge=0)] = Field(
        4000,
        description="at most this many slices an epoch, drawn anew each time; 0 takes all (original: all)",
    )
    kl_weight: Annotated[float, Field(ge=0)] = Field(
        1.0, description="weight of the divergence of the code from a standard normal"
    )
