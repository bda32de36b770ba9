"""Whatever stands in what clisc reads: it is accepted and comes back the same, or refused by name."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import safetensors.numpy
import tomlkit
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clisc_engine.errors import BadInput
from clisc_engine.importing.discover import find_cases
from clisc_engine.importing.splits import read_split
from clisc_engine.products.declared import ROWS
from clisc_engine.project.case_record import RECORD, CaseInfo
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.project.lock import LOCK, Lock
from clisc_engine.project.lock_owner import Owner
from clisc_engine.project.store import SEAL, Seal, Store
from clisc_engine.results.model_file import FORMAT, ModelCard, model_bytes, read_card
from clisc_engine.results.predict_record import RECORD as PREDICTIONS
from clisc_engine.results.predict_record import recorded
from clisc_engine.running import journal
from clisc_engine.settings.file import read_settings, write_changes, write_settings
from clisc_engine.settings.keys import known_keys, parse_assignment, with_changes
from clisc_engine.settings.presets import preset
from clisc_engine.settings.schema import ImageSettings, Settings, UnetSettings
from clisc_engine.stages.evaluation.document import GROUP_IN_STORE, load

FAST = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
LETTERS = st.text(max_size=12)
ANY = st.text(st.characters(codec=None, categories=None), max_size=12)
"""Lone surrogates included."""

NUMBERS = st.integers() | st.floats() | st.sampled_from([0, 1, -1, 2**63, 1e308])
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | ANY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY, inner, max_size=3),
    max_leaves=6,
)
SHALLOW = st.none() | st.booleans() | NUMBERS | ANY | st.lists(NUMBERS | ANY, max_size=3)


def near(example_, others=JSON):
    """A document that is right but for a few of its values, which are anything or gone."""
    keys = st.lists(st.sampled_from(sorted(example_)), max_size=2)
    return st.tuples(keys, st.lists(others, min_size=2, max_size=2), st.booleans()).map(
        lambda drawn: {
            **{k: v for k, v in example_.items() if not (drawn[2] and k in drawn[0])},
            **({} if drawn[2] else dict(zip(drawn[0], drawn[1], strict=False))),
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def accepted(read, name):
    """What a reader makes of a file, None when it refuses it by name."""
    try:
        return read()
    except BadInput as error:
        assert name in str(error)
        return None


SEAL_OF = asdict(Seal.now("label", "0123", {"image": "4567"}, 1.5))
GRID = {
    "size": [4, 5, 6],
    "spacing": [1, 1, 1],
    "origin": [0, 0, 0],
    "direction": [1, 0, 0, 0, 1, 0, 0, 0, 1],
}
CASE = asdict(
    CaseInfo(
        *("a", "train", (1.0, 1.0, 1.0)),
        placement={"source": GRID, "grid": GRID, "crop": [[0, 6], [0, 5], [0, 4]]},
        source="/x/a.nii",
        sha256="00",
        has_reference=False,
    )
)
EVALUATION = {
    **{"weights": "tiny", "note": "", "groups": [], "failed": {}, "fingerprint": "00", "rows": []},
    "cases": [{"case": "a", "name": "sam", "group": "Tiny", "dsc": 1.0, "hd95": 0.0, "empty": False}],
}


@FAST
@given(near(SEAL_OF) | JSON, near(CASE) | JSON, near(EVALUATION) | JSON)
def test_attributes_of_the_store(folder, seal, case, evaluation):
    store = Store(folder / "attributes")
    for path, attributes in (
        ("cases/a", {RECORD: case}),
        ("cases/a/image", {SEAL: seal}),
        (GROUP_IN_STORE, {"evaluation": evaluation}),
    ):
        store.write_group(path, attributes)
    found = store.seal("cases/a/image")
    assert found is None or Seal.parse(json.loads(json.dumps(asdict(found)))) == found
    info = CaseInfo.parse(store.attributes("cases/a").get(RECORD))
    assert info is None or CaseInfo.parse(json.loads(json.dumps(asdict(info)))) == info
    document = load(store)
    assert document is None or (document["cases"] is not None and dict(document["failed"]) is not None)
    assert document is None or all(ROWS[entry["name"]] and entry["group"] for entry in document["cases"])


def test_attributes_that_are_as_written_are_accepted(folder):
    assert Seal.parse(json.loads(json.dumps(SEAL_OF))) and CaseInfo.parse(json.loads(json.dumps(CASE)))
    store = Store(folder / "whole")
    store.write_group(GROUP_IN_STORE, {"evaluation": EVALUATION})
    lacking = {"revision": 1, "notes": [], "without_tumour": {"cases": [], "rows": []}}
    found = load(store)
    assert {**found, **EVALUATION, **lacking} == found


@FAST
@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
@example(b"[" * 100_000)
def test_metadata_of_the_store(folder, data):
    (folder / "zarr.json").write_bytes(data)
    assert isinstance(Store(folder).attributes(""), dict)


ENTRY = asdict(journal.Entry("label", "2026-01-01T00:00:00+00:00", 1.0, "cpu", "32", "0", "done"))


@FAST
@given(st.lists(near(ENTRY).map(json.dumps) | JSON.map(json.dumps) | LETTERS, max_size=4))
def test_the_journal(folder, lines):
    (folder / journal.FILE).write_text("\n".join([*lines, json.dumps(ENTRY)]), encoding="utf-8")
    entries = journal.read(folder)
    assert asdict(entries[-1]) == ENTRY
    assert all(journal.read_line(json.dumps(asdict(entry))) == entry for entry in entries)


@FAST
@given(
    st.binary(max_size=80)
    | near(asdict(Owner.this_process("clisc cam"))).map(lambda v: json.dumps(v).encode())
)
@example(b"[" * 100_000)
def test_a_lock_names_a_living_owner_or_is_taken_over(folder, data):
    folder = folder / "locked"
    folder.mkdir(exist_ok=True)
    (folder / LOCK).write_bytes(data)
    lock = Lock(folder, Owner.this_process("clisc label"))
    try:
        lock.acquire()
    except BadInput as error:
        assert "is at work in" in str(error)
        (folder / LOCK).unlink()
    else:
        lock.release()
    assert list(folder.iterdir()) == []


def survives(folder, found):
    """Settings that were accepted are written and read as the same."""
    write_settings(folder / "again.toml", found)
    assert read_settings(folder / "again.toml") == found


@FAST
@given(
    st.binary(max_size=80)
    | LETTERS.map(str.encode)
    | st.just(b"[amda]\nt = ")
    | st.just(b'seed = "\\ud800"')
)
def test_any_text_as_settings(folder, data):
    (folder / "clisc.toml").write_bytes(data)
    found = accepted(lambda: read_settings(folder / "clisc.toml"), "clisc.toml")
    assert found is None or survives(folder, found) is None


SECTIONS = {name: value for name, value in Settings().model_dump().items() if isinstance(value, dict)}
TABLES = st.sampled_from(sorted(SECTIONS)).flatmap(
    lambda name: st.fixed_dictionaries({name: near(SECTIONS[name], SHALLOW)})
)


def as_toml(values):
    """The values as TOML, None when they cannot be."""
    try:
        text = tomlkit.dumps(values)
        text.encode()
        return text
    except (ValueError, TypeError):
        return None


@FAST
@given(
    TABLES | st.dictionaries(LETTERS, SHALLOW | st.dictionaries(LETTERS, SHALLOW, max_size=2), max_size=3)
)
def test_any_tables_as_settings(folder, values):
    text = as_toml(values)
    if text is not None:
        (folder / "clisc.toml").write_text(text, encoding="utf-8", newline="")
        found = accepted(lambda: read_settings(folder / "clisc.toml"), "clisc.toml")
        assert found is None or survives(folder, found) is None


KEYS = st.sampled_from(known_keys()) | ANY
VALUES = ANY | SHALLOW.map(json.dumps)


@FAST
@given(st.tuples(KEYS, VALUES).map("=".join) | ANY)
@example("label.model=\udc80")
@example('label.model="\\ud800"')
@example("seed=" + "9" * 5000)
@example("amda.t=" + "[" * 100_000)
@example("training.save_every_minutes=Infinity")
@example("training.save_every_minutes=NaN")
def test_any_text_after_set(folder, text):
    path = folder / "set.toml"
    before = preset("tiny")
    try:
        key, value = parse_assignment(text)
        found = with_changes(before, {key: value}, "--set")
    except BadInput as error:
        assert "--set" in str(error)
        return
    write_settings(path, before)
    write_changes(path, {key: value})
    assert read_settings(path) == found


@FAST
@given(st.binary(max_size=80) | st.lists(st.lists(ANY, max_size=4), max_size=4))
def test_any_table_as_manifest_or_split(folder, drawn):
    for head in ("case,image", "case,split"):
        path = folder / "table.csv"
        rows = (
            drawn if isinstance(drawn, bytes) else "\n".join(map(",".join, drawn)).encode(errors="replace")
        )
        path.write_bytes(f"{head}\n".encode() + rows)
        accepted(lambda: find_cases(str(folder / "table.csv"), None), "table.csv")
        split = accepted(lambda: read_split(folder / "table.csv", ["a", "b"]), "table.csv")
        assert split is None or set(split) == {"a", "b"}


@FAST
@given(JSON.map(json.dumps) | LETTERS | near({"train": ["a"], "test": ["b"]}).map(json.dumps))
def test_any_json_as_split(folder, text):
    (folder / "split.json").write_text(text, encoding="utf-8", errors="replace")
    split = accepted(lambda: read_split(folder / "split.json", ["a", "b"]), "split.json")
    assert split is None or set(split) == {"a", "b"}


CARD = asdict(
    ModelCard(
        *("unet-round2", ImageSettings(), UnetSettings(), "tiny", "2026-01-01", 3, {"seed": "0"}, "00"),
    )
)
CARD |= {"image": ImageSettings().model_dump(), "unet": UnetSettings().model_dump()}


@FAST
@given(near(CARD).map(json.dumps) | JSON.map(json.dumps) | LETTERS)
@example("[" * 100_000)
@example(json.dumps({**CARD, "image": 3}))
@example(json.dumps({**CARD, "unet": {**CARD["unet"], "channels": [10**9] * 30}}))
def test_any_header_of_a_model_file(folder, text):
    import torch

    path = folder / "model.clisc"
    path.write_bytes(safetensors.numpy.save({"w": np.zeros(1, np.float32)}, {"clisc": text}))
    card = accepted(lambda: read_card(path), "model.clisc")
    if card is not None:
        (folder / "again.clisc").write_bytes(model_bytes(card, {"w": torch.zeros(1)}))
        assert read_card(folder / "again.clisc") == card


def test_a_model_file_that_is_as_written_is_accepted(folder):
    path = folder / "whole.clisc"
    path.write_bytes(safetensors.numpy.save({"w": np.zeros(1, np.float32)}, {"clisc": json.dumps(CARD)}))
    assert read_card(path).format == FORMAT


@FAST
@given(st.binary(max_size=80), ANY | JSON.map(json.dumps))
def test_any_file_as_model_or_weights(folder, data, origin):
    (folder / "x.clisc").write_bytes(data)
    assert accepted(lambda: read_card(folder / "x.clisc"), "x.clisc") is None
    checkpoint = Checkpoint(folder, "unet-round1")
    checkpoint.weights.write_bytes(data)
    assert accepted(checkpoint.made_from, "unet-round1.safetensors") is None
    text = {"made_from": origin.encode(errors="replace").decode(), "sha256": "00"}
    checkpoint.weights.write_bytes(safetensors.numpy.save({"w": np.zeros(1, np.float32)}, text))
    found = accepted(checkpoint.made_from, "unet-round1.safetensors")
    assert found is None or all(isinstance(part, str) for pair in found.items() for part in pair)


PREDICTED = {"image": "a.nii", "mask": "a_seg.nii.gz", "volume_ml": 1.0, "made_from": {"network": "00"}}


@FAST
@given(JSON.map(json.dumps) | LETTERS | near(PREDICTED).map(lambda entry: json.dumps({"a": entry})))
@example("[" * 100_000)
def test_any_record_of_predictions(folder, text):
    (folder / PREDICTIONS).write_text(text, encoding="utf-8", errors="replace")
    assert all(isinstance(entry["mask"], str) for entry in recorded(folder).values())
