"""What tests share: volumes, small projects, commands as users call them, programs that are killed."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
"""For programs of their own: they find clisc and these modules wherever they run."""


def program(name):
    """The words that start a module of this package as a program."""
    return [sys.executable, "-m", f"tests.support.{name}"]
