"""SaLIP on a real small project; SAM and CLIP are the bundled ones, but for what a test plants."""

from dataclasses import replace

import numpy as np
import pytest

from clisc_engine.baselines.salip import method
from clisc_engine.core.labelling import NORMAL, TUMOUR
from clisc_engine.models.sam import SamModel
from clisc_engine.project.project import Project
from clisc_engine.running.control import Control
from clisc_engine.settings.keys import with_changes
from tests.support.small import small_project

BLOCKS = [((22, 30), (8, 14)), ((18, 26), (24, 37)), ((32, 40), (18, 24))]  # rows, columns
WANTED = 1
BOX = (24.0, 18.0, 36.0, 25.0)  # its x0, y0, x1, y1, the last column and row inside


class SeesWhite:
    """A CLIP that finds a part the more like a tumour the whiter it is."""

    image_size = 16

    def cosines(self, crops, text):
        white = crops.reshape(len(crops), -1).mean(axis=1) / 255
        return np.stack([np.zeros_like(white), white], axis=1).astype(np.float32)


class Overheard(SamModel):
    """The bundled SAM, whose second prompts are heard."""

    def decode(self, embeddings, prompts, shape):
        self.network.heard.extend(prompts)
        return super().decode(embeddings, prompts, shape)


@pytest.fixture(scope="module")
def project(data, tmp_path_factory):
    return small_project(tmp_path_factory.mktemp("salip") / "project", data)


def changed(project, **changes):
    dotted = {f"baselines.salip.{name}": value for name, value in changes.items()}
    return Project(project.root, with_changes(project.settings, dotted, "test"))


def loaded(project):
    masks = method.SalipMasks(project, Control(device="cpu"))
    masks.load()
    return masks


def case_of(project):
    case = project.case("p4")
    image = case.read("image")
    return case, image, np.full(len(image), TUMOUR, np.uint8)


def run(project, labels=None):
    case, image, tumour = case_of(project)
    return loaded(project).mask(image, tumour if labels is None else labels, case.info.spacing, case)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_part_of_the_highest_cosine_gives_the_box_whatever_the_order(project, monkeypatch, order):
    case, image, labels = case_of(project)
    parts = np.zeros((3, *image.shape[1:]), bool)
    for index, (rows, columns) in enumerate(BLOCKS):
        parts[index, slice(*rows), slice(*columns)] = True
    z = len(image) // 2
    labels[:] = NORMAL
    labels[z] = TUMOUR
    painted = image.copy()
    brain = image[z] != 0
    assert (parts & brain).sum() == parts.sum(), "the planted parts lie in the brain"
    painted[z][brain] = image[image != 0].min()
    painted[z][parts[WANTED]] = image.max()
    monkeypatch.setattr(method, "find_parts", lambda *_: parts[list(order)])
    masks = loaded(changed(project, max_area=0.5, min_pixels=20))
    sam = masks.sam.sam
    sam.network.heard = []
    masks.sam = replace(masks.sam, sam=Overheard(sam.network, sam.device, sam.digest))
    masks.clip = SeesWhite()
    found = masks.mask(painted, labels, case.info.spacing, case)
    (prompt,) = sam.network.heard
    assert prompt.box == BOX and not len(prompt.points)
    prompter = masks.sam.prompter(case, painted)
    region = np.zeros(image.shape, bool)
    region[z] = parts[WANTED]
    expected = prompter.predict_mask(region, method.SECOND_PROMPT, 0)
    np.testing.assert_array_equal(found, expected)


def test_the_mirrored_slice_is_no_affair_of_salip(project):
    """SaLIP's mask is the same with and without it: its original asks one way."""
    eager = changed(project, predicted_iou=0.2, stability=0.2)
    masks = []
    for mirror in (False, True):
        settings = with_changes(eager.settings, {"sam.mirror": mirror}, "test")
        masks.append(run(Project(project.root, settings)))
    assert masks[0].any() and np.array_equal(*masks)


def test_something_is_marked_in_the_brain_and_nothing_where_clip_says_normal(project):
    _, image, labels = case_of(project)
    project = changed(project, predicted_iou=0.2, stability=0.2)
    everywhere = run(project)
    marked = np.flatnonzero(everywhere.any(axis=(1, 2)))
    assert everywhere.dtype == np.uint8 and everywhere.shape == image.shape
    assert len(marked) > 1 and not everywhere[image == 0].any()
    labels[marked[0]] = NORMAL
    gated = run(project, labels)
    assert not gated[marked[0]].any()
    others = np.arange(len(image)) != marked[0]
    np.testing.assert_array_equal(gated[others], everywhere[others])
    np.testing.assert_array_equal(run(changed(project, gate=False), labels), everywhere)


def test_nothing_plausible_leaves_the_volume_empty(project):
    assert not run(changed(project, min_pixels=10_000)).any()


def test_poisoned_references_change_no_bit(project):
    before = run(project)
    case = project.case("p4")

    class Poisoned:
        def __getattr__(self, name):
            raise AssertionError(f"references.{name} was touched")

    poisoned = Project(project.root, project.settings)
    poisoned.references = Poisoned()
    with pytest.raises(AssertionError, match="was touched"):
        poisoned.with_reference(case).read("reference")
    np.testing.assert_array_equal(run(poisoned), before)
