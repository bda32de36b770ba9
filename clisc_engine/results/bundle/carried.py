"""The files of clisc that a bundle carries: its transforms, and all that these import."""

from __future__ import annotations

import ast
import re
from importlib import resources
from pathlib import PurePosixPath

PACKAGE = "clisc_engine"
TRANSFORMS = f"{PACKAGE}.results.bundle.transforms"
NAMED = ("Prepare", "Restore", "TumourUNet")
"""What the configuration finds in the bundle's scripts."""


def carried_files() -> dict[str, str]:
    """The text of each file by its path below the bundle, e.g. ``scripts/clisc/core/roi.py``."""
    files = {"scripts/__init__.py": _entry()}
    for module in sorted(_reached(TRANSFORMS)):
        path = PurePosixPath("scripts/clisc", *module.split(".")[1:]).with_suffix(".py")
        files[str(path)] = _within_the_bundle(_text(module), depth=len(module.split(".")) - 2)
        for folder in path.parents:
            if folder.is_relative_to("scripts/clisc"):
                files.setdefault(str(folder / "__init__.py"), "")
    return dict(sorted(files.items()))


def _entry() -> str:
    names = ", ".join(NAMED)
    listed = ", ".join(f'"{name}"' for name in NAMED)
    return (
        '"""What configs/inference.json names; the rest of scripts/ is carried from clisc."""\n\n'
        f"from .clisc.results.bundle.transforms import {names}\n\n__all__ = [{listed}]\n"
    )


def _reached(module: str) -> set[str]:
    """The module and all of clisc's that it imports on being imported, and they in turn."""
    found: set[str] = set()
    queue = [module]
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue += _imports(_text(name))
    return found


def _imports(text: str) -> list[str]:
    """The modules of clisc that a file imports at its top."""
    return [
        node.module
        for node in ast.parse(text).body
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"{PACKAGE}.")
    ]


def _text(module: str) -> str:
    below = "/".join(module.split(".")[1:])
    return resources.files(PACKAGE).joinpath(f"{below}.py").read_text(encoding="utf-8")


def _within_the_bundle(text: str, depth: int) -> str:
    """A file's text with its imports of clisc turned to those beside it, ``depth`` folders up."""
    return re.sub(rf"^(\s*from ){PACKAGE}\.", rf"\g<1>.{'.' * depth}", text, flags=re.M)
