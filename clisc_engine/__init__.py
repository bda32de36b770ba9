"""Label-free brain tumour segmentation in FLAIR MRI: the CLISC method as a library.

``import clisc_engine as clisc`` offers what scripts need, as docs/python.md shows: `open` (also under its
older name, `open_project`), `Project`, `Case`, `predict`, `Segmentation`, and the errors `CliscError`,
`BadInput` and `MissingStage`. They are loaded when they are first used. All other modules are internal.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from clisc_engine.version import VERSION as __version__

if TYPE_CHECKING:
    from clisc_engine.api.case import Case
    from clisc_engine.api.predict import Segmentation, predict
    from clisc_engine.api.project import Project, open_project
    from clisc_engine.api.project import open_project as open
    from clisc_engine.errors import BadInput, CliscError, MissingStage

_CALLED = {"open": "open_project"}
_HOME = {
    "Case": "clisc_engine.api.case",
    **dict.fromkeys(("Project", "open", "open_project"), "clisc_engine.api.project"),
    **dict.fromkeys(("Segmentation", "predict"), "clisc_engine.api.predict"),
    **dict.fromkeys(("BadInput", "CliscError", "MissingStage"), "clisc_engine.errors"),
}

__all__ = [
    "BadInput",
    "Case",
    "CliscError",
    "MissingStage",
    "Project",
    "Segmentation",
    "__version__",
    "open",
    "open_project",
    "predict",
]


def __getattr__(name: str) -> object:
    """The public names, imported when they are first asked for: torch takes seconds."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), _CALLED.get(name, name))


def __dir__() -> list[str]:
    """The public names."""
    return __all__
