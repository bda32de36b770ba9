"""What clisc makes, by which step, from what: every array, network and table, declared once.

Running, freshness, `status`, `verify`, the advice in errors and the table of docs/store.md follow from
what `declared` says. Nothing here knows the disk, and nothing heavy is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from clisc_engine.products.declared import ALL
from clisc_engine.products.kinds import Array, Network, Product, Stage, Table

STEPS: tuple[Stage, ...] = get_args(Stage)
"""All steps, in the order of the paper."""

EVALUATE: Stage = "evaluate"
ABLATION = "evaluate --ablation"
"""The command for the rows of Table 2 that need further SAM passes or a further training."""

STAGES = tuple(step for step in STEPS if step != EVALUATE)
"""The steps that make arrays and networks; `evaluate` follows them."""

PRODUCTS: Mapping[str, Product] = {product.name: product for product in ALL}
"""All that is made, by name, in the order of its making."""

ARRAYS: Mapping[str, Array] = {n: product for n, product in PRODUCTS.items() if isinstance(product, Array)}
"""The arrays of a case, by their paths within it."""

NETWORKS: Mapping[str, Network] = {n: p for n, p in PRODUCTS.items() if isinstance(p, Network)}
"""The networks that a project trains, by the names of their checkpoints."""

TABLES: Mapping[str, Table] = {n: product for n, product in PRODUCTS.items() if isinstance(product, Table)}
"""The files of results, by their paths within the project."""

MADE_BY: Mapping[str, str] = {name: product.command for name, product in PRODUCTS.items()}
"""The command that makes each product."""

GROUPS = tuple(dict.fromkeys(name.partition("/")[0] for name in ARRAYS if "/" in name))
"""Groups of a case that hold arrays."""

IMPORTED = tuple(name for name, array in ARRAYS.items() if array.command == "init")
"""Arrays that are read from the user's files."""

_REVISION = "revision of "


def made_in(step: str) -> list[Product]:
    """What a step makes, in order; what only `evaluate --ablation` makes is left out."""
    return [product for product in PRODUCTS.values() if product.command == step]


def command_for(name: str, split: str = "") -> str:
    """The command that makes a product, for a case of this split if one is given."""
    product = PRODUCTS[name]
    command: str = product.command
    if isinstance(product, Array) and split and product.cases not in ("all", "measured", split):
        command = EVALUATE  # which predicts the cases that it measures, of whatever split
    if command.startswith((EVALUATE, "baseline")) and split not in ("", "test"):
        command += f" --splits {split}"
    return command


def outputs(array: str) -> tuple[str, ...]:
    """The array and those that are made along with it, itself last."""
    return (*(name for name, other in ARRAYS.items() if other.along_with == array), array)


def needs(name: str) -> tuple[str, ...]:
    """What a product is made from, directly."""
    product = PRODUCTS[name]
    if isinstance(product, Array) and product.along_with:
        return needs(product.along_with)
    further = (product.network,) if isinstance(product, Array) and product.network else ()
    if isinstance(product, Network):
        further = (*product.chosen_by, *((product.goes_on_from,) if product.goes_on_from else ()))
    return (*product.inputs, *further)


def ancestors(name: str) -> set[str]:
    """All that a product is made from, down to what was imported."""
    direct = needs(name)
    return set(direct).union(*(ancestors(one) for one in direct))


def steps_behind(product: str) -> list[str]:
    """The steps whose results a mask or a network rests on, its own with them.

    Predicting a mask is not among them, since that is done anew.
    """
    makers = {MADE_BY[name] for name in ancestors(product)}
    if product not in ARRAYS or not ARRAYS[product].network:
        makers.add(MADE_BY[product])
    rivals = sorted(name for name in makers if name.startswith("baseline "))
    return [*(step for step in STAGES if step in makers), *rivals]


def revisions(*names: str) -> dict[str, str]:
    """What products of later revisions add to what they are made from; nothing at revision 1."""
    return {key: value for n in names for key, value in mark(n, PRODUCTS[n].revision).items()}


def mark(name: str, revision: int) -> dict[str, str]:
    """What one product of this revision adds to what it is made from."""
    return {f"{_REVISION}{name}": str(revision)} if revision > 1 else {}


def difference_of_revisions(key: str, before: str | None, after: str | None) -> str:
    """That a product is of another revision, and what was mended since; empty for other keys."""
    name = key.removeprefix(_REVISION)
    if name == key:
        return ""
    product = PRODUCTS.get(name)
    then, now = _number(before), _number(after)
    if product is None or then >= now:
        return f"{name} was made by a later revision of clisc"
    return product.of_revision(then)


def outdated(name: str, made_from: Mapping[str, str]) -> str:
    """Why something that has this provenance is of an earlier revision; empty when it is not."""
    product = PRODUCTS.get(name)
    then = _number(made_from.get(f"{_REVISION}{name}"))
    return product.of_revision(then) if product is not None and then < product.revision else ""


def _number(revision: str | None) -> int:
    return int(revision) if revision is not None and revision.isdecimal() else 1
