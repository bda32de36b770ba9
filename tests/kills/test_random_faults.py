"""Every stage under a disk that fails at random: it ends well or says why, and harms nothing.

`fiu-run -x` (Debian's fiu-utils; Linux only) stands between the command and the C library and lets reads,
writes, syncs, renames and openings fail with a probability. A run is known by its stage and number, from
which all is drawn: `CLISC_FAULTS="train 17" pytest -m soak tests/kills/test_random_faults.py` repeats one.
"""

import errno
import json
import os
import random
import re
import shutil
from collections import Counter
from dataclasses import dataclass, field

import pytest

from clisc_engine.project.project import SETTINGS_FILE, STORE
from tests.support.killing import ALL_STAGES, Launcher, everything
from tests.support.small import differing

REPAIR = "verify --repair"
SUBJECTS = (*ALL_STAGES, REPAIR)
RUNS = dict.fromkeys(SUBJECTS, 23)
QUICK = [("init", 0), ("cam", 3), ("amda", 2), ("train", 2)]
"""Runs that are struck: by reads, openings, renames and flushes that fail; the others are the soak's."""

SECONDS = 300
"""A command that takes longer hangs."""

KINDS = {
    "reads": {"posix/io/rw/read": [errno.EIO, errno.ESTALE], "posix/io/rw/pread": [errno.EIO]},
    "writes": {"posix/io/rw/write": [errno.ENOSPC, errno.EIO, errno.EDQUOT]},
    "syncs": {"posix/io/sync/fsync": [errno.EIO, errno.ENOSPC]},
    "renames": {"posix/io/dir/rename": [errno.EIO, errno.EACCES]},
    "openings": {"posix/io/oc/open": [errno.EIO, errno.EACCES, errno.EMFILE]},
    "removals": {"posix/io/dir/unlink": [errno.EIO, errno.EROFS]},
    "short reads and writes": {"posix/io/rw/read/reduce": [0], "posix/io/rw/write/reduce": [0]},
}
ODDS = {
    "reads": (0.001, 0.1),
    "writes": (0.003, 0.1),
    "syncs": (0.01, 0.2),
    "renames": (0.01, 0.2),
    "openings": (0.001, 0.05),
    "removals": (0.05, 0.5),
    "short reads and writes": (0.05, 0.5),
}
DOCUMENTED = (0, 3, 5)
"""Done; a disk fault or what cannot be read, named; some cases failed, named."""

LEFT = re.compile(
    r"(.*/)?\.clisc-lock.*|(.*/)?\..*\.partial(/.*)?|\.clisc-init/.*|checkpoints/.*\.training(-before)?\.pt"
)
"""What a command whose disk failed may leave behind: nothing reads it, or the next call goes on from it."""

WITHOUT_MALLOC = 'LD_PRELOAD="libc_malloc_debug.so.0 $LD_PRELOAD" exec "$@"'
"""libfiu stands before malloc too, and glibc then cannot load torch and scipy: its own goes first."""

BY = ("fiu-run", "-x", "-f", "", "sh", "-c", WITHOUT_MALLOC, "sh")

pytestmark = pytest.mark.skipif(shutil.which("fiu-run") is None, reason="needs Debian's fiu-utils")


@pytest.fixture(scope="module")
def failing(undisturbed, tmp_path_factory):
    """A launcher under fiu-run that has imported all that the stages do."""
    launcher = Launcher(tmp_path_factory.mktemp("failing"), by=BY)
    launcher.imports(undisturbed.modules)
    yield launcher
    launcher.close()


def faults(stage, number):
    """What fails in a run, with which probability and error: one kind, or all at once."""
    draw = random.Random(f"faults {stage} {number}")
    kinds = draw.choice([*([kind] for kind in KINDS), list(KINDS)])
    points = []
    for kind in kinds:
        low, high = ODDS[kind]
        odds = low * (high / low) ** draw.random() / len(kinds)
        for name, codes in KINDS[kind].items():
            points.append(f"name={name},probability={odds:.6f},failinfo={draw.choice(codes)}")
    return {"seed": draw.randrange(2**32), "points": points}


@dataclass
class Tally:
    """What became of the runs of one stage."""

    codes: Counter = field(default_factory=Counter)
    named: Counter = field(default_factory=Counter)
    differing: list = field(default_factory=list)
    wrong: list = field(default_factory=list)


def attempt(undisturbed, failing, root, stage, number, tally):
    """A run with faults, a look at what it left, and the same run without."""
    run = f"{stage} {number}"
    before = "evaluate" if stage == REPAIR else stage
    undisturbed.start(before, root)
    options = ["--repair"] if stage == REPAIR else []
    given = faults(stage, number)

    def call(**how):
        if stage == REPAIR:
            return (how.pop("launcher", None) or undisturbed.launcher).run(
                "verify", root, *options, folder=root, **how
            )
        return undisturbed.run(stage, root, **how)

    struck = call(launcher=failing, faults=given, after=SECONDS)
    tally.codes[struck.code] += 1
    if struck.code not in DOCUMENTED or "Traceback" in struck.output or "bug in clisc" in struck.output:
        tally.wrong.append(f"{run} {given['points']}: ended with {struck.code}: {struck.output[-3000:]}")
    if (root / SETTINGS_FILE).exists():
        look(undisturbed, root, before, run, tally)
    again = call() if struck.code else struck
    if again.code:
        tally.wrong.append(f"{run} {given['points']}: without faults {again.code} {again.output[-3000:]}")
        return
    wanted = undisturbed.contents[before] if stage != REPAIR else everything(undisturbed.before(before))
    tally.differing += [f"{run} {given['points']}: {name}" for name in differing(wanted, everything(root))]


def look(undisturbed, root, stage, run, tally):
    """`verify` is clean, or names all that is not as it was or will be."""
    looked = undisturbed.launcher.run("verify", root, "--json", folder=root)
    found = json.loads(looked.output[looked.output.index("{") : looked.output.rindex("}") + 1])
    for finding in found["findings"]:
        tally.named[finding["state"]] += 1
    wanted, there = undisturbed.contents[stage], everything(root)
    before = everything(undisturbed.before(stage)) if stage != "init" else {}
    for finding in found["findings"]:
        # Of a case that gets two arrays at once, the disk may have taken one: the other is missing indeed.
        half_made = (
            finding["state"] == "missing" and finding["path"].removeprefix(f"{STORE}/") not in before
        )
        if finding["state"] in ("damaged", "missing", "unreadable") and not half_made:
            tally.wrong.append(f"{run}: verify finds {finding}")
    kept = {name: wanted[name] for name in there if name in wanted and not name.endswith(".csv")}
    wrong = differing(kept, {name: there[name] for name in kept})
    lost = [name for name in before if name not in there]
    tally.wrong += [f"{run}: verify is clean, but {name} is wrong or gone" for name in wrong + lost]
    listed = tuple(f["path"] for f in found["findings"] if f["state"] == "left over")
    files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    extra = {f for f in files if f not in undisturbed.files[stage] and not f.startswith("logs/")}
    tally.wrong += [
        f"{run}: {name} is left and not named"
        for name in extra
        if not LEFT.fullmatch(name) and not name.startswith(listed or ("//",))
    ]


@pytest.mark.parametrize(("stage", "number"), QUICK)
def test_a_stage_on_a_failing_disk_ends_well_or_says_why(undisturbed, failing, tmp_path, stage, number):
    tally = Tally()
    attempt(undisturbed, failing, tmp_path / "project", stage, number, tally)
    assert tally.wrong == [] and tally.differing == []


def test_what_cannot_be_read_is_left_alone_by_repair(undisturbed, failing, tmp_path):
    """Every read of a chunk fails: all arrays are unreadable, and every one is there afterwards."""
    root = tmp_path / "project"
    undisturbed.start("evaluate", root)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    point = f"name=posix/io/rw/read,probability=0.3,failinfo={errno.EIO}"
    given = {"seed": 1, "points": [point]}
    ended = failing.run("verify", root, "--repair", "--quiet", folder=root, faults=given, after=SECONDS)
    assert ended.code == 3 and os.strerror(errno.EIO) in ended.output
    after = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert {path: after.get(path) for path in before} == before


@pytest.mark.soak
def test_soak(undisturbed, failing, tmp_path, capsys):
    tallies = {stage: Tally() for stage in SUBJECTS}
    only = os.environ.get("CLISC_FAULTS")
    for number in range(max(RUNS.values())):
        for stage in SUBJECTS:
            if only in (None, f"{stage} {number}"):
                attempt(undisturbed, failing, tmp_path / "project", stage, number, tallies[stage])
                with capsys.disabled():
                    print(f"{stage} {number}: {dict(tallies[stage].codes)}", flush=True)
                    for line in tallies[stage].wrong + tallies[stage].differing:
                        print(f"  {line}", flush=True)
    with capsys.disabled():
        print(report(tallies))
    assert [line for tally in tallies.values() for line in tally.wrong] == []
    assert [name for tally in tallies.values() for name in tally.differing] == []


def report(tallies):
    head = ["stage", "fault runs", *(f"ended with {code}" for code in DOCUMENTED), "other ends"]
    head += ["damaged or missing", "differing arrays"]
    rows = []
    for stage, tally in tallies.items():
        runs = sum(tally.codes.values())
        ends = [tally.codes[code] for code in DOCUMENTED]
        bad = sum(tally.named[state] for state in ("damaged", "missing", "unreadable"))
        rows.append([stage, runs, *ends, runs - sum(ends), bad, len(tally.differing)])
    rows.append(["all", *(sum(row[i] for row in rows) for i in range(1, len(head)))])
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in (head, ["---"] * len(head), *rows)]
    return "\n" + "\n".join(lines)
