"""Several processes that share one command: they meet in torch's store, and none waits for the dead.

Everything but the gradients of trainings goes through the store: work is handed out, results are
gathered, each rank gives signs of life and hears of stops and ends. A waiting rank only ever looks
whether something is there, so it notices a death within a second on its own machine, within
`DEAD_AFTER_SECONDS` elsewhere.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from clisc_engine.control import StopFlag
from clisc_engine.errors import BadInput, EndedElsewhere, RankLost
from clisc_engine.launch import Place
from clisc_engine.lock import Owner
from clisc_engine.ranks import nothing

if TYPE_CHECKING:
    from torch.distributed import Store  # type: ignore[attr-defined]

Value = TypeVar("Value")

MEETING_SECONDS = 300.0
"""So long the ranks wait for each other at the start."""
DEAD_AFTER_SECONDS = 60.0
"""Without a sign of life for so long, a rank of another machine counts as dead; the project's lock, which
rank 0 holds, outlives that three times."""
GRACE_SECONDS = 120.0
"""A rank stuck in a computation or a collective ends by force so long after it had to."""
BEAT_SECONDS = 0.5
STOPPED = 75


@dataclass(frozen=True)
class Ending:
    """How a rank ended.

    Attributes:
        code: exit code.
        message: empty when all went well.
        derived: it only follows another rank's end.
    """

    code: int
    message: str
    derived: bool = False


class Group:
    """This process among those that share its command; see `ranks.Ranks`."""

    def __init__(
        self, place: Place, stop: StopFlag, command: str, last_words: Callable[[str], None]
    ) -> None:
        """Meet the other ranks.

        Args:
            place: of this process.
            stop: set here when another rank was asked to stop, and passed on when this one was.
            command: that they share.
            last_words: are told before this process ends by force.

        Raises:
            BadInput: when they cannot be met.
        """
        self.rank, self.count = place.rank, place.count
        self._stop, self._last_words = stop, last_words
        self._store = connect(place, "clisc")
        self.store_for_torch = connect(place, "torch")  # torch waits in it; signs of life go on here
        self._guard = threading.Lock()
        self._turns: Counter[str] = Counter()
        self._beat, self._told = 0, False
        self._lost = ""
        self._ends: dict[int, Ending] = {}
        self._beats: dict[int, tuple[bytes, float]] = {}
        me = Owner.this_process(command)
        self._put(f"owner/{self.rank}", asdict(me))
        self._owners = self._meet()
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def share(self, make: Callable[[], Value], among: str = "") -> Value:
        """What rank 0 makes; it alone does. ``among`` names the work that only some ranks do."""
        key = self._next("share", among)
        if self.rank == 0:
            value = make()
            self._put(key, value)
            return value
        self._wait([key])
        shared: Value = self._take(key)
        return shared

    def gather(self, value: Value, meanwhile: Callable[[], None] = nothing) -> list[Value]:
        """Every rank's value, in the order of ranks."""
        turn = self._next("gather")
        self._put(f"{turn}/{self.rank}", value)
        keys = [f"{turn}/{rank}" for rank in range(self.count)]
        self._wait(keys, meanwhile)
        return [self._take(key) for key in keys]

    def queue(self, length: int) -> Line:
        """Units for whoever asks first."""
        return Line(self._store, self._next("queue"), length, self.rank, self.count)

    def check(self) -> None:
        """Raise when a rank was lost or has ended by an error.

        Raises:
            RankLost: a rank has died.
            EndedElsewhere: a rank has ended; this one has to, too.
        """
        if self._stop.reason:
            self._look()  # a launcher stops the others when one dies: the death is the news
        if self._lost:
            raise RankLost(self._lost)
        for rank, end in sorted(self._ends.items()):
            if end.code:
                raise EndedElsewhere(self._words(rank, end), end.code)

    def leave(self, end: Ending) -> Ending:
        """Tell the others how this rank ended, wait until all have, and agree on how the command did."""
        self._over.set()
        self._watcher.join()
        since = time.monotonic()
        try:
            self._put(f"end/{self.rank}", asdict(end))
            while len(self._ends) < self.count - 1 and not self._lost:
                if end.code and time.monotonic() - since > GRACE_SECONDS:
                    break
                self._look()
                time.sleep(0.02)
            agreed = self._agreed(end)
            self._say_goodbye()
        except RuntimeError:
            agreed = self._agreed(end) if len(self._ends) == self.count - 1 else self._without_store(end)
        return agreed

    def _meet(self) -> dict[int, Owner]:
        keys = [f"owner/{rank}" for rank in range(self.count)]
        try:
            self._store.wait(keys, timedelta(seconds=MEETING_SECONDS))
        except RuntimeError:
            missing = [rank for rank, key in enumerate(keys) if not self._store.check([key])]
            raise BadInput(
                f"Rank {missing[0] if missing else 0} of {self.count} did not come within "
                f"{MEETING_SECONDS:.0f} s; look at what the launcher printed."
            ) from None
        return {rank: Owner(**self._take(key)) for rank, key in enumerate(keys) if rank != self.rank}

    def _watch(self) -> None:
        due = 0.0
        while not self._over.wait(BEAT_SECONDS):
            self._look()
            bad = self._lost or any(end.code for end in self._ends.values())
            due = (due or time.monotonic() + GRACE_SECONDS) if bad else 0.0
            if due and time.monotonic() > due:
                self._end_by_force()

    def _look(self) -> None:
        """Give a sign of life, and look for those of the others, their stops and their ends."""
        with self._guard:
            if self._lost:
                return
            try:
                self._beat += 1
                self._store.set(f"beat/{self.rank}", str(self._beat))
                self._pass_on_stops()
                for rank in self._owners.keys() - self._ends.keys():
                    self._look_at(rank)
            except RuntimeError:
                self._lost = self._message("The process that the others meet at")

    def _pass_on_stops(self) -> None:
        if self._stop.reason and not self._told:
            self._store.set("stop", self._stop.reason)
            self._told = True
        elif not self._stop.reason and self._store.check(["stop"]):
            self._stop.reason = self._store.get("stop").decode()
            self._told = True

    def _look_at(self, rank: int) -> None:
        now = time.monotonic()
        beat = self._store.get(f"beat/{rank}") if self._store.check([f"beat/{rank}"]) else b""
        if rank not in self._beats or self._beats[rank][0] != beat:
            self._beats[rank] = (beat, now)
        owner = self._owners[rank]
        alive = owner.is_alive(now - self._beats[rank][1], DEAD_AFTER_SECONDS)
        # Looked at last: whoever said how it ended, and then did, is not lost.
        if self._store.check([f"end/{rank}"]):
            self._ends[rank] = Ending(**self._take(f"end/{rank}"))
        elif not alive:
            self._lost = self._message(f"Rank {rank} (process {owner.pid} on {owner.host})")

    def _message(self, who: str) -> str:
        return (
            f"{who} has died without a word, or cannot be reached; the kernel's log or the batch "
            "system's may say why (often memory). What was finished is kept; run the same command again."
        )

    def _words(self, rank: int, end: Ending) -> str:
        plain = rank == 0 or end.derived or end.code == STOPPED
        return end.message if plain else f"Rank {rank} on {self._owners[rank].host}: {end.message}"

    def _agreed(self, own: Ending) -> Ending:
        """The same on every rank: a loss, else an error of the lowest rank, else a stop, else success."""
        ends = {self.rank: own, **self._ends}
        if self._lost and not any(end.code and not end.derived for end in ends.values()):
            return Ending(RankLost.exit_code, self._lost)
        causes = [(r, e) for r, e in sorted(ends.items()) if e.code and not e.derived]
        causes.sort(key=lambda entry: entry[1].code == STOPPED)
        if not causes:
            return own
        rank, end = causes[0]
        return Ending(end.code, end.message if rank == self.rank else self._words(rank, end))

    def _without_store(self, end: Ending) -> Ending:
        if end.code:
            return end
        return Ending(RankLost.exit_code, self._message("The process that the others meet at"))

    def _say_goodbye(self) -> None:
        """Rank 0 may host the store: it goes last."""
        self._store.set(f"bye/{self.rank}", "")
        if self.rank == 0:
            until = time.monotonic() + 10
            keys = [f"bye/{rank}" for rank in self._ends]
            while keys and not self._store.check(keys) and time.monotonic() < until:
                time.sleep(0.02)

    def _end_by_force(self) -> None:
        end = next((e for e in self._ends.values() if e.code), Ending(RankLost.exit_code, self._lost))
        self._last_words(end.message)
        os._exit(end.code)

    def _next(self, kind: str, among: str = "") -> str:
        self._turns[among] += 1
        return f"{among}/{self._turns[among]}-{kind}"

    def _wait(self, keys: list[str], meanwhile: Callable[[], None] = nothing) -> None:
        pause = 0.001
        try:
            while not self._store.check(keys):
                self.check()
                self._check_all_may_come(keys)
                meanwhile()
                time.sleep(pause)
                pause = min(2 * pause, 0.1)
        except RuntimeError:
            self._look()
            self.check()
            raise

    def _check_all_may_come(self, keys: list[str]) -> None:
        if self._ends and not self._store.check(keys):
            rank = min(self._ends)
            raise RankLost(f"Rank {rank} ended while the others waited for it. This is a bug in clisc.")

    def _put(self, key: str, value: Any) -> None:
        self._store.set(key, json.dumps(value))

    def _take(self, key: str) -> Any:
        return json.loads(self._store.get(key))


class Line:
    """Units of work that the ranks take from one counter."""

    def __init__(self, store: Store, name: str, length: int, rank: int, count: int) -> None:
        """Nothing is taken yet but each rank's first unit."""
        self._store, self._name, self._length = store, name, length
        self._rank, self._count, self._known = rank, count, 0

    def __iter__(self) -> Iterator[int]:
        """The units that fall to this rank."""
        unit = self._rank
        while unit < self._length:
            yield unit
            unit = self._count - 1 + self._store.add(f"{self._name}/taken", 1)

    def finish(self) -> int:
        """This rank has finished a unit; how many all have since it last asked."""
        return self._finished(1)

    def finished(self) -> int:
        """How many all have finished since this one last asked."""
        return self._finished(0)

    def _finished(self, more: int) -> int:
        before, self._known = self._known, self._store.add(f"{self._name}/done", more)
        return self._known - before


def connect(place: Place, purpose: str) -> Store:
    """The store of torch for this command's ranks; rank 0 hosts it, or torchrun's agent does.

    Raises:
        BadInput: when it cannot be reached.
    """
    url = f"tcp://{place.host}:{place.port}?rank={place.rank}&world_size={place.count}"
    try:
        store, _, _ = next(iter(rendezvous(url, timeout=timedelta(seconds=MEETING_SECONDS))))
    except (RuntimeError, ValueError) as error:
        raise BadInput(
            f"Rank {place.rank} cannot meet the others at {place.host}:{place.port}: "
            f"{str(error).splitlines()[0]}. MASTER_ADDR and MASTER_PORT name another place."
        ) from None
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return dist.PrefixStore(f"{purpose}/{attempt}", store)  # type: ignore[attr-defined]
