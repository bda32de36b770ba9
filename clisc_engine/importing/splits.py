"""Which case learns, watches or tests."""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from clisc_engine.errors import BadInput
from clisc_engine.files.case_names import normal
from clisc_engine.files.tables import read_table, read_text
from clisc_engine.files.words import listed
from clisc_engine.importing.casefiles import case_name

SPLITS = ("train", "valid", "test")

_MEANT = {
    **{split: split for split in SPLITS},
    **dict.fromkeys(("training", "learn"), "train"),
    **dict.fromkeys(("val", "validation", "validate", "dev"), "valid"),
    **dict.fromkeys(("testing", "holdout"), "test"),
}
"""What else the splits are called."""


_SUBJECTS = (
    re.compile(r"(sub-[^_]*)(?:_.*)?"),  # BIDS: sub-01_ses-1
    re.compile(r"(BraTS-[A-Za-z]+-\d+)-\d{3}"),  # BraTS since 2023: BraTS-GLI-00008-001
    re.compile(r"((?:UPENN-GBM|UCSD-PTGBM)-\d+)_\d{2}"),  # UPENN-GBM-00002_21: the second time point
    re.compile(r"(UCSF-PDGM-\d+)(?:_FU\d+d)?"),  # UCSF-PDGM-0429_FU003d: followed up
    re.compile(r"(\d+)_time\d+"),  # UCSF's post-operative gliomas: 100002_time2
    re.compile(r"(PatientID_\d+)_Timepoint_\d+(?:_brain)?"),  # MU-Glioma-Post
    re.compile(r"(\d{6})[A-Z]"),  # UCSF-BMSR: 100101B
    re.compile(r"(RHUH-\d+)_\d"),  # RHUH-GBM: before, right after and long after surgery
    re.compile(r"(BraTSReg_\d+)_\d{2}_\d{4}"),  # BraTSReg_001_01_0106: followed up
    re.compile(r"(Patient-\d+)_week-\d+(?:-\d+)?"),  # LUMIERE: Patient-001_week-000-1
    re.compile(r"(P\d+)_T\d+"),  # MSLesSeg: P1_T2
    re.compile(r"(brats_(?:tcia|2013)_pat\d+)_\d+"),  # BraTS 2013 to 2016
    re.compile(  # a date behind a number of three digits: YG_0E6J2_2012-03-21, TCGA-02-0006_1996.08.23
        r"((?:\D*\d){3}.*)[-_](?:19|20)\d\d([-.]?)(?:0[1-9]|1[0-2])\2(?:0[1-9]|[12]\d|3[01])"
    ),
)
"""Cases' names that tell the patient, who may have been scanned again."""


def draw_split(
    names: Sequence[str], ratio: str, seed: int, together: Iterable[Sequence[str]] = ()
) -> dict[str, str]:
    """Draw a split of the cases by shares (paper: 7:1:2); scans of one subject stay together.

    The sizes are the shares rounded by largest remainder, cases that stay together counting as one; while
    there are cases enough, a split with a share gets at least one, train first, then test, then valid.

    Args:
        names: case names, in any order.
        ratio: ``train:valid:test``, e.g. ``7:1:2`` or ``1:0:0``.
        seed: of the draw; the same cases and seed give the same split.
        together: further groups of them that stay in one split.

    Raises:
        BadInput: when the ratio is not three numbers from 0 up, or train's is 0.
    """
    shares = _shares(ratio)
    first = _firsts(names, [*together, *several_of_subject(names).values()])
    order = np.random.default_rng(seed).permutation(sorted({*first.values()}))
    counts = _counts(len(order), shares)
    labels = [split for split, count in zip(SPLITS, counts, strict=True) for _ in range(count)]
    drawn = dict(zip(order.tolist(), labels, strict=True))
    return {name: drawn[first[name]] for name in sorted(names)}


def draw_each(names: Sequence[str], ratio: str, seed: int) -> dict[str, str]:
    """Draw a split for each case by itself, whatever other cases there are, e.g. for those added later.

    The shares hold in the mean only; in return a case's split depends on nothing but its name, the shares
    and the seed. Of a subject's scans, the subject's name counts.

    Raises:
        BadInput: like `draw_split`.
    """
    shares = _shares(ratio)
    borders = [sum(shares[:1]) / sum(shares), sum(shares[:2]) / sum(shares)]
    drawn = {}
    for name in names:
        digest = hashlib.sha256(f"{seed}/{subject_of(name) or name}".encode()).digest()
        drawn[name] = SPLITS[bisect(borders, int.from_bytes(digest[:6], "big") / 2**48)]
    return drawn


def subject_of(name: str) -> str:
    """The patient in a case's name, ``sub-01`` of ``sub-01_ses-1``; empty in names that tell none."""
    return next((found[1] for kind in _SUBJECTS if (found := kind.fullmatch(name))), "")


def beside_their_subject(names: Iterable[str], splits: Mapping[str, str]) -> dict[str, str]:
    """Which of the cases are of subjects that have a split, and which.

    Where a subject's scans are in several, it is the first of train, valid and test: what is learned from
    already cannot be measured.
    """
    of_subject: dict[str, list[str]] = {}
    for name, split in splits.items():
        of_subject.setdefault(subject_of(name), []).append(split)
    known = {subject: min(of, key=SPLITS.index) for subject, of in of_subject.items() if subject}
    return {name: known[subject_of(name)] for name in names if subject_of(name) in known}


def torn_apart(splits: Mapping[str, str], new: Collection[str] | None = None) -> list[str]:
    """A warning where scans of one patient are in the test split and in another.

    Where ``new`` are given, of theirs alone.
    """
    torn = {}
    for subject, names in several_of_subject(splits).items():
        of = {name: splits[name] for name in names}
        asked = new is None or not set(new).isdisjoint(names)
        if asked and "test" in of.values() and len({*of.values()}) > 1:
            torn[subject] = of
    if not torn:
        return []
    subject, of = next(iter(torn.items()))
    more = f" So it is with {len(torn) - 1} more." if len(torn) > 1 else ""
    where = listed([f"{name} {split}" for name, split in of.items()], 5)
    return [
        f"Scans of {subject} are in several splits ({where}): what is learned from a patient is measured "
        f"on the same one.{more} Put a subject's scans into one split with --split (a CSV with the columns "
        "case,split), or later with `clisc cases move`."
    ]


def several_of_subject(names: Iterable[str]) -> dict[str, list[str]]:
    """The subjects with several scans among the cases, and these."""
    subjects: dict[str, list[str]] = {}
    for name in names:
        subjects.setdefault(subject_of(name), []).append(name)
    return {subject: of for subject, of in subjects.items() if subject and len(of) > 1}


def _firsts(names: Iterable[str], together: Iterable[Sequence[str]]) -> dict[str, str]:
    """For each name the first of those that it stays together with, itself where there are none."""
    leads: dict[str, str] = {}

    def first(name: str) -> str:
        while name in leads:
            name = leads[name]
        return name

    for group in together:
        *others, last = sorted({first(name) for name in group}, reverse=True)
        leads |= dict.fromkeys(others, last)
    return {name: first(name) for name in names}


def read_split(path: Path, names: Sequence[str]) -> dict[str, str]:
    """The split from a CSV with columns ``case,split``, or JSON ``{"train": [...], ...}``.

    Raises:
        BadInput: naming the file and the line, for anything that is missing, unknown or twice.
    """
    return checked_split(path, pairs_of(path), names)


def pairs_of(path: Path) -> list[tuple[str, str, str]]:
    """Where each case stands in a split file, its name and its split, unchecked.

    Raises:
        BadInput: when it is no such file.
    """
    return _from_json(path) if path.suffix.lower() == ".json" else _from_csv(path)


def checked_split(
    path: Path | str,
    pairs: Iterable[tuple[str, str, str]],
    names: Sequence[str],
    *,
    also: Sequence[str] = (),
    some_train: bool = True,
) -> dict[str, str]:
    """The split that a file gives to the names; each pair comes with where it stands.

    ``also`` are names that may stand there too; ``some_train`` asks for a case to learn from.

    Raises:
        BadInput: naming the file and the line, for anything that is missing, unknown or twice.
    """
    known = known_splits(path, pairs, [*names, *also])
    split = {name: known[name] for name in names if name in known}
    if missing := [name for name in names if name not in split]:
        raise BadInput(f"{path} gives no split for {listed(sorted(missing), 5)}.")
    if some_train and "train" not in split.values():
        raise BadInput(f"{path} puts no case into train, so there is nothing to learn from.")
    return split


def known_splits(
    path: Path | str, pairs: Iterable[tuple[str, str, str]], names: Sequence[str]
) -> dict[str, str]:
    """The splits of those cases that a file gives one.

    Raises:
        BadInput: naming the file and the line, for anything that is unknown or twice.
    """
    split: dict[str, str] = {}
    for where, name, value in pairs:
        if value not in SPLITS:
            meant = _MEANT.get(value.casefold())
            hint = f"; did you mean {meant!r}" if meant else ""
            raise BadInput(f"{path}, {where}: split {value!r} is not one of train, valid, test{hint}.")
        if name not in names:
            meant = _case_meant(name, names)
            hint = f"; did you mean {meant!r}" if meant else ""
            raise BadInput(f"{path}, {where}: there is no case {name!r} among the images{hint}.")
        if name in split:
            raise BadInput(f"{path}, {where}: case {name!r} stands there twice.")
        split[name] = value
    return split


def _case_meant(name: str, names: Sequence[str]) -> str:
    """The case that a wrong name, or the name of its file, may mean; or nothing."""
    file = case_name(Path(name.replace("\\", "/")))
    for meant in (name, file):
        if alike := [known for known in names if known.casefold() == meant.casefold()]:
            return alike[0]
    return next(iter(get_close_matches(file, names, n=1, cutoff=0.8)), "")


def _shares(ratio: str) -> list[float]:
    try:
        shares = [float(part) for part in ratio.split(":")]
    except ValueError:
        shares = []
    if len(shares) != 3 or not all(np.isfinite(shares)) or min(shares) < 0 or shares[0] == 0:
        raise BadInput(
            f"--split-ratio {ratio!r} is not TRAIN:VALID:TEST with numbers from 0 up and some "
            "train, e.g. 7:1:2."
        )
    return shares


def _counts(n: int, shares: Sequence[float]) -> list[int]:
    exact = [n * share / sum(shares) for share in shares]
    counts = [int(value) for value in exact]
    by_remainder = sorted(range(3), key=lambda i: counts[i] - exact[i])
    for index in by_remainder[: n - sum(counts)]:
        counts[index] += 1
    for index in (0, 2, 1):
        largest = max(range(3), key=lambda i: counts[i])
        if shares[index] and not counts[index] and (counts[largest] > 1 or index == 0):
            counts[largest] -= 1
            counts[index] += 1
    return counts


def _from_csv(path: Path) -> list[tuple[str, str, str]]:
    rows = read_table(path, ("case", "split"), "case,split")
    return [(f"line {row.line}", normal(row.values["case"]), row.values["split"]) for row in rows]


def _from_json(path: Path) -> list[tuple[str, str, str]]:
    try:
        values = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is not valid JSON: {error}.") from None
    lists = values.values() if isinstance(values, dict) else [None]
    if not all(isinstance(v, list) and all(isinstance(n, str) for n in v) for v in lists):
        raise BadInput(f'{path} is not of the form {{"train": ["case", ...], "test": [...]}}.')
    return [(f"list {split!r}", normal(name), split) for split in values for name in values[split]]
