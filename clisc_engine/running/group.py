"""Several processes that share one command, on torch.distributed.

A wait ends when the connection to a rank breaks; torchrun and srun see to ranks that are stuck. What they
lack is here: work from one queue, and one end of the command with one exit code and one message.
"""

from __future__ import annotations

import json
import math
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from clisc_engine.errors import BadInput, EndedElsewhere, RankLost, Stopped
from clisc_engine.running.control import StopFlag
from clisc_engine.running.launch import RankInfo
from clisc_engine.running.ranks import Ending, Ranks

Value = TypeVar("Value")

MEETING, FOREVER = timedelta(minutes=5), timedelta(days=30)
"""How long ranks wait for each other: at the start; later, when only a broken connection ends a wait."""
ERROR_GRACE_SECONDS, STOP_GRACE_SECONDS = 5.0, 60.0
"""How long a rank that failed, or was stopped, waits for busy ranks to end too."""
LOST = Ending(
    RankLost.exit_code,
    "A process of this command has died without a word, or cannot be reached. Its launcher says which; the "
    "kernel's or the batch system's log may say why (often memory). What was finished is kept; run the "
    "same command again.",
)


class Told(NamedTuple):
    """How another rank ended, and how many times all had met before that (`ProcessGroup.gather`)."""

    ending: Ending = Ending()
    meetings: int = 0


class ProcessGroup(Ranks):
    """This process among those that a launcher started for its command.

    Attributes:
        all_left: all ranks have come to `leave`.
    """

    all_left = False

    def __init__(self, info: RankInfo, stop: StopFlag) -> None:
        """Connect to the other ranks; from now on they share every request to stop.

        Raises:
            BadInput: when they cannot be met.
            Stopped: when asked to stop before they have come.
        """
        self.rank, self.count, self._stop, self._turn = info.rank, info.world_size, stop, 0
        self._met, self._heard = 0, Told()
        url = f"tcp://{info.host}:{info.port}?rank={self.rank}&world_size={self.count}"

        def meet() -> None:
            self._store, rank, size = next(iter(rendezvous(url, timeout=MEETING)))
            dist.init_process_group("gloo", store=self._store, rank=rank, world_size=size, timeout=FOREVER)
            self._end = dist.new_group(timeout=FOREVER)  # all come to it once more, however they end

        try:
            self._heeding_stops(meet)
        except (RuntimeError, ValueError) as error:
            raise BadInput(
                f"Rank {self.rank} cannot meet the others at {info.host}:{info.port}: "
                f"{str(error).splitlines()[0]}. MASTER_ADDR and MASTER_PORT name another place."
            ) from None
        threading.Thread(target=self._listen, daemon=True).start()

    def gather(self, value: Value, meanwhile: Callable[[], None] = lambda: None) -> list[Value]:
        """Every rank's value, in the order of ranks."""
        self._turn += 1
        self._store.set(f"{self._turn}/{self.rank}", json.dumps(value))
        work = _barrier(dist.group.WORLD)

        def all_have_come() -> bool:
            if self._heard.meetings < self._turn:  # else it came here and ended later: the values are there
                self.check()
            meanwhile()
            return bool(work.is_completed())

        _until(all_have_come)
        try:
            work.wait()
            found = [json.loads(self._store.get(f"{self._turn}/{rank}")) for rank in range(self.count)]
        except RuntimeError:
            self.check()
            raise RankLost(LOST.message) from None
        self._met = self._turn
        return found

    def add(self, counter: str, more: int) -> int:
        """Add to a counter of all ranks; what it is then."""
        return int(self._store.add(counter, more))

    def check(self) -> None:
        """Raise how another rank ended, if it was stopped or had an error."""
        if (ended := self._heard.ending).code:
            raise EndedElsewhere(ended.message, ended.code)

    def leave(self, own: Ending) -> Ending:
        """Tell the others how this rank ended, and agree with them on how the command did."""
        work, stopped = _barrier(self._end), own.code == Stopped.exit_code
        try:
            if own.code == 1 and _until(work.is_completed, 0.5):
                work.wait()  # what looks like a bug may be the death of a rank
            if own.code:
                self._tell(own)
            grace = STOP_GRACE_SECONDS if stopped else ERROR_GRACE_SECONDS if own.code else math.inf
            if _until(work.is_completed, grace):
                work.wait()
                self.all_left = True
            self._heard = self._told()
        except RuntimeError:
            if self._heard.ending in (Ending(), LOST) and (stopped or own.code <= 1):
                own, self._heard = LOST, Told(LOST)
        heard = self._heard.ending
        return own if heard.code in (0, own.code) else heard

    def part(self) -> None:
        """Wait until rank 0 has said how the command ended, so that no launcher kills it before."""
        if self.all_left:
            _until(_barrier(self._end).is_completed, ERROR_GRACE_SECONDS)

    def _heeding_stops(self, meet: Callable[[], None]) -> None:
        """Meet the others in a thread, since no signal is heard by one that waits inside torch.

        After a stop they get a moment more: those that come are told of it, and none takes it for a death.
        """
        faults: list[Exception] = []

        def run() -> None:
            try:
                meet()
            except Exception as error:
                faults.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        while thread.is_alive() and not self._stop.reason:
            thread.join(0.2)
        thread.join(ERROR_GRACE_SECONDS)
        if thread.is_alive():
            raise Stopped(
                f"Stopped by {self._stop.reason} before all {self.count} processes had come. "
                "Run the same command again to go on."
            )
        if faults:
            raise faults[0]

    def _tell(self, own: Ending) -> None:
        key = "stopped" if own.code == Stopped.exit_code else "error"
        by = f"Rank {self.rank} on {socket.gethostname()}: " if self.rank and key == "error" else ""
        self._store.compare_set(key, "", json.dumps([own.code, by + own.message, self._met]))

    def _told(self) -> Told:
        """The first error that a rank told, else the first stop."""
        key = next((key for key in ("error", "stopped") if self._store.check([key])), "")
        if not key:
            return Told()
        code, message, meetings = json.loads(self._store.get(key))
        return Told(Ending(code, message), meetings)

    def _listen(self) -> None:
        """Watch for stops and ends of the other ranks, also while this rank waits inside torch."""
        while self._heard.ending.code in (0, Stopped.exit_code):
            time.sleep(0.2)
            try:
                if self._stop.reason:
                    self._store.set("stop", self._stop.reason)
                elif self._store.check(["stop"]):
                    self._stop.reason = self._store.get("stop").decode()
                self._heard = self._told()
            except RuntimeError:
                self._heard = self._heard if self._heard.ending.code else Told(LOST)
                return


def _barrier(group: Any) -> Any:
    """A barrier that can be polled: complete when all ranks have reached it, or a connection broke."""
    return dist.all_reduce(torch.zeros(1), group=group, async_op=True)


def _until(condition: Callable[[], bool], seconds: float = math.inf) -> bool:
    """Wait for a condition, for at most ``seconds``; whether it came true."""
    until, pause = time.monotonic() + seconds, 0.001
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(pause)
        pause = min(2 * pause, 0.05)
    return True
