"""What writers that were killed left in a project; nothing reads it, and `verify --repair` removes it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from clisc_engine.errors import Unreadable
from clisc_engine.files.reading import walk
from clisc_engine.project.checkpoints import ASIDE
from clisc_engine.project.project import ADDING, STAGING
from clisc_engine.upkeep.findings import Finding, unreadable

OUR_PARTIAL = re.compile(r"\..+\.(\d+(\.old)?|[0-9a-f]{12})\.partial(\..+)?")
"""Unfinished files and folders of `project.store` and `files.atomic`."""
ZARR_PARTIAL = re.compile(r"\.[0-9a-f]{32}\.partial$")
"""Unfinished files of zarr."""


def leftovers(root: Path) -> Iterator[Finding]:
    """All that was left below ``root`` (of nested ones the outermost), and what is unreadable."""
    away: list[Unreadable] = []
    there = list(walk(root, away.append))
    found = {path for path in there if _is_partial(path)}
    for error in away:
        yield unreadable(root, error, "leftover")
    outermost = [path for path in found if not found.intersection(path.parents)]
    for path in sorted(outermost):
        yield _leftover(root, path, "a writer that was killed left it")
    for path in (path for path in there if path.parent == root / "checkpoints" and path.match(f"*{ASIDE}")):
        yield _leftover(root, path, "a damaged training state that was put aside")
    if (root / STAGING).exists():
        yield _leftover(root, root / STAGING, "an import that was killed at its end left it")
    if (root / ADDING).exists():
        why = "a second `clisc init` that was interrupted left it; the same command goes on"
        yield _leftover(root, root / ADDING, why)


def _leftover(root: Path, path: Path, why: str) -> Finding:
    return Finding(path.relative_to(root).as_posix(), "leftover", "left over", why)


def _is_partial(path: Path) -> bool:
    return bool(OUR_PARTIAL.fullmatch(path.name)) or bool(ZARR_PARTIAL.search(path.name) and path.is_file())
