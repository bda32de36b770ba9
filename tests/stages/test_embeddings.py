"""SAM's embeddings are kept between passes, and nothing but time depends on it."""

import shutil

import pytest

from clisc_engine.models.sam import SamModel
from clisc_engine.project.project import open_project
from clisc_engine.settings.keys import with_changes
from tests.support.small import contents, differing, run_stages

ARRAYS = ("masks/sam", "masks/sam-round1")


def kept(project):
    return sorted((project.cache / "embeddings").rglob("*.embeddings"))


def masks(project):
    return {k: v for k, v in contents(project).items() if k.endswith(ARRAYS)}


def prompt_again(project, precision="32", **changes):
    project.settings = with_changes(project.settings, changes, "test")
    report = run_stages(project, "prompt-sam", force=True, precision=precision)["prompt-sam"]
    assert not report.failed
    return masks(project)


def test_a_second_pass_encodes_nothing_that_was_encoded_before(copied, finished, monkeypatch):
    monkeypatch.setattr(SamModel, "encode", lambda *_: pytest.fail("a slice was encoded again"))
    assert kept(copied)
    assert not differing(prompt_again(copied), masks(finished))


def test_masks_are_the_same_without_a_cache(copied, finished):
    shutil.rmtree(copied.cache)
    assert not differing(prompt_again(copied, **{"sam.cache_gb": 0}), masks(finished))
    assert not kept(copied)


def test_damaged_entries_are_made_again(copied, finished):
    for path in kept(copied):
        path.write_bytes(path.read_bytes()[:-3] + b"abc")
    assert not differing(prompt_again(copied), masks(finished))
    assert not differing(prompt_again(copied), masks(finished))


@pytest.mark.parametrize("change", [{"window.high": 97.0}, {"sam.equalise": True}, {"sam.image_size": 96}])
def test_entries_of_other_settings_are_never_used(copied, tmp_path, change):
    shutil.copytree(copied.root, tmp_path / "empty")
    without = open_project(tmp_path / "empty")
    shutil.rmtree(without.cache)
    before = masks(copied)
    found = prompt_again(copied, **change)
    assert not differing(found, prompt_again(without, **change))
    assert differing(found, before)


def test_float32_meets_no_embedding_that_was_made_in_bfloat16(copied, finished):
    shutil.rmtree(copied.cache)
    prompt_again(copied, precision="bf16")
    rounded = {path.read_bytes() for path in kept(copied)}
    assert not differing(prompt_again(copied), masks(finished))
    exact = {path.read_bytes() for path in kept(copied)} - rounded
    assert exact and exact <= {path.read_bytes() for path in kept(finished)}
