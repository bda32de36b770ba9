"""Where a network comes from: of a model file, or of a prediction that names it by its fingerprint."""

from __future__ import annotations

from pathlib import Path

from clisc_engine.products.kinds import UNET_ROUND1, UNET_ROUND2
from clisc_engine.products.shared import INFERENCE
from clisc_engine.project.fingerprint import settings_used
from clisc_engine.project.project import Project
from clisc_engine.results.bundled import BUNDLED, bundled_card
from clisc_engine.results.explain.explained import Explained, tiny_notes
from clisc_engine.results.model_file import TINY_CAUTION, ModelCard, read_card
from clisc_engine.results.provenance import Link, Provenance, link_of_network
from clisc_engine.results.segmenter import identity_of, settings_of, with_skulls
from clisc_engine.results.trained import card_of


def of_model_file(path: Path, project: Project | None) -> Explained:
    """A model file; the project adds what led to its network, if it is its own.

    Raises:
        BadInput: when it is no model.
    """
    card = read_card(path)
    found = Explained(
        f"a model file with {card.network}, trained on {card.training_volumes} volumes",
        "what the file says of itself",
        product=card.network,
        chain=[_link_of(card)],
        notes=[card.note, _how_it_predicts(card)],
    )
    if card.weights == "tiny":
        found.notes.insert(0, TINY_CAUTION)
    if project is not None and (chain := _chain_of(project, card)):
        found.chain, found.known_by = chain, f"its fingerprint in the project {project.root}"
    return found


def by_identity(project: Project | None, identity: str) -> tuple[list[Link], list[str], list[str]]:
    """The chain of the network that predicted, if it is the project's or comes with clisc.

    Args:
        project: whose networks may have done it.
        identity: `segmenter.identity_of` the network.

    Returns:
        The chain, notes on it, and the options of `predict` that the identity tells of.
    """
    card = bundled_card()
    if (options := _options(card, identity)) is not None:
        note = f"By the models that come with clisc (`predict {BUNDLED}`). {card.note}"
        return [_link_of(card)], [TINY_CAUTION, note], options
    if project is not None:
        trained = [n for n in (UNET_ROUND2, UNET_ROUND1) if project.checkpoint(n).made_from() is not None]
        for network in trained:
            if (options := _options(card_of(project, network), identity)) is not None:
                return Provenance(project).of_network(network), tiny_notes(project), options
    where = f"none of {project.root}" if project else "no project was named (--project)"
    return [], [f"Which network made it is known by its fingerprint {identity} alone: {where}."], []


def _options(card: ModelCard, identity: str) -> list[str] | None:
    """The options by which a network has this identity; None when it is another one's."""
    if identity_of(card) == identity:
        return []
    return ["--allow-skull"] if identity_of(with_skulls(card)) == identity else None


def _link_of(card: ModelCard) -> Link:
    return link_of_network(card.network, card.origin, card.fingerprint, card.trained, card.version)


def _how_it_predicts(card: ModelCard) -> str:
    """By which settings; they are no part of what made the network."""
    settings = settings_used(settings_of(card), *INFERENCE)
    return f"It predicts with {', '.join(f'{key}={value}' for key, value in settings.items())}."


def _chain_of(project: Project, card: ModelCard) -> list[Link]:
    made_from = project.checkpoint(card.network).made_from()
    same = made_from is not None and card_of(project, card.network).fingerprint == card.fingerprint
    return Provenance(project).of_network(card.network) if same else []
