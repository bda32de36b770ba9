"""One log file a run: what was said, each failed case with its traceback, and how the run ended."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path


@contextmanager
def run_log(folder: Path, command: str, about: Sequence[str], loggers: Sequence[str]) -> Iterator[None]:
    """Keep a log in the folder, e.g. ``2026-01-31T12-00-00-cam-4711.log``, while the run lasts.

    Args:
        folder: made when it is missing.
        command: in the file's name.
        about: first lines of the log.
        loggers: whose records to keep, besides the engine's own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now().strftime("%Y-%m-%dT%H-%M-%S")
    handler = logging.FileHandler(folder / f"{stamp}-{command}-{os.getpid()}.log", encoding="utf-8")
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
        own.debug("ended by %s: %s", type(error).__name__, error)
        raise
    finally:
        for logger, level in zip(heard, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
        handler.close()
