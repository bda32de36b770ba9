"""A locale in which Python reads the names of files otherwise than as UTF-8, as old clusters have it."""

from __future__ import annotations

import os
import sys


def read_names_as_utf8() -> None:
    """Begin anew, in Python's UTF-8 mode, where names of files are read otherwise.

    Without it a case that another call named ``Müller-1`` would be none here. What is shown stays in the
    locale's letters. The process stays the same one, so signals and ranks are not affected.
    """
    if sys.getfilesystemencoding() == "utf-8" or not sys.executable:
        return
    os.environ.setdefault("PYTHONIOENCODING", f"{_encoding()}:backslashreplace")
    os.environ["PYTHONUTF8"] = "1"  # for the ranks that this process starts
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def _encoding() -> str:
    """That of stdout; of stderr where stdout is closed."""
    return next((one.encoding for one in (sys.stdout, sys.stderr) if one is not None), "ascii")
