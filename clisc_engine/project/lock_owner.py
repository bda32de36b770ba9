"""Who holds a lock, and whether that process is still alive."""

from __future__ import annotations

import functools
import os
import re
import secrets
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import TypeAdapter

DEAD_AFTER_SECONDS = 180.0
"""Without a sign of life for so long, an owner that cannot be looked at counts as dead."""

_TOKEN = re.compile(r"[\w-]{1,64}")
"""It becomes part of file names."""


@dataclass(frozen=True)
class Owner:
    """Who holds a lock.

    Attributes:
        token: unique to this taking of a lock.
        command: what it runs, e.g. ``clisc cam``.
        host: name of its machine, for people.
        machine: boot and process namespace in which ``pid`` means something; empty when unknown.
        pid: its process.
        started: when that process started, in the kernel's ticks, since numbers are used again.
        since: when it took the lock.
    """

    token: str
    command: str
    host: str
    machine: str
    pid: int
    started: str
    since: str

    @classmethod
    def this_process(cls, command: str) -> Owner:
        """A new owner: this process, now."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        pid = os.getpid()
        started = start_of(pid)
        # Who cannot tell its start is judged by its signs of life, as one elsewhere is.
        machine = _this_machine() if started else ""
        return cls(secrets.token_hex(8), command, socket.gethostname(), machine, pid, started or "", now)

    def is_alive(self, age: float, dead_after: float = DEAD_AFTER_SECONDS) -> bool:
        """Whether it lives, as far as can be told; its last sign of life is ``age`` seconds old."""
        if self.machine and self.machine == _this_machine() and (found := start_of(self.pid)) is not None:
            return bool(self.started) and found == self.started
        return age < dead_after

    def __str__(self) -> str:
        return f"`{self.command}` (process {self.pid} on {self.host}, since {self.since})"


def owner_of(path: Path) -> Owner | None:
    """The owner that a lock file names; None without the file.

    A file that names none (its writer is at it, or died at it) has an owner of whom nothing is known.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        status = path.stat()
    except FileNotFoundError:
        return None
    try:
        found = _owner_adapter().validate_json(text)
        if _TOKEN.fullmatch(found.token):
            return found
        raise ValueError(found.token)
    except ValueError:  # pydantic's errors are ValueErrors
        since = datetime.fromtimestamp(status.st_mtime, UTC).isoformat(timespec="seconds")
        token = f"unknown-{status.st_ino}"
        return Owner(token, "an unknown command", "an unknown machine", "", 0, "", since)


@functools.cache
def _owner_adapter() -> TypeAdapter[Owner]:
    from pydantic import TypeAdapter  # every command imports this file, and few meet another's lock

    return TypeAdapter(Owner)


def _this_machine() -> str:
    """This boot of this machine and the namespace of its process numbers; empty where unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def start_of(pid: int) -> str | None:
    """When a process of this machine started; empty when it is gone or a zombie, None when unknown."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return "" if Path("/proc/self").exists() else None
    except OSError:
        return None
    state, *rest = fields.rsplit(")", 1)[-1].split()
    return "" if state in "ZX" else rest[18]
