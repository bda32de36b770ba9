"""Whether a CLIP's image tower is a ResNet, told from its description; no network is built."""

from __future__ import annotations

import importlib.util
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from clisc_engine.errors import BadInput
from clisc_engine.models.clip_folder import find_folder, is_in_folder
from clisc_engine.models.weights import MissingWeights
from clisc_engine.settings.schema import Settings


def check_tower(settings: Settings) -> None:
    """Refuse a classifier from a CLIP whose tower is no ResNet; a CLIP that is not here passes.

    Raises:
        BadInput: naming the settings that do not fit each other.
    """
    model, _ = settings.label.clips()[0]
    if settings.classifier.backbone != "clip" or model == "tiny":
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
    package = importlib.util.find_spec("open_clip")
    if package is None or package.origin is None:
        return {}
    described = Path(package.origin).parent / "model_configs" / f"{model.replace('/', '-')}.json"
    if not described.is_file():
        return {}
    tower: dict[str, Any] = json.loads(described.read_text(encoding="utf-8"))["vision_cfg"]
    return tower
