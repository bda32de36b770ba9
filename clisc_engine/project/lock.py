"""One writer at a time: a lock file in the project's folder, with an owner and a heartbeat.

The lock appears whole and at once (a hard link, else an exclusive create), so it needs no help of the
file system such as flock. An owner on this machine is alive while its process is; one elsewhere while
it touches the lock. Times are compared as the file system gives them, so clocks may differ.

Taking over from a dead owner. The invariant: of all who find the same owner dead, one alone goes on.
1. Whoever would follow the owner with token T must first create ``.clisc-lock.after-T``, its marker,
   which the file system gives to one process only. The marker names that process as T's successor.
2. A successor replaces the lock by its own, and then removes its marker.
3. A successor may die before that. It is then the dead owner that the next one follows, so markers form
   a chain that starts at the lock. Only its last member needs to be judged, alive or dead.
4. A successor looks at the lock again once it has its marker: if the lock is no longer that of the owner
   it found dead, somebody else has finished meanwhile, and it starts from the beginning.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from clisc_engine.errors import BadInput
from clisc_engine.files.atomic import advice_on, is_full
from clisc_engine.project.lock_owner import DEAD_AFTER_SECONDS, Owner, owner_of

LOCK = ".clisc-lock"
VARIANTS = "variants"
"""Folder of a project's variants, each with a lock of its own."""
LOST_LOCK = "the loss of its lock to another command"

HEARTBEAT_SECONDS = 10.0
_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}


class Lock:
    """The lock of one folder, taken by one owner."""

    def __init__(self, folder: Path, owner: Owner) -> None:
        """Nothing is taken yet."""
        self.path = folder / LOCK
        self.owner = owner
        self._candidate = folder / f"{LOCK}.{owner.token}"

    def acquire(self) -> Owner | None:
        """Take the lock.

        Returns:
            The dead owner it was taken from, if there was one.

        Raises:
            BadInput: when a living owner holds it, or the folder cannot be written.
        """
        text = json.dumps(asdict(self.owner))
        try:
            self._candidate.write_text(text, encoding="utf-8")
        except OSError as error:
            with suppress(OSError):
                self._candidate.unlink(missing_ok=True)
            remedy = (
                advice_on(error)
                if is_full(error)
                else "Make that folder writable, or work on a copy of the project; --dry-run, where there "
                "is one, needs neither."
            )
            raise BadInput(
                f"Cannot write into {self.path.parent}: {error.strerror}; this command keeps its lock "
                f"there. {remedy}"
            ) from None
        try:
            return self._acquire()
        except OSError as error:
            raise BadInput(
                f"Cannot take the lock {self.path}: {error.strerror or error}. Look at the disk, then run "
                "the same command again."
            ) from error
        finally:
            with suppress(OSError):
                self._candidate.unlink(missing_ok=True)
                self._clear_leftovers()

    def renew(self) -> bool:
        """Touch the lock, as a sign of life; False when it is no longer this owner's."""
        found = owner_of(self.path)
        if found is None or found.token != self.owner.token:
            return False
        os.utime(self.path)
        return True

    def release(self) -> None:
        """Give the lock back, if it is still this owner's."""
        found = owner_of(self.path)
        if found is not None and found.token == self.owner.token:
            self.path.unlink(missing_ok=True)

    def _acquire(self) -> Owner | None:
        while True:
            if self._create(self.path):
                return None
            first = owner_of(self.path)
            if first is None:
                continue
            chain = [self.path]
            last = first
            while (successor := owner_of(self._takeover_marker(last))) is not None:
                chain.append(self._takeover_marker(last))
                last = successor
            age = self._age(chain[-1])
            if age is None:
                continue
            if last.is_alive(age):
                raise BadInput(
                    f"{last} is at work in {self.path.parent}; its last sign of life is "
                    f"{max(age, 0):.0f} s old. Wait until it is done, or stop it. A dead owner's "
                    f"lock is taken over by itself, after {DEAD_AFTER_SECONDS:.0f} s at most."
                )
            if self._take_over(first, last):
                for marker in chain[1:]:
                    marker.unlink(missing_ok=True)
                return first

    def _take_over(self, first: Owner, last: Owner) -> bool:
        """Replace the dead ``first``; ``last`` ends the chain (``first`` if nobody died midway)."""
        marker = self._takeover_marker(last)
        if not self._create(marker):
            return False
        try:
            now = owner_of(self.path)
            if now is None or now.token != first.token:
                return False
            self._candidate.replace(self.path)
            return True
        finally:
            marker.unlink(missing_ok=True)

    def _takeover_marker(self, owner: Owner) -> Path:
        """The file that names who may follow this owner."""
        return self.path.with_name(f"{LOCK}.after-{owner.token}")

    def _create(self, path: Path) -> bool:
        """Make ``path`` say that this owner holds it, unless it exists."""
        try:
            path.hardlink_to(self._candidate)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            return self._create_exclusively(path)
        return True

    def _create_exclusively(self, path: Path) -> bool:
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(json.dumps(asdict(self.owner)))
        except FileExistsError:
            return False
        return True

    def _age(self, path: Path) -> float | None:
        """Seconds since the last sign of life, by the clock of the file system."""
        try:
            os.utime(self._candidate)
            return self._candidate.stat().st_mtime - path.stat().st_mtime
        except FileNotFoundError:
            return None

    def _clear_leftovers(self) -> None:
        """Remove what dead contenders left behind."""
        holder = owner_of(self.path)
        if holder is None or holder.token != self.owner.token:
            return
        now = self.path.stat().st_mtime
        for path in self.path.parent.glob(f"{LOCK}.*"):
            with suppress(FileNotFoundError):
                owner, age = owner_of(path), now - path.stat().st_mtime
                if owner is not None and not owner.is_alive(age):
                    path.unlink()


@contextmanager
def hold(
    folder: Path, command: str, *, say: Callable[[str], None], lost: Callable[[str], None]
) -> Iterator[None]:
    """Hold the folder's lock; a folder made for it and left empty is removed again.

    Args:
        folder: a project's.
        command: what is run under the lock, for those who find it taken.
        say: gets a line when a dead owner's lock is taken over.
        lost: called, from another thread, when somebody else took the lock meanwhile.

    Raises:
        BadInput: when a living owner holds the lock.
    """
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"Cannot write the project folder {folder}: {error.strerror}.") from None
    lock = Lock(folder, Owner.this_process(command))
    if (dead := lock.acquire()) is not None:
        say(f"Took over the lock of {dead}, which is no longer running.")
        _clear_half_written(folder)
    over = threading.Event()
    thread = threading.Thread(target=_renew_until, args=(over, lock, lost), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        with suppress(OSError):  # who comes next sees that this process is gone
            lock.release()
            if made and folder.exists() and not any(folder.iterdir()):
                folder.rmdir()


def _clear_half_written(folder: Path) -> None:
    """Remove what the dead owner was writing; a variant below has a lock of its own."""
    variants = folder / VARIANTS
    for leftover in [path for path in folder.rglob(".*.partial") if variants not in path.parents]:
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink(missing_ok=True)


def _renew_until(over: threading.Event, lock: Lock, lost: Callable[[str], None]) -> None:
    while not over.wait(HEARTBEAT_SECONDS):
        try:
            if not lock.renew():
                lost(LOST_LOCK)
                return
        except OSError:
            continue  # a file server that is away for a moment
