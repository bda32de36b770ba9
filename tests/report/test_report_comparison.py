"""Table 1 and Fig. 2 in the report."""

import re
import shutil

import numpy as np
import pytest

from clisc_engine.baselines.table1.evaluate import table1
from clisc_engine.baselines.table1.measured import measured_reference
from clisc_engine.errors import BadInput
from clisc_engine.project.project import open_project
from clisc_engine.report.choose import one_of_each_size
from clisc_engine.report.figure2 import figure2
from clisc_engine.report.images import outline
from clisc_engine.results.case_picture import case_picture
from clisc_engine.results.layers import RIVALS
from clisc_engine.running.control import Control
from tests.support.table1 import EVERYWHERE, array_of, drawn, sealed, with_rows

CPU = Control(device="cpu")
METHODS = ("amcons", "otsu", "own-bright_parts", "full", "sam-reference")


@pytest.fixture(scope="module")
def compared(tmp_path_factory, data):
    project = with_rows(tmp_path_factory.mktemp("table1") / "glioma", data)
    return project, table1(project, CPU, splits=EVERYWHERE)


@pytest.fixture
def spoilt(compared, tmp_path):
    shutil.copytree(compared[0].root, tmp_path / "copy")
    return open_project(tmp_path / "copy")


def area(path):
    """Pixels within an outline along pixel edges, by its horizontal edges."""
    edges = {}
    for x, y, length in re.findall(r"M(\d+) (\d+)h(\d+)", path):
        for column in range(int(x), int(x) + int(length)):
            edges.setdefault(column, []).append(int(y))
    return sum(sum(np.diff(sorted(ys))[::2]) for ys in edges.values())


def test_the_figure_has_a_row_of_each_size_and_a_column_of_each_method(compared):
    project, document = compared
    figure = figure2(project, document)
    assert [row.group for row in figure.rows] == ["Tiny", "Small", "Medium", "Large", "Huge"]
    volumes = [row.volume for row in figure.rows]
    assert volumes == sorted(volumes) and not figure.failed
    assert figure.titles == [
        "AMCons",
        "Otsu (floor)",
        "own-bright_parts",
        "CLISC",
        "SAM, reference prompts",
    ]
    for row in figure.rows:
        case = project.case(row.case)
        reference = project.references.read_cropped(case.info) > 0
        areas = reference.sum(axis=(1, 2))
        assert areas[row.z] == areas.max() and area(row.reference) == areas.max()
        for name, contour in zip(METHODS, row.contours, strict=True):
            mask = case.read(array_of(name))[row.z] > 0
            assert contour.there and contour.path == outline(mask) and area(contour.path) == mask.sum()
            (entry,) = [e for e in document["cases"] if (e["case"], e["name"]) == (row.case, name)]
            assert contour.score == entry["dsc"]
            assert contour.volume == pytest.approx(entry["predicted_ml"])
        mm = float(row.marks.words.removesuffix(" mm"))
        shown = mm / case.info.spacing[2] * row.grid.across
        assert row.marks.bar[1] - row.marks.bar[0] == pytest.approx(shown, abs=0.02)


def test_show_draws_what_table_1_measured(compared):
    project, document = compared
    picture = case_picture(project, "p2", 2, RIVALS)
    assert [layer.title for layer in picture.steps] == [
        *("AMCons", "Otsu (floor)", "CLISC", "SAM, reference prompts")
    ]
    entries = {e["name"]: e for e in document["cases"] if e["case"] == "p2"}
    for layer in picture.steps:
        entry = entries[layer.id]
        assert picture.figures(layer) == f"{entry['predicted_ml']:.1f} ml, DSC {entry['dsc']:.1f} %"
    np.testing.assert_array_equal(
        picture.reference, project.references.read_cropped(project.case("p2").info) > 0
    )


def test_of_a_size_the_middle_tumour_is_shown_and_cases_without_any_never():
    entries = [("a", "Tiny", 3.0), ("b", "Tiny", 1.0), ("c", "Tiny", 2.0), ("d", "Huge", 9.0)]
    entries += [("e", "Huge", 8.0), ("f", "no tumour", 0.0)]
    cases = [{"case": case, "group": group, "volume_ml": ml} for case, group, ml in entries]
    assert one_of_each_size({"cases": cases}) == {"Tiny": "c", "Huge": "e"}


def test_the_page_shows_table_and_figure(compared, report):
    project, document = compared
    page = report(project, pictures=0, viewers=0)
    assert "comparison" in page.ids and "figure-2" in page.ids
    for row in document["rows"]:
        assert row["title"] in page.text and f"{row['dsc_mean']:.2f} ±" in page.text
    for words in ("n = 1", "SAM, reference prompts (paper: SAM)", "5 cases are few"):
        assert words in page.text
    for words in ("85.60 ±", "not the rerun", "Comparison with other methods tiny models"):
        assert words in page.text
    assert "clisc baseline salip --splits train,valid,test" in page.text
    assert "Stale" not in page.text[page.text.index("Comparison with") : page.text.index("Fig. 2")]
    links = {address[1:] for address in page.addresses if address.startswith("#size-")}
    assert links == {f"size-{index}" for index in range(5)} <= set(page.ids)


def test_a_stale_table_is_told_and_a_lost_mask_leaves_its_place_empty(spoilt, report):
    case = spoilt.case("p2")
    case.write("masks/baseline-otsu", drawn(spoilt, case, 2), sealed("another"))
    spoilt.store.remove("cases/p0/masks/baseline-otsu")
    text = report(spoilt, pictures=0, viewers=0).text
    assert "Stale: rows, masks or references changed" in text and " none " in text


def test_without_the_table_nothing_is_said_of_it(data, tmp_path, report):
    page = report(with_rows(tmp_path / "p", data), pictures=0, viewers=0)
    assert "comparison" not in page.ids and "Table 1" not in page.text


def test_no_reference_is_drawn_of_a_case_that_was_not_measured(compared):
    project, document = compared
    others = {**document, "cases": [e for e in document["cases"] if e["case"] != "p1"]}
    with pytest.raises(BadInput, match="p1 is not in Table 1"):
        measured_reference(project, project.case("p1"), others)
    assert measured_reference(project, project.case("p2"), others).any()
