"""`import clisc_engine`: what scripts may use, and that the page which shows it is true."""

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

import clisc_engine as clisc
from tests.support.volumes import ball

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


def examples():
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_examples_of_the_page_run(finished, data, tmp_path, monkeypatch, capsys):
    shutil.copytree(finished.root, tmp_path / "glioma")
    (tmp_path / "new").mkdir()
    shutil.copy(data / "images" / "p4_flair.nii.gz", tmp_path / "new" / "case1.nii.gz")
    monkeypatch.chdir(tmp_path)
    script = "\n".join(examples()).replace("patient-007", "p4")
    names = {}
    exec(compile(script, str(PAGE), "exec"), names)
    assert names["picture"].png.startswith(b"\x89PNG")
    assert names["found"].volume_ml == pytest.approx(names["same"].volume_ml)
    assert re.search(r"p4 test \d+\.\d ml", capsys.readouterr().out)

    scan = sitk.ReadImage(str(data / "images" / "p4_flair.nii.gz"))
    for image in (names["on_scan"], names["found"].image):
        assert image.GetSize() == scan.GetSize()
        assert image.GetOrigin() == pytest.approx(scan.GetOrigin())
        assert image.GetDirection() == pytest.approx(scan.GetDirection())
    assert sitk.GetArrayFromImage(names["on_scan"]).sum() == names["mask"].sum()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(names["found"].image), names["found"].mask)
    assert names["heat"].dtype == np.float32 and 0 <= names["heat"].min() < names["heat"].max() <= 1


def test_importing_it_loads_nothing_heavy():
    program = "import sys, clisc_engine; print(*sorted(m for m in sys.modules if '.' not in m))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "zarr", "SimpleITK", "monai", "pydantic"} & set(found.stdout.split())


def test_the_public_names_are_those_and_no_others():
    assert sorted(dir(clisc)) == sorted(clisc.__all__)
    for name in clisc.__all__:
        assert getattr(clisc, name) is not None
    with pytest.raises(AttributeError, match="torch"):
        clisc.torch  # noqa: B018


def test_a_step_that_lacks_an_earlier_one_says_which(copied):
    project = clisc.open_project(copied.root)
    with pytest.raises(clisc.MissingStage, match="masks/round2"):
        project.case("p4").mask("round2")
    with pytest.raises(clisc.BadInput, match="no case 'nobody'"):
        project.case("nobody")
    with pytest.raises(clisc.BadInput, match="no step 'segment'"):
        project.run("segment")


def test_what_is_fresh_is_skipped_and_what_is_forced_is_made_again(copied):
    project = clisc.open_project(str(copied.root))
    before = project.case("p0").probabilities
    assert [report.fresh for report in project.run("label")] == [[case.name for case in project]]
    (report,) = project.run("label", device="cpu", cases=["p0"], force=True)
    assert report.done == ["p0"]
    np.testing.assert_array_equal(project.case("p0").probabilities, before)


def test_a_name_alone_is_one_name_and_not_its_letters(copied):
    project = clisc.open_project(copied.root)
    (report,) = project.run("label", device="cpu", cases="p0", force=True)
    assert report.done == ["p0"]
    assert project.evaluate(splits="test", device="cpu")["splits"] == ["test"]
    for step in (project.evaluate, project.segment):
        with pytest.raises(clisc.BadInput, match="no split 'tests'; there are train, valid, test"):
            step(splits="tests")


def test_an_array_is_laid_on_the_scan_whole_or_not_at_all(finished):
    case = clisc.open_project(finished.root).case("p4")
    mask = case.mask("sam")
    expected = sitk.GetArrayFromImage(case.on_source_grid(mask))
    same_values = [mask.astype(kind) for kind in (bool, ">i2", ">f8", np.float16, np.longdouble)]
    for same in (*same_values, np.asfortranarray(mask), mask.tolist()):
        np.testing.assert_array_equal(sitk.GetArrayFromImage(case.on_source_grid(same)), expected)
    for other in (mask[:1], mask[len(mask) // 2], mask[1:], mask.T, mask.astype(complex)):
        with pytest.raises(clisc.BadInput, match="those of case p4 have the shape"):
            case.on_source_grid(other)


def test_a_project_that_somebody_else_holds_is_left_alone(copied):
    from clisc_engine.project.lock import hold

    project = clisc.open_project(copied.root)
    held = hold(copied.root, "clisc train", say=print, lost=print)
    with held, pytest.raises(clisc.BadInput, match="clisc train"):
        project.run("label")


def test_a_variant_that_a_command_is_at_work_on_keeps_what_it_reads_from(varied):
    from clisc_engine.project.lock import hold

    project = clisc.open_project(varied.root)
    held = hold(varied.root / "variants" / "t0", "clisc run", say=print, lost=print)
    with held, pytest.raises(clisc.BadInput, match=r"clisc run.* is at work in .*t0"):
        project.run("label")


def test_a_promotion_that_was_cut_short_is_completed_first(varied):
    from clisc_engine.project import promotion, variants

    todo = promotion.plan(varied, "t0")
    (varied.root / "variant-promotion.json").write_text(todo.model_dump_json(), encoding="utf-8")
    project = clisc.open_project(varied.root)
    assert [report.done for report in project.run("label")] == [[]]
    assert project.settings.amda.t == 0 and not (varied.root / "variant-promotion.json").exists()
    assert variants.variant_names(varied) == [todo.former]


def test_a_project_is_opened_by_one_function_under_two_names(finished, tmp_path, monkeypatch):
    assert clisc.open is clisc.open_project
    assert clisc.open(str(finished.root)).path == clisc.open(finished.root).path == finished.root
    monkeypatch.chdir(finished.root)
    assert len(clisc.open()) == 5
    with pytest.raises(clisc.MissingStage, match="No clisc project"):
        clisc.open(str(tmp_path))


def test_until_takes_the_steps_before_it_too(copied, capfd):
    project = clisc.open(copied.root)
    assert [report.stage for report in project.run(until="cam")] == ["label", "cam"]
    with pytest.raises(clisc.BadInput, match="not both"):
        project.run("label", until="cam")
    with pytest.raises(clisc.BadInput, match="no step 'evaluate'"):
        project.run(until="evaluate")
    project.run("label", force=True, device="cpu")
    project.status(), project.table(), project.show("p4", slices=1)
    assert capfd.readouterr() == ("", ""), "nothing is printed unasked"


class Bars:
    """Makes bars as tqdm does, and keeps what they were told."""

    def __init__(self):
        self.made = []

    def __call__(self, *, total, desc, unit):
        self.made.append({"total": total, "desc": desc, "unit": unit, "done": 0, "closed": False})
        return self

    def update(self, n=1):
        self.made[-1]["done"] += n

    def close(self):
        self.made[-1]["closed"] = True


def test_progress_is_told_to_bars_such_as_tqdm(copied, capsys):
    from tqdm import tqdm

    bars = Bars()
    project = clisc.open(copied.root)
    project.run("label", force=True, device="cpu", progress=bars)
    assert bars.made == [{"total": 5, "desc": "label", "unit": "case", "done": 5, "closed": True}]
    project.run("label", force=True, device="cpu", progress=tqdm)
    assert "label: 100%" in capsys.readouterr().err


def test_a_table_is_a_data_frame_or_the_same_records(copied, monkeypatch):
    pandas = pytest.importorskip("pandas")
    project = clisc.open(copied.root)
    with pytest.raises(clisc.MissingStage, match="Nothing was evaluated"):
        project.table("rows")
    project.evaluate(device="cpu")
    frame = project.table()
    assert isinstance(frame, pandas.DataFrame) and list(frame["case"]) == ["p0", "p1", "p2", "p3", "p4"]
    assert set(frame["mask"]) <= set(project.case("p4").masks)
    rows = project.table("rows")
    means = {row["name"]: row["dsc_mean"] for row in project.evaluate()["rows"]}
    assert dict(zip(rows["row"], rows["dsc_mean"], strict=True)) == means
    assert frame.set_index("case").loc["p4", "dsc_sam"] == pytest.approx(means["sam"], abs=0.01)
    monkeypatch.setitem(sys.modules, "pandas", None)
    records = project.table("rows")
    assert list(records) == rows.to_dict("records") and list(records[0]) == list(rows.columns)
    with pytest.raises(clisc.BadInput, match="cases and rows"):
        project.table("columns")


def test_arrays_and_images_in_memory_are_segmented_as_their_file_is(finished, data):
    path = data / "images" / "p4_flair.nii.gz"
    image = sitk.ReadImage(str(path))
    project = clisc.open(finished.root)
    by_file = clisc.predict(project, str(path), device="cpu")
    by_image = clisc.predict(finished.root, image, device="cpu")
    array, spacing = sitk.GetArrayFromImage(image), image.GetSpacing()[::-1]
    by_array = clisc.predict(str(finished.root), array, spacing=spacing, device="cpu")
    assert by_file.mask.any()
    for other in (by_image, by_array):
        np.testing.assert_array_equal(other.mask, by_file.mask)
        assert other.volume_ml == by_file.volume_ml
    assert by_image.image.GetOrigin() == image.GetOrigin()
    turned = sitk.DICOMOrient(image, "RAS")
    again = sitk.DICOMOrient(clisc.predict(project, turned, device="cpu").image, "LPS")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(again), by_file.mask)


@pytest.mark.parametrize(
    ("image", "options", "said"),
    [
        (np.ones((4, 5, 6)), {}, "spacing"),
        (np.ones((4, 5)), {"spacing": (1, 1, 1)}, "2 dimensions"),
        (np.ones((4, 5, 6)), {"spacing": (1, 1)}, "three"),
        (np.ones((4, 5, 6)), {"spacing": (1, 1, 0)}, "spacing"),
        (np.ones((4, 5, 6)), {"spacing": (1, -1, 1)}, r"spacing is \(1, -1, 1\); a voxel"),
        (np.ones((4, 5, 6)), {"spacing": 1.0}, "spacing is 1.0; give three"),
        (np.ones((4, 5, 6)), {"spacing": ("a", 1, 1)}, "give three"),
        (np.ma.masked_less(np.arange(120.0).reshape(4, 5, 6), 9), {"spacing": (1, 1, 1)}, "filled"),
        (np.ones((4, 5, 6)), {"spacing": (1, 1, 1)}, "same value"),
        (np.full((4, 5, 6), np.nan), {"spacing": (1, 1, 1)}, "NaN"),
        (np.ones((4, 5, 6), complex), {"spacing": (1, 1, 1)}, "real"),
        (np.ones((4, 5, 6)), {"spacing": (1, 1, 1), "channel": 0}, "channel"),
        (sitk.Image(4, 5, sitk.sitkFloat32), {}, "2 dimensions"),
        (sitk.Image(4, 5, 6, sitk.sitkFloat32), {"spacing": (1, 1, 1)}, "its own"),
        ("scan.nii.gz", {"spacing": (1, 1, 1)}, "its own"),
        ([[1]], {}, "not a list"),
    ],
)
def test_what_is_no_volume_is_refused(finished, image, options, said):
    with pytest.raises(clisc.BadInput, match=said):
        clisc.predict(finished.root, image, **options)


def test_a_spacing_in_another_order_is_refused(finished):
    volume = ball((14, 56, 48))
    with pytest.raises(clisc.BadInput, match=r"brain of 41 x 163 x 36\d mm .*another order"):
        clisc.predict(finished.root, volume, spacing=(3.4, 3.4, 9))
    clisc.predict(finished.root, volume, spacing=(9, 3.4, 3.4), device="cpu")


def test_a_skull_is_refused_unless_it_is_allowed(finished):
    z, y, x = np.mgrid[:14, :56, :48]
    head = (
        100 + 20 * np.sin(z + y / 3) + 10 * np.cos(x / 4) + np.random.default_rng(0).normal(0, 5, z.shape)
    )
    with pytest.raises(clisc.BadInput, match="allow_skull=True"):
        clisc.predict(finished.root, head, spacing=(9, 3.4, 3.4))
    found = clisc.predict(finished.root, head, spacing=(9, 3.4, 3.4), allow_skull=True, device="cpu")
    assert found.mask.shape == head.shape


def test_things_show_themselves_and_escape_what_they_show(copied, tmp_path):
    odd = tmp_path / "a <i>&b"
    copied.root.rename(odd)
    project = clisc.open(odd)
    assert repr(project) == f"<clisc project {odd}: 5 cases, tiny weights>"
    page = project._repr_html_()
    assert "a &lt;i&gt;&amp;b" in page and "<i>" not in page and "<td>prompt-sam</td>" in page
    case = project.case("p4")
    assert repr(case).startswith("<clisc case p4: split test, spacing 9 x 3.4 x 3.4 mm, masks ")
    assert "<td>test</td>" in case._repr_html_()
    lines = repr(project.status()).splitlines()
    assert lines[0].split() == ["step", "state", "done", "why"] and lines[1].startswith("label ")
    reports = project.run("label")
    assert "up to date" in repr(reports) and "<td>label</td>" in reports._repr_html_()
    picture = project.show(case, slices=2)
    with pytest.raises(clisc.BadInput, match="1 or more"):
        project.show(case, slices=0)
    assert picture._repr_png_() == picture.png and "p4" in repr(picture) and "PNG" not in repr(picture)


def test_masks_and_maps_that_nothing_makes_are_refused(finished):
    case = clisc.open(finished.root).case("p4")
    assert "sam" in case.masks
    with pytest.raises(clisc.BadInput, match="no masks 'samm'; case p4 has"):
        case.mask("samm")
    with pytest.raises(clisc.BadInput, match=r"no masks '\.\./labels/tumour'"):
        case.mask("../labels/tumour")
    with pytest.raises(clisc.BadInput, match="makes no maps"):
        case.map("label")


def test_a_network_or_a_split_that_there_is_not_is_no_missing_step(finished, data):
    project, image = clisc.open(finished.root), data / "images" / "p4_flair.nii.gz"
    for model in (project, "bundled"):
        with pytest.raises(clisc.BadInput, match="'x'; a project's are unet-round1 and unet-round2"):
            clisc.predict(model, image, network="x", device="cpu")
    for step in (project.evaluate, project.segment):
        with pytest.raises(clisc.BadInput, match="No split is named"):
            step(splits=())


def test_cases_stand_for_their_names(copied):
    project = clisc.open(copied.root)
    first, second, *_ = project
    (report,) = project.run("label", device="cpu", cases=[first, second.name], force=True)
    assert report.done == [first.name, second.name]
    assert {first: 1}[first] == 1, "a case can be the key of a script's own table"
    with pytest.raises(clisc.BadInput, match="no step"):
        project.run(["label"])


def test_what_the_questions_say_of_python_is_so(finished):
    faq = (PAGE.parent / "faq.md").read_text(encoding="utf-8")
    (answer,) = re.findall(r"\*\*How do I use it from Python\?\*\* (.*?)\n\n", faq, re.DOTALL)
    lines = [line for line in re.findall(r"`([^`]+)`", answer) if "clisc" in line]
    assert any(line.startswith("import ") for line in lines)
    names = {"__name__": "question"}
    for line in lines:
        exec(line.replace('"glioma"', repr(str(finished.root))), names)


def test_a_project_is_the_same_one_after_the_script_has_changed_its_folder(copied, tmp_path, monkeypatch):
    monkeypatch.chdir(copied.root.parent)
    project = clisc.open(copied.root.name)
    case = project.case("p4")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert case.image.shape == project.case("p4").image.shape
    assert [step.state for step in project.status()][:2] == ["fresh", "fresh"]
    assert [report.fresh for report in project.run("label")] == [[case.name for case in project]]
    assert not list((tmp_path / "elsewhere").iterdir())


def test_the_arithmetic_may_be_chosen_and_is_noted(copied, data):
    project, image = clisc.open(copied.root), data / "images" / "p4_flair.nii.gz"
    project.run("label", force=True, device="cpu", precision="bf16")
    noted = (copied.root / "logs" / "runs.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(noted[-1])["precision"] == "bf16"
    exact = clisc.predict(project, image, device="cpu").probability
    rounded = clisc.predict(project, image, device="cpu", precision="bf16").probability
    assert 0 < np.abs(exact - rounded).max() < 0.1
    for call in (project.run, project.segment, project.evaluate):
        with pytest.raises(clisc.BadInput, match="precision 'fp16' is not '32', 'bf16' or '16'"):
            call(precision="fp16")


class Interrupting(Bars):
    """Presses Ctrl-C after the first unit of each piece of work named."""

    def __init__(self, *works):
        super().__init__()
        self.works = works

    def update(self, n=1):
        super().update(n)
        if self.made[-1]["desc"] in self.works and self.made[-1]["done"] == 1:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture
def of_a_script():
    """Ctrl-C does what it does in a script, whatever commands that other tests ran have left."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("of_a_script")
def test_ctrl_c_ends_a_training_with_its_state_saved(copied):
    project = clisc.open(copied.root)
    bars = Interrupting("unet-round1")
    with pytest.raises(KeyboardInterrupt, match="what was finished is kept"):
        project.run("train", force=True, device="cpu", progress=bars)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    again = Bars()
    (report,) = project.run("train", force=True, device="cpu", progress=again)
    assert report.done == ["unet-round1"]
    epochs = project.settings.unet.epochs
    assert [one["total"] for one in again.made] == [epochs - bars.made[-1]["done"]], "it goes on"


@pytest.mark.usefixtures("of_a_script")
def test_ctrl_c_reaches_the_script_also_when_the_work_was_done_by_then(copied):
    project = clisc.open(copied.root)
    last = Interrupting("label")
    with pytest.raises(KeyboardInterrupt):
        project.run("label", cases=["p4"], force=True, device="cpu", progress=last)
    assert project.status()[0].state == "fresh"
