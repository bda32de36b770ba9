"""The oldest versions that pyproject.toml admits, as constraints for pip: what `make oldest` installs."""

from __future__ import annotations

import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def oldest() -> list[str]:
    """A line for each package that clisc needs, e.g. ``numpy==2.0``."""
    dependencies = tomllib.loads(PROJECT.read_text())["project"]["dependencies"]
    return [requirement.replace(">=", "==") for requirement in dependencies]


if __name__ == "__main__":
    print("\n".join(oldest()))
