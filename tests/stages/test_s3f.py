"""S3F on stored masks: what it compares, what it keeps, and what 0.1.0 kept."""

import csv
import json

import numpy as np
import pytest

from clisc_engine.products import graph
from clisc_engine.products.kinds import LABELS, ROUND1, SAM_ROUND1, SIMILARITIES
from clisc_engine.running.control import Control
from clisc_engine.stages.s3f.similarity import outdated_similarities, similarities
from clisc_engine.upkeep.survey import survey
from clisc_engine.upkeep.verify import verify
from tests.support.handmade import declared_project, seal
from tests.support.small import run_stages

REASON = "results/similarities.json was made by an earlier revision of self-train that took two empty masks"


@pytest.fixture
def project(tmp_path):
    """The case a has two empty masks and a slice that CLIP calls ill, b two and none."""
    project = declared_project(tmp_path / "p", graph.ARRAYS, graph.NETWORKS)
    project.case("a").write(LABELS, np.array([0, 1, 255], np.uint8), seal("labels/tumour of a"))
    project.case("b").write(LABELS, np.array([0, 255, 255], np.uint8), seal("labels/tumour of b"))
    return project


def scores_of(project):
    kept = project.root / SIMILARITIES
    scores, failed = similarities(project.cases(("train",)), kept, kept, Control(device="cpu"))
    assert not failed
    return scores


def test_two_empty_masks_agree_only_where_clip_sees_no_tumour(project):
    assert scores_of(project) == {"a": 0.0, "b": 1.0}


def test_a_volume_whose_labels_changed_or_are_lost_is_compared_again(project):
    scores_of(project)
    project.case("a").write(LABELS, np.zeros(3, np.uint8), seal("other labels of a"))
    project.store.remove(f"cases/b/{LABELS}")
    assert scores_of(project) == {"a": 1.0, "b": 0.0}


def test_scores_of_0_1_0_are_compared_again(project):
    kept = project.root / SIMILARITIES
    kept.parent.mkdir()
    before = {
        name: [f"<{ROUND1} of {name}>", f"<{SAM_ROUND1} of {name}>", score]
        for name, score in (("a", 1.0), ("b", 1.0))
    }
    kept.write_text(json.dumps(before), encoding="utf-8")
    assert outdated_similarities(kept).startswith(REASON)
    assert scores_of(project) == {"a": 0.0, "b": 1.0}
    assert outdated_similarities(kept) == ""


def rows(project):
    with (project.results / "s3f.csv").open(encoding="utf-8") as file:
        return {row["case"]: (row["similarity"], row["kept"]) for row in csv.DictReader(file)}


def test_a_project_of_0_1_0_that_kept_an_empty_volume_says_so_and_drops_it(copied):
    empty = max(rows(copied), key=lambda name: rows(copied)[name][0])
    case = copied.case(empty)
    assert (case.read(LABELS) == 1).any()
    for array in (ROUND1, SAM_ROUND1):
        case.write(array, np.zeros_like(case.read(array)), case.seal(array))
    kept = copied.root / SIMILARITIES
    as_0_1_0_wrote = {
        name: [*prints[:2], 1.0 if name == empty else score]
        for name, (*prints, score) in json.loads(kept.read_text(encoding="utf-8")).items()
    }
    kept.write_text(json.dumps(as_0_1_0_wrote), encoding="utf-8")
    found = {status.stage: status for status in survey(copied)}
    assert found["train"].state == "fresh"
    assert found["self-train"].state == "stale" and found["self-train"].why.startswith(REASON)
    assert empty in found["self-train"].why
    (told,) = verify(copied.root, Control()).findings
    assert (told.path, told.state) == (SIMILARITIES, "to be made") and told.problem.startswith(REASON)
    planned = run_stages(copied, "self-train", dry_run=True)["self-train"].planned
    assert planned["unet-round2"].startswith(REASON)
    assert run_stages(copied, "self-train")["self-train"].done == ["unet-round2"]
    assert rows(copied)[empty] == ("0.000000", "0")
    assert {status.state for status in survey(copied) if status.stage != "evaluate"} == {"fresh"}


def test_a_project_of_0_1_0_without_empty_masks_stays_fresh(copied):
    kept = copied.root / SIMILARITIES
    entries = json.loads(kept.read_text(encoding="utf-8"))
    kept.write_text(json.dumps({n: [*e[:2], e[-1]] for n, e in entries.items()}), encoding="utf-8")
    assert {status.state for status in survey(copied) if status.stage != "evaluate"} == {"fresh"}
    assert run_stages(copied, "self-train")["self-train"].fresh == ["unet-round2"]
