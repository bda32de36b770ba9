"""SIGTERM, SIGUSR1, SIGHUP and Ctrl-C ask a run to stop; a second Ctrl-C stops it at once.

They are heard before anything of clisc is loaded, so this module needs the standard library alone.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

    from clisc_engine.running.control import StopFlag

INTERRUPTED = "Interrupted; what was finished is kept. Run the same command to go on."
"""What a second Ctrl-C is told."""


class Heard:
    """What signals have asked for.

    Attributes:
        reason: who asked for a stop; empty while nobody has.
        flag: is told of it, once the run has one.
    """

    def __init__(self) -> None:
        """Nothing yet."""
        self.reason = ""
        self.flag: StopFlag | None = None

    def note(self, reason: str) -> None:
        """That somebody asks for a stop."""
        self.reason = reason
        if self.flag is not None:
            self.flag.reason = reason


def hear_signals() -> Heard:
    """Hear from now on the signals of a batch system, the loss of the terminal, and Ctrl-C.

    SIGHUP does not stop what was started with `nohup`.
    """
    heard = Heard()

    def ask(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        heard.note("Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name)

    for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and not (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):
            signal.signal(number, ask)
    return heard


def stop_on_signals(heard: Heard) -> StopFlag:
    """A flag that is set by what was heard, and by what is heard from now on."""
    from clisc_engine.running.control import StopFlag

    heard.flag = flag = StopFlag()
    if heard.reason:
        flag.reason = heard.reason
    return flag


def hear_no_more() -> None:
    """Let no signal change how the process ends, now that its exit code is settled and said.

    Python gives signals back to the system as it shuts down, which takes a while once torch is loaded.
    """
    for name in ("SIGINT", "SIGTERM", "SIGUSR1"):
        if (number := getattr(signal, name, None)) is not None:
            signal.signal(number, signal.SIG_IGN)


def no_more_interrupts(flag: StopFlag) -> None:
    """Let Ctrl-C break off nothing from now on, only set the flag, of which the other ranks are told.

    What is left to do here is short, and gives the lock back.
    """

    def ask(_number: int, _frame: FrameType | None) -> None:
        flag.reason = flag.reason or "Ctrl-C"

    signal.signal(signal.SIGINT, ask)  # not SIG_IGN, which programs started later would inherit
