"""Runs `clisc` commands in processes of their own that signal themselves at a chosen moment.

Importing torch takes seconds; this program does it once and forks a process for each order that comes as
a JSON line on stdin:

    arguments  of clisc
    folder     disk operations below it are counted: opening, renaming, removing, making, syncing; not those
               of the lock's heartbeat, of which a slow machine sees more
    at         signal itself right before this operation, counted from 1
    after      or else end at once, as by SIGKILL, after so many seconds
    signal     e.g. SIGKILL; after SIGSTOP the answer is that it stands still
    times      how often it sends itself that signal; once if left out
    output     file that gets stdout and stderr
    learn      file that gets the names of the modules which the command imported
    faults     {"seed": N, "points": [...]}: commands to libfiu, given right before the command begins and
               withdrawn when it has ended; this program must have been started by `fiu-run -x` for that

The answer is a JSON line: code (negative for a signal), operations, pid. An order {"go_on": PID} lets a
process that stands still go on, and is answered when it ends. An order {"modules": [...]} imports them
here, so that no fault can strike an import.
"""

import ctypes
import importlib
import json
import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

from clisc_engine.project.lock import _renew_until
from clisc_engine.running.partly import import_partly

HEAVY = (
    "clisc_cli.app",
    "clisc_engine.importing.cases",
    "clisc_engine.stages.classifier.training",
    "clisc_engine.stages.evaluate",
    "clisc_engine.stages.init",
    "clisc_engine.stages.prompting.sam_masks",
    "clisc_engine.stages.unet.learning",
    "clisc_engine.core.layercam",
    "open_clip.tokenizer",
    "scipy.ndimage",
    "scipy.spatial",
    "torch._dynamo",
    "zarr.codecs",
)
"""What the steps import when they have something to do, and the part of torch that optimisers import."""
HEARTBEAT = _renew_until.__name__
"""Python names a thread by its function."""
EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.utime", "shutil.rmtree"}


class Countdown:
    """Counts disk operations below a folder, and signals this process right before the chosen one."""

    def __init__(self, folder, at, name, times):
        self.folder, self.at, self.name, self.times, self.count = folder, at, name, times, 0
        sys.addaudithook(self.hear)
        self.sync, os.fsync = os.fsync, self.fsync

    def hear(self, event, details):
        if not (event in EVENTS and any(self.below(detail) for detail in details[:2])):
            return
        if HEARTBEAT not in threading.current_thread().name:
            self.tick()

    def below(self, detail):
        if isinstance(detail, os.PathLike):
            detail = os.fspath(detail)
        return isinstance(detail, str) and detail.startswith(self.folder)

    def fsync(self, descriptor):
        self.tick()
        self.sync(descriptor)

    def tick(self):
        self.count += 1
        if self.count == self.at:
            for _ in range(self.times):
                os.kill(os.getpid(), getattr(signal, self.name))


@contextmanager
def failing(faults):
    """Let libfiu, which fiu-run has put between this process and the C library, fail calls at random."""
    if not faults:
        yield
        return
    libfiu = ctypes.CDLL("libfiu.so.0")
    libfiu.fiu_set_prng_seed(ctypes.c_uint(faults["seed"]))
    for point in faults["points"]:
        command(libfiu, f"enable_random {point}")
    try:
        yield
    finally:
        for point in faults["points"]:
            command(libfiu, f"disable {point.partition(',')[0]}")


def command(libfiu, text):
    if libfiu.fiu_rc_string(text.encode(), ctypes.byref(ctypes.c_char_p())):
        raise ValueError(text)


def run(order, answer):
    from clisc_cli.app import main

    before = set(sys.modules)
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(output, stream)
    name, times = order.get("signal", "SIGKILL"), order.get("times", 1)
    countdown = Countdown(order["folder"], order.get("at"), name, times)
    if order.get("after"):
        signal.setitimer(signal.ITIMER_REAL, order["after"])
    sys.argv = ["clisc", *order["arguments"]]
    code = 0
    with failing(order.get("faults")):
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
    if order.get("learn"):
        names = sorted(sys.modules.keys() - before)
        Path(order["learn"]).write_text(json.dumps(names), encoding="utf-8")
    sys.stdout.flush()
    os.write(answer, str(countdown.count).encode())
    os._exit(code)


def wait(pid, reader):
    _, status = os.waitpid(pid, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        return {"code": None, "operations": 0, "pid": pid}
    counted = os.read(reader, 100)
    os.close(reader)
    return {"code": os.waitstatus_to_exitcode(status), "operations": int(counted or 0), "pid": pid}


def serve():
    import_partly()
    for name in HEAVY:
        importlib.import_module(name)
    readers = {}
    for line in sys.stdin:
        order = json.loads(line)
        for name in order.get("modules", ()):
            with suppress(Exception):
                importlib.import_module(name)
        if "modules" in order:
            print(json.dumps({"code": 0, "operations": 0, "pid": 0}), flush=True)
            continue
        pid = order.get("go_on")
        if pid:
            os.kill(pid, signal.SIGCONT)
        else:
            reader, writer = os.pipe()
            pid = os.fork()
            if not pid:
                with suppress(BaseException):
                    run(order, writer)
                os._exit(1)
            os.close(writer)
            readers[pid] = reader
        print(json.dumps(wait(pid, readers[pid])), flush=True)


if __name__ == "__main__":
    serve()
