"""What `clisc trust` found of each case, and whether it still holds: results/trust.json, and as CSV."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from pydantic import TypeAdapter, ValidationError

from clisc_engine.core.trust import Calibration
from clisc_engine.files.atomic import disk_faults, write_atomically
from clisc_engine.files.reading import read_if_there
from clisc_engine.files.tables import write_table
from clisc_engine.models.weights import bundled
from clisc_engine.products.graph import TABLES
from clisc_engine.products.kinds import TRUST, TRUST_TABLE
from clisc_engine.project.fingerprint import fingerprint, settings_used
from clisc_engine.project.project import CaseArrays, Project

CALIBRATION = "trust.json"
"""The bundled calibration, beside the bundled weights."""
COLUMNS = ("case", "split", "expected_dsc_percent", "low", "high", "volume_ml")
COMPARED = TABLES[TRUST].inputs
"""The arrays of a case that its trust rests on."""


@dataclass(frozen=True)
class Trusted:
    """How far a case's final mask may be trusted.

    Attributes:
        made_from: fingerprint of what this was told from.
        agreements: of the final mask with each step before it (`core.trust.agreements`).
        dsc: the DSC to expect, in percent.
        low: lower end of the interval, in percent.
        high: upper end.
        ml: volume of the final mask.
    """

    made_from: str
    agreements: Mapping[str, float]
    dsc: float
    low: float
    high: float
    ml: float


_BY_IDENTITY = TypeAdapter(dict[str, Trusted])


def calibration() -> Calibration:
    """The bundled calibration; docs/trust.md says on which volumes it was fitted."""
    return TypeAdapter(Calibration).validate_json(bundled(CALIBRATION).read_bytes())


def made_from(project: Project, case: CaseArrays) -> str:
    """Fingerprint of all that a case's trust follows from; empty when an array is missing."""
    seals = {name: case.seal(name) for name in COMPARED}
    if not all(seals.values()):
        return ""
    prints = {name: seal.fingerprint for name, seal in seals.items() if seal}
    used = settings_used(project.settings, *TABLES[TRUST].settings)
    return fingerprint(prints | used | {CALIBRATION: bundled(CALIBRATION).read_text(encoding="utf-8")})


def holding(project: Project) -> dict[str, Trusted]:
    """What was found and still holds, by case, the least trusted first; empty before `clisc trust`."""
    try:
        entries = _BY_IDENTITY.validate_json(read_if_there(project.file(TRUST)) or b"{}")
    except ValidationError:  # somebody wrote into it: `clisc trust` makes it anew
        return {}
    found: dict[str, Trusted] = {}
    for case in project.cases() if entries else ():
        entry = entries.get(case.info.identity)
        if entry is not None and entry.made_from == made_from(project, case):
            found[case.info.name] = entry
    return dict(sorted(found.items(), key=lambda item: (item[1].dsc, item[0])))


def keep(project: Project, found: Mapping[str, Trusted]) -> None:
    """Write what was found of cases by name: for programs by the name of their import, and as a table.

    Raises:
        DiskFault: when the disk does not take it.
    """
    ranked = sorted(found.items(), key=lambda item: (item[1].dsc, item[0]))
    infos = {name: project.case(name).info for name, _ in ranked}
    with disk_faults(project.results):
        project.results.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "case": name,
            "split": infos[name].split,
            "expected_dsc_percent": f"{entry.dsc:.1f}",
            "low": f"{entry.low:.1f}",
            "high": f"{entry.high:.1f}",
            "volume_ml": f"{entry.ml:.2f}",
        }
        for name, entry in ranked
    ]
    write_table(project.root / TRUST_TABLE, COLUMNS, rows)
    by_identity = {infos[name].identity: asdict(entry) for name, entry in ranked}
    write_atomically(project.root / TRUST, json.dumps(by_identity, indent=1).encode())
