"""Cases that are told by their folders alone, since their images have one name."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from clisc_engine.files.case_names import normal
from clisc_engine.imaging.contrasts import begins_with_flair
from clisc_engine.imaging.endings import without_ending
from clisc_engine.importing.casefiles import says_flair_alone


@dataclass(frozen=True)
class Told:
    """A case that is told by its folders.

    Attributes:
        names: of the folders that tell it from the others, the outermost first.
        folder: the innermost of them.
    """

    names: tuple[str, ...]
    folder: Path

    @property
    def case(self) -> str:
        """Its name."""
        return "_".join(self.names)


def told_by_folders(images: Collection[Path]) -> dict[Path, Told]:
    """How folders tell several images apart that say FLAIR and no more, or all the same behind it.

    Folders whose names all have in common tell nothing and are left out. Nothing is told unless all
    images lie equally deep and come out with names of their own: else nobody knows which folder is a case.
    """
    if len(images) < 2 or not _say_no_case(images):
        return {}
    parts = {path: path.absolute().parent.parts for path in images}
    if len({len(of) for of in parts.values()}) > 1:
        return {}
    levels = [i for i, names in enumerate(zip(*parts.values(), strict=True)) if len({*names}) > 1]
    told = {
        path: Told(tuple(of[i] for i in levels), Path(*of[: levels[-1] + 1]))
        for path, of in parts.items()
        if levels
    }
    apart = {normal(one.case.casefold()) for one in told.values()}
    return told if len(apart) == len(images) else {}


def _say_no_case(images: Collection[Path]) -> bool:
    """Whether the files' names leave no room for a case's."""
    stems = {without_ending(path).casefold() for path in images}
    return all(map(says_flair_alone, images)) or (len(stems) == 1 and begins_with_flair(min(stems)))
