"""A variant reads what it lacks from what it lies over, and writes only into its own folder."""

import numpy as np
import pytest
import torch

from clisc_engine.errors import BadInput
from clisc_engine.project import variants
from clisc_engine.project.checkpoints import Checkpoint, why_not_trained
from clisc_engine.project.project import create
from clisc_engine.project.store import Seal, Store
from clisc_engine.settings.presets import preset

ARRAY = "cases/a/masks/sam"


def seal(mark):
    return Seal.now("prompt-sam", mark, {"mark": mark})


@pytest.fixture
def stores(tmp_path):
    """A store with one array of zeros and a group with attributes, and an empty one over it."""
    below = Store(tmp_path / "below")
    below.write(ARRAY, np.zeros((2, 3, 4), np.uint8), seal("below"))
    below.write_group("cases/a", {"case": {"name": "a"}})
    return below, Store(tmp_path / "over", below)


def files(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_what_is_lacking_is_read_below(stores):
    _, over = stores
    assert over.seal(ARRAY).fingerprint == "below"
    assert over.read(ARRAY).shape == (2, 3, 4)
    assert over.attributes("cases/a") == {"case": {"name": "a"}}
    assert over.children("cases") == ["a"] and over.has_folder("cases/a")
    assert not over.root.exists()
    assert over.seal("cases/a/masks/other") is None
    with pytest.raises(BadInput, match="missing"):
        over.read("cases/a/masks/other")


def test_what_is_written_hides_what_is_below_and_leaves_it(stores):
    below, over = stores
    before = files(below.root)
    over.write(ARRAY, np.ones((2, 3, 4), np.uint8), seal("over"))
    over.write("cases/a/masks/other", np.ones((1, 1, 1), np.uint8), seal("over"))
    assert over.seal(ARRAY).fingerprint == "over" and over.read(ARRAY).all()
    assert not below.read(ARRAY).any() and files(below.root) == before
    assert over.children("cases/a/masks") == ["other", "sam"]
    assert over.attributes("cases/a") == {"case": {"name": "a"}}  # its own group has no record
    over.unseal(ARRAY, "damaged")
    assert over.seal(ARRAY) is None, "what was taken away must not come back from below"
    over.remove(ARRAY)
    assert over.seal(ARRAY).fingerprint == "below" and files(below.root) == before


def test_a_store_over_a_store_over_a_store(stores, tmp_path):
    _, middle = stores
    top = Store(tmp_path / "top", middle)
    assert top.seal(ARRAY).fingerprint == "below"
    middle.write(ARRAY, np.ones((2, 3, 4), np.uint8), seal("middle"))
    assert top.read(ARRAY).all() and top.seal(ARRAY).fingerprint == "middle"


def test_weights_are_read_below_until_there_are_own_ones(tmp_path):
    below = Checkpoint(tmp_path / "below", "unet-round1")
    over = Checkpoint(tmp_path / "over", "unet-round1", below)
    assert over.made_from() is None
    below.finish({"w": torch.zeros(2)}, {"seed": "0"}, keep_state=False)
    before = files(below.folder)
    assert over.fingerprint() == below.fingerprint() and not over.tensors()["w"].any()
    assert why_not_trained(over, {"seed": "0"}) == ""
    assert why_not_trained(over, {"seed": "1"}) == "seed 0 -> 1"
    over.finish({"w": torch.ones(2)}, {"seed": "1"}, keep_state=False)
    assert over.made_from() == {"seed": "1"} and over.tensors()["w"].all()
    assert files(below.folder) == before


@pytest.fixture
def project(tmp_path):
    return create(tmp_path / "project", preset("tiny"))


def test_only_the_changes_are_kept_so_the_rest_follows_the_project(project):
    variant = variants.lay_over(project, "amda.t=5", {"amda.t": 5})
    variants.keep(variant, variants.Record(changes={"amda.t": 5}))
    above = variants.lay_over(variant, "deeper", {"s3f.p": 50})
    variants.keep(above, variants.Record(changes={"s3f.p": 50}, over="amda.t=5"))
    project.change_settings(project.settings.model_copy(update={"seed": 9}), {"seed": 9})
    again = variants.open_variant(project, "deeper")
    assert (again.settings.seed, again.settings.amda.t, again.settings.s3f.p) == (9, 5, 50)
    assert again.parent.root == variant.root and again.base is project
    assert variants.variant_names(project) == ["amda.t=5", "deeper"]
    assert project.settings.amda.t == 20


def test_tables_are_read_through_and_the_cache_is_shared(project):
    variant = variants.lay_over(project, "v", {"amda.t": 5})
    assert variant.cache == project.cache
    project.results.mkdir()
    (project.results / "s3f.csv").write_text("x", encoding="utf-8")
    assert variant.file("results/s3f.csv") == project.results / "s3f.csv"
    variant.results.mkdir(parents=True)
    (variant.results / "s3f.csv").write_text("y", encoding="utf-8")
    assert variant.file("results/s3f.csv") == variant.results / "s3f.csv"


def test_a_variant_goes_whole_and_alone(project):
    for name in ("one", "two"):
        variants.keep(variants.lay_over(project, name, {"seed": 3}), variants.Record(changes={"seed": 3}))
    variants.remove(project, "one")
    assert variants.variant_names(project) == ["two"]
    variants.remove(project, "two")
    assert sorted(path.name for path in project.root.iterdir()) == ["clisc.toml"]


def test_a_variant_that_is_none_or_not_whole_is_named(project):
    with pytest.raises(BadInput, match="no variant 'x'; there are: none"):
        variants.open_variant(project, "x")
    variant = variants.lay_over(project, "x", {"seed": 3})
    variants.keep(variant, variants.Record(changes={"seed": 3}))
    (variant.root / variants.FILE).write_text("{", encoding="utf-8")
    with pytest.raises(BadInput, match=r"variant.json does not say"):
        variants.open_variant(project, "x")
    with pytest.raises(BadInput, match=r"did you mean 'amda.t'"):
        variants.lay_over(project, "y", {"amda.tt": 3})
