"""Files to segment, the files that come of them, and the record that tells which are up to date."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from clisc_engine.case_names import Names
from clisc_engine.control import Control
from clisc_engine.errors import BadInput
from clisc_engine.imaging.casefiles import CaseFiles, case_name
from clisc_engine.imaging.channels import flair_channel
from clisc_engine.imaging.discover import find_cases
from clisc_engine.imaging.volume import write_image, write_mask
from clisc_engine.reading import read_if_there
from clisc_engine.runner import Report, spread
from clisc_engine.stages.importing import hash_of
from clisc_engine.stages.prediction import FileSegmenter, Prediction
from clisc_engine.store import write_atomically

Entry: TypeAlias = dict[str, Any]
"""What the record tells of one volume: its file, its mask's, their volume, and what made it."""

RECORD = "predictions.json"
PART = "predictions.rank-{}.json"
"""What a further rank has made, until rank 0 puts it into the record at the end."""


def find_images(paths: Sequence[Path], channel: str | None = None) -> list[CaseFiles]:
    """The volumes that were named, and those in the folders that were named, by case name.

    ``channel`` is the number or name of the FLAIR channel, as for `find_cases`.

    Raises:
        BadInput: when there is none, or two have the same case name.
    """
    names = Names()
    found: list[CaseFiles] = []
    for path in paths:
        if not path.exists():
            raise BadInput(f"{path} does not exist.")
        if path.is_dir():
            cases = find_cases(str(path), None, channel)
        else:
            cases = [CaseFiles(case_name(path), path, channel=flair_channel(path.parent, channel))]
        found += [replace(case, name=names.take(case.name, str(case.image))) for case in cases]
    return found


def predict_files(
    segmenter: FileSegmenter,
    images: Sequence[CaseFiles],
    out: Path,
    control: Control,
    *,
    probabilities: bool,
) -> tuple[Report, dict[str, Entry]]:
    """Write ``<case>_seg.nii.gz`` into the folder ``out`` for each volume; bad ones are reported.

    A volume whose result is already there, from the same file by the same network, is left as it is.
    Ranks share the volumes.

    Returns:
        What was done, and by case the entries of ``out``'s predictions.json; the same on every rank.

    Raises:
        BadInput: when the only volume cannot be used.
    """
    out.mkdir(parents=True, exist_ok=True)
    started, ranks = time.monotonic(), control.ranks
    entries = ranks.share(lambda: _put_together(out, recorded(out)))
    folder = _Folder(segmenter, out, probabilities, ranks.rank, control.progress.say, entries)
    by_name = {case.name: case for case in images}
    made, failed = spread(
        "predict", by_name, lambda case: folder.predict(case, force=control.force), control, unit="volume"
    )
    if failed and len(images) == 1:
        raise BadInput(next(iter(failed.values())))
    entries = {**entries, **{name: entry for name, entry in made.items() if entry}}
    if ranks.rank == 0:
        _put_together(out, entries)
    report = Report("predict", failed=failed, seconds=ranks.share(lambda: time.monotonic() - started))
    for name, entry in made.items():
        (report.done if entry else report.fresh).append(name)
    return report, {name: entries[name] for name in by_name if name in entries}


def write_prediction(prediction: Prediction, mask: Path, probability: Path | None) -> None:
    """Write a result as image files on its own grid."""
    mask.parent.mkdir(parents=True, exist_ok=True)
    if probability is not None:
        write_image(probability, prediction.probability, prediction.geometry)
    write_mask(mask, prediction.mask, prediction.geometry)


def recorded(out: Path) -> dict[str, Entry]:
    """The entries of earlier calls; those that are not whole are left out, so their volumes come anew."""
    entries: dict[str, Entry] = {}
    for path in (out / RECORD, *_parts(out)):
        entries |= _whole(path)
    return entries


@dataclass(frozen=True)
class _Folder:
    """The folder that results go to, and this rank's record of it.

    Attributes:
        segmenter: makes them.
        out: the folder.
        probabilities: whether each mask gets its probability beside it.
        say: takes the sentences about a volume's file.
        rank: this one; further ones than 0 note what they make in a part of their own.
        before: the entries of earlier calls.
        made: this rank's own, by case name.
    """

    segmenter: FileSegmenter
    out: Path
    probabilities: bool
    rank: int
    say: Callable[[str], None]
    before: Mapping[str, Entry]
    made: dict[str, Entry] = field(default_factory=dict)

    def predict(self, case: CaseFiles, *, force: bool) -> Entry | None:
        """Segment one volume and note it; None when its result is there already."""
        mask = self.out / f"{case.name}_seg.nii.gz"
        probability = self.out / f"{case.name}_probability.nii.gz" if self.probabilities else None
        digest = hash_of(case.image) if case.image.is_file() else ""
        made_from = {"network": self.segmenter.identity, "image": digest}
        if case.channel is not None:
            made_from["channel"] = str(case.channel)
        complete = mask.is_file() and (probability is None or probability.is_file())
        same = self.before.get(case.name, {}).get("made_from") == made_from
        if digest and complete and same and not force:
            return None
        prediction = self.segmenter.predict(case.image, case.channel)
        write_prediction(prediction, mask, probability)
        for note in prediction.notes:
            self.say(note)
        entry = {
            "image": str(case.image),
            "mask": mask.name,
            "volume_ml": round(prediction.volume_ml, 3),
            "made_from": made_from,
        }
        self.made[case.name] = entry
        if self.rank:
            _write(self.out / PART.format(self.rank), self.made)
        else:
            _write(self.out / RECORD, {**self.before, **self.made})
        return entry


def _put_together(out: Path, entries: dict[str, Entry]) -> dict[str, Entry]:
    """Make these the one record where ranks left parts, for no part may outlive what it tells of."""
    parts = _parts(out)
    if parts:
        _write(out / RECORD, entries)
    for part in parts:
        part.unlink()
    return entries


def _parts(out: Path) -> list[Path]:
    return sorted(out.glob(PART.format("*")))


def _write(path: Path, entries: Mapping[str, Entry]) -> None:
    write_atomically(path, json.dumps(entries, indent=1).encode())


def _whole(path: Path) -> dict[str, Entry]:
    text = read_if_there(path)
    try:
        found = json.loads(text or b"")
    except (ValueError, RecursionError):
        return {}
    keys = {"image", "mask", "volume_ml", "made_from"}
    entries = found.items() if isinstance(found, dict) else ()
    return {
        name: entry
        for name, entry in entries
        if isinstance(entry, dict)
        and entry.keys() == keys
        and isinstance(entry["mask"], str)
        and isinstance(entry["volume_ml"], float)
    }
