"""`clisc explain` of predictions and their scans, of exports, and of what a project keeps."""

import json
import shutil

import nibabel
import numpy as np
import pytest

from clisc_engine.files.digest import sha256_of
from clisc_engine.project.project import open_project
from clisc_engine.project.store import Seal
from tests.support.dicoms import head, stack
from tests.support.dicoms import write as write_dicom

CPU = ("--device", "cpu", "--quiet")


def explained(clisc, *arguments, code=0):
    shown = clisc("explain", *arguments, "--json")
    assert shown.code == code, shown.err
    return json.loads(shown.out)


def done(clisc, *arguments):
    shown = clisc(*arguments, *CPU)
    assert shown.code == 0, shown.err


def products(found):
    return [link["product"] for link in found["chain"]]


def mark_a_voxel(mask):
    """What somebody does who corrects a mask by hand."""
    image = nibabel.load(mask)
    voxels = np.asarray(image.dataobj).copy()
    voxels[0, 0, 0] = 1
    nibabel.save(nibabel.Nifti1Image(voxels, image.affine, image.header), mask)


@pytest.fixture
def predicted(clisc, finished, data, tmp_path):
    """A folder in which a scan lies beside its mask and its probability."""
    scan = tmp_path / "in" / "a.nii.gz"
    scan.parent.mkdir()
    shutil.copyfile(data / "images" / "p4_flair.nii.gz", scan)
    done(clisc, "predict", finished.root, scan, "-o", scan.parent, "--probabilities")
    return scan


def test_a_scan_beside_its_mask_is_its_source_and_no_mask(clisc, predicted):
    told = explained(clisc, predicted)
    assert told["what"].startswith("the scan") and "a_seg.nii.gz" in told["what"]
    assert (told["case"], products(told)) == ("a", ["source"])
    assert told["chain"][0]["files"] == {str(predicted): sha256_of(predicted)}
    for kind, what in {"seg": "mask of a", "probability": "tumour probability of a"}.items():
        assert explained(clisc, predicted.with_name(f"a_{kind}.nii.gz"))["what"].startswith(what)


@pytest.mark.parametrize("name", ["a.nii", "a_seg.nii", "b_probability.nii.gz", "a_probability.nrrd"])
def test_another_file_of_a_like_name_is_no_prediction(clisc, predicted, data, name):
    other = predicted.with_name(name)
    shutil.copyfile(data / "images" / "p0_flair.nii.gz", other)
    refused = clisc("explain", other)
    assert refused.code == 3 and f"Nothing tells where {other} comes from" in refused.message


def test_a_prediction_that_was_changed_by_hand_is_told(clisc, predicted):
    mask = predicted.with_name("a_seg.nii.gz")
    assert not any("bytes" in note or "record" in note for note in explained(clisc, mask)["notes"])
    mark_a_voxel(mask)
    assert "Its bytes are not those that `clisc predict` wrote" in explained(clisc, mask)["notes"][0]
    (mask.parent / ".clisc-outputs.jsonl").unlink()
    assert "is not known" in explained(clisc, mask)["notes"][0]


def test_a_single_mask_by_predict_has_its_source_in_the_chain(clisc, finished, data, tmp_path):
    image = data / "images" / "p4_flair.nii.gz"
    done(clisc, "predict", finished.root, image, "-o", tmp_path / "m.nii.gz")
    told = explained(clisc, tmp_path / "m.nii.gz", "--project", finished.root)
    assert products(told)[0] == "source" and products(told)[-2:] == ["unet-round2", "prediction"]
    assert list(told["chain"][0]["files"].values()) == [sha256_of(image)]
    assert any("tiny" in note for note in told["notes"])
    mark_a_voxel(tmp_path / "m.nii.gz")
    assert "was changed or replaced" in explained(clisc, tmp_path / "m.nii.gz")["notes"][0]


@pytest.mark.parametrize("source", ["project", "bundled"])
@pytest.mark.parametrize("to", ["folder", "file"])
def test_a_prediction_of_a_raw_scan_is_known_by_its_network_too(
    clisc, finished, data, tmp_path, source, to
):
    """``--allow-skull`` is told, and is in the command that makes the mask again."""
    model = finished.root if source == "project" else "bundled"
    image, out = data / "images" / "p4_flair.nii.gz", tmp_path / "masks"
    mask = out / "p4_seg.nii.gz"
    done(clisc, "predict", model, image, "-o", out if to == "folder" else mask, "--allow-skull")
    told = explained(clisc, mask, "--project", finished.root)
    assert products(told)[-2:] == ["unet-round2" if source == "project" else "tiny-unet", "prediction"]
    assert told["chain"][-1]["options"] == ["--allow-skull"]
    again = clisc("explain", mask, "--project", finished.root, "--commands")
    assert again.out.splitlines()[-1].endswith("--allow-skull") and "image.allow_skull" not in again.out


def test_a_prediction_tells_its_arithmetic_and_stays_without_regard_to_it(clisc, finished, data, tmp_path):
    image, mask = data / "images" / "p4_flair.nii.gz", tmp_path / "p4_seg.nii.gz"
    bf16 = ("--precision", "bf16")
    done(clisc, "predict", finished.root, image, "-o", tmp_path, *bf16)
    done(clisc, "predict", finished.root, image, "-o", tmp_path / "m.nii.gz", *bf16)
    for file in (mask, tmp_path / "m.nii.gz"):
        link = explained(clisc, file, "--project", finished.root)["chain"][-1]
        assert link["precision"] == "bf16" and link["device"].startswith("cpu") and not link["options"]
        again = clisc("explain", file, "--project", finished.root, "--commands").out
        assert again.splitlines()[-1].endswith("--precision bf16")
    written = mask.read_bytes(), mask.stat().st_mtime_ns
    done(clisc, "predict", finished.root, image, "-o", tmp_path)
    assert (mask.read_bytes(), mask.stat().st_mtime_ns) == written


def export_bids(clisc, root, out):
    done(clisc, "export", "bids", root, "-o", out, "--masks", "sam")
    return next(out.rglob("*p4*_mask.nii.gz"))


def export_nnunet(clisc, root, out):
    done(clisc, "export", "nnunet", root, "-o", out, "--masks", "sam")
    return next(out.rglob("labelsTr/p3.nii.gz"))


@pytest.mark.parametrize(("export", "case"), [(export_bids, "p4"), (export_nnunet, "p3")])
def test_an_export_tells_of_itself_and_the_project_tells_the_rest(clisc, copied, tmp_path, export, case):
    mask = export(clisc, copied.root, tmp_path / "out")
    alone = explained(clisc, mask)
    assert (alone["case"], alone["product"]) == (case, "masks/sam")
    info, seal = copied.case(case).info, copied.case(case).seal("masks/sam")
    assert list(alone["chain"][0]["files"].values()) == [info.sha256]
    assert alone["chain"][-1]["fingerprint"] == seal.fingerprint
    assert any("tiny" in note for note in alone["notes"])
    whole = explained(clisc, mask, "--project", copied.root)
    assert whole["chain"] == explained(clisc, copied.root, case, "--masks", "sam")["chain"]
    shutil.move(tmp_path / "out", copied.root / "out")
    inside = explained(clisc, copied.root / "out" / mask.relative_to(tmp_path / "out"))
    assert inside["chain"] == whole["chain"], "the project that it lies in is asked, too"


@pytest.mark.parametrize("export", [export_bids, export_nnunet])
def test_an_export_that_was_changed_by_hand_is_told(clisc, copied, tmp_path, export):
    mask = export(clisc, copied.root, tmp_path / "out")
    assert not any("changed" in note for note in explained(clisc, mask)["notes"])
    mark_a_voxel(mask)
    assert any("changed" in note for note in explained(clisc, mask)["notes"])


def test_a_bids_mask_tells_by_which_settings_it_was_made(clisc, copied, tmp_path):
    mask = export_bids(clisc, copied.root, tmp_path / "out")
    (tmp_path / "out" / ".clisc-outputs.jsonl").unlink()
    told = explained(clisc, mask)
    assert told["chain"][0]["files"] == {"p4_flair.nii.gz": copied.case("p4").info.sha256}
    last = explained(clisc, copied.root, "p4", "--masks", "sam")["chain"][-1]
    for key in ("settings", "weights", "made_from", "time", "version"):
        assert told["chain"][-1][key] == last[key] != type(last[key])()


def test_of_an_array_that_was_made_anew_the_project_tells_so(clisc, copied, tmp_path):
    mask = export_bids(clisc, copied.root, tmp_path / "out")
    case = copied.case("p4")
    case.write("masks/sam", case.read("masks/sam"), Seal.now("prompt-sam", "another", {}))
    told = explained(clisc, mask, "--project", copied.root)
    assert any("holds another masks/sam of p4" in note for note in told["notes"])
    assert products(told) == ["source", "masks/sam"]


def test_a_dicom_segmentation_tells_of_itself(clisc, tmp_path):
    write_dicom(tmp_path / "in" / "p", stack(head(10, 26, 24)))
    made = clisc("init", tmp_path / "p", "--images", tmp_path / "in", "--preset", "tiny")
    assert made.code == 0, made.err
    case = open_project(tmp_path / "p").case("p")
    mask = (case.read("image") != 0).astype(np.uint8)
    case.write("masks/sam", mask, Seal.now("prompt-sam", "abcdef", {}))
    done(clisc, "export", "dicom-seg", tmp_path / "p", "-o", tmp_path / "out", "--masks", "sam")
    file = tmp_path / "out" / "p_seg.dcm"
    told = explained(clisc, file)
    assert (told["case"], told["product"]) == ("p", "masks/sam") and "tiny" in told["notes"][0]
    (name, digest) = next(iter(told["chain"][0]["files"].items()))
    assert "1.2.826.0.1.3680043.10.1" in name and digest == case.info.sha256
    assert told["chain"][-1]["fingerprint"] == "abcdef"
    assert told["chain"][-1]["time"] == case.seal("masks/sam").time
    whole = explained(clisc, file, "--project", tmp_path / "p")
    assert products(whole)[:2] == ["source", "image"] and whole["chain"][0]["files"] == {
        case.info.source: digest
    }
    moved = shutil.copy(file, tmp_path / "elsewhere.dcm")
    assert explained(clisc, moved, "--project", tmp_path / "p")["chain"] == whole["chain"]
    moved.write_bytes(moved.read_bytes()[:900])
    assert clisc("explain", moved).code == 3, "half of it tells nothing"
    slices = next((tmp_path / "in" / "p").iterdir())
    assert clisc("explain", slices).code == 3, "a scan of DICOM is no segmentation"


TABLES = ("rows.csv", "groups.csv", "cases.csv", "evaluation.json")


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("variant", ["", "t0"])
def test_a_table_of_evaluate_tells_when_of_what_and_by_what(clisc, varied, name, variant):
    root = varied.root / "variants" / variant if variant else varied.root
    document = json.loads((root / "results" / "evaluation.json").read_text(encoding="utf-8"))
    told = explained(clisc, root / "results" / name)
    assert told["product"] == f"results/{name}" and told["project"] == str(root)
    link = next(link for link in told["chain"] if link["product"] == "results/evaluation.json")
    assert (link["time"], link["fingerprint"]) == (document["time"], document["fingerprint"])
    assert link["settings"]["roi.threshold"] == "otsu" and "masks/round2" in link["made_from"]
    assert link["stale"] == "" and "unet-round2" in products(told)
    notes = " ".join(told["notes"])
    assert "tiny" in notes and "without-self-training, full" in notes
    assert "changed" not in notes and "otherwise" not in notes


def test_a_table_lists_no_input_in_the_place_of_a_network_that_is_gone(clisc, varied):
    table = varied.root / "results" / "rows.csv"
    before = explained(clisc, table)["chain"]
    for file in (varied.root / "checkpoints").glob("unet-round1*"):
        file.unlink()
    after = explained(clisc, table)["chain"]
    assert {link["kind"] for link in after[:-2]} == {"network"}
    assert [link["product"] for link in before if link["product"] != "unet-round1"] == [
        link["product"] for link in after
    ]


def test_a_stale_table_and_a_changed_one_are_told(clisc, varied):
    results = varied.root / "results"
    assert clisc("config", "set", varied.root, "prompts.dilation=9").code == 0
    for name in TABLES:
        told = explained(clisc, results / name)
        assert any("otherwise now" in note and "full" in note for note in told["notes"])
        assert not any("bytes" in note for note in told["notes"])
        (results / name).write_bytes((results / name).read_bytes().replace(b"full", b"best"))
        assert any("bytes are not those" in note for note in explained(clisc, results / name)["notes"])


def test_what_else_a_project_keeps_is_known_by_its_place(clisc, varied):
    root = varied.root
    past = next((root / "results" / "history").iterdir())
    assert explained(clisc, past)["chain"][-1]["fingerprint"] == past.stem
    assert explained(clisc, root / "results" / "s3f.csv")["chain"][-1]["command"] == "self-train"
    curve = explained(clisc, root / "logs" / "unet-round1.csv")
    assert curve["product"] == "unet-round1" and products(curve)[-1] == "unet-round1"
    done(clisc, "trust", root)
    trust = root / "results" / "trust.csv"
    assert explained(clisc, trust)["chain"][-1]["stale"] == ""
    case = varied.case("p4")
    case.write("masks/round2", case.read("masks/round2"), Seal.now("evaluate", "another", {}))
    assert "of 1 of 5 cases" in explained(clisc, trust)["chain"][-1]["stale"]
    (root / "results" / "notes.csv").write_text("a,b\n", encoding="utf-8")
    assert clisc("explain", root / "results" / "notes.csv").code == 3
    refused = clisc("explain", trust, "--commands")
    assert refused.code == 3 and "name a mask" in refused.message


def test_table_1_tells_which_rows_it_has(clisc, varied):
    done(clisc, "evaluate", varied.root, "--table1")
    for name in ("table1.json", "table1.csv", "table1-cases.csv"):
        told = explained(clisc, varied.root / "results" / name)
        assert told["chain"][-1]["command"] == "evaluate --table1" and not told["chain"][-1]["stale"]
        assert any("Rows: full" in note for note in told["notes"]) and "unet-round2" in products(told)
    case = varied.case("p4")
    case.write("masks/round2", case.read("masks/round2"), Seal.now("evaluate", "another", {}))
    assert explained(clisc, varied.root / "results" / "table1.csv")["chain"][-1]["stale"]


def changed(clisc, path, old, new):
    """The notes on a file before, and those after a change by hand; the file is as it was then."""
    content = path.read_bytes()
    before = explained(clisc, path)["notes"]
    assert content.count(old) >= 1
    path.write_bytes(content.replace(old, new, 1))
    after = explained(clisc, path)["notes"]
    path.write_bytes(content)
    assert explained(clisc, path)["notes"] == before
    return before, [note for note in after if note not in before]


def test_what_was_changed_by_hand_in_any_table_is_told(clisc, varied):
    root = varied.root
    done(clisc, "evaluate", root, "--table1")
    done(clisc, "trust", root)
    for name in ("table1.json", "table1.csv", "table1-cases.csv"):
        before, (note,) = changed(clisc, root / "results" / name, b"full", b"best")
        assert "bytes are not those" in note and not any("changed" in note for note in before)
    figures = {"s3f.csv": b"0.", "similarities.json": b" 0.", "trust.csv": b"0.", "trust.json": b": 0."}
    for name, start in figures.items():
        before, (note,) = changed(clisc, root / "results" / name, start, start[:-2] + b"7.")
        assert "one of the two was changed" in note and not any("changed" in note for note in before)
    (note,) = changed(clisc, root / "results" / "s3f.csv", b"case,", b"kase,")[1]
    assert "bytes are not those" in note
    assert clisc("cases", "rename", root, "p0", "patient").code == 0
    for name in figures:
        assert not any("changed" in note for note in explained(clisc, root / "results" / name)["notes"])


@pytest.mark.parametrize("name", ["nosuch.nii.gz", "nosuch.csv", "folder/nosuch.v2"])
def test_a_file_that_is_not_there_is_told_as_one(clisc, finished, tmp_path, monkeypatch, name):
    for place in (tmp_path, finished.root):
        monkeypatch.chdir(place)
        refused = clisc("explain", name)
        assert (refused.code, refused.message) == (3, f"error: {name} does not exist.")
    assert "no case 'p9.v2'" in clisc("explain", "p9.v2").message
    monkeypatch.chdir(tmp_path)
    assert clisc("explain", "nosuch").code == 4


def test_two_files_are_no_project_and_its_case(clisc, tmp_path):
    masks = [tmp_path / name for name in ("a.nii.gz", "b.nii.gz")]
    for mask in masks:
        mask.write_bytes(b"")
    refused = clisc("explain", *masks)
    assert refused.code == 2 and "a file tells itself" in refused.message
    assert "No clisc project" not in refused.message
