"""Runs `clisc` as a rank of torchrun; rank 0 signals torchrun, or itself, as a training is saved once more.

    torchrun ... under_torchrun.py SIGNAL WHOM arguments of clisc

WHOM is torchrun or itself.
"""

import os
import signal
import sys

from clisc_cli.app import main


class Signals:
    def __init__(self, name, whom):
        self.number, self.sent = getattr(signal, name), False
        self.whom = os.getppid() if whom == "torchrun" else os.getpid()
        sys.addaudithook(self.hear)

    def hear(self, event, details):
        if event == "os.rename" and not self.sent and ".training-before." in str(details[1]):
            self.sent = True
            os.kill(self.whom, self.number)


if __name__ == "__main__":
    name, whom, *arguments = sys.argv[1:]
    if os.environ["RANK"] == "0":
        Signals(name, whom)
    sys.argv = ["clisc", *arguments]
    main()
