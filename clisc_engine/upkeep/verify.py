"""`verify`: read back all that counts as finished, and say what is damaged, missing or left over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from clisc_engine.errors import BadInput, Home, Unreadable
from clisc_engine.files.reading import inside, shown_folders
from clisc_engine.outputs.inputs import HISTORY
from clisc_engine.products.graph import EVALUATE, MADE_BY
from clisc_engine.products.kinds import REFERENCE, SIMILARITIES
from clisc_engine.project import manifest, pending_promotion
from clisc_engine.project.case_record import RECORD, CaseInfo
from clisc_engine.project.lock import VARIANTS
from clisc_engine.project.pending_change import FILE as CHANGE
from clisc_engine.project.pending_change import pending, told_of
from clisc_engine.project.project import SETTINGS_FILE, STORE
from clisc_engine.project.store import Seal, Store
from clisc_engine.project.variants import names_in
from clisc_engine.running.control import Control
from clisc_engine.settings.file import read_settings
from clisc_engine.stages.evaluation import document as evaluation_document
from clisc_engine.stages.evaluation import history
from clisc_engine.stages.evaluation.own_masks import own_masks, remedy
from clisc_engine.stages.evaluation.tables import lost_files
from clisc_engine.stages.s3f.similarity import is_damaged, outdated_similarities
from clisc_engine.upkeep.expected import Evidence, evidence_by_case
from clisc_engine.upkeep.findings import Finding, Verified, What, unreadable
from clisc_engine.upkeep.leftovers import leftovers
from clisc_engine.upkeep.verify_case import CaseReader
from clisc_engine.upkeep.verify_groups import group_findings
from clisc_engine.upkeep.verify_networks import checkpoint_findings, lost_networks, weight_files
from clisc_engine.upkeep.verify_variant import VariantReader


def verify(root: Path, control: Control) -> Verified:
    """Check settings, store and checkpoints of a project and of its variants; changes nothing.

    Args:
        root: the project's folder.
        control: progress, stop, and the cases to look at; all, with the checkpoints, without any.

    Raises:
        BadInput: when there is no case of a name.
        Unreadable: when the cases cannot be listed.
        Stopped: when asked to stop.
    """
    started = time.monotonic()
    result = Verified()
    store = Store(root / STORE)
    result.findings += _settings(root)
    unsettled = _change_under_way(root, result)
    moving = _promotion_under_way(root, result)
    evidence = _evidence(root, store, result)
    seals = _cases(root, store, unsettled, evidence or {}, control, result)
    result.arrays = len(seals)
    _take(_lost_cases(store, unsettled, evidence, control), root, "case", result)
    _take(_own_references(root, store, control), root, "imported array", result)
    _variants(root, control, result)
    if not control.cases:
        _take(_manifest(store), root, "manifest", result)
        _take(group_findings(store.root, of_variant=False), root, "group", result)
        _take(_checkpoints(root, control, result), root, "weights", result)
        _take(lost_networks(root, Home(root), seals), root, "record", result)
        _take(_tables(root), root, "table", result)
        _take(_history(root), root, "history", result)
        _take(leftovers(root), root, "leftover", result)
    absent = ("missing", "to be made")  # what a promotion moves lies between two places
    result.findings = [one for one in result.findings if not (one.path in moving and one.state in absent)]
    result.seconds = round(time.monotonic() - started, 3)
    return result


def _take(found: Iterator[Finding], root: Path, what: What, result: Verified) -> None:
    """Add findings; what cannot be read on the way is one too, and nothing in it is named again."""
    known = [Path(one.path) for one in result.findings if one.state == "unreadable"]

    def add(one: Finding) -> None:
        if one.state != "unreadable" or not any(Path(one.path).is_relative_to(path) for path in known):
            result.findings.append(one)

    try:
        for one in found:
            add(one)
    except Unreadable as error:
        add(unreadable(root, error, what))


def _evidence(root: Path, store: Store, result: Verified) -> Mapping[str, list[Evidence]] | None:
    """What tells which arrays cases had; None, and a finding, where that cannot be read now."""
    try:
        return evidence_by_case(root, store)
    except Unreadable as error:
        result.findings.append(unreadable(root, error, "record"))
        return None


def _cases(
    root: Path,
    store: Store,
    unsettled: frozenset[str],
    evidence: Mapping[str, list[Evidence]],
    control: Control,
    result: Verified,
) -> dict[str, Seal]:
    """Read the cases and note what is wrong with them; the seals of all arrays, by case and array."""
    names = [name for name in _case_names(store, control) if name not in unsettled]
    control.progress.begin("verify", len(names), "case")
    all_seals: dict[str, Seal] = {}
    for name in names:
        seals: dict[str, Seal] = {}
        _take(_case(store, name, evidence.get(name, []), seals, control), root, "case", result)
        all_seals |= {f"{name}/{array}": seal for array, seal in seals.items()}
        control.progress.advance(name)
    control.progress.end()
    return all_seals


def _case(
    store: Store, name: str, evidence: Sequence[Evidence], seals: dict[str, Seal], control: Control
) -> Iterator[Finding]:
    yield from CaseReader.of(store, name).findings(evidence, seals, control.check_stop)


def _variants(root: Path, control: Control, result: Verified) -> None:
    """Read what the variants have of their own, and note what is wrong with it."""
    for name in _listed(lambda: names_in(root), root, result):
        reader = VariantReader(root, name, control.check_stop)
        there = _listed(reader.case_names, root, result)
        cases = [case for case in there if not control.cases or case in control.cases]
        control.progress.begin(f"verify --variant {name}", len(cases), "case")
        for case in cases:
            _take(reader.findings_of_case(case), root, "case", result)
            control.progress.advance(case)
        control.progress.end()
        _take(iter(reader.away), root, "record", result)
        if not control.cases:
            _take(reader.other_findings(), root, "weights", result)
        result.arrays += len(reader.seals)
        result.checkpoints += reader.checkpoints


def _listed(names: Callable[[], list[str]], root: Path, result: Verified) -> list[str]:
    """The names; none of them, and a finding, when they cannot be listed now."""
    try:
        return names()
    except Unreadable as error:
        _take(iter([unreadable(root, error, "group")]), root, "group", result)
        return []


def _checkpoints(root: Path, control: Control, result: Verified) -> Iterator[Finding]:
    """What is wrong with the weights, and with the states of trainings under way."""
    result.checkpoints += len(weight_files(root))
    yield from checkpoint_findings(root, Home(root), control.check_stop)


def _case_names(store: Store, control: Control) -> list[str]:
    """The names of the folders of cases; a hidden one is what a killed removal left (`leftovers`)."""
    names = [path.name for path in shown_folders(store.root / "cases")]
    listed = manifest.read(store) if control.cases else None
    known = {*names, *(listed.cases if listed else ())}
    if unknown := [name for name in control.cases if name not in known]:
        raise BadInput(f"No case {', '.join(unknown)}; there are {', '.join(names[:8]) or 'none'}.")
    return [name for name in names if not control.cases or name in control.cases]


def _lost_cases(
    store: Store,
    unsettled: frozenset[str],
    evidence: Mapping[str, list[Evidence]] | None,
    control: Control,
) -> Iterator[Finding]:
    """Cases without a folder, though the manifest lists them or a network was trained on them."""
    listed = manifest.read(store)
    if evidence is None:
        return
    reasons = dict.fromkeys(listed.cases if listed else (), "the manifest of cases lists it")
    for name, known in evidence.items():
        lasting = next((one.reason for one in known if one.outlasts), "")
        if lasting and not (listed and name in listed.removed):
            reasons.setdefault(name, lasting)
    for name, why in sorted(reasons.items()):
        if name in unsettled:
            continue
        if not (store.root / "cases" / name).is_dir() and (not control.cases or name in control.cases):
            told = listed is not None and name in listed.cases
            remedy = "" if told else "nothing tells how it was imported; `clisc init --add` imports it anew"
            yield Finding(f"{STORE}/cases/{name}", "case", "missing", f"it is gone, though {why}", remedy)


def _own_references(root: Path, store: Store, control: Control) -> Iterator[Finding]:
    """References that clisc itself made, which earlier versions took."""
    records = (store.attributes(f"cases/{name}").get(RECORD) for name in _case_names(store, control))
    infos = filter(None, map(CaseInfo.parse, records))
    for name, path in own_masks(infos).items():
        why = f"clisc itself made it ({path}), so that what is measured against it says nothing"
        yield Finding(f"{STORE}/cases/{name}/{REFERENCE}", "imported array", "doubtful", why, remedy(root))


def _change_under_way(root: Path, result: Verified) -> frozenset[str]:
    """Note a change of cases that was cut short; the names of its cases, which are read when it is done."""
    try:
        change = pending(root)
    except Unreadable as error:
        result.findings.append(unreadable(root, error, "record"))
        return frozenset()
    if change is None:
        return frozenset()
    if text := told_of(change):
        result.findings.append(Finding(CHANGE, "record", "to be made", text))
    return change.unsettled


def _promotion_under_way(root: Path, result: Verified) -> frozenset[str]:
    """Note a promotion of a variant that was cut short; the places that may lack what it moves."""
    try:
        promotion = pending_promotion.pending(root)
    except Unreadable as error:
        result.findings.append(unreadable(root, error, "record"))
        return frozenset()
    except BadInput as error:
        result.findings.append(Finding(pending_promotion.FILE, "record", "damaged", str(error)))
        return frozenset()
    if promotion is None:
        return frozenset()
    result.findings.append(Finding(pending_promotion.FILE, "record", "to be made", str(promotion)))
    return promotion.unsettled


def _manifest(store: Store) -> Iterator[Finding]:
    if why := manifest.problem(store):
        yield Finding(f"{STORE}/{manifest.FILE}", "manifest", "damaged", why)


def _settings(root: Path) -> Iterator[Finding]:
    try:
        read_settings(root / SETTINGS_FILE)
    except Unreadable as error:
        yield unreadable(root, error, "settings")
    except BadInput as error:
        yield Finding(
            SETTINGS_FILE,
            "settings",
            "damaged",
            str(error),
            "mend it by hand, or put back a copy: it holds your choices, which nothing else knows",
        )


def _tables(root: Path) -> Iterator[Finding]:
    """Results of an earlier revision, and those that other programs would look for in vain."""
    if (document := evaluation_document.load(Store(root / STORE))) is not None:
        for name, why in lost_files(root / "results", document).items():
            remedy = f"run {Home(root).in_words(EVALUATE)}, which writes it again; the store has all of it"
            yield Finding(f"results/{name}", "table", "to be made", why, remedy)
    remedy = f"run {Home(root).in_words(MADE_BY[SIMILARITIES])}, which compares again"
    if is_damaged(root / SIMILARITIES):
        yield Finding(SIMILARITIES, "table", "to be made", "it is not whole", remedy)
    if earlier := outdated_similarities(root / SIMILARITIES):
        yield Finding(SIMILARITIES, "table", "to be made", earlier, remedy)


def _history(root: Path) -> Iterator[Finding]:
    """Earlier evaluations, of variants too, that are not whole; no table of now rests on them."""
    for folder in [root, *(path for path in inside(root / VARIANTS) if path.is_dir())]:
        for path in inside(folder / "results" / HISTORY):
            if path.suffix == ".json" and history.read(path) is None:
                remedy = "nothing else has it; the tables of now are not concerned"
                place = path.relative_to(root).as_posix()
                yield Finding(place, "history", "damaged", "it holds no whole evaluation", remedy)
