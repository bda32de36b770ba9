"""The tables of docs/store.md, from the declarations: ``python -m clisc_engine.products.page FILE``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from clisc_engine.products.graph import ARRAYS, NETWORKS, TABLES, needs
from clisc_engine.products.kinds import Array, Network, Product

BEGIN = "<!-- from here on written by `make docs` -->"
END = "<!-- until here -->"


def tables() -> str:
    """One table for the arrays of a case, one for the networks, one for the tables of results."""
    return "\n\n".join(
        (
            "### Arrays of a case",
            _table(
                ("array", "what", "values", "made by", "from", "settings"), map(_array, ARRAYS.values())
            ),
            "### Networks",
            _table(("network", "what", "trained by", "from", "settings"), map(_network, NETWORKS.values())),
            "### Tables",
            _table(("file", "what", "made by", "from"), map(_result, TABLES.values())),
        )
    )


def with_tables(page: str) -> str:
    """The page with its tables as they are now; what stands around them stays."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"


def _array(array: Array) -> tuple[str, ...]:
    shape = f"({', '.join(array.shape)}{',' if len(array.shape) == 1 else ''})"
    values = ", ".join(map(str, array.values))
    if array.bounds:
        values = f"{array.bounds[0]:g} to {array.bounds[1]:g}"
    kind = f"{shape} {array.dtype}{f': {values}' if values else ''}"
    maker = f"{_step(array)}, along with `{array.along_with}`" if array.along_with else _step(array)
    model = "".join(f", {MODELS[name]}" for name in array.weights)
    return f"`{array.name}`", array.meaning, kind, maker, _needs(array) + model, _settings(array)


MODELS: Mapping[str, str] = {
    "clip": "CLIP",
    "sam": "SAM",
    "bundled": "the bundled U-Net and SAM",
}
"""The models that arrays are made by, as the page calls them."""


def _network(network: Network) -> tuple[str, ...]:
    return f"`{network.name}`", network.meaning, _step(network), _needs(network), _settings(network)


def _result(product: Product) -> tuple[str, ...]:
    return f"`{product.name}`", product.meaning, _step(product), _needs(product)


def _step(product: Product) -> str:
    revision = f" (revision {product.revision})" if product.revision > 1 else ""
    return f"`clisc {product.command}`{revision}"


def _needs(product: Product) -> str:
    return ", ".join(f"`{name}`" for name in needs(product.name)) or "the user's file"


def _settings(product: Product) -> str:
    return ", ".join(f"`{key}`" for key in product.settings)


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")
