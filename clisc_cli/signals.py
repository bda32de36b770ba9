"""SIGTERM, SIGUSR1, SIGHUP and Ctrl-C ask a run to stop; a second Ctrl-C stops it at once."""

from __future__ import annotations

import signal
from types import FrameType

from clisc_engine.running.control import StopFlag


def stop_on_signals() -> StopFlag:
    """A flag that the signals of a batch system, the loss of the terminal, or Ctrl-C set from now on.

    SIGHUP does not stop what was started with `nohup`.
    """
    flag = StopFlag()

    def ask(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        flag.reason = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name

    for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and not (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):
            signal.signal(number, ask)
    return flag


def no_more_interrupts() -> None:
    """Let Ctrl-C break off nothing from now on: what is left to do is short, and gives the lock back."""
    signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN, which programs started later would inherit
