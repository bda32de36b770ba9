import json

import numpy as np
import pytest
import zarr

from clisc_engine.errors import BadInput
from clisc_engine.project.store import Seal, Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store.zarr")


def seal(name="x"):
    return Seal.now("test", name, {"setting": "1"})


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32"])
@pytest.mark.parametrize("shape", [(7, 9, 11), (5,)])
def test_arrays_come_back_as_they_were(store, dtype, shape):
    data = (np.random.default_rng(0).random(shape) * 200).astype(dtype)
    data[0] = 0
    store.write("cases/a/masks/sam", data, seal())
    back = store.read("cases/a/masks/sam")
    np.testing.assert_array_equal(back, data)
    assert back.dtype == data.dtype and store.seal("cases/a/masks/sam").fingerprint == "x"


def test_a_volume_is_two_files_with_a_slice_a_chunk(store):
    store.write("a", np.ones((6, 8, 9), np.uint8), seal())
    assert sum(p.is_file() for p in (store.root / "a").rglob("*")) == 2
    array = zarr.open_array(str(store.root / "a"), mode="r")
    assert array.shards == (6, 8, 9) and array.chunks == (1, 8, 9)


def test_other_tools_can_walk_the_store(store):
    store.write("cases/a/cams/raw", np.ones((2, 3, 4), np.uint8), seal())
    group = zarr.open_group(str(store.root), mode="r")
    assert group["cases/a/cams/raw"][1, 2, 3] == 1


@pytest.mark.parametrize("position", [0.1, 0.5, 0.9])
def test_a_flipped_bit_is_an_error(store, position):
    data = np.random.default_rng(0).integers(0, 255, (6, 20, 20)).astype(np.uint8)
    store.write("a", data, seal())
    shard = max((store.root / "a").rglob("*"), key=lambda p: p.stat().st_size if p.is_file() else 0)
    raw = bytearray(shard.read_bytes())
    raw[int(len(raw) * position)] ^= 4
    shard.write_bytes(bytes(raw))
    with pytest.raises(BadInput, match="damaged"):
        store.read("a")


def test_a_truncated_or_missing_shard_is_an_error(store):
    for spoil in (lambda p: p.write_bytes(p.read_bytes()[:40]), lambda p: p.unlink()):
        store.write("a", np.ones((4, 9, 9), np.uint8), seal())
        shard = next(p for p in (store.root / "a" / "c").rglob("*") if p.is_file())
        spoil(shard)
        with pytest.raises(BadInput):
            if (store.read("a") != 1).any():
                raise AssertionError("read silently as zeros")


def test_an_array_without_its_seal_is_missing(store):
    store.write("a", np.ones((2, 3, 4), np.uint8), seal())
    metadata = json.loads((store.root / "a/zarr.json").read_text(encoding="utf-8"))
    del metadata["attributes"]["clisc"]
    (store.root / "a/zarr.json").write_text(json.dumps(metadata), encoding="utf-8")
    assert store.seal("a") is None
    with pytest.raises(BadInput, match="never finished"):
        store.read("a")


@pytest.mark.parametrize(
    "harm",
    [
        lambda text: text[:-3],
        lambda text: text.replace('"seconds": 0.0', '"seconds": -1.0'),
        lambda text: text.replace('"seconds": 0.0', '"seconds": NaN'),
        lambda text: text.replace('"stage": "test"', '"stage": 3'),
        lambda text: text.replace('"version"', '"virsion"'),
        lambda text: text.replace('"attributes"', '"attributions"'),
    ],
)
def test_an_array_whose_seal_is_not_whole_is_missing(store, harm):
    store.write("cases/a/masks/sam", np.ones((2, 3, 4), np.uint8), seal())
    record = store.root / "cases/a/masks/sam/zarr.json"
    harmed = harm(record.read_text(encoding="utf-8"))
    assert harmed != record.read_text(encoding="utf-8")
    record.write_text(harmed, encoding="utf-8")
    assert store.seal("cases/a/masks/sam") is None
    with pytest.raises(BadInput, match="never finished"):
        store.read("cases/a/masks/sam")


def test_a_seal_is_read_beside_names_of_files_that_are_no_utf8(store):
    array, name = "cases/a/image", {"case": {"source": "scan-\udcff.nii.gz"}}
    store.write(array, np.ones((2, 3, 4), np.uint8), seal(), name)
    assert store.seal(array).fingerprint == "x" and store.attributes(array)["case"] == name["case"]


def test_rewriting_replaces_array_and_seal(store):
    store.write("a", np.ones((2, 3, 4), np.uint8), seal("old"))
    store.write("a", np.zeros((3, 3, 4), np.float32), seal("new"))
    assert store.read("a").shape == (3, 3, 4) and store.seal("a").fingerprint == "new"


def test_groups_keep_attributes_and_children(store):
    store.write("cases/b/image", np.ones((2, 3, 4), np.uint8), seal())
    store.write_group("cases/b", {"case": {"split": "train"}})
    store.write_group("cases/a", {"case": {}})
    assert store.children("cases") == ["a", "b"]
    assert store.attributes("cases/b")["case"]["split"] == "train"
    store.remove("cases/b")
    assert store.children("cases") == ["a"] and store.seal("cases/b/image") is None


@pytest.mark.parametrize("value", ["a\udc80b.nii", "tumör", 2**70, [float("inf")], {"deep": [[[None]]]}])
def test_attributes_come_back_as_they_were_written(tmp_path, value):
    """Also the name of a file that is no UTF-8, as the file system spells it."""
    store = Store(tmp_path / "store")
    store.write_group("cases/a", {"source": value})
    assert store.attributes("cases/a") == {"source": value}
