"""What must be said beside Table 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clisc_engine.baselines.table1.paper import TITLE
from clisc_engine.baselines.table1.rows import FULL, OWN, Row

RERUN = (
    f"The columns '{TITLE}' are the paper's, measured on other data. The paper does not tell on what it "
    "trained its rivals, how it chose their thresholds or prompts, or what followed: the settings here are "
    "our guess. This is a faithful rerun, not the rerun."
)
STAGE_2 = "The second stage of Sim2Real was never released; ours is a guess."
ORACLE = (
    "Rows with a threshold from references are not label-free: it was chosen on the references that they "
    "are measured against, by the best F1 over all brain voxels, as those methods were published."
)
NO_FULL = "CLISC's own masks are not there, so no row is tested against them."


def notes(
    rows: Sequence[Row], thresholds: Mapping[str, float], seen: int = 0, seen_with_reference: int = 0
) -> list[str]:
    """All that applies to these rows; the note on tiny models is told apart.

    Args:
        rows: those shown.
        thresholds: the oracle rows', by row.
        seen: how many of the measured cases are of the train split.
        seen_with_reference: how many of them the supervised network learned from, reference and all.
    """
    names = {row.name for row in rows}
    by_label = [row.title for row in rows if not row.label_free and not row.is_oracle]
    found = [RERUN]
    if "sim2real" in names:
        found.append(STAGE_2)
    if thresholds:
        found.append(ORACLE)
    if skipped := [row.name for row in rows if row.is_oracle and row.name not in thresholds]:
        found.append(f"No reference has a tumour within the brain, so there is no {', '.join(skipped)}.")
    if by_label:
        found.append(f"Not label-free, for references went into them: {', '.join(by_label)}.")
    if seen:
        found.append(
            f"{seen} of the measured cases are of the train split: methods that learn have seen their "
            "images (transductive), though no reference unless they are marked."
        )
    if "supervised" in names and seen_with_reference:
        found.append(
            f"The supervised network learned from the references of {seen_with_reference} of the measured "
            "cases: on them its row says how well it fits, not how well it generalises."
        )
    if own := [row.title for row in rows if row.name.startswith(OWN)]:
        found.append(
            f"No reference was given to {', '.join(own)}; whether labels went into it before is not known."
        )
    if FULL not in names:
        found.append(NO_FULL)
    return found
