"""No command replaces a file that clisc did not write there, an input, or a file of another kind."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from clisc_engine.outputs.record import RECORD
from clisc_engine.results.trained import export_model

CPU = ("--device", "cpu")


@pytest.fixture(scope="module")
def model(finished, tmp_path_factory):
    """The final network without its project."""
    file = tmp_path_factory.mktemp("model") / "brain.clisc"
    export_model(finished, "unet-round2", file)
    return file


@pytest.fixture
def images(data, tmp_path):
    """Two volumes, free to be spoilt."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("p0", "p1"):
        shutil.copy(data / "images" / f"{name}_flair.nii.gz", folder)
    return folder


def everything(folder):
    """Each file and link below a folder with what it holds; not a project's logs: they tell of refusals."""
    return {
        path.relative_to(folder): path.readlink() if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if (path.is_symlink() or path.is_file()) and path.parent.name != "logs"
    }


def refused(clisc, folder, code, *arguments):
    """The message of a command that is to change nothing below a folder."""
    before = everything(folder)
    shown = clisc(*arguments)
    assert shown.code == code, shown.message
    assert everything(folder) == before
    return " ".join(shown.err.replace("│", " ").split())


def lines(folder):
    text = (folder / RECORD).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_masks_that_clisc_did_not_write_are_named_and_kept(clisc, model, images, tmp_path):
    for name in ("p0", "p1"):
        (images / f"{name}_seg.nii.gz").write_bytes(b"an expert's")
    message = refused(clisc, tmp_path, 3, "predict", model, images, "-o", images, *CPU)
    assert "p0_seg.nii.gz" in message and "p1_seg.nii.gz" in message
    assert "--force" in message and "another folder" in message
    made = clisc("predict", model, images, "-o", images, "--force", *CPU)
    assert made.code == 0 and nibabel.load(images / "p0_seg.nii.gz").shape


def test_one_file_in_the_way_stops_the_others_too(clisc, model, images, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "P1_SEG.nii.gz").write_bytes(b"mine")
    (out / "p1_seg.nii.gz").write_bytes(b"mine")
    message = refused(clisc, tmp_path, 3, "predict", model, images, "-o", out, *CPU)
    assert "p1_seg.nii.gz was not written by clisc" in message and "p0_seg" not in message


def test_the_record_says_what_from_which_input_by_which_network(clisc, model, images, tmp_path):
    out = tmp_path / "out"
    assert clisc("predict", model, images, "-o", out, "--probabilities", *CPU).code == 0
    entries = {entry["file"]: entry for entry in lines(out)}
    mask = entries["p0_seg.nii.gz"]
    assert mask["what"] == "mask" and entries["p0_probability.nii.gz"]["what"] == "probability"
    assert set(mask["made_from"]) == {"network", "image", "device", "precision"}
    assert mask["made_from"]["precision"] == "32" and mask["made_from"]["device"].startswith("cpu")
    assert mask["sha256"] == sha256(out / "p0_seg.nii.gz")
    assert mask["made_from"]["image"] == sha256(images / "p0_flair.nii.gz")


def sha256(path):
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_corrected_mask_stays(clisc, model, finished, images, tmp_path):
    out = tmp_path / "out"
    command = ("predict", model, images, "-o", out, *CPU)
    assert clisc(*command).code == 0
    corrected = nibabel.load(out / "p0_seg.nii.gz")
    voxels = np.asarray(corrected.dataobj).copy()
    voxels[3, 3, 3] ^= 1
    nibabel.save(nibabel.Nifti1Image(voxels, corrected.affine), out / "p0_seg.nii.gz")
    kept = (out / "p0_seg.nii.gz").read_bytes()
    again = clisc(*command)
    assert again.code == 0 and "p0_seg.nii.gz was changed by hand" in again.message
    assert (out / "p0_seg.nii.gz").read_bytes() == kept
    other = ("predict", finished.root, images, "-o", out, "--network", "unet-round1", *CPU)
    message = refused(clisc, tmp_path, 3, *other)
    assert "p0_seg.nii.gz was changed since clisc wrote it" in message and "p1_seg" not in message


def test_masks_of_another_network_take_the_place_of_clisc_s_own(clisc, finished, images, tmp_path):
    command = ("predict", finished.root, images, "-o", tmp_path / "out", *CPU)
    assert clisc(*command).code == 0
    shown = clisc(*command, "--network", "unet-round1", "--json", "--quiet")
    assert shown.code == 0 and json.loads(shown.out)["done"] == ["p0", "p1"]


def test_a_mask_put_in_place_by_a_killed_call_is_known(clisc, model, images, tmp_path):
    """The record tells of it though predictions.json does not yet."""
    out = tmp_path / "out"
    assert clisc("predict", model, images, "-o", out, *CPU).code == 0
    (out / "predictions.json").unlink()
    record = out / RECORD
    record.write_bytes(record.read_bytes() + b'{"file": "p9_se')
    shown = clisc("predict", model, images, "-o", out, "--json", "--quiet", *CPU)
    assert shown.code == 0 and json.loads(shown.out)["done"] == ["p0", "p1"]
    assert clisc("predict", model, images, "-o", out, "--force", *CPU).code == 0


@pytest.mark.parametrize("touched", [False, True])
def test_a_folder_of_0_1_0_goes_on(clisc, finished, images, tmp_path, touched):
    """That version noted no SHA-256: a mask that fits its record and is no younger is its own."""
    out = tmp_path / "out"
    command = ("predict", finished.root, images, "-o", out, *CPU)
    assert clisc(*command).code == 0
    (out / RECORD).unlink()
    if touched:
        later = (out / "predictions.json").stat().st_mtime + 5
        os.utime(out / "p0_seg.nii.gz", (later, later))
    assert "2 up to date" in clisc(*command).out
    if touched:
        message = refused(clisc, tmp_path, 3, *command, "--network", "unet-round1")
        assert "p0_seg.nii.gz was not written by clisc" in message
    else:
        assert clisc(*command, "--network", "unet-round1").code == 0


def test_another_program_s_predictions_json_stays(clisc, model, images, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "predictions.json").write_text('{"a": 1}', encoding="utf-8")
    (tmp_path / "out" / "predictions.rank-best.json").write_text("{}", encoding="utf-8")
    message = refused(clisc, tmp_path, 3, "predict", model, images, "-o", tmp_path / "out", *CPU)
    assert "predictions.json is no record of clisc's" in message
    (tmp_path / "out" / "predictions.json").unlink()
    assert clisc("predict", model, images, "-o", tmp_path / "out", *CPU).code == 0
    assert (tmp_path / "out" / "predictions.rank-best.json").read_text(encoding="utf-8") == "{}"


@pytest.mark.parametrize("way", ["itself", "relative", "hard link", "link", "capitals"])
def test_a_scan_is_never_its_own_mask(clisc, model, images, tmp_path, monkeypatch, way):
    image = images / "p0_flair.nii.gz"
    out = tmp_path / "out.nii.gz"
    if way == "hard link":
        out.hardlink_to(image)
    elif way == "link":
        out.symlink_to(image)
    elif way == "capitals":
        image = image.rename(images / "p0_flair.NII.GZ")
    monkeypatch.chdir(images)
    target = {"itself": image, "relative": f"../in/{image.name}", "capitals": image}.get(way, out)
    for force in ((), ("--force",)):
        message = refused(clisc, tmp_path, 2, "predict", model, image, "-o", target, *force, *CPU)
        assert "is the input" in message


def test_a_mask_of_the_image_s_name_is_no_way_to_lose_it(clisc, model, images, tmp_path):
    """A scan called ``x_seg`` has the case name x, so that its mask would be called as it is."""
    image = (images / "p0_flair.nii.gz").rename(images / "p0_seg.nii.gz")
    message = refused(clisc, tmp_path, 3, "predict", model, image, "-o", images, "--force", *CPU)
    assert "is an input" in message


def test_sources_and_references_of_a_project_survive_force(clisc, copied, tmp_path):
    sources = Path(copied.case("p0").info.source).parent
    for case in copied.cases():
        reference = tmp_path / "references" / f"{case.info.name}_sam.nii.gz"
        reference.parent.mkdir(exist_ok=True)
        shutil.copy(case.info.reference_source, reference)
        copied.change_record(replace(case.info, reference_source=str(reference)))
    (tmp_path / "link").symlink_to(tmp_path / "references")
    for folder in (tmp_path / "references", tmp_path / "link"):
        for force in ((), ("--force",)):
            command = ("export", "masks", copied.root, "-o", folder, "--masks", "sam", *force)
            message = refused(clisc, tmp_path / "references", 3, *command)
            assert "5 files are in the way" in message and "is an input or a reference" in message
            assert ("--force" in message) == (not force), "what was just given helps nobody"
    image = sources / "p0_flair.nii.gz"
    other = sources / "p1_flair.nii.gz"
    command = ("predict", copied.root, image, "-o", other, "--force", *CPU)
    message = refused(clisc, sources.parent, 3, *command)
    assert "is an input or a reference" in message and "--force" not in message


def test_references_that_were_moved_survive_force(clisc, copied, tmp_path):
    moved = tmp_path / "moved"
    sources = Path(copied.case("p0").info.source).parent
    shutil.copytree(sources.parent / "references", moved)
    for reference in sorted(moved.iterdir()):
        shutil.copy(reference, moved / reference.name.replace("_seg", "_sam"))
    for image in sources.iterdir():
        shutil.copy(image, moved)
    export = ("export", "masks", copied.root, "-o", moved, "--masks", "sam", "--force")
    message = refused(clisc, moved, 3, *export)
    assert "5 files are in the way" in message and "bytes of an input or a reference" in message
    predict = ("predict", copied.root, moved, "-o", moved, "--force", *CPU)
    assert "p4_seg.nii.gz has the bytes" in refused(clisc, moved, 3, *predict)
    (moved / "p4_sam.nii.gz").write_bytes(b"another mask")
    assert clisc(*export, "--cases", "p4").code == 0


def test_images_of_a_folder_that_are_not_predicted_are_said(clisc, model, images, tmp_path):
    shutil.copy(images / "p0_flair.nii.gz", images / "b c.nii.gz")
    made = clisc("predict", model, images, "-o", tmp_path / "out", "--json", *CPU)
    assert made.code == 0, made.message
    assert "left out 1: 1 no FLAIR by its name" in made.err and "b c.nii.gz" in made.err
    assert "name the files themselves" in made.err and "CSV" not in made.err
    assert "b c.nii.gz" in json.loads(made.out)["remarks"][0]


def test_an_output_that_is_a_link_to_itself(clisc, model, images, tmp_path):
    (tmp_path / "loop.nii.gz").symlink_to("loop.nii.gz")
    command = ("predict", model, images / "p0_flair.nii.gz", "-o", tmp_path / "loop.nii.gz", *CPU)
    assert "is a link to loop.nii.gz" in refused(clisc, tmp_path, 3, *command)


def test_exported_masks_replace_only_clisc_s_own(clisc, copied, tmp_path):
    out = tmp_path / "out"
    command = ("export", "masks", copied.root, "-o", out, "--masks", "sam")
    assert clisc(*command).code == 0 and clisc(*command).code == 0
    (out / "p3_sam.nii.gz").write_bytes(b"corrected")
    assert "p3_sam.nii.gz was changed" in refused(clisc, out, 3, *command)
    assert "p3_sam.nii.gz" in refused(clisc, out, 3, *command, "--cases", "p3")
    assert clisc(*command, "--cases", "p0,p1").code == 0
    assert clisc(*command, "--force").code == 0
    assert sitk.ReadImage(str(out / "p3_sam.nii.gz")).GetSize()


def test_nothing_is_written_through_a_link(clisc, copied, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "mine.nii.gz").write_bytes(b"mine")
    (out / "p0_sam.nii.gz").symlink_to(tmp_path / "mine.nii.gz")
    (out / "p1_sam.nii.gz").symlink_to(tmp_path / "nowhere")
    for force in ((), ("--force",)):
        command = ("export", "masks", copied.root, "-o", out, "--masks", "sam", *force)
        message = refused(clisc, out, 3, *command)
        assert "p0_sam.nii.gz is a link" in message and "p1_sam.nii.gz is a link" in message
    (out / RECORD).symlink_to(tmp_path / "mine.nii.gz")
    refused(clisc, tmp_path / "out", 3, *command)
    assert (tmp_path / "mine.nii.gz").read_bytes() == b"mine"


@pytest.mark.parametrize("part", ["store.zarr", "checkpoints", "logs", "cache"])
def test_the_parts_of_a_project_are_no_place_for_masks(clisc, copied, part):
    command = ("export", "masks", copied.root, "-o", copied.root / part, "--masks", "sam", "--force")
    shown = clisc(*command)
    assert shown.code == 3 and "belongs to the project" in shown.message
    assert not list((copied.root / part).glob("*_sam.nii.gz"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "{p}", "p0", "-o", "{scan}"),
        ("show", "{p}", "p0", "-o", "{new}/x.nii.gz"),
        ("show", "{p}", "p0", "-o", "{new}/x"),
        ("show", "{p}", "p0", "-o", "{new}"),
        ("report", "{p}", "-o", "{scan}"),
        ("report", "{p}", "-o", "{new}/x.png"),
        ("report", "{p}", "-o", "{new}"),
        ("export", "model", "{p}", "-o", "{new}/x.pt"),
        ("export", "model", "{p}", "-o", "{scan}"),
        ("export", "masks", "{p}", "-o", "{scan}"),
        ("export", "masks", "{p}", "-o", "{new}/x.nii.gz"),
        ("export", "csv", "{p}", "-o", "{new}/cases.csv"),
        ("export", "csv", "{p}", "-o", "{scan}/below"),
        ("export", "nnunet", "{p}", "-o", "{scan}"),
        ("predict", "{p}", "{scan}", "-o", "{new}/x.png"),
        ("predict", "{p}", "{scan}", "-o", "{new}/x.mgz"),
        ("predict", "{p}", "{scan}", "-o", "{table}"),
        ("predict", "{p}", "{scan}", "-o", "{folder}"),
    ],
)
def test_another_kind_of_file_is_wrong_usage(clisc, finished, images, tmp_path, arguments):
    (tmp_path / "new").mkdir()
    (tmp_path / "folder.nii.gz").mkdir()
    (tmp_path / "table.csv").write_text("a,b\n", encoding="utf-8")
    names = {
        "p": finished.root,
        "scan": images / "p0_flair.nii.gz",
        "new": tmp_path / "new",
        "folder": tmp_path / "folder.nii.gz",
        "table": tmp_path / "table.csv",
    }
    message = refused(clisc, tmp_path, 2, *(text.format(**names) for text in arguments))
    assert "--out" in message


@pytest.mark.parametrize(
    ("ending", "starts"),
    [("png", b"\x89PNG"), ("PNG", b"\x89PNG"), ("jpg", b"\xff\xd8"), ("pdf", b"%PDF"), ("svg", b"<?xml")],
)
def test_a_picture_is_what_its_ending_says(clisc, copied, tmp_path, ending, starts):
    out = tmp_path / f"x.{ending}"
    command = ("show", copied.root, "p0", "--rows", 1, "-o", out)
    assert clisc(*command).code == 0 and out.read_bytes().startswith(starts)
    assert clisc(*command).code == 0, "its own picture is replaced"


def test_pictures_pages_tables_and_models_replace_nothing_of_others(clisc, copied, tmp_path):
    picture = tmp_path / "x.png"
    Image.new("L", (4, 4)).save(picture)
    for name in ("x.html", "x.clisc", "cases.csv"):
        (tmp_path / name).write_bytes(b"mine")
    (copied.results / "p1.png").write_bytes(b"mine")
    (copied.results / "report.html").write_bytes(b"mine")
    for command, file in (
        (("show", copied.root, "p0", "-o", picture), "x.png"),
        (("show", copied.root, "p1"), "p1.png"),
        (("report", copied.root, "-o", tmp_path / "x.html"), "x.html"),
        (("report", copied.root), "report.html"),
        (("export", "model", copied.root, "-o", tmp_path / "x.clisc"), "x.clisc"),
        (("export", "csv", copied.root, "-o", tmp_path), "cases.csv"),
    ):
        message = refused(clisc, tmp_path, 3, *command)
        assert f"{file} was not written by clisc" in message and "nothing was written" in message


def test_tables_pages_and_models_are_written_again(clisc, copied, tmp_path):
    for command in (
        ("export", "csv", copied.root, "-o", tmp_path / "t"),
        ("report", copied.root, "-o", tmp_path / "r.htm", "--pictures", 0, "--viewers", 0),
        ("export", "model", copied.root, "-o", tmp_path / "m.clisc"),
    ):
        assert clisc(*command).code == 0 and clisc(*command).code == 0
    (tmp_path / "t" / "slices.csv").write_text("my notes", encoding="utf-8")
    message = refused(clisc, tmp_path / "t", 3, "export", "csv", copied.root, "-o", tmp_path / "t")
    assert "slices.csv was changed since clisc wrote it" in message


def test_the_tables_of_evaluate_are_no_place_for_others(clisc, copied):
    copied.results.mkdir(exist_ok=True)
    shown = clisc("export", "csv", copied.root, "-o", copied.results)
    assert shown.code == 3 and "cases.csv is a table that the project" in shown.message


@pytest.mark.parametrize(
    "name",
    ["x.nii.gz", "x.NII.GZ", "x.Nii.gz", "x.NII", "x.nrrd", "x.NRRD", "x.mha", "x.mhd", "x.MHD", "x.nhdr"],
)
def test_masks_of_every_format_in_any_letters(clisc, model, images, tmp_path, name):
    out = tmp_path / "new" / name
    image = images / "p0_flair.nii.gz"
    shown = clisc("predict", model, image, "-o", out, "--probabilities", *CPU)
    assert shown.code == 0 and out.is_file(), shown.message
    ending = name[1:].lower()
    room = tmp_path / "read"
    shutil.copytree(out.parent, room)
    (room / name).rename(room / f"x{ending}")  # what reads it back knows small letters alone
    written, given = sitk.ReadImage(str(room / f"x{ending}")), sitk.ReadImage(str(image))
    assert written.GetSize() == given.GetSize() and written.GetPixelID() == sitk.sitkUInt8
    np.testing.assert_allclose(written.GetSpacing(), given.GetSpacing(), atol=1e-5)
    np.testing.assert_allclose(written.GetOrigin(), given.GetOrigin(), atol=1e-5)
    if ending.startswith(".nii"):
        np.testing.assert_allclose(
            nibabel.load(room / f"x{ending}").affine, nibabel.load(image).affine, atol=1e-4
        )
    files = {path.name for path in out.parent.iterdir()}
    bare = {".mhd": {"x.zraw", "x_probability.zraw"}, ".nhdr": {"x.raw.gz", "x_probability.raw.gz"}}
    assert files == {name, f"x_probability{name[1:]}", RECORD} | bare.get(ending, set())
    assert clisc("predict", model, image, "-o", out, "--probabilities", *CPU).code == 0


def test_the_voxels_beside_a_bare_header_are_looked_at_too(clisc, model, images, tmp_path):
    (images / "x.zraw").write_bytes(b"mine")
    command = ("predict", model, images / "p0_flair.nii.gz", "-o", images / "x.mhd", *CPU)
    assert "x.zraw was not written by clisc" in refused(clisc, tmp_path, 3, *command)


def test_a_dicom_folder_that_was_read_gets_no_file(clisc, copied, tmp_path):
    """It is hashed as a whole: a file more, and its case could not be imported again."""
    folder = tmp_path / "dicom"
    folder.mkdir()
    record = copied.store.attributes("cases/p0")
    record["case"]["source"] = str(folder)
    copied.store.write_group("cases/p0", record)
    message = refused(clisc, folder, 3, "show", copied.root, "p0", "-o", folder / "x.png")
    assert "which a scan is read from" in message


def test_a_bad_name_does_not_stop_the_others(clisc, model, images, tmp_path):
    bad = (images / "p1_flair.nii.gz").rename(images / "a b (1).nii.gz")
    (images / "p0_flair.nii.gz").rename(images / "p0.nii.gz")
    shown = clisc("predict", model, images, "-o", tmp_path / "out", "--json", *CPU)
    assert shown.code == 5 and bad.name in shown.message and "1 of 2 volumes failed" in shown.message
    document = json.loads(shown.out)
    assert document["done"] == ["p0"] and list(document["failed"]) == [str(bad)]
    named = clisc("predict", model, images / "p0.nii.gz", bad, "-o", tmp_path / "out", *CPU)
    assert named.code == 5 and "1 up to date" in named.out
    alone = clisc("predict", model, bad, "-o", tmp_path / "out2", *CPU)
    assert alone.code == 3 and "cannot be a case name" in alone.message


def test_a_file_name_for_the_mask_needs_no_case_name(clisc, model, images, tmp_path):
    bad = (images / "p1_flair.nii.gz").rename(images / "-a b (1).nii.gz")
    assert clisc("predict", model, bad, "-o", tmp_path / "x.nii.gz", *CPU).code == 0
    (images / "p0_flair.nii.gz").unlink()
    assert clisc("predict", model, images, "-o", tmp_path / "y.nii.gz", *CPU).code == 0
    assert sha256(tmp_path / "x.nii.gz") == sha256(tmp_path / "y.nii.gz")


def test_two_files_of_one_case_name_are_refused(clisc, model, images, tmp_path):
    (tmp_path / "other").mkdir()
    shutil.copy(images / "p0_flair.nii.gz", tmp_path / "other" / "P0.nii.gz")
    command = ("predict", model, images, tmp_path / "other", "-o", tmp_path / "out", *CPU)
    message = refused(clisc, tmp_path, 3, *command)
    assert "p0_flair.nii.gz" in message and "P0.nii.gz" in message and not (tmp_path / "out").exists()


def test_a_file_that_is_given_twice_is_one_volume(clisc, model, images, tmp_path, monkeypatch):
    monkeypatch.chdir(images)
    image = images / "p0_flair.nii.gz"
    (tmp_path / "link").symlink_to(images)
    again = (image, image, "p0_flair.nii.gz", tmp_path / "link" / image.name)
    for out, given in {"out": (*again, images, "../in"), "one.nii.gz": again}.items():
        made = clisc("predict", model, *given, "-o", tmp_path / out, *CPU)
        assert made.code == 0, made.err
    assert {path.name for path in (tmp_path / "out").glob("*.nii.gz")} == {"p0_seg.nii.gz", "p1_seg.nii.gz"}


def test_an_nnunet_export_that_broke_off_is_completed(clisc, copied, tmp_path):
    command = ("export", "nnunet", copied.root, "-o", tmp_path, "--json", "--quiet")
    assert clisc(*command, "--masks", "sam").code == 0
    folder = tmp_path / "Dataset501_CLISC"
    (folder / "dataset.json").unlink()
    (folder / "labelsTr" / "p0.nii.gz").unlink()
    made = clisc(*command, "--masks", "round1")
    assert made.code == 0, made.message
    cases = set(json.loads(made.out)["cases"]) - {"p4"}
    assert json.loads(made.out)["dropped"], "else nothing is to be taken out"
    assert {path.name for path in (folder / "labelsTr").iterdir()} == {f"{c}.nii.gz" for c in cases}
    description = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    assert "masks/round1" in description["description"] and description["numTraining"] == len(cases)


def test_an_nnunet_export_that_was_killed_as_it_ended_is_completed(clisc, copied, tmp_path):
    command = ("export", "nnunet", copied.root, "-o", tmp_path, "--masks", "sam")
    assert clisc(*command).code == 0
    description = tmp_path / "Dataset501_CLISC" / "dataset.json"
    killed = [sys.executable, "-c", KILLED, str(description), "SIGKILL"]
    assert subprocess.run(killed, check=False).returncode == -signal.SIGKILL
    assert clisc(*command).code == 0 and not list(description.parent.glob("*.partial"))


def test_every_export_is_repeated_and_replaces_its_own_alone(clisc, copied, tmp_path):
    """The same call again ends well, leaves the same files, and spares what somebody changed."""
    exports = {
        "masks": ("masks", tmp_path / "masks"),
        "bids": ("bids", tmp_path / "bids"),
        "nnunet": ("nnunet", tmp_path / "raw"),
        "csv": ("csv", tmp_path / "tables"),
        "model": ("model", tmp_path / "m.clisc"),
        "bundle": ("bundle", tmp_path / "bundle"),
    }
    changed = {
        "masks": "masks/p4_round2.nii.gz",
        "bids": "bids/dataset_description.json",
        "nnunet": "raw/Dataset501_CLISC/dataset.json",
        "csv": "tables/cases.csv",
        "model": "m.clisc",
        "bundle": "bundle/configs/metadata.json",
    }
    for kind, (name, out) in exports.items():
        command = ("export", name, copied.root, "-o", out)
        assert clisc(*command).code == 0, kind
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if is_output(path, copied.root)}
        again = clisc(*command)
        assert again.code == 0, again.err
        after = {path: path.read_bytes() for path in tmp_path.rglob("*") if is_output(path, copied.root)}
        assert before.keys() == after.keys(), kind
        (tmp_path / changed[kind]).write_bytes(b"mine")
        assert clisc(*command).code == 3, kind
        assert (tmp_path / changed[kind]).read_bytes() == b"mine", kind


def is_output(path, project):
    """Whether a file lies outside a project, and is not the record."""
    return path.is_file() and project not in path.parents and path.name != ".clisc-outputs.jsonl"


def test_another_projects_nnunet_data_set_is_replaced_by_force_alone(clisc, copied, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(copied.root, other)
    for record in other.glob("store.zarr/cases/*/zarr.json"):  # as if its images were others
        entries = json.loads(record.read_text(encoding="utf-8"))
        replace_in(entries, "sha256", lambda digest: digest[::-1])
        record.write_text(json.dumps(entries), encoding="utf-8")
    command = ("export", "nnunet", copied.root, "-o", tmp_path / "raw", "--masks", "sam")
    assert clisc(*command).code == 0
    others = ("export", "nnunet", other, *command[3:], "--stored-images")
    assert "another project's data set" in refused(clisc, tmp_path, 3, *others)
    assert clisc(*others, "--force").code == 0
    assert "another project's data set" in refused(clisc, tmp_path, 3, *command)
    assert clisc(*command, "--force").code == 0
    (tmp_path / "raw/Dataset501_CLISC/imagesTr/mine_0000.nii.gz").write_bytes(b"mine")
    assert "mine_0000.nii.gz" in refused(clisc, tmp_path, 3, *command, "--force")


def replace_in(entries, key, how):
    """Change every value of a key, however deep it lies."""
    for name, value in entries.items():
        if isinstance(value, dict):
            replace_in(value, key, how)
        elif name == key:
            entries[name] = how(value)


def test_an_nnunet_data_set_loses_what_is_no_part_of_it_any_more(clisc, copied, tmp_path):
    command = ("export", "nnunet", copied.root, "-o", tmp_path / "raw", "--masks", "sam")
    labels = tmp_path / "raw/Dataset501_CLISC/labelsTr"
    assert clisc(*command).code == 0 and (labels / "p0.nii.gz").exists()
    assert clisc("cases", "remove", copied.root, "p0").code == 0
    assert clisc(*command).code == 0 and not (labels / "p0.nii.gz").exists()


def test_a_data_set_that_is_not_clisc_s_stays(clisc, copied, tmp_path):
    folder = tmp_path / "Dataset501_CLISC" / "labelsTr"
    folder.mkdir(parents=True)
    (folder / "p0.nii.gz").write_bytes(b"an expert's")
    command = ("export", "nnunet", copied.root, "-o", tmp_path, "--masks", "sam")
    assert "p0.nii.gz was not written by clisc" in refused(clisc, tmp_path, 3, *command)


def test_a_store_of_somebody_else_is_never_taken_for_an_import(clisc, images, tmp_path):
    root = tmp_path / "p"
    command = ("init", root, "--images", images, "--weights", "tiny")
    (root / "store.zarr").mkdir(parents=True)
    (root / "store.zarr" / "mine.txt").write_text("mine", encoding="utf-8")
    assert "store.zarr" in refused(clisc, root, 3, *command)
    for left in ({}, {"store.zarr/zarr.json": "{}"}):  # what a killed import may leave
        staging = root / ".clisc-init"
        staging.mkdir(exist_ok=True)
        (staging / "clisc.toml").write_text('weights = "tiny"\n', encoding="utf-8")
        for name, text in left.items():
            (staging / name).parent.mkdir(exist_ok=True)
            (staging / name).write_text(text, encoding="utf-8")
        assert clisc(*command).code == 3
        assert (root / "store.zarr" / "mine.txt").read_text(encoding="utf-8") == "mine"


def test_the_demo_leaves_the_files_of_a_folder_alone(clisc, images, tmp_path):
    data = tmp_path / "demo" / "data"
    shutil.copytree(images, data / "images")
    message = refused(clisc, data, 3, "demo", tmp_path / "demo", "--cases", 5)
    assert "p0_flair.nii.gz" in message
    shutil.rmtree(data / "images")
    (data / "references").mkdir()
    (data / "references" / "phantom-001_seg.nii.gz").write_bytes(b"mine")
    message = refused(clisc, data, 3, "demo", tmp_path / "demo", "--cases", 5)
    assert "phantom-001_seg.nii.gz was not written by clisc" in message


def test_the_mask_of_another_image_of_the_same_name_stays(clisc, model, images, tmp_path):
    """As where each patient's folder has a flair.nii.gz and all masks go to one folder."""
    out, patients = tmp_path / "out", [tmp_path / name for name in ("A", "B")]
    for patient, image in zip(patients, sorted(images.iterdir()), strict=True):
        patient.mkdir()
        shutil.copy(image, patient / "flair.nii.gz")
    first, second = (patient / "flair.nii.gz" for patient in patients)
    assert clisc("predict", model, first, "-o", out, *CPU).code == 0
    told = refused(clisc, out, 3, "predict", model, second, "-o", out, *CPU)
    assert f"flair_seg.nii.gz is the mask of {first}, and not of {second}" in told and "--force" in told
    moved = tmp_path / "moved.d"
    moved.mkdir()
    again = clisc("predict", model, shutil.copy(first, moved), "-o", out, *CPU)
    assert "nothing to do" in again.out
    shutil.copy(second, first)  # the scan itself was exchanged
    assert clisc("predict", model, first, "-o", out, *CPU).code == 0
    assert clisc("predict", model, second, "-o", out, *CPU).code == 0
    shutil.copy(sorted(images.iterdir())[0], second)
    assert clisc("predict", model, second, "-o", out, "--force", *CPU).code == 0


KILLED = """
import os, signal, sys
from pathlib import Path
from clisc_engine.outputs.outputs import Inputs, Made, Outputs

def write(path):
    path.write_bytes(b"half of a mask")
    os.kill(os.getpid(), getattr(signal, sys.argv[2]))

Outputs(Inputs([]), "").put(Path(sys.argv[1]), write, Made("mask", {}))
"""


def test_what_a_killed_call_has_begun_is_removed_by_the_next_and_nothing_else(clisc, finished, tmp_path):
    out = tmp_path / "out"
    call = [sys.executable, "-c", KILLED, str(out / "p0_sam.nii.gz")]
    assert subprocess.run([*call, "SIGKILL"], check=False).returncode == -signal.SIGKILL
    (abandoned,) = out.iterdir()
    (out / ".clisc-notes.partial").mkdir()
    with subprocess.Popen([*call, "SIGSTOP"]) as at_work:
        os.waitid(os.P_PID, at_work.pid, os.WSTOPPED)
        (under_way,) = set(out.glob(".clisc-*-*.partial")) - {abandoned}
        shown = clisc("export", "masks", finished.root, "-o", out, "--masks", "sam")
        assert shown.code == 0, shown.err
        hidden = {path.name for path in out.iterdir() if path.name.startswith(".")}
        assert hidden == {".clisc-notes.partial", under_way.name, RECORD}
        at_work.kill()
    assert clisc("export", "masks", finished.root, "-o", out, "--masks", "sam").code == 0
    assert not under_way.exists()
