"""What `init` is asked for, and what it tells in the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from clisc_engine.importing.casefiles import CaseFiles
from clisc_engine.importing.found import Found
from clisc_engine.importing.listing import LeftOut
from clisc_engine.importing.splits import pairs_of
from clisc_engine.project.project import BRAINS, Project
from clisc_engine.running.control import Control

if TYPE_CHECKING:
    from clisc_engine.importing.brains import Brains, Extraction

SPLIT_RATIO = "7:1:2"


@dataclass(frozen=True)
class Request:
    """What `init` was asked for.

    Attributes:
        root: the project folder to make, or to add to.
        images: folder, glob, or CSV manifest of images.
        references: folder or glob of reference masks, None without.
        split_file: CSV or JSON that gives each case's split, None to take the manifest's or draw one.
        split_ratio: shares of train, valid and test, e.g. ``7:1:2``; None for that if one is needed.
        skip_bad: import the rest when some files cannot be used.
        channel: number or name of the FLAIR channel, None to take what dataset.json says.
        add: import cases that the project lacks.
        cases: names of the cases to take; empty takes all that are found.
        into: the split of all cases that are added; empty draws it, or takes it from a table.
        follow_links: take what links out of a folder lead to, too.
        share_references: let cases whose images differ have the same reference mask.
        brain_extraction: extracts the brains of volumes with their skulls; None when they have none.
        asked: keys of the settings that were asked for by themselves; the others are defaults.
    """

    root: Path
    images: str
    references: str | None
    split_file: Path | None
    split_ratio: str | None
    skip_bad: bool
    channel: str | None = None
    add: bool = False
    asked: frozenset[str] = frozenset()
    cases: tuple[str, ...] = ()
    into: str = ""
    follow_links: bool = False
    share_references: bool = False
    brain_extraction: Extraction | None = None

    def brains(self, control: Control) -> Brains | None:
        """The brain masks that the project keeps, or is to; None when nothing is to be extracted."""
        if self.brain_extraction is None:
            return None
        from clisc_engine.importing.brains import Brains

        return Brains(self.root / BRAINS, self.brain_extraction, control.check_stop)


@dataclass
class Imported:
    """What `init` did.

    Attributes:
        project: the project.
        splits: all its cases, by name.
        files: what a dry run would import.
        skipped: reasons why cases were left out, by name.
        notes: what is to be said of each case's files.
        fresh: whether the project had everything already.
        seconds: how long it took.
        remarks: further sentences for the user.
        warnings: those that nobody should miss.
        left_out: files that lie there and were not taken.
        added: cases that a second call added.
        references: cases that got a reference by a second call.
        moved: cases whose files a second call found elsewhere, with the same content.
    """

    project: Project
    splits: dict[str, str]
    files: list[CaseFiles] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    fresh: bool = False
    seconds: float = 0.0
    remarks: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)


def split_pairs(request: Request, found: Found) -> tuple[Path | str, list[tuple[str, str, str]]]:
    """Where splits are given by name, and them; none when they are to be drawn.

    Raises:
        BadInput: when the split file is none.
    """
    if request.split_file is not None:
        return request.split_file, pairs_of(request.split_file)
    given = [(f"case {case.name}", case.name, case.split) for case in found.cases if case.split]
    return request.images, given
