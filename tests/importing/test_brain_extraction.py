"""Raw scans: `init` runs a program of the user's, and imports what it would of stripped scans."""

import json
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from clisc_engine.errors import BadInput, Stopped
from clisc_engine.importing.brains import PRESETS, Extraction
from clisc_engine.importing.cases import import_again
from clisc_engine.products.kinds import IMAGE
from clisc_engine.running.control import Control, StopFlag
from clisc_engine.settings.presets import preset
from clisc_engine.stages.init import Request, initialise
from tests.support.volumes import ball, write

CPU = Control(device="cpu")
EXTRACTOR = """#!{python}
import sys
from pathlib import Path
import nibabel
import numpy as np
here = Path(__file__).parent
with (here / "calls").open("a") as file:
    file.write("x")
image = nibabel.load(sys.argv[1])
array = image.get_fdata()
if (here / "fails").exists() and array.max() > 4000:
    sys.exit("no licence\\nfor this scan")
{body}
nibabel.save(nibabel.Nifti1Image(found.astype(np.float32), affine), sys.argv[2])
"""
STRIP = """
axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in array.shape), indexing="ij")
found, affine = np.where(sum(a**2 for a in axes) < 0.5, array, 0), image.affine
"""


def extractor(tmp_path, body=STRIP):
    """A program for one's own; the command that calls it."""
    tmp_path.mkdir(exist_ok=True)
    program = tmp_path / "strip.py"
    program.write_text(EXTRACTOR.format(python=sys.executable, body=body), encoding="utf-8")
    program.chmod(0o755)
    return f"'{program}' {{input}} {{output}}"


def head(seed, brightest=900):
    """A brain in a skull in air that is not quite dark, (Z, Y, X), and the brain alone."""
    shape = (20, 30, 28)
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    radius = sum(a**2 for a in axes)
    rng = np.random.default_rng(seed)
    array = np.where(radius < 0.5, 100 + 20 * rng.standard_normal(shape), rng.uniform(1, 9, shape))
    array = np.where((radius > 0.7) & (radius < 0.9), brightest, array).astype(np.float32)
    return array, np.where(radius < 0.5, array, 0).astype(np.float32)


def asked(root, folder, command=None, **more):
    extraction = None if command is None else Extraction.of(command)
    return Request(root, str(folder), None, None, "1:0:0", False, brain_extraction=extraction, **more)


@pytest.fixture
def scans(tmp_path):
    """Two heads, lying askew, and their brains alone."""
    where = {"spacing": (0.9, 1.1, 2.0), "origin": (-9, 4, 7), "direction": np.diag([-1.0, 1, -1])}
    for number, brightest in enumerate((900, 5000)):
        whole, stripped = head(number, brightest)
        write(tmp_path / "heads" / f"s{number}_flair.nii.gz", whole, **where)
        write(tmp_path / "brains" / f"s{number}_flair.nii.gz", stripped, **where)
    return tmp_path


def calls(tmp_path):
    file = tmp_path / "calls"
    return len(file.read_text()) if file.exists() else 0


def test_heads_are_imported_as_their_brains_would_be(scans):
    command = extractor(scans / "tool")
    settings = preset("tiny")
    made = initialise(asked(scans / "p", scans / "heads", command), settings, CPU).project
    plain = initialise(asked(scans / "q", scans / "brains"), settings, CPU).project
    for name in ("s0", "s1"):
        one, other = made.case(name), plain.case(name)
        np.testing.assert_array_equal(one.read(IMAGE), other.read(IMAGE))
        assert one.info.placement["crop"] == other.info.placement["crop"]
        assert Path(one.info.source).parent.name == "heads"
        record = json.loads((made.root / "brains" / f"{name}.json").read_text(encoding="utf-8"))
        assert record["command"] == command and record["program"] == "strip.py"
        mask = nibabel.load(made.root / "brains" / f"{name}.nii.gz")
        np.testing.assert_array_equal(
            mask.get_fdata() != 0, nibabel.load(other.info.source).get_fdata() != 0
        )
        assert one.seal(IMAGE).made_from["brain"] == record["mask_sha256"]
    assert calls(scans / "tool") == 2
    before = made.case("s0").read(IMAGE)
    made.store.remove("cases/s0/image")
    import_again(made, made.case("s0").info, IMAGE, settings.image)
    np.testing.assert_array_equal(made.case("s0").read(IMAGE), before)
    assert calls(scans / "tool") == 2
    again = initialise(asked(scans / "p", scans / "heads", command), settings, CPU)
    assert again.fresh and calls(scans / "tool") == 2
    write(scans / "heads" / "s2_flair.nii.gz", head(2)[0])
    added = initialise(asked(scans / "p", scans / "heads", command, add=True), settings, CPU)
    assert added.added == ["s2"] and calls(scans / "tool") == 3


def test_a_failed_call_keeps_the_masks_that_it_made(scans):
    command = extractor(scans / "tool")
    (scans / "tool" / "fails").touch()
    with pytest.raises(BadInput, match=r"s1_flair.*strip\.py failed with exit code 1: for this scan"):
        initialise(asked(scans / "p", scans / "heads", command), preset("tiny"), CPU)
    assert sorted(p.name for p in (scans / "p" / "brains").iterdir()) == ["s0.json", "s0.nii.gz"]
    assert not (scans / "p" / "clisc.toml").exists() and calls(scans / "tool") == 2
    (scans / "tool" / "fails").unlink()
    project = initialise(asked(scans / "p", scans / "heads", command), preset("tiny"), CPU).project
    assert len(project.cases()) == 2 and calls(scans / "tool") == 3


class StopsWhen(StopFlag):
    """Asked to stop as soon as a file is there."""

    def __init__(self, file):
        super().__init__()
        self.file = file

    @property
    def reason(self):
        return "the test" if self.file.exists() else ""


def test_a_program_is_ended_when_asked_to_stop(scans):
    command = extractor(scans / "tool", "import signal\n(here / 'waits').touch()\nsignal.pause()")
    stop = StopsWhen(scans / "tool" / "waits")
    with pytest.raises(Stopped):
        initialise(asked(scans / "p", scans / "heads", command), preset("tiny"), Control("cpu", stop=stop))
    assert not list((scans / "p" / "brains").glob("*.nii.gz")) and calls(scans / "tool") == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("found, affine = array * 0, image.affine", "no brain"),
        ("found, affine = array * 0 + 1, image.affine", "nothing but brain"),
        (
            "found, affine = np.where(array > 50, array, -1), image.affine\nfound[9, 9, 9] = 0",
            "of the volume",
        ),
        (
            "found, affine = array * 0, image.affine\nfound[9:12, 9:12, 9:12] = 1",
            "27 voxels of brain, too few",
        ),
        ("found, affine = array > 50, np.diag([3.0, 3, 3, 1])", "another grid: spacing"),
        ("sys.exit(0)", "wrote no {output}"),
        ("Path(sys.argv[2]).write_text('done'); sys.exit(0)", "wrote no readable image ({output} "),
    ],
    ids=["empty", "all", "a background of -1", "too few", "another grid", "nothing", "no image"],
)
def test_what_is_no_brain_mask_is_refused(scans, body, said):
    with pytest.raises(BadInput) as error:
        initialise(
            asked(scans / "p", scans / "heads", extractor(scans / "tool", body)), preset("tiny"), CPU
        )
    assert said in str(error.value) and f"{scans}/heads/s0_flair.nii.gz: strip.py" in str(error.value)
    assert ".partial-" not in str(error.value)
    assert not (scans / "p").exists()


def test_a_failed_call_that_adds_leaves_no_empty_folder(scans):
    root = initialise(asked(scans / "p", scans / "brains"), preset("tiny"), CPU).project.root
    write(scans / "more" / "s2_flair.nii.gz", head(2)[0])
    command = extractor(scans / "tool", "sys.exit(1)")
    with pytest.raises(BadInput, match="failed with exit code 1"):
        initialise(asked(root, scans / "more", command, add=True), preset("tiny"), CPU)
    assert not (root / "brains").exists()


def test_a_command_that_cannot_be_run_is_refused_before_anything(tmp_path):
    for text, said in {
        "strip {input}": "has no {output}",
        "strip '{input} {output}": "is no command",
        "no-such-program {input} {output}": "no program no-such-program",
    }.items():
        with pytest.raises(BadInput, match=said):
            Extraction.of(text)
    for command in PRESETS.values():
        assert "{input}" in command and "{output}" in command


def test_without_the_option_skulls_are_refused_as_before(scans):
    with pytest.raises(BadInput, match="--brain-extraction"):
        initialise(asked(scans / "p", scans / "heads"), preset("tiny"), CPU)


def test_a_stripped_scan_stays_what_it_is(tmp_path):
    """A program that finds the brain where it is already: nothing changes."""
    write(tmp_path / "in" / "a_flair.nii.gz", ball())
    command = extractor(tmp_path / "tool", "found, affine = array, image.affine")
    one = initialise(asked(tmp_path / "p", tmp_path / "in", command), preset("tiny"), CPU).project
    other = initialise(asked(tmp_path / "q", tmp_path / "in"), preset("tiny"), CPU).project
    np.testing.assert_array_equal(one.case("a").read(IMAGE), other.case("a").read(IMAGE))


def test_a_program_that_a_signal_ends_is_told_as_such(scans):
    """As the kernel does when memory runs out; a sentence of the program gets no second full stop."""
    tool = scans / "dies.py"
    tool.write_text("import os, sys\nprint('It is over.', flush=True)\nos.kill(os.getpid(), 9)\n")
    command = f"{sys.executable} {tool} {{input}} {{output}}"
    with pytest.raises(BadInput, match=r"was ended by SIGKILL: It is over\.$"):
        initialise(asked(scans / "p", scans / "heads", command), preset("tiny"), CPU)


def test_a_script_that_the_system_cannot_run_is_told_and_leaves_nothing(scans):
    tool = scans / "strip"
    tool.write_text("cp $1 $2\n", encoding="utf-8")
    tool.chmod(0o755)
    with pytest.raises(BadInput, match=r"s0_flair\.nii\.gz: strip cannot be run \(Exec format error\)"):
        initialise(asked(scans / "p", scans / "heads", f"{tool} {{input}} {{output}}"), preset("tiny"), CPU)
    assert not (scans / "p").exists()
