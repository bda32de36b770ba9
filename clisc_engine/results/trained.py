"""A project's trained network: its card, and the file that another machine can predict with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from clisc_engine.errors import MissingStage
from clisc_engine.importing.origin import settings_of_import
from clisc_engine.models.weights import sam_digest
from clisc_engine.outputs.inputs import Inputs
from clisc_engine.outputs.outputs import Made, Outputs
from clisc_engine.products.kinds import IMAGE, UNET_ROUND1
from clisc_engine.project.fingerprint import fingerprint
from clisc_engine.project.project import Project
from clisc_engine.results.model_file import AskedSam, ModelCard, model_bytes
from clisc_engine.running import journal
from clisc_engine.settings.schema import ImageSettings, Settings


def _learnt_from(project: Project, made_from: Mapping[str, str]) -> ImageSettings:
    """How most images that a network learnt from were imported, which new ones are prepared alike.

    Which volumes are taken, ``image.allow_skull``, is as the project has it now.
    """
    now = project.settings.image
    cases = [case for case in project.cases() if f"train/{case.info.identity}/{IMAGE}" in made_from]
    found = Counter(settings_of_import(case.seal(IMAGE), now).model_dump_json() for case in cases)
    if not found:
        return now
    most = ImageSettings.model_validate_json(found.most_common(1)[0][0])
    return most.model_copy(update={"allow_skull": now.allow_skull})


def card_of(project: Project, network: str) -> ModelCard:
    """The card of a network that is still in its project.

    Raises:
        MissingStage: when it is not trained.
    """
    checkpoint = project.checkpoint(network)
    made_from = checkpoint.made_from()
    if made_from is None:
        first = network != UNET_ROUND1 and project.checkpoint(UNET_ROUND1).made_from() is not None
        other = ", or take the first round's with --network unet-round1" if first else ""
        raise MissingStage(
            f"{network} is not trained yet; run {project.store.home.in_words('run')} first{other}.",
            command="run",
            home=project.store.home,
        )
    settings = project.settings
    return ModelCard(
        network=network,
        image=_learnt_from(project, made_from),
        unet=settings.unet,
        weights=settings.made_with,
        trained=journal.trained_at(project, network),
        training_volumes=sum(key.startswith("train/") and key.endswith("/image") for key in made_from),
        origin={key: value for key, value in made_from.items() if "/" not in key},
        fingerprint=fingerprint(made_from),
        asks=_asked_by(settings) if settings.unet.ask_sam else None,
    )


def _asked_by(settings: Settings) -> AskedSam:
    """The SAM that a project's predictions prompt.

    Raises:
        MissingWeights: when its file is not on this machine.
    """
    digest = sam_digest(settings.sam.model, settings.sam.checkpoint)
    return AskedSam(settings.sam, settings.prompts, settings.window, digest)


def _without_paths(card: ModelCard) -> ModelCard:
    """The card for another machine, where SAM's file is looked for under its published name."""
    if card.asks is None:
        return card
    sam = card.asks.sam.model_copy(update={"checkpoint": ""})
    return replace(card, asks=replace(card.asks, sam=sam))


def export_model(project: Project, network: str, path: Path) -> ModelCard:
    """Write a network of the project as one file that `open_segmenter` reads.

    Raises:
        BadInput: when there is a file that clisc did not write.
    """
    outputs = Outputs(Inputs.of_project(project), "Choose another file with -o, or move that one away.")
    outputs.check([path])
    card = _without_paths(card_of(project, network))
    data = model_bytes(card, project.checkpoint(network).tensors())
    made_from = {"project": str(project.root.absolute()), "network": card.fingerprint}
    outputs.put_bytes(path, data, Made("model", made_from))
    return card
