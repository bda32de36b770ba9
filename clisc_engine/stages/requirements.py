"""What a training needs from earlier stages, checked before anything is done."""

from __future__ import annotations

from collections.abc import Sequence

from clisc_engine.errors import BadInput, MissingStage
from clisc_engine.project import MADE_BY, CaseArrays


def require(cases: Sequence[CaseArrays], array: str, *, split: str) -> list[CaseArrays]:
    """The cases that have the array; at least one must lie in ``split``.

    Raises:
        BadInput: when the split has no case at all.
        MissingStage: when none of its cases has the array.
    """
    wanted = [case for case in cases if case.info.split == split]
    if not wanted:
        raise BadInput(
            f"The {split} split is empty, so there is nothing to learn from; give `clisc init` "
            "more images or a --split file that puts cases there."
        )
    return _having(cases, array, split)


def require_watched(cases: Sequence[CaseArrays], array: str, *, setting: str) -> list[CaseArrays]:
    """The valid cases that have the array, for a training whose ``setting`` is best.

    Raises:
        BadInput: when the valid split has no case at all.
        MissingStage: when none of its cases has the array.
    """
    if not any(case.info.split == "valid" for case in cases):
        raise BadInput(
            f"{setting} = best chooses the epoch on the valid split, which is empty; set "
            f"{setting}=last, or give `clisc init` a --split file that puts cases there."
        )
    return [case for case in _having(cases, array, "valid") if case.info.split == "valid"]


def _having(cases: Sequence[CaseArrays], array: str, split: str) -> list[CaseArrays]:
    having = [case for case in cases if case.seal(array) is not None]
    if not any(case.info.split == split for case in having):
        command = MADE_BY.get(array, "init")
        raise MissingStage(f"No case of the {split} split has {array}; run `clisc {command}` first.")
    return having
