"""What MR contrasts are called: in files' names, in the descriptions of DICOM series, in lists of channels.

T1 FLAIR is a contrast of its own, in which oedema is dark; wherever FLAIR is asked for, it is none.
"""

from __future__ import annotations

import re

_FLAIR = re.compile(
    r"(?<!t1)(?<!t1[ _-])(?<!t1w[ _-])flair|dark[ _-]?fluid|(?<![a-z0-9])t2f(?![a-z0-9])", re.IGNORECASE
)
_SESSION = "(?<!ses)"
"""BIDS calls sessions as it likes, ses-T1 and ses-T2 too."""
_FLAIR_ENDING = re.compile(rf"(?:{_SESSION}[-_]t2)?[-_]flair$|[-_]t2f$", re.IGNORECASE)
_FLAIR_BEGINNING = re.compile(r"(?:t2[-_])?(?:flair|t2f)(?![a-z0-9])", re.IGNORECASE)
_T1_FLAIR_ENDING = re.compile(rf"{_SESSION}[-_]t1w?[-_]?flair$", re.IGNORECASE)

_OTHERS = (
    r"t1w?|t1n|t1c|t1ce|t1gd|t1pre|t1post|t1[-_]post|t1km|ct1|t2w?|t2starw?|pdw?|mprage|bravo|spgr|"
    r"adc|dwi|dti|md|fa|swi|bold|asl|perf|cbv|cbf|dsc|dce|mrs|ct"
)
_OTHER = re.compile(rf"(?<![a-z0-9])(?:{_OTHERS})(?![a-z0-9])", re.IGNORECASE)
_OTHER_ENDING = re.compile(rf"{_T1_FLAIR_ENDING.pattern}|[-_](?:{_OTHERS})$", re.IGNORECASE)


def says_flair(text: str) -> bool:
    """Whether a name or description says FLAIR anywhere."""
    return _FLAIR.search(text) is not None


def says_other(text: str) -> bool:
    """Whether a description names another contrast in a word of its own; it may say FLAIR, too."""
    return _OTHER.search(text) is not None


def but_for_contrast(name: str) -> str:
    """The name with ``*`` for each contrast in it, FLAIR too: what images of one case have in common."""
    return re.sub(r"\*(?:[-_]\*)+", "*", _OTHER.sub("*", _FLAIR.sub("*", name)))


def ends_with_flair(name: str) -> bool:
    """Whether a file's name without its format ends with FLAIR, T1 FLAIR too, or is no more than that."""
    return _FLAIR_ENDING.search(f"_{name}") is not None


def ends_with_t1_flair(name: str) -> bool:
    """Whether it ends with T1 and FLAIR: that contrast, or the FLAIR image of a first time point."""
    return _T1_FLAIR_ENDING.search(f"_{name}") is not None


def is_flair_alone(name: str) -> bool:
    """Whether it says FLAIR and no more."""
    return _FLAIR_ENDING.fullmatch(f"_{name}") is not None


def begins_with_flair(name: str) -> bool:
    """Whether it begins with FLAIR, so that what follows says how the image was made, not whose it is."""
    return _FLAIR_BEGINNING.match(name) is not None


def without_flair(name: str) -> str:
    """The name without FLAIR at its end, if anything is left then."""
    return _FLAIR_ENDING.sub("", name)


def is_other_alone(name: str) -> bool:
    """Whether it says another contrast and no more."""
    return _OTHER_ENDING.fullmatch(f"_{name}") is not None


def without_other(name: str) -> str:
    """The name without another contrast at its end, if anything is left then."""
    return _OTHER_ENDING.sub("", name)
