"""One log file a run: what was said, each failed case with its traceback, and how the run ended."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from clisc_engine.errors import CliscError
from clisc_engine.files.atomic import disk_faults


@contextmanager
def run_log(folder: Path, command: str, about: Sequence[str], loggers: Sequence[str]) -> Iterator[None]:
    """Keep a log in the folder, e.g. ``2026-01-31T12-00-00-cam-4711.log``, while the run lasts.

    Args:
        folder: made when it is missing.
        command: in the file's name.
        about: first lines of the log.
        loggers: whose records to keep, besides the engine's own.

    Raises:
        DiskFault: when there can be no such file.
    """
    with disk_faults(folder):
        folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now().strftime("%Y-%m-%dT%H-%M-%S")
    file = folder / f"{stamp}-{command}-{os.getpid()}.log"
    with disk_faults(file):
        handler = _LogFile(file, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    own = logging.getLogger(__name__)
    heard = [logging.getLogger(name) for name in ("clisc_engine", *loggers)]
    levels = [logger.level for logger in heard]
    for logger in heard:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    try:
        for line in about:
            own.debug(line)
        yield
        own.debug("done")
    except BaseException as error:
        bug = isinstance(error, Exception) and not isinstance(error, CliscError)
        own.debug("ended by %s: %s", type(error).__name__, error, exc_info=bug)
        raise
    finally:
        for logger, level in zip(heard, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
        with suppress(OSError):
            handler.close()


class _LogFile(logging.FileHandler):
    """A log file that is cut short when the disk is full; the run goes on without it."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Ignore it: the run reports what it cannot write itself."""
