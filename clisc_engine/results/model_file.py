"""An exported model: one safetensors file with a network and how to prepare new volumes for it."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from clisc_engine.errors import BadInput
from clisc_engine.files.digest import digest_of_tensors
from clisc_engine.files.reading import reading
from clisc_engine.settings.keys import validate
from clisc_engine.settings.schema import (
    ImageSettings,
    PromptSettings,
    SamSettings,
    UnetSettings,
    WindowSettings,
)
from clisc_engine.version import VERSION

if TYPE_CHECKING:
    import torch

ENDING = ".clisc"
TINY_CAUTION = "Made with the bundled tiny models, which are for demos and tests."
"""What a note beside anything made with them says."""
FORMAT = 1
_ENTRY, _DIGEST = "clisc", "sha256"
"""The one entry of the file's metadata, since safetensors writes several in no certain order and the same
model is to be the same bytes; and the key in it of the weights' digest, beside what the card says."""


@dataclass(frozen=True)
class AskedSam:
    """The SAM that a network's predictions prompt (``unet.ask_sam``).

    Attributes:
        sam: which one, and how it answers.
        prompts: how a prediction prompts it.
        window: from intensities to the slices that it sees.
        digest: SHA-256 of its weight file.
    """

    sam: SamSettings
    prompts: PromptSettings
    window: WindowSettings
    digest: str


@dataclass(frozen=True)
class ModelCard:
    """What an exported model says of itself.

    Attributes:
        network: which network of its project, e.g. ``unet-round2``.
        image: preprocessing of a volume.
        unet: the network's shape and its inference.
        weights: which models labelled its training volumes: tiny or paper.
        trained: when, UTC.
        training_volumes: how many volumes it learned from. Their names are not kept.
        origin: the settings and weight files that made it.
        fingerprint: of all that made it.
        version: of the clisc that exported it.
        format: of the file.
        note: a caution for those who use it.
        asks: the SAM that its predictions prompt; None where they stand as they are.
    """

    network: str
    image: ImageSettings
    unet: UnetSettings
    weights: str
    trained: str
    training_volumes: int
    origin: dict[str, str]
    fingerprint: str
    version: str = VERSION
    format: int = FORMAT
    note: str = "Trained on pseudo-labels. Research software, not a medical device."
    asks: AskedSam | None = None


def model_bytes(card: ModelCard, tensors: dict[str, torch.Tensor]) -> bytes:
    """A model as the bytes of its file."""
    import safetensors.torch

    values = {**_adapter().dump_python(card, mode="json"), _DIGEST: digest_of_tensors(tensors)}
    return safetensors.torch.save(tensors, {_ENTRY: json.dumps(values)})


def read_card(path: Path) -> ModelCard:
    """What a model file says of itself; its tensors are not read.

    Raises:
        Unreadable: when it cannot be read now.
        BadInput: when it is damaged, no model of clisc, or of a later format.
    """
    values = _entry(path)
    values.pop(_DIGEST, None)
    if values["format"] != FORMAT:
        raise BadInput(
            f"{path} has the format {values['format']}, this clisc {VERSION} knows {FORMAT}; "
            f"use clisc {values.get('version')} or later."
        )
    settings = validate({"image": values.pop("image"), "unet": values.pop("unet")}, str(path))
    try:
        return _adapter().validate_python({**values, "image": settings.image, "unet": settings.unet})
    except ValidationError as error:
        key = ".".join(map(str, error.errors()[0]["loc"]))
        raise BadInput(f"{path} is no model file of this clisc ({key} is not as it should be).") from None


def _entry(path: Path) -> dict[str, Any]:
    """What a model file's metadata holds; raises as `read_card` does."""
    import safetensors

    try:
        with reading(path), path.open("rb") as beginning:  # safetensors calls what it cannot open missing
            beginning.read(1)
        with reading(path), safetensors.safe_open(str(path), framework="numpy") as file:
            entry = (file.metadata() or {}).get(_ENTRY)
        values: Any = None if entry is None else json.loads(entry)
    except (ValueError, RecursionError, safetensors.SafetensorError) as error:
        raise BadInput(f"{path} is damaged or no model file ({error}); export it again.") from error
    if not isinstance(values, dict) or not {"format", "image", "unet"} <= values.keys():
        raise BadInput(f"{path} is a safetensors file, but no model that `clisc export model` wrote.")
    return values


@functools.cache
def _adapter() -> TypeAdapter[ModelCard]:
    return TypeAdapter(ModelCard)


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The network's weights, checked against their digest; files of 0.1.0 have none.

    Raises:
        Unreadable: when it cannot be read now.
        BadInput: when the file is damaged.
    """
    import safetensors.torch

    digest = _entry(path).get(_DIGEST)
    try:
        with reading(path):
            found = dict(safetensors.torch.load(path.read_bytes()))
    except safetensors.SafetensorError as error:
        raise BadInput(f"{path} is damaged ({error}); export it again.") from error
    if digest is not None and digest != digest_of_tensors(found):
        raise BadInput(
            f"{path} is damaged (its weights have changed since they were written); export it again."
        )
    return found
