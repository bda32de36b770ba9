"""Digests of files, and of the tensors in them."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Algorithm = Literal["sha256", "md5"]


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, computed once as long as its size and time stay the same."""
    return digest_of(path, "sha256")


def digest_of(path: Path, algorithm: Algorithm) -> str:
    """The hexadecimal digest of a file, computed once as long as its size and time stay the same."""
    status = path.stat()
    return _digest(str(path), algorithm, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=32)
def _digest(path: str, algorithm: Algorithm, _size: int, _time: int) -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def digest_of_tensors(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of names, types, shapes and values, since safetensors carries no checksum of its own."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
