import os

import numpy as np
import pytest

from clisc_engine.project.embedding_cache import EmbeddingCache


def embeddings(*slices):
    rng = np.random.default_rng(slices)
    return {z: rng.standard_normal((4, 6, 6)).astype(np.float16) for z in slices}


def cache(folder, limit=10**9, said=None):
    return EmbeddingCache(folder / "cache", limit, (said if said is not None else []).append)


def files(folder):
    return sorted(p for p in (folder / "cache").rglob("*") if p.is_file())


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[z], other[z]) for z in one)


def test_another_run_finds_what_was_kept(tmp_path):
    first, second = embeddings(3, 4, 7), embeddings(1, 9)
    cache(tmp_path).keep("a", "key", first)
    cache(tmp_path).keep("a", "key", second)
    assert same(cache(tmp_path).load("a", "key", range(20)), first | second)
    assert same(cache(tmp_path).load("a", "key", [4, 5]), {4: first[4]})


def test_other_cases_and_keys_find_nothing(tmp_path):
    cache(tmp_path).keep("a", "key", embeddings(0))
    assert cache(tmp_path).load("b", "key", [0]) == {} == cache(tmp_path).load("a", "ke", [0])


@pytest.mark.parametrize("place", [0, 7, 8, 12, 60, 200, -1])
def test_a_flipped_bit_anywhere_means_that_nothing_is_found(tmp_path, place):
    cache(tmp_path).keep("a", "key", embeddings(0, 1))
    (path,) = files(tmp_path)
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    path.write_bytes(data)
    assert cache(tmp_path).load("a", "key", [0, 1]) == {}
    cache(tmp_path).keep("a", "key", embeddings(0, 1))
    assert same(cache(tmp_path).load("a", "key", [0, 1]), embeddings(0, 1))


@pytest.mark.parametrize("size", [0, 5, 8, 100])
def test_a_file_that_was_cut_short_means_that_nothing_is_found(tmp_path, size):
    cache(tmp_path).keep("a", "key", embeddings(0))
    os.truncate(files(tmp_path)[0], size)
    assert cache(tmp_path).load("a", "key", [0]) == {}


def test_at_the_limit_what_was_used_longest_ago_goes_first(tmp_path):
    for age, name in enumerate("abc"):
        cache(tmp_path).keep(name, "key", embeddings(0))
        os.utime(next(p for p in files(tmp_path) if p.parent.name == name), (age, age))
    cache(tmp_path).load("a", "key", [0])
    size = files(tmp_path)[0].stat().st_size
    cache(tmp_path, 3 * size).keep("d", "key", embeddings(0))
    assert [p.parent.name for p in files(tmp_path)] == ["a", "c", "d"]


def test_a_run_over_more_than_fits_keeps_what_it_has_used(tmp_path):
    cache(tmp_path).keep("old", "key", embeddings(0))
    here = cache(tmp_path, 2 * files(tmp_path)[0].stat().st_size)
    for name in "abcd":
        here.keep(name, "key", embeddings(0))
    assert [p.parent.name for p in files(tmp_path)] == ["a", "b"]


def test_a_limit_of_nothing_keeps_and_finds_nothing(tmp_path):
    cache(tmp_path, 0).keep("a", "key", embeddings(0))
    assert not files(tmp_path)
    cache(tmp_path).keep("a", "key", embeddings(0))
    assert cache(tmp_path, 0).load("a", "key", [0]) == {}


def test_a_folder_that_cannot_be_written_costs_a_line_and_no_more(tmp_path):
    (tmp_path / "cache").write_text("in the way", encoding="utf-8")
    said = []
    here = cache(tmp_path, said=said)
    for name in "ab":
        here.keep(name, "key", embeddings(0))
        assert here.load(name, "key", [0]) == {}
    assert len(said) == 1 and "results are the same" in said[0]


def test_the_last_gigabyte_of_the_disk_is_left_to_the_results(tmp_path, monkeypatch):
    usage = os.statvfs(tmp_path)
    free = usage.f_bavail * usage.f_frsize
    monkeypatch.setattr("clisc_engine.project.embedding_cache.SPARE", 2 * free)
    said = []
    cache(tmp_path, said=said).keep("a", "key", embeddings(0))
    assert not files(tmp_path) and "GB to spare" in said[0]
