"""docs/settings.md, written from the declarations: ``python -m clisc_engine.settings.page FILE``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from clisc_engine.settings.help import Explanation, explain
from clisc_engine.settings.keys import known_keys
from clisc_engine.settings.presets import PRESETS

INTRODUCTION = """# Settings

Every setting of a project stands in its `clisc.toml`, with its meaning and range beside it. This page is
written from the same declarations by `make docs`.

- Change one: `--set KEY=VALUE` on any command, `clisc config set KEY=VALUE`, or an editor. The next command
  says what became stale. `clisc config explain KEY` says what stands below.
- "paper: ..." and "(paper)" give the paper's value, "code: ..." that of the authors' released code. Without
  either it is ours.
- **Presets** are chosen by `clisc init --preset`: `paper` has the paper's values; `fast` the same full-size
  models with fewer epochs, for a first look (not measured: the full-size weights could not be fetched where
  this was written); `medical` BiomedCLIP and MedSAM in the place of the paper's CLIP and SAM (likewise not
  measured); `tiny` what suits the bundled models. A cell is empty where a preset has the value of
  `paper`.
- Device, precision, inference batch size and number of workers are options of the commands, not settings:
  they change how fast something is made, never what.
"""
OTHERS = [name for name in PRESETS if name != "paper"]
HEADER = "\n".join(
    [
        f"| key | meaning | may be | `paper` | {' | '.join(f'`{name}`' for name in OTHERS)} |",
        f"|---|---|---|---|{'---|' * len(OTHERS)}",
    ]
)


def page() -> str:
    """The page, one table for each section of clisc.toml."""
    told = [explain(key) for key in known_keys()]
    return "\n".join([INTRODUCTION, *_sections(told)]) + "\n"


def _sections(told: Iterable[Explanation]) -> Iterable[str]:
    for table, keys in groupby(told, key=lambda one: one.key.rpartition(".")[0]):
        listed = list(keys)
        yield f"## {table or 'General'}\n"
        if listed[0].section:
            yield " ".join(listed[0].section.split()) + "\n"
        yield "\n".join([HEADER, *map(_row, listed)]) + "\n"


def _row(one: Explanation) -> str:
    paper = one.presets["paper"]
    others = [_code(one.presets[name]) if one.presets[name] != paper else "" for name in OTHERS]
    cells = [f"`{one.key}`", one.meaning, one.allowed, _code(paper), *others]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _code(value: Any) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
