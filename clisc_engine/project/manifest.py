"""The manifest of cases: which cases a project has, sealed by whatever imports, moves or removes one.

It lies in the store beside the cases' folders (``cases.json``), so that a folder that is gone or renamed
is missed, and holds a copy of each case's record, so that it can be had again. A case counts by its folder;
the manifest only tells of what should be there. A project of 0.1.0 has none until a command takes its lock.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from clisc_engine.files.atomic import disk_faults, write_atomically
from clisc_engine.files.collecting import collection_paused
from clisc_engine.files.reading import read_if_there
from clisc_engine.project.array_files import parsed
from clisc_engine.project.case_record import CaseInfo, recorded
from clisc_engine.project.store import Store

FILE = "cases.json"
FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """Which cases there are, and which were taken out.

    Attributes:
        cases: a copy of each case's record, by name.
        removed: names that were cases and were removed or renamed, each with the time.
        renamed: of the renamed ones whose case is still there, the name that each was given.
    """

    cases: Mapping[str, CaseInfo] = field(default_factory=dict)
    removed: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)

    def with_changes(
        self, present: Iterable[CaseInfo] = (), gone: Iterable[str] = (), renamed: Mapping[str, str] = {}
    ) -> Manifest:
        """The manifest with these records in place, and without the cases that are gone.

        ``renamed`` has the new names of those that are there under another one, by the old ones.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        new = {info.name: info for info in present}
        out = [name for name in gone if name not in new]
        cases = {name: info for name, info in {**self.cases, **new}.items() if name not in out}
        removed = {**self.removed, **dict.fromkeys(out, now)}
        other = new.keys() - self.cases.keys()  # what bore that name before was another case
        kept = {old: to for old, to in self.renamed.items() if not other & {old, to}}
        known = Manifest(
            dict(sorted(cases.items())),
            {name: at for name, at in removed.items() if name not in new},
            {**kept, **renamed},
        )
        return replace(known, renamed={old: to for old, to in known.renamed.items() if known.leads_on(to)})

    def leads_on(self, name: str) -> bool:
        """Whether this name is a case's, or was one's that is still there under another name."""
        for _ in range(len(self.renamed) + 1):
            if name in self.cases:
                return True
            name = self.renamed.get(name, "")
        return False


def read(store: Store) -> Manifest | None:
    """The store's manifest; None when there is none, or one that is not whole (`problem`).

    Raises:
        Unreadable: when it is there and cannot be read now.
    """
    text = read_if_there(_bottom(store).root / FILE)
    return None if text is None else _parse(text)


def problem(store: Store) -> str:
    """What is wrong with the manifest; empty when nothing is, or there is none.

    Raises:
        Unreadable: when it is there and cannot be read now.
    """
    text = read_if_there(_bottom(store).root / FILE)
    return "its seal does not fit what it lists" if text is not None and _parse(text) is None else ""


def write(store: Store, manifest: Manifest) -> None:
    """Put the manifest into the store.

    Raises:
        DiskFault: when the disk does not take it.
    """
    store.check_may_write()
    body: dict[str, Any] = {
        "format": FORMAT,
        "cases": {name: asdict(info) for name, info in manifest.cases.items()},
        "removed": dict(manifest.removed),
        **({"renamed": dict(manifest.renamed)} if manifest.renamed else {}),
    }
    text = json.dumps({**body, "seal": _seal(body)}, indent=1)
    with disk_faults(store.root):
        store.root.mkdir(parents=True, exist_ok=True)
    write_atomically(store.root / FILE, text.encode())


def of_store(store: Store) -> Manifest:
    """What a manifest would list by the folders that are there now, each by its own name."""
    records = _records(store)
    return Manifest({name: info for name, info in records.items() if info.name == name})


def note(
    store: Store,
    present: Iterable[CaseInfo] = (),
    gone: Iterable[str] = (),
    renamed: Mapping[str, str] = {},
) -> None:
    """Write the manifest with these changes; one that lacks or is not whole is made from the folders."""
    write(store, (read(store) or of_store(store)).with_changes(present, gone, renamed))


def bring_up_to_date(store: Store) -> None:
    """Give an older project its manifest, and list cases that an interrupted import has left unlisted.

    Nothing happens to a manifest that is not whole, which is for `verify --repair`, and where no cases are.
    """
    text = read_if_there(_bottom(store).root / FILE)
    known = None if text is None else _parse(text)
    if (text is not None and known is None) or not (store.root / "cases").is_dir():
        return
    if known is not None and known.cases.keys() >= set(store.children("cases")):
        return  # records need not be read where every folder is listed
    unlisted = [
        info for name, info in of_store(store).cases.items() if known is None or name not in known.cases
    ]
    if known is None or unlisted:
        note(store, unlisted)


def _records(store: Store) -> dict[str, CaseInfo]:
    """The records that the cases' folders hold, by the folders' names."""
    found: dict[str, CaseInfo] = {}
    for name in store.children("cases"):
        if info := recorded(store, name):
            found[name] = info
    return found


@functools.lru_cache(maxsize=1)
@collection_paused()
def _parse(text: bytes) -> Manifest | None:
    """The manifest in a file's text, which a call reads several times; None when it is not whole."""
    found = parsed(text)
    if not isinstance(found, dict):
        return None
    body = {key: found.get(key) for key in ("format", "cases", "removed")}
    body |= {key: found[key] for key in ("renamed",) if key in found}
    if found.get("seal") != _seal(body) or body["format"] != FORMAT:
        return None
    cases = {name: CaseInfo.parse(record) for name, record in (body["cases"] or {}).items()}
    whole = {name: info for name, info in cases.items() if info is not None and info.name == name}
    if len(whole) < len(cases):
        return None
    return Manifest(whole, body["removed"] or {}, body.get("renamed") or {})


def _seal(body: Mapping[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _bottom(store: Store) -> Store:
    """The project's own store, under those of its variants."""
    return store if store.below is None else _bottom(store.below)
