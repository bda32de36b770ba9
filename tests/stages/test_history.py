"""Evaluations are kept by their fingerprints; none is overwritten, and projects of 0.1.0 have none yet."""

import json

import pytest

from clisc_engine.errors import BadInput
from clisc_engine.project import variants
from clisc_engine.project.project import open_project
from clisc_engine.running.control import Control
from clisc_engine.stages.evaluation import document as evaluation_document
from clisc_engine.stages.evaluation import history, tables
from clisc_engine.upkeep.repair import repair
from clisc_engine.upkeep.verify import verify


def files(project):
    return sorted(path.name for path in (project.results / "history").glob("*"))


def as_if_measured(project, mark, time):
    """Save a document as `evaluate` would after other masks were measured."""
    document = evaluation_document.load(project.store)
    tables.save(project, {**document, "fingerprint": mark, "time": time})


def test_each_evaluation_stays_with_the_settings_of_then(varied):
    first = evaluation_document.load(varied.store)
    varied.change_settings(varied.settings.model_copy(update={"seed": 5}), {"seed": 5})
    as_if_measured(varied, "f" * 16, "2999-01-01T00:00:00+00:00")
    newest, before = history.past(varied)
    assert (newest.current, before.current) == (True, False)
    assert before.fingerprint == first["fingerprint"] and before.document["rows"] == first["rows"]
    assert before.differing(varied.settings) == {"seed": (0, 5)} and newest.differing(varied.settings) == {}
    as_if_measured(varied, "f" * 16, "2999-01-02T00:00:00+00:00")
    assert len(files(varied)) == 2, "measured again, it is the same one"
    assert history.find(varied, "ff").time == "2999-01-01T00:00:00+00:00"
    with pytest.raises(BadInput, match="no evaluation begins with 'ee'"):
        history.find(varied, "ee")


def test_what_an_earlier_clisc_measured_is_kept_when_it_is_replaced(varied):
    path = varied.results / "history" / files(varied)[0]
    path.unlink()
    path.parent.rmdir()
    [alone] = history.past(varied)
    assert alone.current and alone.settings is None
    as_if_measured(varied, "f" * 16, "2999-01-01T00:00:00+00:00")
    newest, before = history.past(varied)
    assert f"{before.fingerprint}.json" == path.name and before.settings is None
    assert newest.settings["seed"] == 0


def test_a_variant_has_a_history_and_a_table_of_its_own(varied):
    variant = variants.open_variant(varied, "t0")
    assert len(files(variant)) == 1 and files(variant) != files(varied)
    over = variants.lay_over(variant, "over", {"seed": 3})
    assert evaluation_document.load(over.store) is None and history.past(over) == []


def test_a_file_that_is_not_whole_is_named_and_stands_in_nobodys_way(varied):
    name = files(varied)[0]
    damaged = varied.results / "history" / ("0" * 16 + ".json")
    damaged.write_bytes((varied.results / "history" / name).read_bytes())  # of another name than it tells
    (varied.root / "variants" / "t0" / "results" / "history" / "1.json").write_text("{", encoding="utf-8")
    assert len(history.past(varied)) == 1
    found = verify(varied.root, Control())
    assert {one.path for one in found.findings} == {
        f"results/history/{damaged.name}",
        "variants/t0/results/history/1.json",
    }
    assert {one.what for one in found.faults} == {"history"}
    repair(varied.root, found, Control())
    assert files(varied) == [name] and verify(varied.root, Control()).findings == []


def test_it_holds_no_mark_that_would_not_last_and_is_small(varied):
    kept = json.loads((varied.results / "history" / files(varied)[0]).read_text(encoding="utf-8"))
    assert {"state", "why", "fingerprint"} & kept["document"]["cases"][0].keys() == set()
    assert kept["known_as"] == {f"p{index}": f"p{index}" for index in range(5)}
    assert kept["settings"]["amda.t"] == open_project(varied.root).settings.amda.t
