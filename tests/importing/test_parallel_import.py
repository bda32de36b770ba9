"""Importing cases side by side changes nothing but the time it takes."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from clisc_engine.errors import BadInput
from clisc_engine.files.atomic import write_atomically
from clisc_engine.running.control import Control, Silent
from clisc_engine.settings.keys import with_changes
from clisc_engine.settings.presets import preset
from clisc_engine.stages.init import Request, initialise
from tests.support.small import CHANGES, SPLITS, contents, differing


class RecordingProgress(Silent):
    def __init__(self):
        self.notes = []

    def advance(self, note=""):
        self.notes.append(note)


def imported(root, data, workers, *, skip_bad=False):
    references = str(data / "references") if (data / "references").is_dir() else None
    request = Request(root, str(data / "images"), references, None, "7:1:2", skip_bad)
    progress = RecordingProgress()
    settings = with_changes(preset("tiny"), CHANGES, "test")
    result = initialise(request, settings, Control(workers=workers, progress=progress))
    return result, progress.notes


def test_several_workers_import_what_one_does_in_the_same_order(data, tmp_path):
    one, heard = imported(tmp_path / "one", data, 1)
    many, heard_of_many = imported(tmp_path / "many", data, 4)
    assert differing(contents(one.project, skip=()), contents(many.project, skip=())) == []
    assert one.splits == many.splits and heard == heard_of_many == sorted(heard)


def test_bad_files_are_skipped_or_named_whatever_the_number_of_workers(data, tmp_path):
    shutil.copytree(data, tmp_path / "data")
    for name in ("p1", "p3"):
        file = tmp_path / "data" / "images" / f"{name}_flair.nii.gz"
        file.write_bytes(file.read_bytes()[:200])
    result, _ = imported(tmp_path / "some", tmp_path / "data", 4, skip_bad=True)
    assert list(result.skipped) == ["p1", "p3"] and len(result.project.cases()) == 3
    with pytest.raises(BadInput) as refused:
        imported(tmp_path / "none", tmp_path / "data", 4)
    first, *named = str(refused.value).splitlines()
    assert first == "2 of 5 images cannot be used. --skip-bad imports the others."
    assert [name for line in named for name in SPLITS if f"{name}_flair" in line] == ["p1", "p3"]
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("skip_bad", [False, True])
def test_of_very_many_bad_files_the_first_are_named(tmp_path, skip_bad):
    folder = tmp_path / "data" / "images"
    folder.mkdir(parents=True)
    for n in range(24):
        (folder / f"p{n:02}_flair.nii.gz").write_bytes(b"no image")
    with pytest.raises(BadInput) as refused:
        imported(tmp_path / "none", tmp_path / "data", 2, skip_bad=skip_bad)
    first, *named, last = str(refused.value).splitlines()
    assert first == "24 of 24 images cannot be used." and last == "  and 4 more."
    assert all(f"p{n:02}_flair" in line for n, line in enumerate(named)) and len(named) == 20


def test_threads_that_write_one_file_at_once_do_not_disturb_each_other(tmp_path):
    path = tmp_path / "zarr.json"
    with ThreadPoolExecutor(8) as pool:
        for _ in range(25):
            list(pool.map(lambda _: write_atomically(path, b"{}"), range(8)))
    assert path.read_bytes() == b"{}" and [p.name for p in tmp_path.iterdir()] == ["zarr.json"]
