"""A store for one look at how a project is: an array's seal is read once, and nothing can be written.

What is asked of thousands of arrays, such as which are stale, asks for most of them several times: as what
a step makes, as what the next one needs, as what a network learnt from. A glance keeps the stamps of what
it was asked, and no more, for as long as the question takes. It is never kept for another one, so it
knows nothing that the disk did not say during the question itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from clisc_engine.project.store import Stamp, Store


class Glance(Store):
    """A store that remembers the stamps that it was asked for."""

    def __init__(self, root: Path, below: Store | None = None) -> None:
        """Nothing is asked yet."""
        super().__init__(root, below)
        self.check_may_write = _refuse
        self._stamps: dict[str, Stamp | None] = {}

    def stamp(self, path: str) -> Stamp | None:
        """The stamp of an array's seal as it was when it was first asked for."""
        if path not in self._stamps:
            self._stamps[path] = super().stamp(path)
        return self._stamps[path]


def _refuse() -> NoReturn:
    raise PermissionError("a glance at a project writes nothing")
