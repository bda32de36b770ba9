"""What to say where no pseudo-label of the train split marks anything: which step marked nothing first."""

from __future__ import annotations

from collections.abc import Sequence

from clisc_engine.core.labelling import TUMOUR
from clisc_engine.files.words import counted
from clisc_engine.products.kinds import AMDA_MAPS, LABELS, REFERENCE, SAM_MASKS
from clisc_engine.project.project import CaseArrays


def why_nothing_marked(cases: Sequence[CaseArrays], labels: str) -> str:
    """That the pseudo-labels ``labels`` of the train cases are empty, and where to look.

    Args:
        cases: of the train split.
        labels: the array of pseudo-labels, e.g. ``masks/sam``.
    """
    what = "references" if labels == REFERENCE else f"pseudo-labels {labels}"
    return (
        f"All {what} of the train split are empty ({counted(len(cases), 'case')}), so the network has "
        f"nothing to learn. {_where_to_look(cases, labels)}"
    )


def _where_to_look(cases: Sequence[CaseArrays], labels: str) -> str:
    home = cases[0].store.home
    if labels == REFERENCE:
        return "Give references that mark a tumour, or leave this row out."
    if labels != SAM_MASKS:
        return (
            "The network of the round before marks nothing; look at SAM's masks, which taught it, with "
            f"{home.in_words('show', cases[0].info.name)}, and at roi.threshold and unet.epochs."
        )
    slices = sum(int((case.read(LABELS) == TUMOUR).sum()) for case in cases if case.seal(LABELS))
    if not slices:
        return (
            "CLIP calls none of their slices a tumour; look at label.confidence and label.tumour_prompts."
        )
    if any(case.read(AMDA_MAPS).any() for case in cases if case.seal(AMDA_MAPS)):
        return "Their maps do mark something, but no region of it prompts SAM; look at roi.threshold."
    return (
        f"CLIP calls {counted(slices, 'slice')} a tumour, but the classifier sees none there, and no map "
        f"marks anything: more cases in train help ({home.moving('train')}), or "
        "`clisc predict bundled IMAGE -o MASK`, which learns from none."
    )
