"""Whether there is such a CLIP, and its tower a ResNet, told from its description; nothing is built."""

from __future__ import annotations

import importlib.util
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from clisc_engine.errors import BadInput
from clisc_engine.models.clip_file import unknown_model
from clisc_engine.models.clip_folder import find_folder, is_in_folder
from clisc_engine.models.weights import MissingWeights
from clisc_engine.settings.schema import TINY, Settings


def check_models(settings: Settings) -> None:
    """Refuse a CLIP that is neither bundled, nor in a folder, nor known to open_clip.

    Raises:
        BadInput: naming it.
    """
    folder = _descriptions()
    for model, _ in settings.label.clips():
        if model == TINY or is_in_folder(model) or folder is None:
            continue
        if "/" in model or not _file(folder, model).is_file():
            raise unknown_model(model)


def check_tower(settings: Settings) -> None:
    """Refuse a classifier from a CLIP whose tower is no ResNet; a CLIP that is not here passes.

    Raises:
        BadInput: naming the settings that do not fit each other.
    """
    model, _ = settings.label.clips()[0]
    if settings.classifier.backbone != "clip" or model == TINY:
        return
    with suppress(MissingWeights):
        tower = find_folder(model).model["vision_cfg"] if is_in_folder(model) else _known_tower(model)
        if tower and not isinstance(tower.get("layers"), list):  # a ResNet's have a number for each stage
            raise no_resnet(model)


def no_resnet(model: str = "") -> BadInput:
    """The error for a CLIP, of this name if it has one, that no classifier can be made from."""
    named = f", which label.model = {model!r} is not" if model else ""
    return BadInput(
        f'classifier.backbone = "clip" needs a CLIP with a ResNet image tower (tiny, RN50, ...){named}; '
        "give classifier.backbone=resnet50."
    )


def _known_tower(model: str) -> dict[str, Any]:
    """How open_clip describes a model's image tower, without the seconds that its import takes.

    Empty when it describes none under this name, which `find_clip` tells.
    """
    folder = _descriptions()
    described = _file(folder, model.replace("/", "-")) if folder else None
    if described is None or not described.is_file():
        return {}
    tower: dict[str, Any] = json.loads(described.read_text(encoding="utf-8"))["vision_cfg"]
    return tower


def _descriptions() -> Path | None:
    """The folder in which open_clip describes its models; None where it is not installed."""
    package = importlib.util.find_spec("open_clip")
    if package is None or package.origin is None:
        return None
    return Path(package.origin).parent / "model_configs"


def _file(folder: Path, model: str) -> Path:
    return folder / f"{model}.json"
