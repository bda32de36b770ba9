import re
import unicodedata
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clisc_engine.errors import BadInput
from clisc_engine.imaging.volume import read_volume
from clisc_engine.importing.discover import find_cases, search
from clisc_engine.importing.splits import draw_each, draw_split, read_split, subject_of, torn_apart


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def names(images, references=None):
    return {
        c.name: (c.image.name, c.reference.name if c.reference else None)
        for c in find_cases(str(images), str(references) if references else None)
    }


LAYOUTS = {
    "brats2020": (
        ["a_001/a_001_flair.nii.gz", "a_001/a_001_t1.nii.gz", "a_001/a_001_seg.nii.gz"],
        {"a_001": ("a_001_flair.nii.gz", "a_001_seg.nii.gz")},
    ),
    "brats2023": (
        ["c-1/c-1-t2f.nii.gz", "c-1/c-1-t1n.nii.gz", "c-1/c-1-seg.nii.gz"],
        {"c-1": ("c-1-t2f.nii.gz", "c-1-seg.nii.gz")},
    ),
    "bids": (
        ["sub-1/anat/sub-1_FLAIR.nii.gz", "sub-1/anat/sub-1_T1w.nii.gz"],
        {"sub-1": ("sub-1_FLAIR.nii.gz", None)},
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_with_masks_beside_the_images(tmp_path, layout):
    files, expected = LAYOUTS[layout]
    touch(tmp_path, *files)
    has_masks = any("seg" in name for name in files)
    assert names(tmp_path, tmp_path if has_masks else None) == expected


def test_nnunet_folders(tmp_path):
    touch(tmp_path, "imagesTr/x_0000.nii.gz", "labelsTr/x.nii.gz")
    found = names(tmp_path / "imagesTr", tmp_path / "labelsTr")
    assert found == {"x": ("x_0000.nii.gz", "x.nii.gz")}


def test_plain_files_pair_by_name(tmp_path):
    touch(tmp_path, "im/p1.mha", "im/p2.nrrd", "ref/p1.nii", "im/notes.txt")
    assert names(tmp_path / "im", tmp_path / "ref") == {
        "p1": ("p1.mha", "p1.nii"),
        "p2": ("p2.nrrd", None),
    }


def test_globs(tmp_path):
    touch(tmp_path, "s/a/a_flair.nii.gz", "s/b/b_flair.nii.gz", "s/b/b_seg.nii.gz")
    found = names(f"{tmp_path}/s/**/*_flair.nii.gz", f"{tmp_path}/s/*/*_seg.nii.gz")
    assert found == {
        "a": ("a_flair.nii.gz", None),
        "b": ("b_flair.nii.gz", "b_seg.nii.gz"),
    }


def test_a_manifest_names_everything(tmp_path):
    (tmp_path / "m.csv").write_text(
        "case,image,reference\none,x/1.nii,y/1.nii\ntwo,x/2.nii,\n", encoding="utf-8"
    )
    one, two = find_cases(str(tmp_path / "m.csv"), None)
    assert (one.name, one.image, one.reference) == ("one", tmp_path / "x/1.nii", tmp_path / "y/1.nii")
    assert two.reference is None


def test_links_that_leave_the_folder_are_not_followed(tmp_path):
    touch(tmp_path, "elsewhere/b_flair.nii", "images/a_flair.nii")
    (tmp_path / "images/b_flair.nii").symlink_to(tmp_path / "elsewhere/b_flair.nii")
    assert list(names(tmp_path / "images")) == ["a"]
    assert list(names(f"{tmp_path}/images/*_flair.nii")) == ["a", "b"], "named by the user"


def test_linked_folders_of_dicom_that_leave_the_folder_are_not_followed(tmp_path):
    touch(tmp_path, "elsewhere/b/1.dcm", "images/a/1.dcm")
    (tmp_path / "images/b").symlink_to(tmp_path / "elsewhere/b")
    assert list(names(tmp_path / "images")) == ["a"]
    assert list(names(f"{tmp_path}/images/*")) == ["a", "b"], "named by the user"


def test_names_from_files_and_tables_are_brought_to_one_form(tmp_path):
    for form in ("NFC", "NFD"):
        name = unicodedata.normalize(form, "Jürgen")
        touch(tmp_path / form, f"{name}_flair.nii")
        assert list(names(tmp_path / form)) == ["Jürgen"]
        table = tmp_path / f"{form}.csv"
        table.write_text(f"case,image\n{name},x.nii\n", encoding="utf-8")
        assert [case.name for case in find_cases(str(table), None)] == ["Jürgen"]
        table.write_text(f"case,split\n{name},train\n", encoding="utf-8")
        assert read_split(table, ["Jürgen"]) == {"Jürgen": "train"}


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("a,1.nii\n-rf,2.nii\n", "line 3: '-rf' cannot be a case name"),
        ("a,1.nii\n../b,2.nii\n", r"line 3: '\.\./b' cannot be a case name"),
        ("a,1.nii\nA,2.nii\n", "line 2 and .*line 3 have the same case name 'A'"),
        ("a,1.nii\nb,\n", "line 3: case 'b' has no image"),
        ("a,1.nii\nb,2\0.nii\n", "line 3"),
    ],
)
def test_manifests_name_the_line(tmp_path, rows, reason):
    path = tmp_path / "m.csv"
    path.write_text("case,image\n" + rows, encoding="utf-8")
    with pytest.raises(BadInput, match=reason):
        find_cases(str(path), None)


BAD = {
    "no such folder": ([], "nowhere", None, "no such folder"),
    "no image": (["im/notes.txt"], "im", None, "no images there"),
    "twice": (["im/a/x_flair.nii", "im/b/x_flair.nii.gz"], "im", None, "same case name 'x'"),
    "twice but for case": (["im/x_flair.nii", "im/X_flair.nii"], "im", None, "same case name"),
    "reference alone": (["im/a.nii", "ref/b.nii"], "im", "ref", r"ref/b.nii has no image"),
    "leading dash": (["im/-rf_flair.nii"], "im", None, "cannot be a case name"),
    "odd letters": (["im/a b$_flair.nii"], "im", None, "cannot be a case name"),
    "no masks": (["im/a_flair.nii", "ref/x.txt"], "im", "ref", "no masks"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_paired_is_refused(tmp_path, kind):
    files, images, references, reason = BAD[kind]
    touch(tmp_path, *files)
    with pytest.raises(BadInput, match=reason):
        names(tmp_path / images, tmp_path / references if references else None)


def test_split_sizes_of_the_paper():
    split = draw_split([f"c{i}" for i in range(369)], "7:1:2", 0)
    assert Counter(split.values()) == {"train": 258, "valid": 37, "test": 74}


def test_a_split_depends_on_the_seed_and_not_on_the_order():
    cases = [f"c{i}" for i in range(30)]
    shuffled = list(np.random.default_rng(0).permutation(cases))
    assert draw_split(cases, "7:1:2", 3) == draw_split(shuffled, "7:1:2", 3)
    assert draw_split(cases, "7:1:2", 3) != draw_split(cases, "7:1:2", 4)


@given(st.integers(1, 60), st.tuples(st.integers(1, 9), st.integers(0, 9), st.integers(0, 9)))
def test_every_share_gets_a_case_when_there_are_enough(n, shares):
    ratio = ":".join(map(str, shares))
    counts = Counter(draw_split([str(i) for i in range(n)], ratio, 0).values())
    assert sum(counts.values()) == n and counts["train"] >= 1
    if n >= 3:
        for split, share in zip(("train", "valid", "test"), shares, strict=True):
            assert (counts[split] > 0) == (share > 0)


@pytest.mark.parametrize("ratio", ["7:1", "a:b:c", "0:1:1", "-1:2:3", "nan:1:1", ""])
def test_wrong_ratios(ratio):
    with pytest.raises(BadInput, match="--split-ratio"):
        draw_split(["a"], ratio, 0)


def test_splits_from_files(tmp_path):
    (tmp_path / "s.csv").write_text("case,split\na,train\nb, test\n", encoding="utf-8")
    (tmp_path / "s.json").write_text('{"train": ["a"], "test": ["b"]}', encoding="utf-8")
    expected = {"a": "train", "b": "test"}
    assert read_split(tmp_path / "s.csv", ["a", "b"]) == expected
    assert read_split(tmp_path / "s.json", ["a", "b"]) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("case,split\na,training\nb,test\n", "line 2: split 'training' is not one of"),
        ("case,split\na,train\nc,test\n", "line 3: there is no case 'c'"),
        ("case,split\na,train\na,test\n", "line 3: case 'a' stands there twice"),
        ("case,split\na,train\n", "gives no split for b"),
        ("case,split\na,test\nb,test\n", "no case into train"),
        ("name,part\na,train\n", "columns case,split"),
        ("", "columns case,split"),
        (
            "case,split\nA,train\nb,test\n",
            "line 2: there is no case 'A' among the images; did you mean 'a'",
        ),
        ("case,split\n\n\nc,test\n", "line 4: there is no case 'c'"),
    ],
)
def test_wrong_split_files_name_the_line(tmp_path, text, reason):
    (tmp_path / "s.csv").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=reason):
        read_split(tmp_path / "s.csv", ["a", "b"])


@given(st.text(max_size=200))
def test_any_split_file_is_read_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("fuzz") / "s.csv"
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        split = read_split(path, ["a", "b"])
    except BadInput:
        return
    assert set(split) == {"a", "b"}


def test_fields_and_nesting_beyond_the_readers_limits_are_refused(tmp_path):
    for name, text in {
        "a.csv": "case,split\n" + "x" * 200_000 + ",train\n",
        "b.json": "[" * 100_000,
        "c.json": '{"train": [' + "9" * 5000 + "]}",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        with pytest.raises(BadInput, match=name):
            read_split(tmp_path / name, ["a", "b"])
    (tmp_path / "m.csv").write_text("case,image\n" + "x" * 200_000 + ",i.nii\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"m\.csv"):
        find_cases(str(tmp_path / "m.csv"), None)


@pytest.mark.parametrize(
    ("mask", "beside"),
    [
        ("tumor_segmentation", ["brain_segmentation", "brain_parenchyma_segmentation"]),  # UCSF-PDGM
        ("segmentations", ["adc"]),  # RHUH-GBM
        ("msk", ["dwi"]),  # ISLES
    ],
)
def test_a_folder_s_masks_are_told_from_its_brain_masks_and_contrasts(tmp_path, mask, beside):
    for case in ("a-1", "a-2"):
        touch(tmp_path, *(f"{case}/{case}_{name}.nii.gz" for name in ("FLAIR", "T1", mask, *beside)))
    expected = {c: (f"{c}_FLAIR.nii.gz", f"{c}_{mask}.nii.gz") for c in ("a-1", "a-2")}
    assert names(tmp_path, tmp_path) == expected


@pytest.mark.parametrize("label", ["lesion", "tumour", "tumor"])
def test_bids_masks_in_a_folder_of_their_own_are_paired_by_their_entities(tmp_path, label):
    scans = [f"sub-01_ses-1_{run}" for run in ("run-1", "run-2")]
    masks = [f"{scan}_label-{label}_mask.nii.gz" for scan in scans]
    touch(tmp_path / "anat", *(f"{scan}_FLAIR.nii.gz" for scan in scans))
    touch(tmp_path / "derivatives" / "anat", *masks)
    found = names(tmp_path, tmp_path / "derivatives")
    assert found == {s: (f"{s}_FLAIR.nii.gz", m) for s, m in zip(scans, masks, strict=True)}


@pytest.mark.parametrize("archive", ["BraTS.zip", "scans.tar.gz", "scans.TGZ", "scans.tar"])
def test_archives_are_to_be_unpacked(tmp_path, archive):
    touch(tmp_path, archive, "a_flair.nii.gz")
    (tmp_path / "m.csv").write_text(f"case,image\na,{archive}\n", encoding="utf-8")
    said = rf"{re.escape(archive)} is an archive; unpack it first"
    for packed in (tmp_path / archive, tmp_path / f"*{archive[2:]}"):
        with pytest.raises(BadInput, match=said):
            find_cases(str(packed), None)
    with pytest.raises(BadInput, match=said):
        find_cases(str(tmp_path), str(tmp_path / archive))
    (case,) = find_cases(str(tmp_path / "m.csv"), None)
    with pytest.raises(BadInput, match=said):
        read_volume(case.image)
    (left_out,) = [one for one in search(str(tmp_path), None).left_out if one.path.name == archive]
    assert left_out.reason == "an archive that is to be unpacked first"


@pytest.mark.parametrize("part", ["phase", "real", "imag"])
@pytest.mark.parametrize("magnitude", ["", "_part-mag"])
def test_parts_of_complex_images_are_no_flair(tmp_path, part, magnitude):
    scans = [
        f"sub-01/anat/sub-01_{name}_FLAIR.nii.gz" for name in ("run-1" + magnitude, f"run-1_part-{part}")
    ]
    touch(tmp_path, *scans, "sub-01/anat/sub-01_T1w.nii.gz")
    assert names(tmp_path) == {f"sub-01_run-1{magnitude}": (scans[0].rpartition("/")[2], None)}
    assert names(tmp_path / "sub-01" / "anat" / "*_FLAIR.nii.gz") == names(tmp_path)
    reasons = {one.path.name: one.reason for one in search(str(tmp_path), None).left_out}
    assert reasons[scans[1].rpartition("/")[2]] == "a phase, real or imaginary part, no magnitude"
    (tmp_path / scans[0]).unlink()
    assert names(tmp_path).keys() == {"sub-01_T1w"}
    with pytest.raises(BadInput, match=r"no images there; by their names .* parts of complex images"):
        names(tmp_path / scans[1])


def test_a_draw_keeps_a_subject_s_scans_together():
    scans = [f"sub-{n:02}_ses-{s}" for n in range(20) for s in range(1 + n % 3)] + ["other_1", "other_2"]
    split = draw_split(scans, "7:1:2", 0)
    assert list(split) == sorted(scans) and set(split.values()) == {"train", "valid", "test"}
    by_subject = {name.split("_ses")[0]: part for name, part in split.items()}
    assert all(part == by_subject[name.split("_ses")[0]] for name, part in split.items())
    assert Counter(by_subject.values()) == {"train": 16, "valid": 2, "test": 4}
    kept = [("other_1", "sub-03_ses-0"), ("other_2", "sub-05_ses-0"), ("sub-02_ses-1", "sub-03_ses-0")]
    split = draw_split(scans, "7:1:2", 0, kept)
    assert all(split[one] == split[other] for one, other in kept)
    assert split["sub-02_ses-0"] == split["other_1"], "a group joins the subjects that it holds scans of"


@pytest.mark.parametrize(
    "pattern", ["case{}", "sub-{}", "sub-{}_ses-1", "BraTS-GLI-{}-000", "UPENN-GBM-{}_11"]
)
def test_a_draw_of_one_scan_a_subject_is_as_it_was(pattern):
    names = [pattern.format(f"{n:03}") for n in range(30)]
    drawn = np.random.default_rng(5).permutation(sorted(names)).tolist()
    parts = dict.fromkeys(drawn[:21], "train") | dict.fromkeys(drawn[21:24], "valid")
    assert draw_split(names, "7:1:2", 5) == dict.fromkeys(names, "test") | parts


@pytest.mark.parametrize(
    ("scan", "patient"),
    [
        ("sub-{}_ses-{}", "sub-001"),
        ("BraTS-GLI-{}-00{}", "BraTS-GLI-001"),
        ("UPENN-GBM-{}_{}1", "UPENN-GBM-001"),
        ("UCSD-PTGBM-{}_0{}", "UCSD-PTGBM-001"),
        ("UCSF-PDGM-{}_FU00{}d", "UCSF-PDGM-001"),
        ("{}_time{}", "001"),
        ("PatientID_{}_Timepoint_{}_brain", "PatientID_001"),
        ("RHUH-{}_{}", "RHUH-001"),
        ("BraTSReg_{}_0{}_0106", "BraTSReg_001"),
        ("Patient-{}_week-00{}", "Patient-001"),
        ("P{}_T{}", "P001"),
        ("brats_tcia_pat{}_000{}", "brats_tcia_pat001"),
        ("YG_{}_200{}-12-31", "YG_001"),
        ("TCGA-{}_200{}.08.23", "TCGA-001"),
        ("{}-200{}1231", "001"),
    ],
)
def test_public_data_sets_names_tell_a_patient_s_scans(scan, patient):
    names = [scan.format(f"{n:03}", s) for n in range(20) for s in (1, 2)]
    for seed in range(5):
        split = draw_split(names, "7:1:2", seed)
        assert all(split[one] == split[other] for one, other in zip(names[::2], names[1::2], strict=True))
        assert Counter(split.values()) == {"train": 28, "valid": 4, "test": 8}
    (told,) = torn_apart(dict.fromkeys(names, "train") | {names[3]: "test"})
    assert f"Scans of {patient} are" in told and names[2] in told
    others = ["BraTS20_Training_001", "BraTS2021_00000", "Brats18_2013_2_1", "TCGA-02-0006", "case_1_2"]
    each = draw_each(names + others, "7:1:2", 0)
    assert all(each[one] == each[other] for one, other in zip(names[::2], names[1::2], strict=True))
    assert {name: each[name] for name in others} == draw_each(others, "7:1:2", 0)


def test_scans_that_are_told_by_letters_stay_together():
    """UCSF-BMSR calls a patient's scans 100101A, 100101B, LUMIERE two of a week week-000-1, week-000-2."""
    names = [f"1001{n:02}{letter}" for n in range(20) for letter in "AB"]
    names += [f"Patient-{n:03}_week-000-{k}" for n in range(20) for k in (1, 2)]
    split = draw_split(names, "7:1:2", 0)
    assert all(split[one] == split[other] for one, other in zip(names[::2], names[1::2], strict=True))


@pytest.mark.parametrize(
    "name", ["scan_20190304", "site2_2019-03-04", "case_1001_20991301", "a100_2019-0304"]
)
def test_a_date_tells_a_patient_only_behind_a_number_that_is_one_s(name):
    assert subject_of(name) == ""


def test_a_follow_up_stays_with_the_scan_that_is_named_as_the_patient():
    names = [f"UCSF-PDGM-{n:04}{end}" for n in range(20) for end in ("", "_FU003d")]
    split = draw_split(names, "7:1:2", 0)
    assert all(split[one] == split[other] for one, other in zip(names[::2], names[1::2], strict=True))


def test_a_subject_s_scans_in_several_splits_are_told():
    torn = {"sub-01_ses-1": "train", "sub-01_ses-2": "test", "sub-02_ses-1": "train", "sub-03": "test"}
    (told,) = torn_apart(torn)
    assert "sub-01_ses-1 train" in told and "sub-01_ses-2 test" in told and "sub-02" not in told
    again = {"BraTS-GLI-00008-000": "train", "BraTS-GLI-00008-001": "test", "BraTS-GLI-00009-000": "train"}
    (told,) = torn_apart(again)
    assert "Scans of BraTS-GLI-00008 are" in told and "00009" not in told
    assert not torn_apart({**torn, "sub-01_ses-2": "train"}) and not torn_apart(
        {"a_1": "train", "a_2": "test"}
    )


@pytest.mark.parametrize("name", ["1.dcm", "IM0001", "1.2.840.77", "1.IMA"])
def test_dicom_patients_beside_other_formats_are_missed_whatever_their_files_are_called(tmp_path, name):
    touch(tmp_path, "a/a_flair.nii.gz", "b/notes.txt")
    (tmp_path / "b" / name).write_bytes(bytes(128) + b"DICM" + bytes(8))
    missed = [one.path.name for one in search(str(tmp_path), None).left_out if one.missed]
    assert missed == [name]
