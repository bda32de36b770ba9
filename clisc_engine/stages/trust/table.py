"""What `clisc trust` found of each case, and whether it still holds: results/trust.json, and as CSV."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from pydantic import TypeAdapter, ValidationError

from clisc_engine.core.trust import Calibration, Expected
from clisc_engine.files.atomic import disk_faults, write_atomically
from clisc_engine.files.reading import read_if_there
from clisc_engine.files.tables import write_table
from clisc_engine.models.weights import bundled
from clisc_engine.products.graph import TABLES
from clisc_engine.products.kinds import TRUST, TRUST_TABLE
from clisc_engine.project.fingerprint import fingerprint
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.settings.presets import preset
from clisc_engine.settings.schema import Settings

COLUMNS = ("case", "split", "agreement", "expected_dsc_percent", "low", "high", "volume_ml")
COMPARED = TABLES[TRUST].inputs
"""The arrays of a case that its trust rests on."""


@dataclass(frozen=True)
class Trusted:
    """How far a case's final mask may be trusted.

    Attributes:
        made_from: fingerprint of what this was told from.
        agreement: of SAM's pseudo-label and the final mask, in [0, 1] (`core.filtering.s3f_similarity`).
        ml: volume of the final mask.
    """

    made_from: str
    agreement: float
    ml: float


@dataclass(frozen=True)
class Overview:
    """All that is told of a project's masks, and what it is worth.

    Attributes:
        cases: what was found, by case.
        calibration: by which the DSC to expect follows; None where the settings have none.
    """

    cases: Mapping[str, Trusted]
    calibration: Calibration | None

    @functools.cached_property
    def expected(self) -> dict[str, Expected]:
        """The DSC to expect by case; empty without a calibration."""
        line = self.calibration
        return {name: line.expect(entry.agreement) for name, entry in self.cases.items()} if line else {}

    @property
    def dsc(self) -> dict[str, float]:
        """The DSC to expect, in percent, by case."""
        return {name: one.dsc for name, one in self.expected.items()}


_BY_IDENTITY = TypeAdapter(dict[str, Trusted])


def calibration(settings: Settings) -> Calibration | None:
    """The bundled calibration; None for other ways than the one that it was fitted on.

    How far SAM and the network agree depends on who taught whom: the figures are of the bundled tiny models
    with the bundled network in both, and of masks with the border of the tiny preset (docs/trust.md).
    """
    if _way(settings) != _way(preset("tiny")):
        return None
    return TypeAdapter(Calibration).validate_json(bundled("trust.json").read_bytes())


def _way(settings: Settings) -> tuple[object, ...]:
    """What tells ways apart on which SAM and the network agree as far, or mean as much by it."""
    sam, unet = settings.sam, settings.unet
    models = settings.label.model, sam.model, settings.prompts.region, unet.start
    return *models, sam.border, unet.border, unet.ask_sam


def made_from(case: CaseArrays) -> str:
    """Fingerprint of all that a case's trust follows from; empty when an array is missing."""
    seals = {name: case.stamp(name) for name in COMPARED}
    whole = {name: seal.fingerprint for name, seal in seals.items() if seal}
    return fingerprint(whole) if len(whole) == len(seals) else ""


def holding(project: Project) -> dict[str, Trusted]:
    """What was found and still holds, by case, the least trusted first; empty before `clisc trust`."""
    try:
        entries = _BY_IDENTITY.validate_json(read_if_there(project.file(TRUST)) or b"{}")
    except ValidationError:  # somebody wrote into it: `clisc trust` makes it anew
        return {}
    found: dict[str, Trusted] = {}
    for case in project.cases() if entries else ():
        entry = entries.get(case.info.identity)
        if entry is not None and entry.made_from == made_from(case):
            found[case.info.name] = entry
    return _least_first(found)


def overview(project: Project) -> Overview:
    """What holds of a project's cases, the least trusted first; of no case before `clisc trust`."""
    return Overview(holding(project), calibration(project.settings))


def keep(project: Project, found: Mapping[str, Trusted]) -> None:
    """Write what was found of cases by name: for programs by the name of their import, and as a table.

    Raises:
        DiskFault: when the disk does not take it.
    """
    ranked = _least_first(found)
    infos = {name: project.case(name).info for name in ranked}
    expectations = Overview(found, calibration(project.settings)).expected
    with disk_faults(project.results):
        project.results.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "case": name,
            "split": infos[name].split,
            "agreement": f"{entry.agreement:.4f}",
            "volume_ml": f"{entry.ml:.2f}",
            **_in_figures(expectations.get(name)),
        }
        for name, entry in ranked.items()
    ]
    write_table(project.root / TRUST_TABLE, COLUMNS, rows)
    by_identity = {infos[name].identity: asdict(entry) for name, entry in ranked.items()}
    write_atomically(project.root / TRUST, json.dumps(by_identity, indent=1).encode())


def _least_first(found: Mapping[str, Trusted]) -> dict[str, Trusted]:
    return dict(sorted(found.items(), key=lambda item: (item[1].agreement, item[0])))


def _in_figures(one: Expected | None) -> dict[str, str]:
    figures = (
        ("", "", "") if one is None else tuple(f"{value:.1f}" for value in (one.dsc, one.low, one.high))
    )
    return dict(zip(("expected_dsc_percent", "low", "high"), figures, strict=True))
