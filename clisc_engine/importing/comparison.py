"""What a second `init` is given, held against what the project has."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clisc_engine.errors import BadInput
from clisc_engine.files.case_names import normal
from clisc_engine.files.words import listed, shell_word
from clisc_engine.importing.casefiles import CaseFiles
from clisc_engine.importing.doubles import same_content, shared_in_words
from clisc_engine.project.case_record import CaseInfo

NAMED = 20
"""Cases that are named one by one."""

ELSEWHERE = "choose another folder for that"


@dataclass
class Given:
    """The cases that are given, and their files' hashes by name.

    Attributes:
        cases: with their files.
        images: SHA-256 of each image.
        references: SHA-256 of each mask that is given.
    """

    cases: Sequence[CaseFiles]
    images: Mapping[str, str]
    references: Mapping[str, str] = field(default_factory=dict)

    def content(self, name: str) -> str:
        """What tells a case's files from other ones."""
        return content(self.images[name], self.references.get(name, ""))

    def under(self, names: Mapping[str, str]) -> Given:
        """The same, those cases that are among ``names`` under their names there."""
        return Given(
            [replace(case, name=names.get(case.name, case.name)) for case in self.cases],
            {names.get(name, name): digest for name, digest in self.images.items()},
            {names.get(name, name): digest for name, digest in self.references.items()},
        )


def content(image: str, reference: str) -> str:
    """The hashes of a case's files as one text; an empty hash is that of a file that cannot be read."""
    return f"{image} {reference}".strip()


def other_images(
    given: Given, stored: Mapping[str, CaseInfo], root: Path, images: str, references: str | None
) -> list[str]:
    """Images that are not those that were imported under their names, and how each takes its place.

    ``images`` and ``references`` are where they were found, for the command.
    """
    masks = f" --references {shell_word(references)}" if references else ""
    found = []
    for case in given.cases:
        info = stored.get(case.name)
        if info is None or (info.sha256 == given.images[case.name] and info.channel == case.channel):
            continue
        what = "is not the image" if info.sha256 != given.images[case.name] else "is not of the channel"
        before = "has changed since" if _is_at(info.source, case.image) else f"that came from {info.source}"
        of = f"{shell_word(root)} {shell_word(case.name)}"
        add = f"{shell_word(root)} --images {shell_word(images)}{masks} --cases {shell_word(case.name)}"
        in_its_place = (
            f"If it is to take the other's place, `clisc cases remove {of}`, then `clisc cases add {add} "
            f"--to {info.split}`; if it is another scan, give it a name of its own and --add it, or "
            f"{ELSEWHERE}."
        )
        found.append(
            f"{case.name}: {case.image} {what} that was imported under this name ({before}). "
            f"{_why_unreadable(case.image) or in_its_place}"
        )
    return found


def _why_unreadable(image: Path) -> str:
    """Why an image can take no other's place; empty where its header does not speak against it."""
    from clisc_engine.imaging.header import read_header

    try:
        read_header(image)
    except BadInput as error:
        return f"It cannot take its place: {error}"
    return ""


def renamed_files(
    given: Given, new: Sequence[CaseFiles], stored: Mapping[str, CaseInfo], root: Path
) -> list[str]:
    """New names of the very files that cases of the project were imported from, or that lay there.

    Where the old file is still there under its old name, the two are two files with one image.
    """
    names = {case.name for case in given.cases}
    absent = {(info.sha256, info.channel): name for name, info in stored.items() if name not in names}
    found = []
    for case in new:
        name = absent.get((given.images[case.name], case.channel), "")
        if not name or normal(name.casefold()) == normal(case.name.casefold()):
            continue
        before = stored[name].source
        if _is_at(before, case.image) or not Path(before).exists():
            found.append(
                f"{case.name}: {case.image} is the image of the project's {name} (from {before}), so it "
                f"would count twice. `clisc cases rename {shell_word(root)} {shell_word(name)} "
                f"{shell_word(case.name)}` gives that case this name."
            )
    return found


def moved_files(given: Given, stored: Mapping[str, CaseInfo]) -> dict[str, CaseInfo]:
    """New records of cases whose files lie elsewhere now: the same content, and nothing at the old path."""
    found = {}
    for case in given.cases:
        info = stored.get(case.name)
        if info is None:
            continue
        moved = info
        if info.sha256 == given.images[case.name] and _moved(info.source, case.image):
            moved = replace(moved, source=str(case.image.absolute()))
        same = case.reference and info.reference_sha256 == given.references[case.name]
        if case.reference and same and _moved(info.reference_source, case.reference):
            moved = replace(moved, reference_source=str(case.reference.absolute()))
        if moved != info:
            found[case.name] = moved
    return found


def _moved(before: str, now: Path) -> bool:
    return not _is_at(before, now) and not Path(before).exists()


def _is_at(before: str, now: Path) -> bool:
    return str(now.absolute()) == before


def new_references(given: Given, stored: Mapping[str, CaseInfo]) -> dict[str, Path]:
    """Masks for cases of the project that have none."""
    return {
        case.name: case.reference
        for case in given.cases
        if case.reference and case.name in stored and not stored[case.name].has_reference
    }


def other_references(given: Given, stored: Mapping[str, CaseInfo]) -> dict[str, Path]:
    """Masks that are not those that the project has for their cases."""
    return {
        case.name: case.reference
        for case in given.cases
        if case.reference
        and case.name in stored
        and stored[case.name].has_reference
        and stored[case.name].reference_sha256 != given.references[case.name]
    }


def shared_references(given: Given, new: Sequence[CaseFiles], stored: Mapping[str, CaseInfo]) -> list[str]:
    """Masks that become the reference of a case though another one, of another image, has them."""
    added = {case.name: case for case in given.cases if case.name in stored or case in new}
    masks = {name: info.reference_sha256 for name, info in stored.items() if info.has_reference}
    fresh = {n: sha for n, sha in given.references.items() if n in added and masks.get(n) != sha}
    masks |= fresh
    images = {name: info.sha256 for name, info in stored.items()}
    images |= {case.name: given.images[case.name] for case in new}
    found = []
    for group in same_content(masks):
        names = sorted(group, key=lambda name: name not in fresh)
        paths: dict[str, tuple[object, Path]] = {}
        for name in names:
            mask = added[name].reference if name in fresh else Path(stored[name].reference_source)
            image = added[name].image if name in added else stored[name].source
            paths[name] = (image, mask or Path())
        told = shared_in_words([images[name] for name in names], paths) if names[0] in fresh else ""
        found += [told] if told else []
    return found


def references_in_words(others: Mapping[str, Path], stored: Mapping[str, CaseInfo]) -> list[str]:
    """That these masks are not taken."""
    return [
        f"{name}: {path} is not the reference that the project has (from "
        f"{stored[name].reference_source}); --force puts it in its place."
        for name, path in others.items()
    ]


def other_splits(
    root: Path, where: object, given: Mapping[str, str], stored: Mapping[str, CaseInfo]
) -> list[str]:
    """Cases that are in another split than is asked for."""
    other = {n: split for n, split in given.items() if n in stored and stored[n].split != split}
    if not other:
        return []
    moved = [f"{name} ({stored[name].split}, not {split})" for name, split in other.items()]
    case, split = next(iter(other.items()))
    return [
        f"{where} gives {len(moved)} of the project's cases another split: {listed(moved, NAMED)}. A case "
        "stays in its split, since the trainings rest on it; "
        f"`clisc cases move {shell_word(root)} {case} {split}` moves one, and with --dry-run says what "
        "becomes stale."
    ]


def other_settings(
    root: Path, asked: Mapping[str, Any], before: Mapping[str, Any], now: Mapping[str, Any]
) -> tuple[list[str], list[str]]:
    """Settings that are asked for and are not the project's, as differences; and as mere remarks.

    What was asked for when the project was made, and was changed since, is no difference: the same call
    may come again, e.g. from a batch job.

    Args:
        root: the project's folder.
        asked: by dotted key, as are the others.
        before: what was asked for when the project was made.
        now: the project's.
    """
    differing = {key: value for key, value in asked.items() if now[key] != value}
    changed = {key: now[key] for key, value in differing.items() if key in before and before[key] == value}
    remarks = []
    if changed:
        words = listed([f"{key} = {as_text(value)}" for key, value in changed.items()], NAMED)
        remarks.append(f"Changed since the project was made, and left so: {words}.")
    open_ = {key: value for key, value in differing.items() if key not in changed}
    differences = []
    if "weights" in open_:
        asked_for = f"and weights = {open_.pop('weights')} were asked for"
        differences.append(f"The project has weights = {now['weights']}, {asked_for}; {ELSEWHERE}.")
    if not open_:
        return differences, remarks
    pairs = [f"{key} = {as_text(now[key])} (not {as_text(value)})" for key, value in open_.items()]
    words = " ".join(f"{key}={as_text(value)}" for key, value in open_.items())
    imported = any(key.startswith("image.") for key in open_)
    note = " (image.* then holds for cases that are added; the others stay as imported)" if imported else ""
    command = f"clisc config set {shell_word(root)} {words}"
    differences.append(f"The project has {listed(pairs, NAMED)}; change that with `{command}`{note}.")
    return differences, remarks


def unknown_cases(root: Path, names: Sequence[str]) -> list[str]:
    """That there are cases which the project lacks."""
    if not names:
        return []
    return [
        f"{root} already holds a project with other cases: it lacks {listed(names, NAMED)}. --add imports "
        f"them into it; otherwise {ELSEWHERE}."
    ]


def alike_but_for_case(new: Sequence[str], stored: Mapping[str, CaseInfo]) -> list[str]:
    """New names that some file systems would not tell from the project's."""
    known = {normal(name.casefold()): name for name in stored}
    return [
        f"{name} has the same case name as the project's {known[normal(name.casefold())]}; upper and lower "
        "case do not count."
        for name in new
        if normal(name.casefold()) in known
    ]


def former_names(stored: Mapping[str, CaseInfo]) -> dict[str, str]:
    """The present names of the cases that were renamed, by those that they were imported under."""
    return {info.imported_as: name for name, info in stored.items() if info.imported_as}


def same_but_renamed(given: Given, stored: Mapping[str, CaseInfo]) -> dict[str, str]:
    """Present names of cases of the project whose very images are given under the former names."""
    names = {case.name for case in given.cases}
    return {
        old: new
        for old, new in former_names(stored).items()
        if old in names and new not in names and given.images[old] == stored[new].sha256
    }


def renamed_since(new: Sequence[str], stored: Mapping[str, CaseInfo]) -> list[str]:
    """New names under which cases of the project were imported that have others by now."""
    former = former_names(stored)
    return [
        f"{name} was imported before, and is the project's {former[name]} now; networks know it by its "
        "former name, so no other case can have that. Give this one a name of its own, or leave it out "
        "(`--cases`)."
        for name in new
        if name in former
    ]


def as_text(value: Any) -> str:
    """A setting's value as `clisc config set` takes it from a shell."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shlex.quote(text.removesuffix(".0") if isinstance(value, float) else text)
