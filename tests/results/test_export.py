"""What leaves the project lies where it came from, and other tools' rules hold for it."""

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scipy import ndimage

from clisc_engine.errors import BadInput, MissingStage, Stopped
from clisc_engine.imaging.placement import Placement, restore
from clisc_engine.results.export import export_masks
from clisc_engine.results.export_nnunet import export_nnunet
from clisc_engine.results.export_tables import export_tables
from clisc_engine.results.model_file import model_bytes
from clisc_engine.results.predict import predict_files
from clisc_engine.results.predict_inputs import find_images
from clisc_engine.results.segmenter import open_segmenter
from clisc_engine.results.trained import card_of, export_model
from clisc_engine.running.control import Control
from tests.support.oriented import AXES, imported
from tests.support.small import SPLITS, StopsAfter, small_project

CPU = Control(device="cpu")


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.9, 1.1, 5.0)], ids=["isotropic", "anisotropic"])
def test_no_voxel_is_displaced_between_init_and_export(tmp_path, spacing):
    project = imported(tmp_path, spacing)
    report = export_masks(project, "sam", tmp_path / "out", CPU)
    assert sorted(report.done) == sorted(AXES) and report.seconds > 0
    for name in AXES:
        given = sitk.ReadImage(str(tmp_path / "masks" / f"{name}_seg.nii.gz"))
        written = sitk.ReadImage(str(tmp_path / "out" / f"{name}_sam.nii.gz"))
        assert (sitk.GetArrayFromImage(given) != sitk.GetArrayFromImage(written)).sum() == 0
        for value in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
            np.testing.assert_allclose(getattr(written, value)(), getattr(given, value)(), atol=1e-5)
        one, other = (
            nibabel.load(tmp_path / file).affine
            for file in (f"masks/{name}_seg.nii.gz", f"out/{name}_sam.nii.gz")
        )
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_resampled_masks_come_back_within_half_a_voxel(tmp_path):
    spacing, working = (0.7, 0.7, 3.0), 1.0
    project = imported(tmp_path, spacing, **{"image.resample_in_plane": working})
    export_masks(project, "sam", tmp_path / "out", CPU)
    for name in AXES:
        given, written = (
            sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / file))) != 0
            for file in (f"masks/{name}_seg.nii.gz", f"out/{name}_sam.nii.gz")
        )
        assert given.shape == written.shape
        for one, other in zip(np.argwhere(given).T, np.argwhere(written).T, strict=True):
            # A box moves by half a voxel of either grid at most, wherever its faces fall.
            allowed = 0.5 + 0.5 * working / 0.7
            assert abs(one.min() - other.min()) <= allowed and abs(one.max() - other.max()) <= allowed
            assert abs(one.mean() - other.mean()) <= 0.5
        assert np.logical_xor(given, written).sum() < 0.35 * given.sum()


def test_predictions_of_a_model_file_are_those_of_its_project(copied, data, tmp_path):
    file = tmp_path / "brain.clisc"
    card = export_model(copied, "unet-round2", file)
    shutil.rmtree(copied.root / "store.zarr" / "cases" / "p4" / "masks")
    export_masks(copied, "round2", tmp_path / "masks", CPU)
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "masks" / "p4_round2.nii.gz")))
    for source in (copied.root, file):
        out = tmp_path / f"out-{source.name}"
        segmenter = open_segmenter(source, "unet-round2", CPU)
        report, entries = predict_files(
            segmenter, find_images([data / "images"]), out, CPU, probabilities=True
        )
        assert sorted(report.done) == sorted(SPLITS)
        mask = sitk.ReadImage(str(out / "p4_seg.nii.gz"))
        probability = sitk.GetArrayFromImage(sitk.ReadImage(str(out / "p4_probability.nii.gz")))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(mask), expected)
        away = ndimage.distance_transform_edt(probability <= 0.5, sampling=mask.GetSpacing()[::-1])
        assert 0 < away[expected == 1].max() <= copied.settings.unet.border
        assert mask.GetSpacing() == sitk.ReadImage(str(data / "images" / "p4_flair.nii.gz")).GetSpacing()
        assert entries["p4"]["volume_ml"] == pytest.approx(
            expected.sum() * np.prod(mask.GetSpacing()) / 1000, abs=1e-3
        )
    text = file.read_bytes()[:100_000]
    assert not any(f"{name}/".encode() in text for name in SPLITS), "no case name leaves with the model"
    assert card.training_volumes == 2 and card.fingerprint in text.decode(errors="ignore")


def test_predictions_are_made_once_and_again_when_anything_changed(finished, data, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("p0", "p1"):
        shutil.copy(data / "images" / f"{name}_flair.nii.gz", tmp_path / "in")

    def predicted(network="unet-round2", **options):
        segmenter = open_segmenter(finished.root, network, CPU)
        images = find_images([tmp_path / "in"])
        return predict_files(segmenter, images, tmp_path / "out", CPU, probabilities=False, **options)[0]

    assert predicted().done == ["p0", "p1"]
    assert predicted().fresh == ["p0", "p1"]
    shutil.copy(data / "images" / "p2_flair.nii.gz", tmp_path / "in" / "p1_flair.nii.gz")
    assert predicted().done == ["p1"]
    (tmp_path / "out" / "p0_seg.nii.gz").unlink()
    assert predicted().done == ["p0"]
    assert predicted("unet-round1").done == ["p0", "p1"]


def test_what_a_lost_rank_noted_does_not_outlive_its_mask(finished, data, tmp_path):
    """Noted by a rank that was killed; then made anew by round 1, stopped; then asked of round 2 again."""
    images, out = find_images([data / "images"]), tmp_path / "out"

    def predicted(network, control=CPU):
        segmenter = open_segmenter(finished.root, network, CPU)
        return predict_files(segmenter, images, out, control, probabilities=False)

    predicted("unet-round2")
    record, part = out / "predictions.json", out / "predictions.rank-1.json"
    record.rename(part)
    wanted = (out / "p0_seg.nii.gz").read_bytes()
    progress = StopsAfter(1)
    with pytest.raises(Stopped):
        predicted("unet-round1", Control(device="cpu", progress=progress, stop=progress.flag))
    assert (out / "p0_seg.nii.gz").read_bytes() != wanted and not part.exists()
    report, _ = predicted("unet-round2")
    assert report.done == ["p0"] and report.fresh == ["p1", "p2", "p3", "p4"]
    assert (out / "p0_seg.nii.gz").read_bytes() == wanted


def test_a_bad_volume_does_not_stop_the_others(finished, data, tmp_path):
    shutil.copytree(data / "images", tmp_path / "in")
    (tmp_path / "in" / "p2_flair.nii.gz").write_bytes(b"no image")
    segmenter = open_segmenter(finished.root, "unet-round2", CPU)
    images = find_images([tmp_path / "in"])
    report, _ = predict_files(segmenter, images, tmp_path / "out", CPU, probabilities=False)
    assert list(report.failed) == ["p2"] and len(report.done) == 4
    with pytest.raises(BadInput, match="p2_flair"):
        predict_files(segmenter, images[2:3], tmp_path / "out", CPU, probabilities=False)


@pytest.mark.parametrize("spoil", [lambda b: b[:-1000], lambda b: b"\0" * 20, lambda b: b[:8]])
def test_a_damaged_model_file_is_refused(finished, tmp_path, spoil):
    file = tmp_path / "brain.clisc"
    export_model(finished, "unet-round1", file)
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(BadInput, match=r"brain\.clisc is damaged"):
        open_segmenter(file, "unet-round2", CPU)


def test_a_model_file_whose_weights_have_changed_is_refused(finished, data, tmp_path):
    file = tmp_path / "brain.clisc"
    export_model(finished, "unet-round1", file)
    bytes_of = bytearray(file.read_bytes())
    bytes_of[-1000] ^= 1
    file.write_bytes(bytes_of)
    with pytest.raises(BadInput, match=r"brain\.clisc is damaged.*weights have changed"):
        open_segmenter(file, "unet-round1", CPU).predict(data / "images" / "p0_flair.nii.gz")


def test_weights_of_another_network_are_named(finished, tmp_path):
    file = tmp_path / "brain.clisc"
    card, tensors = card_of(finished, "unet-round1"), finished.checkpoint("unet-round1").tensors()
    first, *rest = sorted(tensors)
    file.write_bytes(model_bytes(card, {name: tensors[name] for name in rest}))
    with pytest.raises(BadInput, match=rf"do not fit.*{first}.*export or train it again"):
        open_segmenter(file, "unet-round1", CPU).load()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_output_that_is_not_finite_is_no_empty_mask(finished, data, tmp_path, value):
    file = tmp_path / "brain.clisc"
    card, tensors = card_of(finished, "unet-round1"), finished.checkpoint("unet-round1").tensors()
    name = next(name for name in tensors if name.endswith("weight"))
    file.write_bytes(model_bytes(card, {**tensors, name: torch.full_like(tensors[name], value)}))
    with pytest.raises(BadInput, match="output is NaN or infinite"):
        open_segmenter(file, "unet-round1", CPU).predict(data / "images" / "p0_flair.nii.gz")


def test_files_that_are_no_models_are_refused(finished, tmp_path):
    weights = finished.checkpoints / "unet-round2.safetensors"
    with pytest.raises(BadInput, match="no model that `clisc export model` wrote"):
        open_segmenter(weights, "unet-round2", CPU)
    with pytest.raises(BadInput, match="does not exist"):
        open_segmenter(tmp_path / "none.clisc", "unet-round2", CPU)
    with pytest.raises(MissingStage, match="clisc init"):
        open_segmenter(tmp_path, "unet-round2", CPU)


def test_the_nnunet_data_set_keeps_nnunets_rules(copied, tmp_path):
    report, folder = export_nnunet(
        copied, "round1", tmp_path, CPU, number=7, name="Glioma", stored_images=False
    )
    assert re.fullmatch(r"Dataset\d{3}_\w+", folder.name) and folder.name == "Dataset007_Glioma"
    description = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    assert {"channel_names", "labels", "numTraining", "file_ending"} <= set(description)
    ending = description["file_ending"]
    assert description["labels"]["background"] == 0
    assert sorted(description["labels"].values()) == list(range(len(description["labels"])))
    cases = {path.name[: -len(ending)] for path in (folder / "labelsTr").iterdir()}
    assert len(cases) == description["numTraining"]
    images = {path.name for path in (folder / "imagesTr").iterdir()}
    assert images == {
        f"{case}_{int(channel):04d}{ending}" for case in cases for channel in description["channel_names"]
    }
    for case in cases:
        image = nibabel.load(folder / "imagesTr" / f"{case}_0000{ending}")
        label = nibabel.load(folder / "labelsTr" / f"{case}{ending}")
        voxels = np.asarray(label.dataobj)
        assert voxels.dtype.kind in "iu" and set(np.unique(voxels)) <= set(description["labels"].values())
        assert image.shape == label.shape and np.isfinite(image.get_fdata()).all()
        np.testing.assert_allclose(image.affine, label.affine, atol=1e-6)
        source = nibabel.load(copied.case(case).info.source)
        np.testing.assert_array_equal(image.get_fdata(), source.get_fdata())
    assert {path.name for path in (folder / "imagesTs").iterdir()} == {f"p4_0000{ending}"}
    with (copied.results / "s3f.csv").open(encoding="utf-8") as file:
        dropped = {row["case"] for row in csv.DictReader(file) if row["kept"] == "0"}
    assert set(report.fresh) == dropped and not dropped & cases and dropped
    before = {path: path.read_bytes() for path in folder.rglob("*.*") if path.name[0] != "."}
    export_nnunet(copied, "round1", tmp_path, CPU, number=7, name="Glioma", stored_images=False)
    assert {path: path.read_bytes() for path in folder.rglob("*.*") if path.name[0] != "."} == before


def test_sources_that_moved_or_changed_are_not_exported(copied, tmp_path):
    record = copied.store.attributes("cases/p0")
    record["case"]["sha256"] = "0" * 64
    copied.store.write_group("cases/p0", record)
    with pytest.raises(BadInput, match="not the files that `init` read"):
        export_nnunet(copied, "sam", tmp_path, CPU, number=1, name="A", stored_images=False)
    record["case"]["source"] = "/nowhere/p0.nii.gz"
    copied.store.write_group("cases/p0", record)
    with pytest.raises(BadInput, match="--stored-images"):
        export_nnunet(copied, "sam", tmp_path, CPU, number=1, name="A", stored_images=False)
    export_nnunet(copied, "sam", tmp_path, CPU, number=1, name="A", stored_images=True)
    stored = copied.case("p0")
    written = sitk.GetArrayFromImage(
        sitk.ReadImage(str(tmp_path / "Dataset001_A" / "imagesTr" / "p0_0000.nii.gz"))
    )
    placement = Placement.from_dict(stored.info.placement)
    np.testing.assert_array_equal(written, restore(stored.read("image").astype(np.float32), placement))


def test_tables_hold_what_the_store_holds(finished, tmp_path):
    files = export_tables(finished, tmp_path)
    assert [path.name for path in files] == ["slices.csv", "cases.csv"]
    with files[0].open(encoding="utf-8") as file:
        slices = [row for row in csv.DictReader(file) if row["case"] == "p1"]
    case = finished.case("p1")
    np.testing.assert_allclose(
        [float(row["probability"]) for row in slices], case.read("labels/probability"), atol=1e-6
    )
    words = {0: "normal", 1: "tumour", 255: "uncertain"}
    assert [row["label"] for row in slices] == [words[int(v)] for v in case.read("labels/tumour")]
    with files[1].open(encoding="utf-8") as file:
        cases = {row["case"]: row for row in csv.DictReader(file)}
    voxel = np.prod(case.info.spacing) / 1000
    assert float(cases["p1"]["sam_ml"]) == pytest.approx(case.read("masks/sam").sum() * voxel, abs=1e-3)
    assert cases["p4"]["s3f_similarity"] == "" and cases["p0"]["s3f_similarity"] != ""


def test_masks_that_are_not_there_say_which_command_makes_them(data, finished, tmp_path):
    fresh = small_project(tmp_path / "p", data)
    with pytest.raises(MissingStage, match="clisc prompt-sam"):
        export_masks(fresh, "sam", tmp_path / "out", CPU)
    with pytest.raises(MissingStage, match="clisc label"):
        export_tables(fresh, tmp_path / "out")
    with pytest.raises(BadInput, match="round1, sam, sam-round1"):
        export_masks(finished, "nonsense", tmp_path / "out", CPU)
    assert not Path(tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_dry_run_tells_that_the_network_of_the_masks_is_not_trained(data, tmp_path):
    fresh, dry = small_project(tmp_path / "p", data), replace(CPU, dry_run=True)
    with pytest.raises(MissingStage, match="clisc train"):
        export_masks(fresh, "round1", tmp_path / "out", dry)
    with pytest.raises(MissingStage, match="clisc train"):
        export_nnunet(fresh, "round1", tmp_path / "out", dry, number=7, name="A", stored_images=False)
    assert not (tmp_path / "out").exists()
