"""Runs `clisc` in two ranks; rank 1, which has nothing to do, gets Ctrl-C once it waits for rank 0 to end.

Rank 0 begins its work only when it has heard of that, or after a minute in which it has not.
"""

import os
import signal
import sys
import time

from clisc_cli.__main__ import main
from clisc_cli.session import Session
from clisc_engine.running.group import ProcessGroup

join, leave = Session.join, ProcessGroup.leave


def join_and_wait(session):
    ranks = join(session)
    until = time.monotonic() + 60
    while session.info.rank == 0 and not session.stop.reason and time.monotonic() < until:
        time.sleep(0.05)
    return ranks


def interrupted(group, own):
    if group.rank == 1:
        os.kill(os.getpid(), signal.SIGINT)
    return leave(group, own)


if __name__ == "__main__":
    Session.join, ProcessGroup.leave = join_and_wait, interrupted
    sys.argv[0] = "clisc"
    main()
