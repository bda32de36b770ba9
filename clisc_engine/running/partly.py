"""Parts of large packages without the rest, which a program that ends in seconds need not load.

``import torchvision.ops.misc`` first runs ``torchvision/__init__``, which imports all of torchvision, and
with it torch's compiler: longer than torch itself. Here such an ``__init__`` runs when somebody asks the
package for a name that is not there; until then the package is no more than the place where its parts are.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

PACKAGES = frozenset(
    {"open_clip", "segment_anything", "torchvision", "torchvision.models", "torchvision.ops"}
)
"""Those whose ``__init__`` waits. A name that it binds must not be that of another thing's module."""

_lock = threading.RLock()


def import_partly() -> None:
    """From now on, have the `PACKAGES` run their ``__init__`` when it is needed.

    It changes the whole process, so a program calls it, not a library. A package that is loaded already
    stays as it is.
    """
    if not imports_partly():
        sys.meta_path.insert(0, _Finder())


def imports_partly() -> bool:
    """Whether the program asked for that."""
    return any(isinstance(finder, _Finder) for finder in sys.meta_path)


def take_whole() -> bool:
    """Undo `import_partly` and forget what was taken partly, so that it is imported anew as a whole.

    Returns:
        Whether anything was taken partly.
    """
    finders = [finder for finder in sys.meta_path if isinstance(finder, _Finder)]
    for finder in finders:
        sys.meta_path.remove(finder)
    partly = {name for name, module in sys.modules.items() if type(module) is _Package}
    for name in [n for n in sys.modules if any(n == top or n.startswith(f"{top}.") for top in partly)]:
        del sys.modules[name]
    return bool(finders)


class _Finder(MetaPathFinder):
    """Finds the `PACKAGES` where Python would, and hands them to a loader that waits."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """None for all others, which leaves them to Python's own finders."""
        if fullname not in PACKAGES:
            return None
        found = PathFinder.find_spec(fullname, path, target)
        if found is not None and found.loader is not None:
            found.loader = _Later(found.loader)
        return found


class _Later(Loader):
    """Makes a package without running its ``__init__``."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The package, still empty."""
        return _Package(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing, yet."""


class _Package(ModuleType):
    """A package whose ``__init__`` has not run; it runs when a name is asked for that is not there."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__all__", "__version__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        with _lock:
            spec = self.__spec__
            if type(self) is _Package and spec is not None and isinstance(spec.loader, _Later):
                later = spec.loader
                self.__class__ = ModuleType  # type: ignore[assignment]
                spec.loader = self.__loader__ = later.loader
                try:
                    later.loader.exec_module(self)
                except BaseException:
                    self.__class__, spec.loader, self.__loader__ = _Package, later, later
                    raise
        return getattr(self, name)
