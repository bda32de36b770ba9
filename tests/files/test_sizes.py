"""The bytes of a folder, a store's arrays among them, are those of all its files."""

import numpy as np

from clisc_engine.files.sizes import bytes_below
from clisc_engine.project.store import Seal, Store


def all_bytes(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_a_stores_arrays_and_groups_count_with_all_their_files(tmp_path):
    store = Store(tmp_path / "store.zarr")
    for name, data in (
        ("masks/sam", np.ones((3, 4, 5), np.uint8)),
        ("labels/tumour", np.ones(3, np.uint8)),
    ):
        store.write(f"cases/a/{name}", data, Seal.now("test", "x", {}))
    assert bytes_below(tmp_path) == all_bytes(tmp_path) > 0


def test_folders_of_others_count_whole_even_if_some_of_it_looks_like_an_array(tmp_path):
    for place in ("log/c/0", "log/c/1", "log/notes.txt", "deep/c/0/0/0", "deep/more/c/0"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(b"x" * len(place))
    assert bytes_below(tmp_path) == all_bytes(tmp_path)


def test_a_folder_that_is_not_there_takes_nothing(tmp_path):
    assert bytes_below(tmp_path / "gone") == 0
