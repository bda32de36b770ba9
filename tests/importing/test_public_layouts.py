"""Names and folders of public data sets: which images are FLAIR, of which scan, and whose each mask is."""

import pytest

from clisc_engine.errors import BadInput
from clisc_engine.importing.channels import flair_channel
from clisc_engine.importing.discover import search


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def found(folder, images="", references=None):
    """What is taken: image and mask by case, as paths in the folder."""
    masks = None if references is None else f"{folder}/{references}".rstrip("/")
    taken = search(f"{folder}/{images}".rstrip("/"), masks)
    assert not taken.bad
    inside = {
        case.name: tuple(
            path and path.relative_to(folder).as_posix() for path in (case.image, case.reference)
        )
        for case in taken.cases
    }
    return inside, taken


def images_of(folder, images=""):
    return {case: image for case, (image, _) in found(folder, images)[0].items()}


LUMIERE = ("Patient-001/week-000-1", "Patient-001/week-044", "Patient-002/week-000")
SKULL_STRIPPED = "DeepBraTumIA-segmentation/atlas/skull_strip/flair_skull_strip.nii.gz"
DRAWN_BY = "DeepBraTumIA-segmentation/atlas/segmentation/seg_mask.nii.gz"
REGISTERED = "HD-GLIO-AUTO-segmentation/registered"


def lumiere(folder):
    for scan in LUMIERE:
        touch(folder, *(f"{scan}/{name}.nii.gz" for name in ("CT1", "T1", "T2", "FLAIR")))
        touch(folder, f"{scan}/{SKULL_STRIPPED}", f"{scan}/{DRAWN_BY}")
        touch(folder, *(f"{scan}/{REGISTERED}/{n}_r2s_bet_reg.nii.gz" for n in ("FLAIR", "T1")))
        touch(folder, f"{scan}/{REGISTERED}/segmentation.nii.gz")


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("FLAIR.nii.gz", DRAWN_BY),
        (SKULL_STRIPPED, DRAWN_BY),
        (f"{REGISTERED}/FLAIR_r2s_bet_reg.nii.gz", f"{REGISTERED}/segmentation.nii.gz"),
    ],
)
def test_lumiere_s_scans_have_their_folders_names_and_their_folders_masks(tmp_path, image, mask):
    lumiere(tmp_path)
    pairs, taken = found(tmp_path, f"*/*/{image}", f"*/*/{mask}")
    assert pairs == {scan.replace("/", "_"): (f"{scan}/{image}", f"{scan}/{mask}") for scan in LUMIERE}
    assert "the name of its folders: Patient-001_week-000-1, " in " ".join(taken.notes)
    with pytest.raises(BadInput, match=r"name one kind of mask .* '.*/\*\*/seg_mask.nii.gz' or "):
        found(tmp_path, f"*/*/{image}", "")


def test_folders_that_all_images_have_in_common_name_no_case(tmp_path):
    """The Erasmus Glioma Database: a folder a contrast in that of the patient."""
    patients = ("EGD-0001", "EGD-0002")
    for patient in patients:
        for number, name in enumerate(("T1", "T1GD", "T2", "FLAIR", "MASK"), 1):
            touch(tmp_path, f"{patient}/{number}_{name}/NIFTI/{name}.nii.gz")
    pairs, taken = found(tmp_path, "", "")
    assert pairs == {
        one: (f"{one}/4_FLAIR/NIFTI/FLAIR.nii.gz", f"{one}/5_MASK/NIFTI/MASK.nii.gz") for one in patients
    }
    assert {one.reason for one in taken.left_out} == {"another contrast of a case that was taken"}


def test_folders_of_centres_are_told_since_they_may_be_patients(tmp_path):
    scans = ("Center_01/Patient_01", "Center_01/Patient_02", "Center_07/Patient_01")
    for scan in scans:
        touch(
            tmp_path,
            f"{scan}/Preprocessed_Data/FLAIR_preprocessed.nii.gz",
            f"{scan}/Masks/Consensus.nii.gz",
        )
    pairs, taken = found(tmp_path, "**/FLAIR_preprocessed.nii.gz", "**/Consensus.nii.gz")
    assert set(pairs) == {scan.replace("/", "_") for scan in scans} and all(
        mask for _, mask in pairs.values()
    )
    assert "If Center_01 is a patient with several scans" in taken.notes[0]


@pytest.mark.parametrize(
    "files",
    [
        ("a/1/flair.nii.gz", "b/flair.nii.gz"),  # one lies deeper
        ("a/b_c/flair.nii.gz", "a_b/c/flair.nii.gz"),  # both would be a_b_c
        ("a/x_flair.nii.gz", "b/x_flair.nii.gz"),  # the name says a case
    ],
)
def test_names_that_folders_leave_in_doubt_are_refused(tmp_path, files):
    touch(tmp_path, *files)
    assert "have the same case name" in " ".join(search(str(tmp_path), None).bad.values())


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (("a/1/f.nii", "a/2/f2.nii"), ("a/m.nii",)),  # above two images
        (("a/f.nii", "b/f2.nii"), ("a/m/1.nii", "a/m/2.nii")),  # two masks beside one image
        (("a/f.nii", "b/f2.nii"), ("c/m.nii",)),  # beside none
        (("a/f.nii",), ("b/m.nii",)),  # one image, and a mask elsewhere
    ],
)
def test_a_mask_that_may_be_another_image_s_is_not_paired(tmp_path, images, masks):
    touch(tmp_path, *images, *masks)
    with pytest.raises(BadInput, match="has no image of the case name"):
        found(tmp_path, "**/f*.nii", "**/[m12].nii" if "m/1" not in masks[0][2:] else "a/m/*.nii")


def test_of_several_kinds_of_masks_one_is_to_be_named(tmp_path):
    for case in ("100101A", "100101B"):
        touch(tmp_path, *(f"{case}/{case}_{n}.nii.gz" for n in ("FLAIR", "T1post", "seg", "BraTS-seg")))
    with pytest.raises(BadInput) as refused:
        found(tmp_path, "", "")
    patterns = str(refused.value).partition("--references ")[2].partition(", or leave")[0].split(" or ")
    assert patterns == [f"'{tmp_path}/**/*_seg.nii.gz'", f"'{tmp_path}/**/*_BraTS-seg.nii.gz'"]
    for pattern, name in zip(patterns, ("seg", "BraTS-seg"), strict=True):
        pairs, _ = found(tmp_path, "", pattern.strip("'").removeprefix(f"{tmp_path}/"))
        assert {mask for _, mask in pairs.values()} == {f"{c}/{c}_{name}.nii.gz" for c in pairs}


def test_upenn_s_two_folders_of_masks_are_to_be_told_apart_and_each_can_be_given(tmp_path):
    case = "UPENN-GBM-00002_11"
    touch(tmp_path, f"images_structural/{case}/{case}_FLAIR.nii.gz", f"images_segm/{case}_segm.nii.gz")
    touch(tmp_path, f"automated_segm/{case}_automated_approx_segm.nii.gz")
    for folder, name in (("images_segm", "segm"), ("automated_segm", "automated_approx_segm")):
        pairs, _ = found(tmp_path, "images_structural", folder)
        assert pairs[case][1] == f"{folder}/{case}_{name}.nii.gz"
    with pytest.raises(BadInput, match=r"images_segm/\*_segm.nii.gz"):
        found(tmp_path, "images_structural", "")


# T1 and T2 before FLAIR


@pytest.mark.parametrize(
    ("beside", "t1", "t2"),
    [
        (("p_T1ce",), None, "p"),  # contrasts
        (("p_seg",), None, "p"),
        (("p_T1_MPRAGE",), None, "p"),  # a sequence that is called T1 as well
        (("p_T1_T1ce", "p_T2_T1ce"), "p_T1", "p_T2"),  # each time has its contrasts
        (("p_T1_T2", "p_T2_MASK"), "p_T1", "p_T2"),
        (("q_T3_FLAIR",), "p_T1", "p_T2"),  # no contrast is called T3
    ],
)
def test_t1_flair_is_another_contrast_unless_t1_is_a_time(tmp_path, beside, t1, t2):
    touch(tmp_path, *(f"{name}.nii.gz" for name in ("p_T1_FLAIR", "p_T2_FLAIR", *beside)))
    expected = {t1: "p_T1_FLAIR.nii.gz", t2: "p_T2_FLAIR.nii.gz"}
    expected |= {"q_T3": "q_T3_FLAIR.nii.gz"} if "q_T3_FLAIR" in beside else {}
    assert images_of(tmp_path) == {case: image for case, image in expected.items() if case}
    reasons = {one.path.name: one for one in search(str(tmp_path), None).left_out}
    if t1 is None:
        told = reasons["p_T1_FLAIR.nii.gz"]
        assert told.missed and told.reason == "T1 FLAIR by its name, which is another contrast"
    else:
        assert not any(one.missed for one in reasons.values())


def test_cases_may_be_called_t_with_a_number(tmp_path):
    touch(tmp_path, *(f"t{number}_flair.nii.gz" for number in range(4)))
    assert images_of(tmp_path) == {f"t{number}": f"t{number}_flair.nii.gz" for number in range(4)}


@pytest.mark.parametrize("given", ["", "*_FLAIR.nii.gz"])
def test_t1_flair_alone_is_told_by_name(tmp_path, given):
    touch(tmp_path, "p_T1_FLAIR.nii.gz", "q_T1_FLAIR.nii.gz")
    pairs, taken = found(tmp_path, given)
    assert len(pairs) == 2
    assert "names say another contrast than FLAIR: p_T1_FLAIR.nii.gz, q_T1_FLAIR.nii.gz" in taken.notes[0]


def test_a_patient_s_times_are_read_with_their_masks_and_without_a_word(tmp_path):
    """MSLesSeg: T1 is the first scan, and T1_T1 its T1."""
    scans = ("P1/T1/P1_T1", "P1/T2/P1_T2", "P2/T1/P2_T1")
    for scan in scans:
        touch(tmp_path, *(f"{scan}_{name}.nii.gz" for name in ("FLAIR", "T1", "T2", "MASK")))
    for images, masks in (("", ""), ("**/*_FLAIR.nii.gz", "**/*_MASK.nii.gz")):
        pairs, taken = found(tmp_path, images, masks)
        assert pairs == {s[6:]: (f"{s}_FLAIR.nii.gz", f"{s}_MASK.nii.gz") for s in scans}
        assert not taken.notes and not any(one.missed for one in taken.left_out)


def test_sessions_of_bids_may_be_called_t1_and_t2(tmp_path):
    scans = [f"sub-{n}_ses-T{t}" for n in (1, 2) for t in (1, 2)]
    touch(tmp_path, *(f"{scan}_{name}.nii.gz" for scan in scans for name in ("FLAIR", "T1w")))
    touch(tmp_path, *(f"derivatives/{scan}_label-lesion_mask.nii.gz" for scan in scans))
    pairs, taken = found(tmp_path, "", "derivatives")
    assert pairs == {s: (f"{s}_FLAIR.nii.gz", f"derivatives/{s}_label-lesion_mask.nii.gz") for s in scans}
    assert not any(one.missed for one in taken.left_out)


def test_a_channel_that_is_t1_flair_is_not_taken_for_flair(tmp_path):
    (tmp_path / "dataset.json").write_text(
        '{"channel_names": {"0": "T1-FLAIR", "1": "T2-FLAIR"}}', encoding="utf-8"
    )
    assert flair_channel(tmp_path, None) == 1


# FLAIR within the name


def test_flair_within_names_is_taken_where_none_ends_with_it(tmp_path):
    """FSL's names; those of the other contrasts differ by the contrast alone."""
    for case in ("p1", "p2"):
        touch(
            tmp_path, *(f"{case}/{case}_{n}.nii.gz" for n in ("T1_brain", "FLAIR_brain", "T2_brain", "seg"))
        )
    pairs, taken = found(tmp_path, "", "")
    assert pairs == {
        f"{c}_FLAIR_brain": (f"{c}/{c}_FLAIR_brain.nii.gz", f"{c}/{c}_seg.nii.gz") for c in ("p1", "p2")
    }
    assert not any(one.missed for one in taken.left_out)


def test_brats_2015_s_flair_images_are_taken_alone_and_paired_by_their_folders(tmp_path):
    for number in (1, 2):
        for kind, name in enumerate((".O.MR_Flair", ".O.MR_T1", ".O.MR_T2", "_3more.O.OT")):
            stem = f"VSD.Brain{name}.{number}{kind}"
            touch(tmp_path, f"pat{number}/{stem}/{stem}.mha")
    assert set(images_of(tmp_path)) == {"VSD.Brain.O.MR_Flair.10", "VSD.Brain.O.MR_Flair.20"}
    pairs, _ = found(tmp_path, "**/*Flair*.mha", "**/*OT*.mha")
    assert {case: mask[:4] for case, (_, mask) in pairs.items()} == {
        "VSD.Brain.O.MR_Flair.10": "pat1",
        "VSD.Brain.O.MR_Flair.20": "pat2",
    }


def test_what_is_of_a_case_is_not_told_as_missed(tmp_path):
    """UCSF-PDGM: maps of diffusion are no patient without FLAIR; a second FLAIR image is named."""
    names = ("FLAIR", "FLAIR_bias", "DTI_eddy_FA", "T1_bias", "t1ce-t1")
    touch(tmp_path, *(f"a-1/a-1_{name}.nii.gz" for name in names), "a-2/a-2_T1.nii.gz")
    _, taken = found(tmp_path)
    missed = {one.path.name: one.reason for one in taken.left_out if one.missed}
    assert missed == {
        "a-1_FLAIR_bias.nii.gz": "another FLAIR image of a case that was taken",
        "a-2_T1.nii.gz": "another contrast of a case without a FLAIR image",
    }


def test_the_pattern_for_one_folder_takes_what_was_taken_of_it(tmp_path):
    for case in ("100001", "100002"):
        touch(tmp_path, *(f"{case}/{case}_time{t}_{n}.nii.gz" for t in (1, 2) for n in ("flair", "t1")))
    _, taken = found(tmp_path)
    pattern = taken.notes[0].rpartition("--images ")[2].strip(".'")
    assert set(images_of(tmp_path, pattern.removeprefix(f"{tmp_path}/"))) == {
        "100001_time1",
        "100001_time2",
    }
