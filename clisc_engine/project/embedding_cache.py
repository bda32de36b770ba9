"""SAM's embeddings kept on disk, so that a second look at a slice prompts without encoding it again.

Not results: no seal, no fingerprint, and nothing is lost when the folder is deleted. An entry is found
by all that made it, so one that no longer fits is never used; one that is damaged is made again.
"""

from __future__ import annotations

import logging
import os
import shutil
import zlib
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clisc_engine.errors import DiskFault, Unreadable
from clisc_engine.files.atomic import disk_faults, write_atomically
from clisc_engine.files.reading import reading

Embedding = npt.NDArray[np.float16]
SUFFIX = ".embeddings"
SPARE = 2**30
"""Bytes of the disk that are left to the results."""

log = logging.getLogger(__name__)


@dataclass
class EmbeddingCache:
    """Embeddings of slices by case, at most so many bytes of them.

    When the limit is reached, those that were used longest ago go first. What this run has used stays:
    a run over more cases than fit would otherwise throw each out just before its next use.

    Attributes:
        folder: of the cache; made when needed.
        limit: in bytes; 0 keeps nothing.
        say: hears why nothing more is kept.
    """

    folder: Path
    limit: int
    say: Callable[[str], None]
    _used: set[Path] = field(default_factory=set)

    def load(self, case: str, key: str, wanted: Collection[int]) -> dict[int, Embedding]:
        """The embeddings (C, h, w) of those wanted slices that are kept.

        Args:
            case: its name.
            key: stands for all that makes the embeddings of this case.
            wanted: numbers of the slices.
        """
        found: dict[int, Embedding] = {}
        for path in self._packs(case, key) if self.limit and wanted else ():
            try:
                slices = _read(path)
            except Unreadable as error:
                log.debug("%s", error)
                continue
            if slices is None:
                with suppress(OSError):
                    path.unlink()
                continue
            found |= {z: slices[z] for z in wanted if z in slices}
            self._used.add(path)
            with suppress(OSError):
                os.utime(path)
        return found

    def keep(self, case: str, key: str, embeddings: Mapping[int, Embedding]) -> None:
        """Keep the embeddings of some slices, by their numbers, if there is room."""
        if not self.limit or not embeddings:
            return
        data = _packed(embeddings)
        if not self._make_room(len(data)):
            return
        path = self.folder / case / f"{key}-{min(embeddings):04d}-{len(embeddings)}{SUFFIX}"
        try:
            with disk_faults(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                if shutil.disk_usage(path.parent).free < len(data) + SPARE:
                    self._give_up(f"{self.folder.parent} has less than {SPARE >> 30} GB to spare")
                    return
            write_atomically(path, data)
        except DiskFault as fault:
            self._give_up(str(fault))
        else:
            self._used.add(path)

    def _packs(self, case: str, key: str) -> list[Path]:
        folder = self.folder / case
        return sorted(p for p in _files(folder) if p.name.startswith(f"{key}-"))

    def _make_room(self, needed: int) -> bool:
        kept = []
        for path in [p for folder in _files(self.folder) for p in _files(folder)]:
            with suppress(OSError):  # another process may have removed it
                state = path.stat()
                kept.append((state.st_mtime_ns, state.st_size, path))
        over = sum(size for _, size, _ in kept) + needed - self.limit
        old = sorted(entry for entry in kept if entry[2] not in self._used)
        if over > sum(size for _, size, _ in old):
            return False
        for _, size, path in old:
            if over <= 0:
                break
            with suppress(OSError):
                path.unlink()
            over -= size
        return True

    def _give_up(self, reason: str) -> None:
        self.limit = 0
        self.say(f"SAM's embeddings are not kept any more; the results are the same: {reason}")


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError:
        return []


def _packed(embeddings: Mapping[int, Embedding]) -> bytes:
    from safetensors.numpy import save

    data = save({str(z): np.ascontiguousarray(values) for z, values in embeddings.items()})
    return b"%08x" % zlib.crc32(data) + data


def _read(path: Path) -> dict[int, Embedding] | None:
    """A pack's embeddings; None when it is damaged.

    Raises:
        Unreadable: when it cannot be read now.
    """
    from safetensors.numpy import load

    with reading(path):
        whole = memoryview(path.read_bytes())
        if b"%08x" % zlib.crc32(whole[8:]) != bytes(whole[:8]):
            log.debug("%s is damaged and will be made again", path)
            return None
        return {int(z): values for z, values in load(bytes(whole[8:])).items()}
