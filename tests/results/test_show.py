"""The picture of a case shows what the store holds."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from clisc_engine.errors import BadInput
from clisc_engine.project import case_changes
from clisc_engine.project.project import open_project
from clisc_engine.project.store import Seal
from clisc_engine.results.case_picture import case_picture, chosen_slices
from clisc_engine.results.drawing import draw_case, picture_bytes
from clisc_engine.results.layers import RAW_LAYER, SAM_LAYER, STEPS
from clisc_engine.results.show import show_case
from clisc_engine.running.control import Control
from clisc_engine.settings.presets import preset
from clisc_engine.stages.evaluate import evaluate
from clisc_engine.stages.init import Request, initialise
from clisc_engine.stages.prompt_sam import prompt_sam
from tests.support.small import run_stages, small_project
from tests.support.volumes import ball


def titles(figure):
    return [axes.get_title().split("\n")[0] for axes in figure.axes if axes.get_title()]


def test_columns_are_the_steps_that_were_done(data, finished, tmp_path):
    project = small_project(tmp_path / "p", data)
    assert titles(draw_case(case_picture(project, "p0", 3), "tiny")) == ["FLAIR"]
    run_stages(project, "label", "cam")
    assert titles(draw_case(case_picture(project, "p0", 3), "tiny")) == ["FLAIR", "CAM"]
    assert titles(draw_case(case_picture(finished, "p0", 3), "tiny")) == [
        *("FLAIR", "CAM", "CAM with AMDA", "prompts, SAM's mask", "round 1")
    ]


def test_the_reference_is_drawn_once_the_case_is_evaluated(copied):
    assert case_picture(copied, "p4", 3).reference is None
    evaluate(copied, Control(device="cpu"))
    picture = case_picture(copied, "p4", 3)
    reference = copied.references.read_cropped(copied.case("p4").info) != 0
    np.testing.assert_array_equal(picture.reference, reference)
    assert case_picture(copied, "p0", 3).reference is None, "a train case was not measured"
    drawn = draw_case(picture, "tiny")
    assert titles(drawn)[0] == "FLAIR, reference" and titles(drawn)[-1] == "final mask"
    assert any("DSC" in axes.get_title() for axes in drawn.axes)


def test_the_drawn_pixels_are_the_slice(finished):
    picture = case_picture(finished, "p0", 2)
    axes = draw_case(picture, "paper").axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), picture.slices[picture.chosen[0]])
    assert picture.slices.shape == finished.case("p0").read("image").shape


def test_prompts_enclose_the_region_that_was_marked(finished):
    picture = case_picture(finished, "p4", 14)
    assert any(picture.prompts.values())
    for z, prompts in picture.prompts.items():
        for prompt in prompts:
            x0, y0, x1, y1 = prompt.box
            cam = finished.case("p4").read("cams/amda")[z]
            y, x = np.unravel_index(cam.argmax(), cam.shape)
            assert x0 <= x <= x1 and y0 <= y <= y1


def asked_anew(project, changes):
    """The project with these settings, by which SAM was asked again."""
    project.change_settings(project.settings, changes)
    changed = open_project(project.root)
    prompt_sam(changed, Control(device="cpu"))
    return changed


def test_no_prompts_are_drawn_that_sam_was_not_given(copied):
    assert any(case_picture(copied, "p4", 2).prompts.values())
    copied.change_settings(copied.settings, {"prompts.dilation": 9})
    stale = case_picture(open_project(copied.root), "p4", 2)
    assert stale.prompts == {} and "SAM's mask" in map(stale.column_title, stale.steps)
    prompt_sam(open_project(copied.root), Control(device="cpu", cases=("p4",)))
    assert any(case_picture(open_project(copied.root), "p4", 2).prompts.values())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prompts.kind": "box"}, ["box that SAM was given"]),
        ({"prompts.kind": "points"}, ["point in the lesion", "point outside"]),
        ({"prompts.region": "map+bundled"}, []),
    ],
)
def test_the_legend_explains_what_is_drawn_and_nothing_else(copied, changes, words):
    figure = draw_case(case_picture(asked_anew(copied, changes), "p4", 2), "tiny")
    assert [text.get_text() for found in figure.legends for text in found.get_texts()] == words


@pytest.mark.parametrize("length", [5, 60, 150])
def test_title_split_and_caution_stay_within_the_picture_however_long_the_name_is(finished, length):
    name = ("sub-0123_ses-" * 20)[:length]
    for layers in (STEPS, ()):
        picture = replace(case_picture(finished, "p4", 2, layers), name=name)
        figure = draw_case(picture, "tiny")
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        title, words = figure.texts[:2]
        assert title.get_text().replace("\n", "").startswith(name)
        assert title.get_text().endswith("tiny models: for demos and tests")
        here = [found.get_window_extent(canvas.get_renderer()) for found in (title, words)]
        assert max(box.x1 for box in here) <= figure.bbox.x1 and here[0].y1 <= figure.bbox.y1
        first = figure.axes[0].get_tightbbox(canvas.get_renderer())
        assert first.y1 <= here[1].y0 and here[1].y1 <= here[0].y0, "one below the other"


def test_a_drawn_box_lies_around_the_whole_of_its_pixels(copied):
    picture = case_picture(asked_anew(copied, {"prompts.kind": "box", "prompts.dilation": 0}), "p4", 1)
    (prompt,) = picture.prompts[picture.chosen[0]]
    figure = draw_case(picture, "tiny")
    (axes,) = (axes for axes in figure.axes if axes.get_title().startswith("prompts, SAM's mask"))
    (box,) = (patch for patch in axes.patches if patch.get_linestyle() == "--")
    x0, y0, x1, y1 = prompt.box
    assert box.get_bbox().extents.tolist() == [x0 - 0.5, y0 - 0.5, x1 + 0.5, y1 + 0.5]


def test_slices_lie_where_the_regions_are():
    brain = np.ones((20, 4, 4), bool)
    one, two = np.zeros_like(brain), np.zeros_like(brain)
    one[8:13] = True
    two[10, 0, 0] = True
    assert chosen_slices(brain, [one], 5) == [8, 9, 10, 11, 12]
    assert chosen_slices(brain, [one, two, np.zeros_like(brain)], 1) == [10]
    assert chosen_slices(brain, [two], 5) == [10]
    assert chosen_slices(brain, [np.zeros_like(brain)], 4) == [2, 7, 12, 17]


def test_the_file_is_a_png_with_something_on_it(finished, tmp_path):
    show_case(finished, "p1", 4, tmp_path / "deep" / "p1.png")
    with Image.open(tmp_path / "deep" / "p1.png") as image:
        assert image.format == "PNG" and min(image.size) > 300
        assert np.asarray(image.convert("L")).std() > 10


def test_a_case_that_is_not_there_is_named(finished):
    with pytest.raises(BadInput, match="nobody"):
        case_picture(finished, "nobody", 3)


def test_letters_that_the_font_lacks_are_told_apart_and_not_warned_of(finished):
    picture = case_picture(finished, "p0", 1)
    for name, drawn in {"日本-1": r"\u65e5\u672c-1", "Müller": "Müller"}.items():
        figure = draw_case(replace(picture, name=name), "paper")
        assert figure.texts[0].get_text().startswith(f"{drawn} ")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            picture_bytes(figure)


def test_a_renamed_case_shows_the_prompts_that_were_drawn_for_it(copied):
    before = case_picture(asked_anew(copied, {"prompts.foreground": "bright5"}), "p0", 3).prompts
    assert any(before.values())
    case_changes.apply(copied, case_changes.Change(rename={"p0": "other"}))
    after = case_picture(open_project(copied.root), "other", 3).prompts
    assert before and before.keys() == after.keys()
    for z, prompts in before.items():
        for one, same in zip(prompts, after[z], strict=True):
            np.testing.assert_array_equal(one.points, same.points)


def words_of(axes):
    return {text.get_text(): text for text in axes.texts}


def test_the_picture_of_a_flipped_anisotropic_scan_says_which_side_is_which_and_how_long_a_mm_is(tmp_path):
    """A spot is bright at the right and the front; pixels are 2 mm high and 1 mm wide; stored as RAS."""
    spacing, ((z, y, x), size) = (1.0, 2.0, 6.0), ((4, 6, 8), (14, 30, 40))
    head = ball(size)
    upright = sitk.GetImageFromArray(head)
    upright.SetSpacing(spacing)
    spot = sitk.GetArrayFromImage(upright)
    spot[z, y : y + 4, x : x + 4] = 400  # small x is the patient's right, small y the front, in LPS
    image = sitk.GetImageFromArray(spot)
    image.CopyInformation(upright)
    path = tmp_path / "images" / "a_flair.nii.gz"
    path.parent.mkdir()
    sitk.WriteImage(sitk.DICOMOrient(image, "RAS"), str(path))
    request = Request(tmp_path / "p", str(path.parent), None, None, "1:0:0", False)
    project = initialise(request, preset("tiny"), Control(device="cpu")).project
    picture = case_picture(project, "a", 40)
    figure = draw_case(picture, "tiny")
    lowest = min(np.flatnonzero(head.any(axis=(1, 2))))
    drawn = next(axes for axes in figure.axes if axes.get_ylabel().split("\n")[0] == f"slice {z}")
    assert drawn.get_ylabel() == f"slice {z}\nz {z - lowest}"
    shown = drawn.images[0].get_array()
    rows, columns = np.nonzero(shown == shown.max())
    across, down = (columns.mean() + 0.5) / shown.shape[1], 1 - (rows.mean() + 0.5) / shown.shape[0]
    places = {word: text.get_position() for word, text in words_of(drawn).items() if word in set("RLAP")}
    assert abs(places["R"][0] - across) < abs(places["L"][0] - across)
    assert abs(places["A"][1] - down) < abs(places["P"][1] - down)
    (bar,) = (line for line in drawn.lines if line.get_gid() == "scale bar")
    length = float(np.ptp(bar.get_xdata())) * spacing[0]
    assert f"{length:g} mm" in words_of(drawn)
    assert drawn.get_aspect() == spacing[1] / spacing[0]
    assert "radiological: patient's right on the left" in " ".join(t.get_text() for t in figure.texts)


def test_masks_have_their_volume_and_maps_the_threshold_of_their_dsc(copied):
    before = draw_case(case_picture(copied, "p4", 2), "tiny")
    voxel = np.prod(copied.case("p4").info.spacing) / 1000
    ml = f"{(copied.case('p4').read('masks/sam') != 0).sum() * voxel:.1f} ml"
    heads = {axes.get_title().split("\n")[0]: axes.get_title() for axes in before.axes if axes.get_title()}
    assert heads["prompts, SAM's mask"].split("\n")[1] == ml and heads["CAM"] == "CAM"
    assert [text.get_text() for text in before.legends[0].get_texts()] == [
        *("box that SAM was given", "point in the lesion", "point outside")
    ]
    document = evaluate(copied, Control(device="cpu"))
    entries = {entry["name"]: entry for entry in document["cases"]}
    after = draw_case(case_picture(copied, "p4", 2), "tiny")
    heads = {axes.get_title().split("\n")[0]: axes.get_title() for axes in after.axes if axes.get_title()}
    assert heads["CAM"].split("\n")[1] == f"DSC {entries['cam-raw']['dsc']:.1f} %, cut by Otsu"
    assert heads["prompts, SAM's mask"].split("\n")[1] == f"{ml}, DSC {entries['sam']['dsc']:.1f} %"
    assert heads["FLAIR, reference"].split("\n")[1] == f"{entries['sam']['volume_ml']:.1f} ml"
    assert "of the whole volume, not of the slice" in " ".join(text.get_text() for text in after.texts)


def test_a_mask_that_was_made_anew_does_not_get_the_dsc_of_the_old_one(copied):
    evaluate(copied, Control(device="cpu"))
    case = copied.case("p4")
    case.write("masks/sam", np.zeros_like(case.read("masks/sam")), Seal.now("test", "another", {}))
    picture = case_picture(open_project(copied.root), "p4", 2)
    assert picture.figures(SAM_LAYER) == "0.0 ml, DSC: evaluate again"
    assert "DSC" in picture.figures(RAW_LAYER) and "again" not in picture.figures(RAW_LAYER)


def test_a_picture_that_would_come_out_the_same_is_not_drawn_again(copied, tmp_path):
    path = tmp_path / "p4.png"
    first = show_case(copied, "p4", 3, path)
    before = path.read_bytes()
    again = show_case(copied, "p4", 3, path)
    assert (first.drawn, again.drawn) == (True, False)
    assert again.slices == first.slices and again.masks == first.masks and path.read_bytes() == before
    other = case_picture(copied, "p4", 2).chosen
    assert show_case(copied, "p4", 2, path).slices == other
    assert show_case(copied, "p0", 2, path).drawn and not show_case(copied, "p0", 2, path).drawn


def made_anew(project):
    case = project.case("p4")
    seal = replace(case.seal("masks/sam"), time="2099-01-01T00:00:00+00:00")
    case.write("masks/sam", 1 - case.read("masks/sam"), seal)


@pytest.mark.parametrize(
    "change",
    [
        made_anew,
        lambda project: project.store.remove("cases/p4/cams/raw"),
        lambda project: project.change_settings(project.settings, {"window.high": 90.0}),
        lambda project: project.change_settings(project.settings, {"prompts.foreground": "bright5"}),
        lambda project: evaluate(project, Control(device="cpu")),
        lambda project: case_changes.apply(project, case_changes.Change(move={"p4": "train"})),
    ],
    ids=["another mask", "a map less", "another window", "other prompts", "a reference", "another split"],
)
def test_a_picture_is_drawn_again_when_what_it_shows_has_changed(copied, tmp_path, change):
    path = tmp_path / "p4.png"
    show_case(copied, "p4", 2, path)
    before = path.read_bytes()
    change(copied)
    assert show_case(open_project(copied.root), "p4", 2, path).drawn and path.read_bytes() != before
