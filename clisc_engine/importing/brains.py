"""Brain extraction by a program of the user's; its masks are kept in the project, with what made them.

The command comes from the command line alone and is never kept where it would be run from: a project that
somebody else made runs nothing.
"""

from __future__ import annotations

import errno
import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clisc_engine.errors import BadInput, DiskFault, Unreadable
from clisc_engine.files.atomic import disk_faults, write_atomically
from clisc_engine.files.digest import sha256_of
from clisc_engine.files.reading import object_at
from clisc_engine.imaging.geometry import Volume, difference
from clisc_engine.imaging.preprocess import MIN_BRAIN_VOXELS
from clisc_engine.imaging.volume import read_volume, read_voxels, write_image, write_mask
from clisc_engine.project.case_record import CaseInfo
from clisc_engine.project.project import BRAINS
from clisc_engine.version import VERSION

PRESETS = {
    "hd-bet": "hd-bet -i {input} -o {output}",
    "synthstrip": "mri_synthstrip -i {input} -o {output}",
    "bet": "bet {input} {output}",
}
"""Commands of known programs by name."""

MOST_OF_THE_VOLUME = 0.9
"""What a program marks beyond this share is its output's background, which is not 0, and no brain."""

_POLL = 0.2
_PARTIAL = ".partial-"
_NO_PROGRAM = (errno.ENOEXEC, errno.ENOENT, errno.EACCES)
"""What the system says of a script without its first line, or whose interpreter is not there."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Extraction:
    """How brains are extracted.

    Attributes:
        command: with ``{input}`` and ``{output}``; the output is 0 outside the brain, on the input's grid.
        program: name of its executable.
        program_sha256: of that file, which tells one version from another.
    """

    command: str
    program: str
    program_sha256: str

    @classmethod
    def of(cls, text: str) -> Extraction:
        """From a name in `PRESETS`, or a command.

        Raises:
            BadInput: when it lacks a place for a file, or its program is not there.
        """
        command = PRESETS.get(text, text)
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise BadInput(f"--brain-extraction {text!r} is no command ({error}).") from None
        for place in ("{input}", "{output}"):
            if not any(place in word for word in words):
                raise BadInput(
                    f"--brain-extraction {text!r} has no {place}; give one of {', '.join(PRESETS)}, or a "
                    "command such as 'hd-bet -i {input} -o {output}'."
                )
        program = shutil.which(words[0])
        if program is None:
            raise BadInput(
                f"--brain-extraction: there is no program {words[0]}; install it, or name its path."
            )
        return cls(command, Path(program).name, sha256_of(Path(program)))

    def arguments(self, image: Path, brain: Path) -> list[str]:
        """The command for these files, without a shell."""
        return [
            word.replace("{input}", str(image)).replace("{output}", str(brain))
            for word in shlex.split(self.command)
        ]


@dataclass(frozen=True)
class Brain:
    """A brain mask that is kept.

    Attributes:
        file: the mask, NIfTI on its image's grid.
        sha256: of that file.
    """

    file: Path
    sha256: str

    def mask(self) -> Mask:
        """(Z, Y, X), whether a voxel is brain.

        Raises:
            BadInput: when the file cannot be read.
        """
        return read_voxels(self.file).array != 0


@dataclass(frozen=True)
class Brains:
    """The masks of a project, and how those that are lacking are made.

    Attributes:
        folder: where they are.
        extraction: makes them.
        check_stop: raises when the user wants to stop; asked while a program runs.
    """

    folder: Path
    extraction: Extraction
    check_stop: Callable[[], None]

    def clear(self) -> None:
        """Remove what a call that was killed was at."""
        for left in self.folder.glob(f"{_PARTIAL}*"):
            with disk_faults(left):
                shutil.rmtree(left)

    def leave_no_empty_folder(self) -> None:
        """Remove the folder where it holds no mask, as after a call that failed at its first scan."""
        with suppress(OSError):
            self.folder.rmdir()

    def fresh(self, info: CaseInfo) -> Brain | None:
        """The case's mask if this extraction made it from this very image."""
        return _kept(self.folder, info, asdict(self.extraction))

    def of(self, info: CaseInfo) -> Brain:
        """The case's mask, made if need be.

        Raises:
            BadInput: when the program fails, or gives no brain on the image's grid.
            Stopped: when asked to stop.
        """
        return self.fresh(info) or self._made(info)

    def _made(self, info: CaseInfo) -> Brain:
        volume = read_volume(Path(info.source), info.channel)
        with disk_faults(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=self.folder) as room:
            image, found = Path(room, "image.nii.gz"), Path(room, "brain.nii.gz")
            with disk_faults(image):
                write_image(image, volume.array, volume.geometry)
            self._run(self.extraction.arguments(image, found), Path(room, "said.txt"), info)
            if not found.is_file():
                raise BadInput(f"{info.source}: {self.extraction.program} wrote no {{output}}.")
            read = self._read(found, info)
        if differs := difference(volume.geometry, read.geometry):
            raise BadInput(f"{info.source}: {self.extraction.program} gave another grid: {differs}.")
        brain = read.array != 0
        if what := _no_brain(brain):
            raise BadInput(
                f"{info.source}: {self.extraction.program} found {what}; its output must be 0 outside it."
            )
        mask, record = _files(self.folder, info.name)
        with disk_faults(mask):
            write_mask(mask, brain, volume.geometry)
        told = {
            "image_sha256": info.sha256,
            **asdict(self.extraction),
            "mask_sha256": sha256_of(mask),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": VERSION,
        }
        write_atomically(record, json.dumps(told, indent=1).encode())
        return Brain(mask, told["mask_sha256"])

    def _read(self, found: Path, info: CaseInfo) -> Volume:
        """What the program wrote."""
        try:
            return read_voxels(found)
        except (DiskFault, Unreadable):
            raise
        except BadInput as error:
            why = str(error).replace(str(found), "{output}").rstrip(".")
            raise BadInput(
                f"{info.source}: {self.extraction.program} wrote no readable image ({why})."
            ) from error

    def _run(self, arguments: list[str], said: Path, info: CaseInfo) -> None:
        """Run the program to its end; when asked to stop it is ended, with all that it started."""
        with said.open("wb") as file:
            try:
                process = subprocess.Popen(
                    arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                if error.errno not in _NO_PROGRAM:
                    raise
                raise BadInput(
                    f"{info.source}: {self.extraction.program} cannot be run ({error.strerror})."
                ) from error
            try:
                while process.poll() is None:
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(_POLL)
                    self.check_stop()
            except BaseException:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise
        if process.returncode:
            lines = said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            last = lines[-1][:300].rstrip(".") if lines else ""
            raise BadInput(
                f"{info.source}: {self.extraction.program} {_ended(process.returncode)}"
                f"{': ' + last if last else ''}."
            )


def _no_brain(found: Mask) -> str:
    """What was found where it cannot be a brain; empty where it can."""
    count, share = int(found.sum()), float(found.mean())
    if not count:
        return "no brain"
    if share == 1:
        return "nothing but brain"
    if share > MOST_OF_THE_VOLUME:
        return f"brain in {share:.4%} of the volume"
    return f"{count} voxels of brain, too few for one" if count < MIN_BRAIN_VOXELS else ""


def _ended(code: int) -> str:
    """How a program ended that did not do its work; a negative code is a signal's."""
    if code > 0:
        return f"failed with exit code {code}"
    name = signal.Signals(-code).name if -code in {*signal.Signals} else f"signal {-code}"
    return f"was ended by {name}"


def kept_brain(root: Path, info: CaseInfo) -> Brain | None:
    """The mask that a project keeps for the case's image, whatever made it; None without one."""
    return _kept(root / BRAINS, info, {})


def _kept(folder: Path, info: CaseInfo, wanted: dict[str, str]) -> Brain | None:
    mask, record = _files(folder, info.name)
    told = object_at(record)
    expected = {**wanted, "image_sha256": info.sha256}
    if told is None or {key: told.get(key) for key in expected} != expected:
        return None
    if not mask.is_file() or sha256_of(mask) != told.get("mask_sha256"):
        return None
    return Brain(mask, str(told["mask_sha256"]))


def _files(folder: Path, case: str) -> tuple[Path, Path]:
    """A case's mask and its record."""
    return folder / f"{case}.nii.gz", folder / f"{case}.json"
