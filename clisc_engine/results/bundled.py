"""The models that come with clisc: a 3-D U-Net and a SAM that have learned from phantoms alone."""

from __future__ import annotations

from pathlib import Path

from clisc_engine.errors import BadInput
from clisc_engine.project.fingerprint import fingerprint
from clisc_engine.results.model_file import ModelCard
from clisc_engine.settings.presets import preset
from clisc_engine.stages import recipes

BUNDLED = "bundled"
"""What a user calls it, in the place of a project or a model file."""


def names_the_bundled_network(source: Path) -> bool:
    """Whether a source of predictions is the word ``bundled``.

    Raises:
        BadInput: when a file or folder here has that name too.
    """
    if str(source) != BUNDLED:
        return False
    if source.exists():
        raise BadInput(
            f"'{BUNDLED}' is the network that comes with clisc, and there is a {source.absolute()} too; "
            "give the whole path of that one, or call the command from another folder."
        )
    return True


def bundled_card() -> ModelCard:
    """Its preprocessing, its shape, and what made it; when it was trained is not kept with it."""
    settings = preset("tiny")
    return ModelCard(
        network="tiny-unet",
        image=settings.image,
        unet=settings.unet,
        weights="tiny",
        trained="",
        training_volumes=0,
        origin={"data": "procedural phantoms only"},
        fingerprint=fingerprint(recipes.bundled_models()),
        note="Trained on phantoms alone, by no scan of a patient. Research software, not a medical device.",
    )
