"""Digests of files."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import Literal

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
