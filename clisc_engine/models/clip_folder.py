"""A CLIP in a folder of its own that says what it is, as open_clip writes one and a model hub keeps it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clisc_engine.errors import BadInput
from clisc_engine.files.digest import sha256_of
from clisc_engine.files.reading import reading
from clisc_engine.models.known import KNOWN
from clisc_engine.models.weights import MissingWeights, models_folder, own_file

HUB, FOLDER = "hf-hub:", "local-dir:"
"""How open_clip marks the name of a model on the hub, and of a folder."""
CONFIG = "open_clip_config.json"
WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
)
TOWER = "config.json"
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json")


@dataclass(frozen=True)
class ClipFolder:
    """The files of one CLIP.

    Attributes:
        weights: its weight file.
        model: open_clip's description of its two towers.
        preprocess: of its input: mean and std, where they are not OpenAI's.
        tower: folder of the text tower's description; None where the tower is open_clip's own.
        tokenizer: folder of its tokenizer; None where it is open_clip's own.
        files: all that was named, but for the weights.
    """

    weights: Path
    model: dict[str, Any]
    preprocess: dict[str, Any]
    tower: Path | None
    tokenizer: Path | None
    files: tuple[Path, ...]

    def description_digest(self) -> str:
        """SHA-256 that stands for all files but the weights."""
        digests = [f"{path.name} {sha256_of(path)}" for path in self.files]
        return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def is_in_folder(model: str) -> bool:
    """Whether ``label.model`` names a CLIP that describes itself, rather than one that open_clip knows."""
    return model.startswith((HUB, FOLDER))


def find_folder(model: str) -> ClipFolder:
    """The files of ``local-dir:FOLDER`` or ``hf-hub:ORGANISATION/NAME``.

    Those of the hub are looked for in the models folder under NAME, and in the hub's own cache. Nothing is
    downloaded.

    Raises:
        MissingWeights: when some are not on this machine.
        BadInput: when the name is none, or a description is damaged or asks for code of its own.
    """
    root, weights = _root(model)
    described = _read(root / CONFIG)
    towers = described.get("model_cfg")
    if not isinstance(towers, dict) or not all(
        isinstance(towers.get(side), dict) for side in ("vision_cfg", "text_cfg")
    ):
        raise BadInput(f"{root / CONFIG} does not describe a CLIP: it lacks model_cfg with its two towers.")
    text = towers["text_cfg"]
    tower = _place(root, text.get("hf_model_name"), (TOWER,), "text tower's description")
    tokenizer = _place(root, text.get("hf_tokenizer_name"), TOKENIZER[:1], "tokenizer")
    files = [root / CONFIG]
    files += [tower / TOWER] if tower else []
    files += [tokenizer / name for name in TOKENIZER if (tokenizer / name).is_file()] if tokenizer else []
    for path in files:
        if path.suffix == ".json" and "auto_map" in _read(path):
            raise BadInput(f"{path} asks for code of its own (auto_map), which clisc does not run.")
    preprocess = described.get("preprocess_cfg") or {}
    return ClipFolder(weights, towers, preprocess, tower, tokenizer, tuple(files))


def _root(model: str) -> tuple[Path, Path]:
    """The folder that holds the description, and the weight file in it."""
    folders = list(_folders(model))
    for folder in folders:
        for name in WEIGHTS:
            if (folder / CONFIG).is_file() and (folder / name).is_file():
                return folder, folder / name
    known = KNOWN.get(model)
    pull = f"Get it with `clisc models pull {known.name}`; or put" if known else "Put"
    raise MissingWeights(
        f"The CLIP {model} is not on this machine. {pull} {CONFIG}, the weights ({WEIGHTS[-1]} or "
        f"{WEIGHTS[0]}), {', '.join(TOKENIZER[:2])} and the text tower's {TOWER} into {folders[0]}."
    )


def _folders(model: str) -> Iterator[Path]:
    if model.startswith(FOLDER):
        yield own_file(model.removeprefix(FOLDER))
        return
    repository = model.removeprefix(HUB)
    if not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", repository):
        raise BadInput(f"label.model = {model!r}: after {HUB} comes ORGANISATION/NAME.")
    yield models_folder() / repository.rpartition("/")[2]
    yield from _hub_cache(repository, CONFIG)


def _hub_cache(repository: str, file: str) -> Iterator[Path]:
    """The folder of a repository in the hub's cache, if this file of it is there."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, file)
    if isinstance(found, str):
        yield Path(found).parent


def _place(root: Path, repository: object, needed: tuple[str, ...], what: str) -> Path | None:
    """Where the files of a part lie that the transformers package provides; None where none does."""
    if not isinstance(repository, str) or not repository:
        return None
    for folder in (root, *_cached(repository, needed[0])):
        if all((folder / name).is_file() for name in needed):
            return folder
    raise MissingWeights(
        f"{root} lacks the {what} ({', '.join(needed)}), which comes from {repository}; put it there."
    )


def _cached(repository: str, file: str) -> Iterator[Path]:
    """As `_hub_cache`, for a name that a file gave: it may be a path, of which the cache knows nothing."""
    if re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        yield from _hub_cache(repository, file)


def _read(path: Path) -> dict[str, Any]:
    try:
        with reading(path):
            found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(f"{path} is damaged ({error}); fetch it again.") from None
    if not isinstance(found, dict):
        raise BadInput(f"{path} is damaged: it holds no table; fetch it again.")
    return found
