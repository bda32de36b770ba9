"""Which case learns, watches or tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clisc_engine.case_names import normal
from clisc_engine.errors import BadInput
from clisc_engine.tables import read_table

SPLITS = ("train", "valid", "test")


def draw_split(names: Sequence[str], ratio: str, seed: int) -> dict[str, str]:
    """Draw a split of the cases by shares (paper: 7:1:2).

    The sizes are the shares rounded by largest remainder; while there are cases enough, a split with
    a share gets at least one, train first, then test, then valid.

    Args:
        names: case names, in any order.
        ratio: ``train:valid:test``, e.g. ``7:1:2`` or ``1:0:0``.
        seed: of the draw; the same cases and seed give the same split.

    Raises:
        BadInput: when the ratio is not three numbers from 0 up, or train's is 0.
    """
    shares = _shares(ratio)
    order = np.random.default_rng(seed).permutation(sorted(names))
    counts = _counts(len(names), shares)
    labels = [split for split, count in zip(SPLITS, counts, strict=True) for _ in range(count)]
    drawn = dict(zip(order.tolist(), labels, strict=True))
    return {name: drawn[name] for name in sorted(names)}


def read_split(path: Path, names: Sequence[str]) -> dict[str, str]:
    """The split from a CSV with columns ``case,split``, or JSON ``{"train": [...], ...}``.

    Raises:
        BadInput: naming the file and the line, for anything that is missing, unknown or twice.
    """
    pairs = _from_json(path) if path.suffix.lower() == ".json" else _from_csv(path)
    split: dict[str, str] = {}
    for where, name, value in pairs:
        if value not in SPLITS:
            raise BadInput(f"{path}, {where}: split {value!r} is not one of train, valid, test.")
        if name not in names:
            alike = [known for known in names if known.casefold() == name.casefold()]
            hint = f"; did you mean {alike[0]!r}" if alike else ""
            raise BadInput(f"{path}, {where}: there is no case {name!r} among the images{hint}.")
        if name in split:
            raise BadInput(f"{path}, {where}: case {name!r} stands there twice.")
        split[name] = value
    if missing := [name for name in names if name not in split]:
        raise BadInput(f"{path} gives no split for {', '.join(sorted(missing)[:5])}.")
    if "train" not in split.values():
        raise BadInput(f"{path} puts no case into train, so there is nothing to learn from.")
    return split


def _shares(ratio: str) -> list[float]:
    try:
        shares = [float(part) for part in ratio.split(":")]
    except ValueError:
        shares = []
    if len(shares) != 3 or not all(np.isfinite(shares)) or min(shares) < 0 or shares[0] == 0:
        raise BadInput(
            f"--split-ratio {ratio!r} is not TRAIN:VALID:TEST with numbers from 0 up and some "
            "train, e.g. 7:1:2."
        )
    return shares


def _counts(n: int, shares: Sequence[float]) -> list[int]:
    exact = [n * share / sum(shares) for share in shares]
    counts = [int(value) for value in exact]
    by_remainder = sorted(range(3), key=lambda i: counts[i] - exact[i])
    for index in by_remainder[: n - sum(counts)]:
        counts[index] += 1
    for index in (0, 2, 1):
        largest = max(range(3), key=lambda i: counts[i])
        if shares[index] and not counts[index] and (counts[largest] > 1 or index == 0):
            counts[largest] -= 1
            counts[index] += 1
    return counts


def _from_csv(path: Path) -> list[tuple[str, str, str]]:
    rows = read_table(path, ("case", "split"), "case,split")
    return [(f"line {row.line}", normal(row.values["case"]), row.values["split"]) for row in rows]


def _from_json(path: Path) -> list[tuple[str, str, str]]:
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise BadInput(f"Cannot read the split file {path}: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is not valid JSON: {error}.") from None
    lists = values.values() if isinstance(values, dict) else [None]
    if not all(isinstance(v, list) and all(isinstance(n, str) for n in v) for v in lists):
        raise BadInput(f'{path} is not of the form {{"train": ["case", ...], "test": [...]}}.')
    return [(f"list {split!r}", normal(name), split) for split in values for name in values[split]]
