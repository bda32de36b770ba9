"""Ctrl-C in a script or a notebook: work under way ends where nothing of it is lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from clisc_engine.errors import Stopped
from clisc_engine.running.control import StopFlag

_CTRL_C = "Ctrl-C"


@contextmanager
def interruptible(stop: StopFlag) -> Iterator[None]:
    """While it lasts, the first Ctrl-C asks the work to stop; a second one breaks it off at once.

    So a training saves its state first, as on the command line. Signals reach the main thread alone, and
    a handler of the script's own is left to it: in both cases nothing changes.

    Args:
        stop: what the work looks at.

    Raises:
        KeyboardInterrupt: once the work that Ctrl-C was for has ended, whether it stopped or was done.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    def ask(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stop.reason = stop.reason or _CTRL_C

    signal.signal(signal.SIGINT, ask)
    try:
        yield
    except Stopped as error:
        if stop.reason != _CTRL_C:
            raise
        raise KeyboardInterrupt(str(error)) from None
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if stop.reason == _CTRL_C:
        raise KeyboardInterrupt(_CTRL_C)
