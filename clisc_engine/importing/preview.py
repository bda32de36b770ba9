"""What `init` would import, told from names and headers alone, or from the voxels too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from clisc_engine.errors import BadInput
from clisc_engine.imaging.header import read_header
from clisc_engine.importing.casefiles import CaseFiles
from clisc_engine.importing.request import Imported, Request
from clisc_engine.running.control import Control
from clisc_engine.running.sharing import in_threads


@dataclass(frozen=True)
class Planned:
    """A case that would be imported.

    Attributes:
        case: its name.
        split: train, valid or test.
        image: path of its image.
        reference: path of its mask, empty without one.
        channel: which volume of a 4-D image, None for a 3-D one.
        size: voxels along (x, y, z), empty when the header cannot be read.
        spacing: mm along (x, y, z), likewise.
        problem: why it could not be imported, as far as was looked; empty when nothing speaks against it.
        notes: what is to be said of its files, a sentence each; known once its voxels were read.
    """

    case: str
    split: str
    image: str
    reference: str
    channel: int | None
    size: tuple[int, ...]
    spacing: tuple[float, ...]
    problem: str
    notes: tuple[str, ...] = ()


def preview(imported: Imported) -> list[Planned]:
    """The cases of a dry run of `initialise`, by name."""
    return [_planned(files, imported.splits[files.name]) for files in imported.files]


def checked(
    planned: Sequence[Planned], request: Request, imported: Imported, control: Control
) -> list[Planned]:
    """The same after the voxels of those were read against which no header speaks; nothing is stored.

    Brains are not extracted for it: with ``request.brain_extraction`` a skull is no fault.

    Raises:
        Stopped: when asked to stop.
    """
    from clisc_engine.importing.cases import check_case

    settings, extracted = imported.project.settings.image, request.brain_extraction is not None
    files = {case.name: case for case in imported.files}
    problems: dict[str, str] = {}
    notes: dict[str, tuple[str, ...]] = {}

    def look(case: CaseFiles) -> None:
        notes[case.name] = check_case(case, settings, extracted=extracted)

    def note(name: str, error: BadInput) -> None:
        problems[name] = str(error)

    to_read = {case.case: files[case.case] for case in planned if not case.problem}
    in_threads("check", to_read, look, control, unit="case", bad=note)
    return [
        replace(case, problem=problems.get(case.case, case.problem), notes=notes.get(case.case, ()))
        for case in planned
    ]


def _planned(files: CaseFiles, split: str) -> Planned:
    size: tuple[int, ...] = ()
    spacing: tuple[float, ...] = ()
    channel, problem = None, ""
    try:
        header = read_header(files.image)
        size, spacing = header.size[:3], header.spacing
        if len(header.size) == 4 and header.size[3] > 1:
            channel = files.channel
            problem = _of_channels(header.size[3], channel)
        if files.reference is not None and not problem:
            problem = _of_reference(read_header(files.reference).size, size)
    except BadInput as error:
        problem = str(error)
    reference = str(files.reference) if files.reference else ""
    return Planned(files.name, split, str(files.image), reference, channel, size, spacing, problem)


def _of_channels(count: int, channel: int | None) -> str:
    if channel is None:
        return f"4-D with {count} volumes; choose one with --channel 0 to {count - 1}"
    return "" if channel < count else f"4-D with {count} volumes, counted from 0; there is no {channel}"


def _of_reference(mask: tuple[int, ...], image: tuple[int, ...]) -> str:
    while len(mask) > 3 and mask[-1] == 1:
        mask = mask[:-1]  # a 4-D file of one volume is read as that one
    same = sorted(mask) == sorted(image)  # the axes may be in another order
    return "" if same else f"the reference is {_times(mask)}, not {_times(image)}"


def _times(size: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in size)
