"""Where a stored case comes from: its file as it is now, and the settings by which it was imported."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from clisc_engine.files.words import shell_word
from clisc_engine.imaging.source import hash_of
from clisc_engine.products.kinds import IMAGE, REFERENCE
from clisc_engine.project.case_record import CaseInfo
from clisc_engine.project.project import CaseArrays
from clisc_engine.project.store import Seal
from clisc_engine.settings.schema import ImageSettings


def source_problem(info: CaseInfo, array: str) -> str:
    """Why a case's image or reference cannot be made again from its file; empty when it can.

    Raises:
        BadInput: when that file cannot be read.
    """
    source, sha256 = (
        (info.reference_source, info.reference_sha256) if array == REFERENCE else (info.source, info.sha256)
    )
    if not source or not Path(source).exists():
        return f"its source {source or '(not recorded)'} is not there"
    changed = hash_of(Path(source)) != sha256
    return f"its source {source} has changed since it was imported" if changed else ""


def images_not_as_imported(cases: Sequence[CaseArrays]) -> dict[str, str]:
    """The cases whose image is no longer the file that was imported, each with the reason.

    Raises:
        BadInput: when a file cannot be read.
    """
    return {case.info.name: why for case in cases if (why := source_problem(case.info, IMAGE))}


def init_again(cases: Sequence[CaseArrays]) -> str:
    """The command that tells a project where its images lie now."""
    return f"clisc init {shell_word(cases[0].store.home.project)} --images WHERE"


def settings_of_import(seal: Seal | None, default: ImageSettings) -> ImageSettings:
    """The settings with which an image was imported, as its seal tells; without one, the default."""
    if seal is None:
        return default
    try:
        recorded = {
            key.removeprefix("image."): json.loads(value)
            for key, value in seal.made_from.items()
            if key.startswith("image.")
        }
        return ImageSettings.model_validate(recorded)
    except ValueError:
        return default
