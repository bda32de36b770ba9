"""Whether the full-size weights of a project's settings are here."""

from __future__ import annotations

from clisc_engine.models.clip_file import find_clip
from clisc_engine.models.weights import MissingWeights, find
from clisc_engine.settings.schema import Settings


def paper_files_present(settings: Settings) -> bool:
    """Whether every weight file of the settings is on this machine."""
    try:
        if settings.sam.model != "tiny":
            find(settings.sam.checkpoint, settings.sam.model)
        if settings.classifier.pretrained == "imagenet" and settings.classifier.backbone != "clip":
            find("", settings.classifier.backbone)
        for model, pretrained in settings.label.clips():  # last: it may have to ask open_clip
            find_clip(model, pretrained)
    except MissingWeights:
        return False
    return True
