"""One case's import: read, check, normalise and store; and the same again for an array that was lost."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clisc_engine.core.brain import brain_of
from clisc_engine.errors import BadInput
from clisc_engine.imaging.background import find_background
from clisc_engine.imaging.geometry import Geometry, Volume
from clisc_engine.imaging.orientation import told_of_slices
from clisc_engine.imaging.placement import Placement, restore
from clisc_engine.imaging.preprocess import preprocess
from clisc_engine.imaging.references import read_reference
from clisc_engine.imaging.source import check_source, hash_of
from clisc_engine.imaging.volume import read_volume
from clisc_engine.importing.brains import Brain, Brains, kept_brain
from clisc_engine.importing.casefiles import CaseFiles
from clisc_engine.importing.origin import settings_of_import, source_problem
from clisc_engine.products.kinds import IMAGE, REFERENCE
from clisc_engine.project.case_record import CaseInfo, recorded
from clisc_engine.project.fingerprint import fingerprint
from clisc_engine.project.project import Project
from clisc_engine.project.references import SOURCE_GRID
from clisc_engine.project.store import Seal
from clisc_engine.settings.schema import ImageSettings

Image = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Normalised:
    """A volume as the store holds it.

    Attributes:
        image: (Z, Y, X).
        placement: in its file.
        notes: sentences for the user.
    """

    image: Image
    placement: Placement
    notes: tuple[str, ...]


def import_case(
    project: Project, files: CaseFiles, split: str, brains: Brains | None = None
) -> tuple[str, ...]:
    """Import a case, unless it is stored already just so; with ``brains`` a volume with its skull.

    Returns:
        What the user is to be told of its files, a sentence each.

    Raises:
        BadInput: when a file cannot be used.
    """
    settings = project.settings.image
    for path in filter(None, (files.image, files.reference)):
        _check(path)
    info = CaseInfo(
        name=files.name,
        split=split,
        spacing=(0.0, 0.0, 0.0),
        placement={},
        source=str(files.image.absolute()),
        sha256=hash_of(files.image),
        has_reference=files.reference is not None,
        reference_source=str(files.reference.absolute()) if files.reference else "",
        reference_sha256=hash_of(files.reference) if files.reference else "",
        channel=files.channel,
    )
    ready = brains.fresh(info) if brains else None
    if (brains is None or ready) and _is_stored(project, info, settings, ready):
        return ()
    brain = brains.of(info) if brains else None
    normalised = _read(info, settings, brain)
    info = _placed(info, normalised.placement)
    told: tuple[str, ...] = ()
    if files.reference is not None:
        told = store_reference(project, info, normalised.image, settings)
    _store_image(project, info, normalised.image, settings, brain)
    return (*normalised.notes, *told)


def check_case(files: CaseFiles, settings: ImageSettings, *, extracted: bool = False) -> tuple[str, ...]:
    """Read a case's files as an import would, and store nothing.

    Args:
        files: the case's.
        settings: of the project.
        extracted: whether the brain is yet to be extracted, so that skull and surroundings are no faults.

    Returns:
        What the user is to be told of its files.

    Raises:
        BadInput: when the import would refuse them.
    """
    for path in filter(None, (files.image, files.reference)):
        _check(path)
    if extracted:
        volume = read_volume(files.image, files.channel)
        notes = (*volume.notes, *told_of_slices(files.image, volume.geometry))
        grid, brain = volume.geometry, np.ones(volume.array.shape, bool)
    else:
        found = read_normalised(files.image, files.channel, settings)
        notes, grid = found.notes, found.placement.source
        brain = _brain_in_file(found.image, found.placement)
    if (mask := files.reference) is None:
        return notes
    return (*notes, *_reference_of(mask, grid, brain, same=hash_of(mask) == hash_of(files.image)).notes)


def import_reference(
    project: Project, staged: Project, name: str, path: Path
) -> tuple[CaseInfo, tuple[str, ...]]:
    """Import a mask for a case that the project has, into another place.

    Args:
        project: has the case.
        staged: where the mask is put.
        name: the case's.
        path: the mask.

    Returns:
        The case's record with this mask, and what the user is to be told of it, a sentence each.

    Raises:
        BadInput: when the file cannot be used.
    """
    _check(path)
    case = project.case(name)
    info = replace(
        case.info,
        has_reference=True,
        reference_source=str(path.absolute()),
        reference_sha256=hash_of(path),
    )
    settings = settings_of_import(case.seal("image"), project.settings.image)
    return info, store_reference(staged, info, _image_of(project, case.info, settings), settings)


def import_again(project: Project, info: CaseInfo, array: str, settings: ImageSettings) -> None:
    """Make a case's image or reference again from the file that it came from.

    Raises:
        BadInput: when that file is gone, has changed, or cannot be used.
    """
    if problem := source_problem(info, array):
        raise BadInput(problem)
    if array == REFERENCE:
        store_reference(project, info, _image_of(project, info, settings), settings)
    else:
        brain = kept_brain(project.base.root, info)
        normalised = _read(info, settings, brain)
        _store_image(project, _placed(info, normalised.placement), normalised.image, settings, brain)


def store_reference(
    project: Project, info: CaseInfo, image: Image, settings: ImageSettings
) -> tuple[str, ...]:
    """Read a case's mask from its file, check it against the (Z, Y, X) stored image, and store it.

    Returns:
        What is to be said of it.

    Raises:
        BadInput: when it cannot be the mask of a tumour in this image.
    """
    same = info.reference_sha256 == info.sha256
    placement = Placement.from_dict(info.placement)
    brain = _brain_in_file(image, placement)
    read = _reference_of(Path(info.reference_source), placement.source, brain, same=same)
    provenance = _reference_provenance(info, settings)
    project.add_reference(info.name, read.array, Seal.now("init", fingerprint(provenance), provenance))
    return read.notes


def _brain_in_file(image: Image, placement: Placement) -> npt.NDArray[np.bool_]:
    """The brain of a stored image (Z, Y, X) on the grid of its file."""
    return restore(brain_of(image), placement)


def _reference_of(path: Path, grid: Geometry, brain: npt.NDArray[np.bool_], *, same: bool) -> Volume:
    """The mask in a file for an image with this brain; ``same`` is whether the file is the image's."""
    if not same:
        return read_reference(path, grid, brain)
    raise BadInput(f"{path} is the image itself, so it cannot be its reference mask.")


def read_normalised(
    path: Path,
    channel: int | None,
    settings: ImageSettings,
    go_on: str = "--set image.allow_skull=true",
    brain: npt.NDArray[np.bool_] | None = None,
) -> Normalised:
    """A volume as the store holds it, its placement in the file, and what is to be said of it.

    ``channel`` is the volume of a 4-D file, ``go_on`` the option that lets volumes with a skull pass, for
    the message. Of a volume with a ``brain`` (Z, Y, X), all else is background.

    Raises:
        BadInput: when the file cannot be used, or looks not skull-stripped.
    """
    volume = read_volume(path, channel)
    if brain is not None:
        volume = replace(volume, array=np.where(brain, volume.array, np.float32(0)))
    return normalised(volume, path, settings, go_on, stripped=brain is not None)


def normalised(
    volume: Volume, path: Path, settings: ImageSettings, go_on: str, *, stripped: bool = False
) -> Normalised:
    """The same of a volume that is read already; ``path`` is what messages call it.

    Raises:
        BadInput: when it cannot be used, or looks not skull-stripped though it was not ``stripped`` here.
    """
    background = find_background(volume.array, volume.source)
    if not settings.allow_skull and not stripped and not background.surrounds:
        raise BadInput(
            f"{path} looks not skull-stripped. Extract the brain first, e.g. with HD-BET, "
            "SynthStrip or FSL BET (`clisc init --brain-extraction` runs them), or take it as it is with "
            f"{go_on}."
        )
    image, _, placement = preprocess(
        volume,
        clip_percentile=settings.clip_percentile,
        resample_in_plane=settings.resample_in_plane or None,
    )
    notes = (*volume.notes, *told_of_slices(path, volume.geometry), *background.told(path))
    return Normalised(image.astype(np.float16), placement, notes)


def _check(path: Path) -> None:
    """Refuse what cannot be hashed, or whose path the store cannot keep."""
    check_source(path)
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:
        raise BadInput(f"{path!r} has a folder whose name is not UTF-8; rename it.") from None


def _read(info: CaseInfo, settings: ImageSettings, brain: Brain | None) -> Normalised:
    mask = None if brain is None else brain.mask()
    return read_normalised(Path(info.source), info.channel, settings, brain=mask)


def _placed(info: CaseInfo, placement: Placement) -> CaseInfo:
    """The case's record with its place in the source."""
    return replace(info, spacing=placement.spacing, placement=placement.to_dict())


def _store_image(
    project: Project, info: CaseInfo, image: Image, settings: ImageSettings, brain: Brain | None
) -> None:
    provenance = _image_provenance(info, settings, brain)
    project.add_case(info, image, Seal.now("init", fingerprint(provenance), provenance))


def _image_of(project: Project, info: CaseInfo, settings: ImageSettings) -> Image:
    """The case's image as it is stored, or as it would be where that one is damaged."""
    try:
        stored: Image = project.case(info.name).read("image")
    except BadInput:
        return _read(info, settings, kept_brain(project.base.root, info)).image
    return stored


def _image_provenance(
    info: CaseInfo, settings: ImageSettings, brain: Brain | None = None
) -> dict[str, str]:
    used = {f"image.{key}": json.dumps(value) for key, value in settings.model_dump().items()}
    chosen = {} if info.channel is None else {"channel": str(info.channel)}
    stripped = {} if brain is None else {"brain": brain.sha256}
    return {**used, "source": info.sha256, **chosen, **stripped}


def _reference_provenance(info: CaseInfo, settings: ImageSettings) -> dict[str, str]:
    return {**_image_provenance(info, settings), "reference": info.reference_sha256, "grid": SOURCE_GRID}


def _is_stored(project: Project, info: CaseInfo, settings: ImageSettings, brain: Brain | None) -> bool:
    """Whether an earlier call that was interrupted stored this very case."""
    before = recorded(project.store, info.name)
    if before is None or replace(before, spacing=info.spacing, placement={}) != info:
        return False
    expected = {IMAGE: _image_provenance(info, settings, brain)}
    if info.has_reference:
        expected[REFERENCE] = _reference_provenance(info, settings)
    stamps = {array: project.store.stamp(f"cases/{info.name}/{array}") for array in expected}
    found = {array: stamp.fingerprint for array, stamp in stamps.items() if stamp}
    return found == {array: fingerprint(provenance) for array, provenance in expected.items()}
