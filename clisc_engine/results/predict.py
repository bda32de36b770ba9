"""Many volumes segmented into a folder, with a record there of which masks are up to date."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from clisc_engine.errors import BadInput
from clisc_engine.importing.casefiles import CaseFiles
from clisc_engine.outputs.inputs import Inputs
from clisc_engine.outputs.outputs import Outputs
from clisc_engine.results.predict_adopt import untouched_files_of_0_1_0
from clisc_engine.results.predict_file import BY_FORCE, WAY_OUT, made_from_file, write_prediction
from clisc_engine.results.predict_record import (
    PART,
    RECORD,
    Entry,
    check_record,
    made_from_of,
    put_together,
    recorded,
    write_record,
)
from clisc_engine.results.segmenter import FileSegmenter
from clisc_engine.running.control import Control
from clisc_engine.running.runner import Report
from clisc_engine.running.sharing import spread


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
            way that clisc did not write, or that are masks of other images of the same name.
    """
    started, ranks = time.monotonic(), control.ranks
    kept = Inputs(case.image for case in images) | (inputs or Inputs(()))
    outputs = Outputs(kept, WAY_OUT, by_force=BY_FORCE, force=control.force)
    before = ranks.share(lambda: recorded(out))
    folder = _Folder(segmenter, out, probabilities, control, outputs, before)
    adopted, fresh = ranks.share(lambda: folder.check(images))
    for name in adopted:
        outputs.adopt(out / name)
    entries = ranks.share(lambda: put_together(out, folder.before))
    folder = replace(folder, before=entries, fresh=frozenset(fresh))
    if len(fresh) < len(images):
        segmenter.load()
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


NAMED = 5
"""Masks of other images that are named."""


@dataclass(frozen=True)
class _Folder:
    """The folder that results go to, and this rank's record of it.

    Attributes:
        segmenter: makes them.
        out: the folder.
        probabilities: whether each mask gets its probability beside it.
        control: says things; whether to make anew what is there; ranks other than 0 keep a record of
            their own until the end.
        outputs: decides whether a file may be written.
        before: the entries of earlier calls.
        fresh: names of the cases whose results are there already.
        made: this rank's own, by case name.
    """

    segmenter: FileSegmenter
    out: Path
    probabilities: bool
    control: Control
    outputs: Outputs
    before: Mapping[str, Entry]
    fresh: frozenset[str] = frozenset()
    made: dict[str, Entry] = field(default_factory=dict)

    def check(self, images: Sequence[CaseFiles]) -> tuple[list[str], list[str]]:
        """Refuse to begin when a file is in the way.

        Returns:
            Names of the files that clisc 0.1.0 wrote, and of the cases whose results are there already.
        """
        check_record(self.out / RECORD)
        adopted = list(untouched_files_of_0_1_0(self.out, self.before, self.outputs))
        for name in adopted:
            self.outputs.adopt(self.out / name)
        planned, fresh = [], [case.name for case in images if self._is_fresh(case)]
        for case in images:
            files = self._files(case)
            if case.name in fresh and any(map(self.outputs.why_not, files)):
                if self.outputs.is_changed(files[0]):
                    self.control.progress.say(f"{files[0]} was changed by hand; it stays as it is.")
            else:
                planned += files
        self.outputs.check(planned)
        if others := [why for case in images if case.name not in fresh and (why := self._of_another(case))]:
            raise BadInput(f"{'; '.join(others[:NAMED])}. {self.outputs.way_out}")
        return adopted, fresh

    def _of_another(self, case: CaseFiles) -> str:
        """That the mask in the place of a case's is of another image that has the same name, if it is."""
        before, mask = self.before.get(case.name), self._files(case)[0]
        if before is None or self.control.force or not mask.is_file():
            return ""
        if os.path.realpath(before["image"]) == os.path.realpath(case.image):  # that has changed meanwhile
            return ""
        earlier = made_from_of(before).get("image")
        with suppress(BadInput):  # a volume that cannot be read is told when its turn comes
            if earlier and earlier == self._made_from(case)["image"]:
                return ""
        return f"{mask} is the mask of {before['image']}, and not of {case.image}"

    def predict(self, case: CaseFiles) -> Entry | None:
        """Segment one volume and note it; None when its result is there already."""
        if case.name in self.fresh:
            return None
        mask, *others = self._files(case)
        made_from = self._made_from(case)
        prediction = self.segmenter.predict(case.image, case.channel)
        noted = made_from | self.segmenter.arithmetic()
        write_prediction(self.outputs, prediction, mask, others[0] if others else None, noted)
        for note in prediction.notes:
            self.control.progress.say(note)
        entry = {
            "image": str(case.image),
            "mask": mask.name,
            "volume_ml": round(prediction.volume_ml, 3),
            "made_from": made_from,
        }
        self.made[case.name] = entry
        if rank := self.control.ranks.rank:
            write_record(self.out / PART.format(rank), self.made)
        else:
            write_record(self.out / RECORD, {**self.before, **self.made})
        return entry

    def _files(self, case: CaseFiles) -> list[Path]:
        """The mask, and the probability if it is asked for."""
        kinds = ("seg", "probability") if self.probabilities else ("seg",)
        return [self.out / f"{case.name}_{kind}.nii.gz" for kind in kinds]

    def _made_from(self, case: CaseFiles) -> dict[str, str]:
        return made_from_file(self.segmenter, case)

    def _is_fresh(self, case: CaseFiles) -> bool:
        if self.control.force or not all(file.is_file() for file in self._files(case)):
            return False
        try:
            made_from = self._made_from(case)
        except BadInput:  # its volume cannot be read, which is said when its turn comes
            return False
        same = self.before.get(case.name, {}).get("made_from") == made_from
        return bool(made_from["image"]) and same
