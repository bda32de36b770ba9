"""The report's page: all that was done is there, nothing that must not be, and nothing foreign."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from clisc_engine.errors import BadInput
from clisc_engine.imaging.axial import AxialView
from clisc_engine.project.project import open_project
from clisc_engine.report.gather import gather
from clisc_engine.report.images import Grid
from clisc_engine.report.marks import Marks
from clisc_engine.report.pictures import Row
from clisc_engine.report.rendering import ShownCase, render
from clisc_engine.report.write import Choice, write_report
from clisc_engine.running.control import Control
from clisc_engine.settings.keys import with_changes
from clisc_engine.settings.presets import preset
from clisc_engine.stages.prompt_sam import prompt_sam
from tests.support.documents import Document, opened
from tests.support.small import run_stages, small_project

SCRIPT = "</td></script><script>alert(1)</script>"
HOSTILE = '"><img src=x onerror=alert(1)>'


def lose_references(project):
    """Take the voxels of every reference away, so that reading one fails."""
    found = list((project.store.root / "cases").glob("*/reference/c"))
    assert found
    for voxels in found:
        shutil.rmtree(voxels)


def test_everything_is_inside_the_file(page):
    document = Document(page.read_text(encoding="utf-8"))
    assert all(address.startswith(("data:image/", "#")) for address in document.addresses)
    assert {"link", "iframe", "object", "embed"}.isdisjoint(document.tags)
    links = {address[1:] for address in document.addresses if address.startswith("#")}
    viewers = {f"view-{index}" for index in range(5)}
    assert links - viewers <= set(document.ids) and len(document.ids) == len(set(document.ids))


def test_the_page_tells_the_run_s_story(page, evaluated):
    document = Document(page.read_text(encoding="utf-8"))
    stored = evaluated.store.attributes("metrics/evaluation")["evaluation"]
    for row in stored["rows"]:
        assert f" {row['dsc_mean']:.2f} {row['hd95_mean']:.2f} 1 " in document.text, (
            "one case, no deviation"
        )
    for words in ("glioma", "3 train, 1 valid, 1 test", "All that can be made is up to date"):
        assert words in document.text
    scores = (evaluated.results / "s3f.csv").read_text(encoding="utf-8").splitlines()[1:]
    (dropped,) = (row.split(",")[0] for row in scores if row.endswith(",0"))
    assert f"1 of 3 volumes, those under {float(scores[1].split(',')[1]):.3f}" in document.text
    assert f"Dropped {dropped} " in document.text
    assert f"● unet.epochs 2 {preset('tiny').unet.epochs} passes" in document.text


def test_tiny_models_are_named_at_the_top_and_at_every_result(page, evaluated):
    words = Document(page.read_text(encoding="utf-8")).text
    assert 0 < words.index("Made with the bundled tiny models") < words.index("Steps")
    for title in ("Slice labels", "Cases in pictures", "Trainings", "(S3F)", "Evaluation", "Case viewer"):
        assert f"{title} tiny models" in words
    paper = replace(gather(evaluated), weights="paper")
    assert "tiny models" not in Document(render(paper, {}, [], {}).decode()).text


def test_the_viewer_s_masks_are_the_project_s(evaluated, report):
    document = report(evaluated, cases=("p4",))
    case, shown = evaluated.case("p4"), document.viewer(0)
    stored = {
        "sam": case.read("masks/sam"),
        "round1": case.read("masks/round1"),
        "final": case.read("masks/round2"),
        "reference": evaluated.references.read_cropped(case.info),
    }
    assert set(shown["layers"]) == {"cam", "amda", "prompts", *stored}
    height, width = shown["height"], shown["width"]
    for name, mask in stored.items():
        sheet = np.asarray(opened(shown["layers"][name]))
        assert mask.shape == (shown["count"], height, width) and mask.any()
        for z, slice_ in enumerate(mask):
            row, column = divmod(z, shown["columns"])
            tile = sheet[row * height : (row + 1) * height, column * width : (column + 1) * width]
            np.testing.assert_array_equal(tile, slice_ != 0)
    assert shown["labels"] == case.read("labels/tumour").tolist()


def test_no_reference_is_read_before_evaluate(copied, report):
    lose_references(copied)
    document = report(copied)
    assert all("reference" not in document.viewer(index)["layers"] for index in range(5))
    assert "clisc evaluate makes it" in document.text and ") , reference" not in document.text


def test_after_evaluate_only_measured_cases_show_their_reference(evaluated, report, tmp_path):
    shutil.copytree(evaluated.root, tmp_path / "p")
    for name in ("p0", "p1", "p2", "p3"):
        shutil.rmtree(tmp_path / "p" / "store.zarr" / "cases" / name / "reference" / "c")
    project = type(evaluated)(tmp_path / "p", evaluated.settings)
    shown = [report(project, cases=(name,)).viewer(0)["layers"] for name in ("p0", "p3", "p4")]
    assert ["reference" in layers for layers in shown] == [False, False, True]


def test_a_project_just_imported_names_the_command_of_every_section(data, report, tmp_path):
    project = small_project(tmp_path / "new", data)
    document = report(project)
    for stage in ("label", "cam", "amda", "train", "self-train", "evaluate"):
        assert f"clisc {stage}" in document.text
    assert document.text.count("Not there yet") == 3, "labels, selection, evaluation"
    assert document.viewer(0)["layers"] == {} and "Next: clisc label" in document.text
    run_stages(project, "label")
    document = report(project)
    assert document.text.count("Not there yet") == 2 and "Next: clisc cam" in document.text


def test_without_references_the_evaluation_is_not_possible(data, report, tmp_path):
    project = small_project(tmp_path / "new", data, references=False)
    assert "Nothing to measure: no test case has a reference mask" in report(project).text


def test_what_a_changed_setting_makes_stale_is_said(copied, report):
    changes = {"amda.t": 7.0}
    copied.change_settings(with_changes(copied.settings, changes, "test"), changes)
    usual = preset("tiny").amda.t
    assert f"● amda.t 7 {usual:g} " in (text := report(copied).text)
    assert f"Stale: amda.t {usual} -> 7.0. clisc amda makes it anew" in text
    cause = f"(amda.t {usual} -> 7.0)"
    assert f"Stale: unet-round1 is stale {cause}. clisc self-train makes it anew" in text
    assert f"masks/sam of 3 cases are stale {cause}" in text


def test_rows_of_other_settings_are_marked_in_the_table(evaluated, tmp_path, report):
    shutil.copytree(evaluated.root, tmp_path / "own")
    project = open_project(tmp_path / "own")
    project.change_settings(project.settings, {"unet.border": 3.0})
    text = report(open_project(project.root)).text
    for title in ("network, round 1", "full: round 2 with S3F"):
        assert f"{title} * " in text and f"* {title} is stale: " in text
    assert "raw CAM * " not in text and "raw CAM is stale" not in text


def test_names_and_settings_full_of_markup_stay_words(copied, report):
    before = report(copied)
    changes = {"label.tumour_prompts": [SCRIPT]}
    copied.change_settings(with_changes(copied.settings, changes, "test"), changes)
    document = report(copied)
    assert document.tags.count("script") == before.tags.count("script") and SCRIPT in document.text
    # A project opens no case of such a name, so the page is given one by itself.
    story = replace(gather(copied), project=HOSTILE, dropped={HOSTILE: 0.1})
    view, grid = AxialView("R", "L", "A", "P", 0.0, (1.0, 1.0), 0), Grid(1, 1, 1, 1)
    marks, rows = Marks.of(view, grid, 1), [Row(0, "", [], 0)]
    shown = ShownCase(HOSTILE, "test", HOSTILE, HOSTILE, None, view, grid, marks, rows)
    document = Document(render(story, {HOSTILE: "test"}, [shown], {HOSTILE: SCRIPT}).decode())
    assert "img" not in document.tags and document.tags.count("script") == 1
    assert document.text.count(HOSTILE) >= 6 and SCRIPT in document.text


def test_a_case_that_cannot_be_read_is_left_out_and_named(copied, report):
    shutil.rmtree(copied.store.root / "cases" / "p1" / "cams" / "raw" / "c")
    document = report(copied)
    assert len([name for name in document.scripts if name and name.startswith("case-")]) == 4
    assert "Left out of this report" in document.text and "p1: " in document.text


def test_cases_are_those_named_or_the_most_telling(evaluated, tmp_path):
    def shown(**choice):
        written = write_report(evaluated, tmp_path / "r.html", Choice(**choice), Control())
        return written.pictured, written.viewed

    assert shown(cases=("p3", "p1", "p3"), pictures=1) == (["p3"], ["p3", "p1"])
    (dropped,) = gather(evaluated).dropped
    assert shown(pictures=2, viewers=2) == (["p4"], ["p4", dropped]), "p4 alone is measured"
    assert shown(viewers=0) == (["p4"], []) and shown(pictures=0, viewers=0) == ([], [])
    document = Document((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "No case is pictured" in document.text and "No case is in this file" in document.text
    with pytest.raises(BadInput, match="nobody"):
        shown(cases=("nobody",))


def test_pictures_and_viewer_name_sides_scale_source_slice_and_volume(page, evaluated):
    document = Document(page.read_text(encoding="utf-8"))
    case, shown = evaluated.case("p4"), document.viewer(0)
    first = case.info.placement["crop"][0][0]
    assert shown["axial"] == first
    across = shown["width"] / (case.read("image").shape[2] * case.info.spacing[2])
    mm = float(shown["marks"]["words"].removesuffix(" mm"))
    assert shown["marks"]["bar"] == pytest.approx(mm * across, abs=0.01)
    assert [shown["marks"][edge] for edge in ("left", "right", "top", "bottom")] == [*"RLAP"]
    letters = re.findall(r'<text x="([\d.]+)" y="([\d.]+)"[^>]*>([RLAP])</text>', page.read_text("utf-8"))
    x, y = ({letter: float(place[axis]) for *place, letter in letters[:4]} for axis in (0, 1))
    assert x["R"] < x["A"] < x["L"] and y["A"] < y["P"]
    assert shown["told"] == "radiological: patient's right on the left"
    ml = (case.read("masks/sam") != 0).sum() * np.prod(case.info.spacing) / 1000
    assert shown["figures"]["sam"].startswith(f"{ml:.1f} ml, DSC ")
    assert shown["figures"]["amda"].endswith("cut by Otsu") and "prompts" not in shown["figures"]
    assert f"{shown['figures']['sam']} " in document.text, "in the caption of the picture, too"
    assert f"slice {first + shown['start']} (z {shown['start']}) , reference" in document.text
    assert "A map is cut by Otsu before its DSC is measured" in document.text


LINES = ["SAM's mask", "round 1", "final mask", "reference"]
BOX, POINTS = "box that SAM was given", ["point in the lesion", "point outside"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, [*LINES, BOX, *POINTS]),
        ({"prompts.kind": "box"}, [*LINES, BOX]),
        ({"prompts.region": "map+bundled"}, LINES),
    ],
)
def test_the_legend_explains_what_is_drawn_and_nothing_else(evaluated, tmp_path, changes, words):
    shutil.copytree(evaluated.root, tmp_path / "own")
    project = open_project(tmp_path / "own")
    project.change_settings(project.settings, changes)
    project = open_project(project.root)
    prompt_sam(project, Control(device="cpu", cases=("p4",)))
    write_report(project, tmp_path / "r.html", Choice(cases=("p4",)), Control())
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    (legend,) = re.findall(r'<ul class="legend" aria-label="Lines in the pictures">(.*?)</ul>', text, re.S)
    assert re.findall(r"</svg>([^<]*)</li>", legend) == [word.replace("'", "&#39;") for word in words]


def test_before_any_mask_pictures_need_no_legend(data, tmp_path):
    project = small_project(tmp_path / "p", data)
    write_report(project, tmp_path / "r.html", Choice(), Control())
    assert "Lines in the pictures" not in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_the_table_names_the_paper_s_rows_those_not_made_and_how_few_cases(page):
    text = Document(page.read_text(encoding="utf-8")).text
    assert "SAM, box and points SAM (5 points + box)" in text and "over the n cases of a row" in text
    assert "Not made yet: sam-points, sam-box, without-s3f ( clisc evaluate --ablation )" in text
    assert "1 case: figures of one volume" in text
    assert "1/1 network" in text and "5/5 cases" in text
