"""A second `init` on a project: adds what is missing, and says every difference that it does not take."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clisc_engine.errors import BadInput
from clisc_engine.files.words import counted, listed
from clisc_engine.imaging.source import check_source, hash_if_readable, hash_of
from clisc_engine.importing import comparison
from clisc_engine.importing.adding import Additions, add, forget
from clisc_engine.importing.casefiles import CaseFiles
from clisc_engine.importing.comparison import Given
from clisc_engine.importing.doubles import REFUSED, TAKEN, check_doubles, same_content
from clisc_engine.importing.found import Found
from clisc_engine.importing.record import InitRecord, read_record, values_asked, write_record
from clisc_engine.importing.request import SPLIT_RATIO, Imported, Request, split_pairs
from clisc_engine.importing.splits import (
    beside_their_subject,
    checked_split,
    draw_each,
    draw_split,
    known_splits,
    torn_apart,
)
from clisc_engine.project import manifest
from clisc_engine.project.case_record import CaseInfo
from clisc_engine.project.project import Project, open_project
from clisc_engine.running.control import Control
from clisc_engine.running.sharing import in_threads
from clisc_engine.settings.schema import Settings


def second_init(request: Request, found: Found, settings: Settings, control: Control) -> Imported:
    """Compare, and add references to cases that have none; with ``request.add`` new cases too.

    Where files lie elsewhere now, the project notes where.

    Nothing is changed when anything is given that is not taken.

    Raises:
        BadInput: naming all such differences, each with the way to have it; or the bad files among what
            is to be added.
    """
    call = _Call.of(request, found, control)
    differences, remarks = call.settings_that_differ(settings)
    replaced = comparison.other_references(call.given, call.stored)
    shared = comparison.shared_references(call.given, call.new, call.stored)
    differences = [
        *comparison.other_images(call.given, call.stored, request.root, request.images, request.references),
        *call.new_cases_refused(),
        *call.splits_that_differ(),
        *differences,
        *([] if control.force else comparison.references_in_words(replaced, call.stored)),
        *([] if request.share_references else (f"{told} {REFUSED}" for told in shared)),
    ]
    if differences:
        raise BadInput(_refusal(request.root, differences))
    splits = {name: info.split for name, info in call.stored.items()} | call.splits_of_new()
    references = comparison.new_references(call.given, call.stored) | replaced
    additions = Additions(call.new, splits, references, request.brains(control))
    moved = comparison.moved_files(call.given, call.stored)
    result = Imported(call.project, splits, files=list(call.new), fresh=not additions)
    result.remarks = [*remarks, *call.cases_not_given()]
    result.warnings = call.doubles(splits)
    result.added, result.references = [case.name for case in call.new], [*references]
    result.moved = [*moved]
    if not control.dry_run:
        _note_where(call.project, moved)
        _carry_out(call, additions, control, result)
        result.warnings = call.doubles(splits, result.skipped)
    result.warnings += torn_apart(result.splits, result.added)
    result.warnings += [f"{told} {TAKEN}" for told in shared]
    result.remarks += _with_their_subject(call.beside_their_subject(), result.splits)
    result.remarks += _what_it_means(result, replaced, dry_run=control.dry_run)
    return result


@dataclass(frozen=True)
class _Call:
    """What is given, beside what the project has.

    Attributes:
        request: of this call.
        found: the files that it names.
        project: the project.
        stored: the records of its cases, by name.
        record: what it was made with.
        given: the cases given, with their hashes.
        new: those of them that the project lacks.
        renamed: the present names of cases that are given under the names they were imported under.
    """

    request: Request
    found: Found
    project: Project
    stored: Mapping[str, CaseInfo]
    record: InitRecord
    given: Given
    new: Sequence[CaseFiles]
    renamed: Mapping[str, str]

    @classmethod
    def of(cls, request: Request, found: Found, control: Control) -> _Call:
        """Open the project, and read all files given."""
        project = open_project(request.root)
        stored = {case.info.name: case.info for case in project.cases()}
        record = read_record(project)
        former = comparison.former_names(stored)
        given = _hashed(found.cases, {*stored, *former}, control)
        renamed = comparison.same_but_renamed(given, stored)
        given = given.under(renamed)
        found = replace(
            found,
            cases=list(given.cases),
            not_chosen=tuple(former.get(name, name) for name in found.not_chosen),
        )
        new = [
            case
            for case in found.cases
            if case.name not in stored and record.skipped.get(case.name) != given.content(case.name)
        ]
        return cls(request, found, project, stored, record, given, new, renamed)

    @property
    def found_names(self) -> list[str]:
        """All that lie there, asked for or not."""
        return [*(case.name for case in self.found.cases), *self.found.not_chosen]

    @property
    def new_names(self) -> list[str]:
        return [case.name for case in self.new]

    def settings_that_differ(self, settings: Settings) -> tuple[list[str], list[str]]:
        """Differences, and mere remarks."""
        asked = self.request.asked
        now = values_asked(self.project.settings, asked)
        root, before = self.request.root, self.record.settings
        return comparison.other_settings(root, values_asked(settings, asked), before, now)

    def new_cases_refused(self) -> list[str]:
        """Why the cases that the project lacks are not taken."""
        alike = comparison.alike_but_for_case(self.new_names, self.stored)
        alike += comparison.renamed_since(self.new_names, self.stored)
        root = self.request.root
        alike += comparison.renamed_files(self.given, self.new, self.stored, root)
        return alike if alike or self.request.add else comparison.unknown_cases(root, self.new_names)

    def splits_that_differ(self) -> list[str]:
        """Cases that are given another split, by name or by a draw."""
        where, pairs = self._split_pairs()
        names = dict.fromkeys([*self.stored, *self.found_names, *self.found.bad])
        asked = known_splits(where, pairs, list(names))
        ratio = self.request.split_ratio
        if not pairs and not self.new and ratio is not None and ratio != self.record.split_ratio:
            where = f"--split-ratio {ratio}"
            asked = draw_split(list(self.stored), ratio, self.project.settings.seed)
        return comparison.other_splits(self.request.root, where, asked, self.stored)

    def splits_of_new(self) -> dict[str, str]:
        """The splits of the cases to be added: as a file says, the subject's, or each drawn by itself."""
        where, pairs = self._split_pairs()
        if self.new and pairs:
            others = {name for _, name, _ in pairs} - set(self.new_names)
            return checked_split(where, pairs, self.new_names, also=sorted(others), some_train=False)
        if self.request.into:
            return dict.fromkeys(self.new_names, self.request.into)
        ratio = self.request.split_ratio or self.record.split_ratio or SPLIT_RATIO
        return draw_each(self.new_names, ratio, self.project.settings.seed) | self.beside_their_subject()

    def beside_their_subject(self) -> dict[str, str]:
        """The new cases that go where other scans of their subject are."""
        if self.request.into or self._split_pairs()[1]:
            return {}
        return beside_their_subject(
            self.new_names, {name: info.split for name, info in self.stored.items()}
        )

    def _split_pairs(self) -> tuple[Path | str, list[tuple[str, str, str]]]:
        where, pairs = split_pairs(self.request, self.found)
        return where, [(place, self.renamed.get(name, name), split) for place, name, split in pairs]

    def cases_not_given(self) -> list[str]:
        """That the project has cases which this call does not name."""
        absent = sorted(set(self.stored) - set(self.found_names))
        if not absent:
            return []
        return [
            f"{len(absent)} of the project's {len(self.stored)} cases are not among the images given, and "
            f"stay as they are: {listed(absent, 5)}."
        ]

    def doubles(self, splits: Mapping[str, str], skipped: Collection[str] = ()) -> list[str]:
        """Warnings on new images, but for the skipped, that the project has already, or that come twice."""
        new = [case for case in self.new if case.name not in skipped]
        contents = {name: f"{info.sha256} {info.channel}" for name, info in self.stored.items()}
        contents |= {case.name: f"{self.given.images[case.name]} {case.channel}" for case in new}
        sources = {name: info.source for name, info in self.stored.items()}
        sources |= {case.name: str(case.image) for case in new}
        found = [group for group in same_content(contents) if not set(group) <= set(self.stored)]
        return check_doubles(found, splits, sources)


def _note_where(project: Project, moved: Mapping[str, CaseInfo]) -> None:
    """Put new records in place: the manifest's copies first, so that a call cut short is made up for."""
    if not moved:
        return
    project.store.check_may_write()
    manifest.note(project.store, moved.values())
    for record in moved.values():
        project.change_record(record)


def _carry_out(call: _Call, additions: Additions, control: Control, result: Imported) -> None:
    """Add, and note in the result and in the project's record what was skipped."""
    if not additions:
        forget(call.project)
        return
    skipped, result.notes = add(call.project, additions, control, skip_bad=call.request.skip_bad)
    if left := {name: call.given.content(name) for name in skipped if name in result.added}:
        write_record(call.project, replace(call.record, skipped={**call.record.skipped, **left}))
    result.skipped = skipped
    result.splits = {name: split for name, split in result.splits.items() if name not in left}
    result.added = [name for name in result.added if name not in skipped]
    result.references = [name for name in result.references if name not in skipped]


def _hashed(cases: Sequence[CaseFiles], known: Collection[str], control: Control) -> Given:
    """The cases with the hashes of their files, all read anew: sizes and times do not tell.

    Raises:
        BadInput: when a file of a case that the project has cannot be read; other cases' importer says so.
    """
    images: dict[str, str] = {}
    references: dict[str, str] = {}

    def read(case: CaseFiles) -> None:
        for path, found in ((case.image, images), (case.reference, references)):
            if path is not None and case.name in known:
                check_source(path)
                found[case.name] = hash_of(path)
            elif path is not None:
                found[case.name] = hash_if_readable(path)

    in_threads("compare", {case.name: case for case in cases}, read, control, unit="case")
    return Given(cases, images, references)


def _refusal(root: Path, differences: Sequence[str]) -> str:
    if len(differences) == 1:
        return f"{differences[0]} Nothing was changed."
    shown = [f"  {text}" for text in differences[: comparison.NAMED]]
    if len(differences) > comparison.NAMED:
        shown.append(f"  and {len(differences) - comparison.NAMED} more.")
    head = f"{root} is a project already, and what is given differs from it in {len(differences)} points."
    return "\n".join([f"{head} Nothing was changed.", *shown])


def _with_their_subject(beside: Mapping[str, str], splits: Mapping[str, str]) -> list[str]:
    """That new cases were not drawn, since their subjects are in a split already."""
    placed = [f"{name} ({split})" for name, split in beside.items() if name in splits]
    if not placed:
        return []
    return [
        "Where other scans of its subject are in the project, a new one goes into their split: "
        f"{listed(placed, comparison.NAMED)}."
    ]


def _what_it_means(result: Imported, replaced: Mapping[str, Path], dry_run: bool) -> list[str]:
    """What was added, and what follows from it."""
    told = []
    would = "would be " if dry_run else ""
    if result.moved:
        told.append(
            f"The files of {counted(len(result.moved), 'case')} lie elsewhere now, with the same content: "
            f"{listed(result.moved, comparison.NAMED)}. {'It would be' if dry_run else 'It is'} noted."
        )
    if result.added:
        told.append(
            f"{counted(len(result.added), 'case')} {would}added: "
            + listed([f"{name} ({result.splits[name]})" for name in result.added], comparison.NAMED)
            + ". The other cases stay in their splits; what was trained before is stale if it was to learn "
            f"from these: {result.project.store.home.in_words('status')} says what."
        )
    if fresh := [name for name in result.references if name not in replaced]:
        told.append(
            f"References {would}added to {counted(len(fresh), 'case')}: {listed(fresh, comparison.NAMED)}."
        )
    if again := [name for name in result.references if name in replaced]:
        told.append(
            f"References of {counted(len(again), 'case')} {would}replaced: "
            f"{listed(again, comparison.NAMED)}; "
            f"{result.project.store.home.in_words('evaluate')} measures anew."
        )
    return told
