"""Runs `clisc` in several processes at once, as srun would; the variables that srun sets are set by hand.

Each JSON line on stdin is an order: ``ranks``, one object a rank for `launcher.run`, with ``environment``
beside it, and ``program``, a file to run in place of `clisc`. The answer is the list of exit codes.
"""

import importlib
import json
import os
import runpy
import sys
from contextlib import suppress

from clisc_engine.running.partly import import_partly
from tests.support import launcher

HEAVY = (*launcher.HEAVY, "clisc_engine.running.group", "clisc_engine.stages.self_train")


def run(order):
    os.environ.update(order["environment"])
    if "program" in order:
        output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(output, stream)
        sys.argv = [order["program"], *order["arguments"]]
        runpy.run_path(order["program"], run_name="__main__")
        sys.stdout.flush()
        os._exit(0)
    launcher.run(order, os.open(os.devnull, os.O_WRONLY))


def serve():
    import_partly()
    for name in HEAVY:
        importlib.import_module(name)
    for line in sys.stdin:
        pids = []
        for order in json.loads(line)["ranks"]:
            pid = os.fork()
            if not pid:
                with suppress(BaseException):
                    run(order)
                os._exit(99)
            pids.append(pid)
        codes = {}
        while len(codes) < len(pids):
            pid, status = os.wait()
            codes[pid] = os.waitstatus_to_exitcode(status)
        print(json.dumps([codes[pid] for pid in pids]), flush=True)


if __name__ == "__main__":
    serve()
