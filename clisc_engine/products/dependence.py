"""Which products a setting changes: a sweep shares all others, and refuses one that changes nothing."""

from __future__ import annotations

from collections.abc import Mapping

from clisc_engine.products.declared import GOING_ON, ROWS
from clisc_engine.products.graph import PRODUCTS, TABLES, needs
from clisc_engine.products.kinds import EVALUATION, IMAGE, REFERENCE, Array, Network, Product
from clisc_engine.products.rivals import TABLE1_ROWS, threshold_of

MEASURED: Mapping[str, str] = {
    row: array for row, array in {**ROWS, **TABLE1_ROWS}.items() if array in PRODUCTS
}
"""Every row of Tables 1 and 2, and the array that it measures."""

_THRESHOLDS = {array: (threshold_of(row),) for row, array in TABLE1_ROWS.items()}
"""The threshold of a rival's maps counts by its value, so its masks do not name it as an input."""

START = "s3f.start"
"""The setting by which a network may go on from another's weights."""


def changed_by(key: str, *, going_on: bool = True) -> frozenset[str]:
    """All products that come out otherwise when the setting of this dotted key changes.

    Args:
        key: e.g. ``amda.t``.
        going_on: whether the networks that may go on from others' weights do; else the settings of going
            on change nothing.
    """
    found: set[str] = set()
    for name, product in PRODUCTS.items():  # in the order of making, so each comes after what it needs
        behind = {*needs(name), *_THRESHOLDS.get(name, ())}
        if _reads(product, key, going_on) or found & behind:
            found.add(name)
    return frozenset(found)


def is_used_at_import(key: str) -> bool:
    """Whether images or references come out otherwise: then a project of its own is needed."""
    return bool(changed_by(key) & {IMAGE, REFERENCE})


def row_is_changed_by(row: str, key: str, *, going_on: bool = True) -> bool:
    """Whether a row of the tables is another when the setting changes: its array, or how it is measured."""
    return MEASURED[row] in changed_by(key, going_on=going_on) or is_measured_by(row, key)


def is_measured_by(row: str, key: str) -> bool:
    """Whether the setting changes what `evaluate` makes of the row's array: maps are cut to a region."""
    return MEASURED[row].startswith("cams/") and _names(TABLES[EVALUATION].settings, key)


def _reads(product: Product, key: str, going_on: bool) -> bool:
    settings, left_out = list(product.settings), set[str]()
    if isinstance(product, Array):
        left_out |= product.instead.keys()
        settings += ["sam.checkpoint"] if "sam" in product.weights else []
    if isinstance(product, Network):
        left_out |= set(product.without)
        settings += product.choice
        if product.goes_on_from:
            settings += [START, *(GOING_ON.values() if going_on else ())]
    return key not in left_out and _names(settings, key)


def _names(settings: tuple[str, ...] | list[str], key: str) -> bool:
    """Whether the key is one of these settings or in one of these sections."""
    return any(key == name or key.startswith(f"{name}.") for name in settings)
