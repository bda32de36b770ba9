"""Files to segment, the files that come of them, and the record that tells which are up to date."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from clisc_engine.errors import BadInput
from clisc_engine.files.case_names import Names, why_no_case_name
from clisc_engine.imaging.endings import ending_of
from clisc_engine.imaging.references import read_mask
from clisc_engine.imaging.volume import write_image, write_mask
from clisc_engine.importing.casefiles import CaseFiles, case_name
from clisc_engine.importing.cases import hash_of
from clisc_engine.importing.channels import flair_channel
from clisc_engine.importing.discover import find_cases
from clisc_engine.outputs.outputs import Inputs, Made, Outputs
from clisc_engine.results.predict_record import (
    PART,
    RECORD,
    Entry,
    check_record,
    put_together,
    recorded,
    write_record,
)
from clisc_engine.results.segmenter import FileSegmenter, Prediction
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Report, spread

WAY_OUT = "Choose another folder or file with -o, or replace masks that are no inputs with --force."


def find_images(
    paths: Sequence[Path],
    channel: str | None = None,
    unnamed: dict[Path, str] | None = None,
    remarks: list[str] | None = None,
) -> list[CaseFiles]:
    """The volumes that were named, and those in the folders that were named, by case name.

    Args:
        paths: files and folders.
        channel: the number or name of the FLAIR channel, as for `find_cases`.
        unnamed: gets the files whose names cannot be case names, each with the reason.
        remarks: gets what is to be said of folders of which not all images are taken.

    Raises:
        BadInput: when there is none, or two have the same case name; without ``unnamed``, also for a name
            that cannot be a case name.
    """
    names = Names()
    found: list[CaseFiles] = []
    for path in paths:
        if not path.exists():
            raise BadInput(f"{path} does not exist.")
        cases = _cases_at(path, channel, unnamed, remarks)
        found += [replace(case, name=names.take(case.name, str(case.image))) for case in cases]
    return found


def find_the_image(paths: Sequence[Path], channel: str | None = None) -> list[CaseFiles]:
    """The same for a mask that has a file name already: the image may be called as it likes."""
    unnamed: dict[Path, str] = {}
    named = find_images(paths, channel, unnamed)
    return [
        *named,
        *(CaseFiles(path.name, path, channel=flair_channel(path.parent, channel)) for path in unnamed),
    ]


def predict_files(
    segmenter: FileSegmenter,
    images: Sequence[CaseFiles],
    out: Path,
    control: Control,
    *,
    probabilities: bool,
    inputs: Inputs | None = None,
) -> tuple[Report, dict[str, Entry]]:
    """Write ``<case>_seg.nii.gz`` into the folder ``out`` for each volume; bad ones are reported.

    A volume whose result is already there, from the same file by the same network, is left as it is.
    Ranks share the volumes. ``inputs`` are files that are never replaced, besides the images.

    Returns:
        What was done, and by case the entries of ``out``'s predictions.json; the same on every rank.

    Raises:
        BadInput: when the only volume cannot be used; or, before anything is done, naming the files in the
            way that clisc did not write.
    """
    started, ranks = time.monotonic(), control.ranks
    outputs = Outputs(_read(images) | (inputs or Inputs(())), WAY_OUT, force=control.force)
    before = ranks.share(lambda: recorded(out))
    folder = _Folder(segmenter, out, probabilities, ranks.rank, control, outputs, before)
    for name in ranks.share(lambda: folder.check(images)):
        outputs.adopt(out / name)
    entries = ranks.share(lambda: put_together(out, folder.before))
    folder = replace(folder, before=entries)
    by_name = {case.name: case for case in images}
    made, failed = spread("predict", by_name, folder.predict, control, unit="volume")
    if failed and len(images) == 1:
        raise BadInput(next(iter(failed.values())))
    entries = {**entries, **{name: entry for name, entry in made.items() if entry}}
    if ranks.rank == 0:
        put_together(out, entries)
    report = Report("predict", failed=failed, seconds=ranks.share(lambda: time.monotonic() - started))
    for name, entry in made.items():
        (report.done if entry else report.fresh).append(name)
    return report, {name: entries[name] for name in by_name if name in entries}


def predict_file(
    segmenter: FileSegmenter,
    case: CaseFiles,
    mask: Path,
    outputs: Outputs,
    *,
    probabilities: bool,
) -> Prediction:
    """Write one volume's mask as a file, and beside it its probability if that is asked for."""
    prediction = segmenter.predict(case.image, case.channel)
    probability = probability_beside(mask) if probabilities else None
    write_prediction(outputs, prediction, mask, probability, _made_from(segmenter, case))
    return prediction


def probability_beside(mask: Path) -> Path:
    """Where the probability of a mask goes that has a file name of its own."""
    ending = ending_of(mask)
    return mask.with_name(f"{mask.name.removesuffix(ending)}_probability{ending}")


def outputs_of_one(case: CaseFiles, inputs: Inputs, *, force: bool) -> Outputs:
    """Who decides on one volume's files."""
    return Outputs(inputs | _read([case]), WAY_OUT, force=force)


def write_prediction(
    outputs: Outputs,
    prediction: Prediction,
    mask: Path,
    probability: Path | None,
    made_from: Mapping[str, str],
) -> None:
    """Write a result as image files on its own grid."""
    if probability is not None:
        outputs.put(
            probability,
            lambda new: write_image(new, prediction.probability, prediction.geometry),
            Made("probability", made_from),
        )
    outputs.put(
        mask,
        lambda new: write_mask(new, prediction.mask, prediction.geometry),
        Made("mask", made_from),
    )


@dataclass(frozen=True)
class _Folder:
    """The folder that results go to, and this rank's record of it.

    Attributes:
        segmenter: makes them.
        out: the folder.
        probabilities: whether each mask gets its probability beside it.
        rank: this one; further ones than 0 note what they make in a part of their own.
        control: says things; and whether to make anew what is there.
        outputs: decides whether a file may be written.
        before: the entries of earlier calls.
        made: this rank's own, by case name.
    """

    segmenter: FileSegmenter
    out: Path
    probabilities: bool
    rank: int
    control: Control
    outputs: Outputs
    before: Mapping[str, Entry]
    made: dict[str, Entry] = field(default_factory=dict)

    def check(self, images: Sequence[CaseFiles]) -> list[str]:
        """Refuse to begin when a file is in the way; the files that clisc 0.1.0 wrote, by name."""
        check_record(self.out / RECORD)
        adopted = list(self._of_0_1_0())
        for name in adopted:
            self.outputs.adopt(self.out / name)
        planned = []
        for case in images:
            files = self._files(case)
            if any(map(self.outputs.why_not, files)) and self._is_fresh(case):
                if self.outputs.is_changed(files[0]):
                    self.control.progress.say(f"{files[0]} was changed by hand; it stays as it is.")
            else:
                planned += files
        self.outputs.check(planned)
        return adopted

    def predict(self, case: CaseFiles) -> Entry | None:
        """Segment one volume and note it; None when its result is there already."""
        if self._is_fresh(case):
            return None
        mask, *others = self._files(case)
        made_from = _made_from(self.segmenter, case)
        prediction = self.segmenter.predict(case.image, case.channel)
        write_prediction(self.outputs, prediction, mask, others[0] if others else None, made_from)
        for note in prediction.notes:
            self.control.progress.say(note)
        entry = {
            "image": str(case.image),
            "mask": mask.name,
            "volume_ml": round(prediction.volume_ml, 3),
            "made_from": made_from,
        }
        self.made[case.name] = entry
        if self.rank:
            write_record(self.out / PART.format(self.rank), self.made)
        else:
            write_record(self.out / RECORD, {**self.before, **self.made})
        return entry

    def _files(self, case: CaseFiles) -> list[Path]:
        """The mask, and the probability if it is asked for."""
        kinds = ("seg", "probability") if self.probabilities else ("seg",)
        return [self.out / f"{case.name}_{kind}.nii.gz" for kind in kinds]

    def _is_fresh(self, case: CaseFiles) -> bool:
        if self.control.force or not all(file.is_file() for file in self._files(case)):
            return False
        made_from = _made_from(self.segmenter, case)
        same = self.before.get(case.name, {}).get("made_from") == made_from
        return bool(made_from["image"]) and same

    def _of_0_1_0(self) -> Iterator[str]:
        """Files whose SHA-256 that version did not note, but that nobody seems to have touched since.

        They are no younger than its record, and their masks have the volumes that it tells.
        """
        if not (self.out / RECORD).is_file():
            return
        noted = (self.out / RECORD).stat().st_mtime_ns
        for name, entry in self.before.items():
            mask, probability = (self.out / f"{name}_{kind}.nii.gz" for kind in ("seg", "probability"))
            if mask.name == entry["mask"] and _is_as_noted(mask, noted, entry["volume_ml"], self.outputs):
                yield mask.name
                if probability.is_file() and probability.stat().st_mtime_ns <= noted:
                    yield probability.name


def _made_from(segmenter: FileSegmenter, case: CaseFiles) -> dict[str, str]:
    """The network and the image; of a DICOM folder nothing is told, so that it always comes anew."""
    digest = hash_of(case.image) if case.image.is_file() else ""
    chosen = {} if case.channel is None else {"channel": str(case.channel)}
    return {"network": segmenter.identity, "image": digest, **chosen}


def _is_as_noted(mask: Path, noted: int, volume_ml: float, outputs: Outputs) -> bool:
    """Whether a mask that no record has is no younger than a time, and of this volume."""
    if not mask.is_file() or mask.stat().st_mtime_ns > noted or outputs.is_known(mask):
        return False
    try:
        found = read_mask(mask)
    except BadInput:
        return False
    voxel = float(np.prod(found.geometry.spacing)) / 1000
    return abs(float(found.array.sum()) * voxel - volume_ml) <= 6e-4 + 1e-6 * volume_ml


def _cases_at(
    path: Path, channel: str | None, unnamed: dict[Path, str] | None, remarks: list[str] | None
) -> list[CaseFiles]:
    if path.is_dir():
        return find_cases(str(path), None, channel, unnamed, remarks)
    name = case_name(path)
    if unnamed is not None and (why := why_no_case_name(name, str(path))):
        unnamed[path] = why
        return []
    return [CaseFiles(name, path, channel=flair_channel(path.parent, channel))]


def _read(images: Sequence[CaseFiles]) -> Inputs:
    return Inputs(case.image for case in images)
