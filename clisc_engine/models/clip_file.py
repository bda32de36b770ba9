"""Where the weight file of a CLIP lies; found without loading it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clisc_engine.errors import BadInput
from clisc_engine.files.digest import sha256_of
from clisc_engine.models.clip_folder import find_folder, is_in_folder
from clisc_engine.models.known import KNOWN
from clisc_engine.models.weights import MissingWeights, bundled, home, models_folder, own_file


def clip_digests(clips: Sequence[tuple[str, str]]) -> dict[str, str]:
    """What stands for CLIPs in a fingerprint: SHA-256 of the weight file, and of what describes a folder.

    Args:
        clips: model and pretrained of each, as `models.clip.load_clip` takes them. The only one is called
            ``clip``; of several each by its model.
    """
    found: dict[str, str] = {}
    for model, pretrained in clips:
        name = "clip" if len(clips) == 1 else f"clip {model} {pretrained}".rstrip()
        found[name] = sha256_of(find_clip(model, pretrained))
        if is_in_folder(model):
            found[f"description of {name}"] = find_folder(model).description_digest()
    return found


def find_clip(model: str, pretrained: str) -> Path:
    """The weight file of a CLIP.

    One in a folder lies there. Else ``pretrained`` is a file, or a tag whose file lies in the models
    folder (as ``<model>-<tag>.pt`` or ``.safetensors``, or under its published name) or in open_clip's
    cache.

    Raises:
        MissingWeights: when it is not on this machine.
        BadInput: when open_clip knows no such model or tag.
    """
    if model == "tiny":
        return bundled("tiny_clip.safetensors")
    if is_in_folder(model):
        return find_folder(model).weights
    if is_file(pretrained):
        return own_file(pretrained)
    for candidate in _by_our_name(model, pretrained):
        if candidate.is_file():
            return candidate
    return _published(model, pretrained)


def is_file(pretrained: str) -> bool:
    """Whether ``label.pretrained`` names a file rather than a tag."""
    return bool(pretrained) and own_file(pretrained).is_file()


def unknown_model(model: str) -> BadInput:
    """The error for a model that open_clip does not know."""
    return BadInput(f"label.model = {model!r}: open_clip has no such model; try ViT-B-32.")


def _published(model: str, pretrained: str) -> Path:
    """Under the names that open_clip's registry gives; it takes seconds to import."""
    import open_clip

    from clisc_engine.models import packages  # noqa: F401 - how open_clip is imported

    if model not in open_clip.list_models():
        raise unknown_model(model)
    config = open_clip.get_pretrained_cfg(model, pretrained)
    if not config:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(model)[:6])
        raise MissingWeights(
            f"label.pretrained = {pretrained!r} is neither a file nor one of open_clip's tags for "
            f"{model} ({tags})."
        )
    for candidate in _by_their_name(config):
        if candidate.is_file():
            return candidate
    hub = config.get("hf_hub")
    source = f"https://huggingface.co/{hub}" if hub else config.get("url")
    known = KNOWN.get(model) if pretrained == "openai" else None
    pull = f"Get it with `clisc models pull {known.name}`; or download" if known else "Download"
    raise MissingWeights(
        f"CLIP {model} ({pretrained}) is not on this machine. {pull} its weights from {source} and put "
        f"them into {models_folder()} as {model}-{pretrained}.safetensors. A project of "
        "`clisc init --weights tiny` needs none."
    )


def _by_our_name(model: str, tag: str) -> list[Path]:
    return [models_folder() / f"{model}-{tag}{suffix}" for suffix in (".pt", ".safetensors", ".bin")]


def _by_their_name(config: Mapping[str, Any]) -> list[Path]:
    found: list[Path] = []
    if url := config.get("url"):
        published = str(url).rsplit("/", 1)[-1]
        found += [models_folder() / published, home() / ".cache" / "clip" / published]
    if hub := str(config.get("hf_hub") or "").rstrip("/"):
        found += _hub_cache(hub)
    return found


def _hub_cache(repository: str) -> list[Path]:
    from huggingface_hub import try_to_load_from_cache

    names = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
    cached = [try_to_load_from_cache(repository, name) for name in names]
    return [Path(path) for path in cached if isinstance(path, str)]
