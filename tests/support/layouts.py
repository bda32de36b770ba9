"""Data sets laid out as people have them, small: which files they are, and which of them is FLAIR.

Each builder writes a data set below a folder and returns how `clisc init` is called for it. Every case
has its own brain; contrasts that are not FLAIR look different, and so do masks that are no references.
"""

import json
import zlib
from dataclasses import dataclass, field

import numpy as np
import SimpleITK as sitk

from tests.support.volumes import ball, write

SHAPE = (12, 24, 26)


@dataclass
class Layout:
    """What to say to `clisc init`, and what it should find: a FLAIR array and a mask for each case."""

    images: str
    references: str | None = None
    options: tuple = ()
    flair: dict = field(default_factory=dict)
    masks: dict = field(default_factory=dict)
    splits: dict = field(default_factory=dict)


def contrast(case, name):
    """A case's brain as one MR contrast shows it: contrasts of a case have nothing in common."""
    return ball(SHAPE, seed=zlib.crc32(f"{case} {name}".encode()))


def tumour(case, label=1):
    """A case's mask; no two cases have the same."""
    mask = np.zeros(SHAPE, np.uint8)
    marked = np.random.default_rng(zlib.crc32(case.encode())).random((4, 5, 7)) < 0.8
    mask[4:8, 8:13, 8:15] = label * marked
    return mask


def brats(folder, cases, others, flair, seg, ending=".nii.gz"):
    """A folder a case: ``<case><flair>`` beside the other contrasts, and ``<case><seg>``."""
    layout = Layout(str(folder), str(folder))
    for path in cases:
        case = path.split("/")[-1]
        for name in (*others, flair):
            write(folder / path / f"{case}{name}{ending}", contrast(case, name))
        write(folder / path / f"{case}{seg}{ending}", tumour(case, 4))
        layout.flair[case], layout.masks[case] = contrast(case, flair), tumour(case)
    return layout


def brats2018(folder):
    (folder / "survival_data.csv").write_text("BraTS18ID,Age,Survival\n", encoding="utf-8")
    cases = ["HGG/Brats18_2013_2_1", "HGG/Brats18_TCIA01_131_1", "LGG/Brats18_2013_0_1"]
    return brats(folder, cases, ("_t1", "_t1ce", "_t2"), "_flair", "_seg")


def brats2019(folder):
    cases = ["HGG/BraTS19_2013_10_1", "LGG/BraTS19_2013_0_1", "LGG/BraTS19_TCIA09_141_1"]
    return brats(folder, cases, ("_t1", "_t1ce", "_t2"), "_flair", "_seg")


def brats2020(folder):
    """Its case 355 has a mask of another name."""
    root = folder / "MICCAI_BraTS2020_TrainingData"
    cases = [f"BraTS20_Training_{n}" for n in ("001", "002", "355")]
    layout = brats(root, cases, ("_t1", "_t1ce", "_t2"), "_flair", "_seg", ".nii")
    odd = root / "BraTS20_Training_355"
    (odd / "BraTS20_Training_355_seg.nii").rename(odd / "W39_1998.09.19_Segm.nii")
    layout.images = layout.references = str(folder)
    return layout


def brats2021(folder):
    cases = ["BraTS2021_00000", "BraTS2021_00002", "BraTS2021_00003"]
    return brats(folder, cases, ("_t1", "_t1ce", "_t2"), "_flair", "_seg")


def brats2023(folder):
    cases = ["BraTS-GLI-00000-000", "BraTS-GLI-00002-000", "BraTS-MET-00110-001"]
    return brats(folder, cases, ("-t1n", "-t1c", "-t2w"), "-t2f", "-seg")


def upenn_gbm(folder):
    """Images and masks in folders of their own; the last two digits are the time point."""
    layout = Layout(str(folder), str(folder))
    for case in ("UPENN-GBM-00001_11", "UPENN-GBM-00002_11", "UPENN-GBM-00002_21"):
        for name in ("T1", "T1GD", "T2", "FLAIR"):
            image = folder / "images_structural" / case / f"{case}_{name}.nii.gz"
            write(image, contrast(case, name))
        write(folder / "images_segm" / f"{case}_segm.nii.gz", tumour(case, 2))
        layout.flair[case], layout.masks[case] = contrast(case, "FLAIR"), tumour(case)
    return layout


def mu_glioma_post(folder):
    """Images are called stripped, their masks are not."""
    layout = Layout(str(folder), str(folder))
    for patient, time in (("PatientID_0003", 1), ("PatientID_0003", 2), ("PatientID_0004", 1)):
        scan = f"{patient}_Timepoint_{time}"
        where, case = folder / patient / f"Timepoint_{time}", f"{scan}_brain"
        for name in ("t1n", "t1c", "t2w", "t2f"):
            write(where / f"{case}_{name}.nii.gz", contrast(case, name))
        write(where / f"{scan}_tumorMask.nii.gz", tumour(case, 2))
        layout.flair[case], layout.masks[case] = contrast(case, "t2f"), tumour(case)
    return layout


def folders_of_plain_names(folder):
    """A folder a case, in which names say the contrast alone."""
    layout = Layout(str(folder), str(folder))
    for case in ("patient-1", "patient-2", "patient-3"):
        for name in ("T1", "t1ce", "t2", "flair"):
            write(folder / case / f"{name}.nii.gz", contrast(case, name))
        write(folder / case / "brain_mask.nii.gz", np.ones(SHAPE, np.uint8))
        write(folder / case / "seg.nii.gz", tumour(case))
        layout.flair[case], layout.masks[case] = contrast(case, "flair"), tumour(case)
    return layout


def plain_names_by_pattern(folder):
    layout = folders_of_plain_names(folder)
    layout.images, layout.references = f"{folder}/*/flair.nii.gz", f"{folder}/*/seg.nii.gz"
    return layout


def nnunet(folder):
    """Four channels, of which dataset.json calls the last FLAIR."""
    layout = numbered_channels(folder)
    names = {"0": "T1", "1": "T1ce", "2": "T2", "3": "FLAIR"}
    description = {"channel_names": names, "file_ending": ".nii.gz"}
    (folder / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    return layout


def nnunet_with_a_chosen_channel(folder):
    layout = numbered_channels(folder)
    layout.options = ("--channel", "3")
    return layout


def numbered_channels(folder):
    layout = Layout(str(folder), str(folder))
    for case in ("BRATS_001", "BRATS_002", "BRATS_003"):
        for channel in range(4):
            write(folder / "imagesTr" / f"{case}_{channel:04d}.nii.gz", contrast(case, channel))
        write(folder / "imagesTs" / f"{case}9_0000.nii.gz", contrast(case, "test"))
        write(folder / "labelsTr" / f"{case}.nii.gz", tumour(case, 2))
        layout.flair[case], layout.masks[case] = contrast(case, 3), tumour(case)
    return layout


def nnunet_of_one_channel(folder):
    layout = Layout(str(folder / "imagesTr"), str(folder / "labelsTr"))
    for case in ("lesion_a", "lesion_b", "lesion_c"):
        write(folder / "imagesTr" / f"{case}_0000.nii.gz", contrast(case, 0))
        write(folder / "labelsTr" / f"{case}.nii.gz", tumour(case))
        layout.flair[case], layout.masks[case] = contrast(case, 0), tumour(case)
    return layout


def decathlon(folder):
    """4-D images, of which dataset.json says that the second volume is FLAIR; macOS left its files."""
    layout = four_dimensional(folder)
    modality = {"0": "T1w", "1": "FLAIR", "2": "t1gd"}
    description = {"name": "BRATS", "tensorImageSize": "4D", "modality": modality}
    (folder / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    (folder / "imagesTr" / "._BRATS_001.nii.gz").write_bytes(b"Mac OS X")
    return layout


def decathlon_with_a_chosen_channel(folder):
    layout = four_dimensional(folder)
    layout.options = ("--channel", "1")
    return layout


def four_dimensional(folder):
    layout = Layout(str(folder), str(folder))
    for case in ("BRATS_001", "BRATS_002", "BRATS_003"):
        volumes = [sitk.GetImageFromArray(contrast(case, channel)) for channel in range(3)]
        (folder / "imagesTr").mkdir(exist_ok=True)
        sitk.WriteImage(sitk.JoinSeries(volumes), str(folder / "imagesTr" / f"{case}.nii.gz"))
        write(folder / "labelsTr" / f"{case}.nii.gz", tumour(case, 3))
        layout.flair[case], layout.masks[case] = contrast(case, 1), tumour(case)
    return layout


def bids_derivatives(folder):
    """Derived names carry entities; a brain mask lies beside the mask of the lesion."""
    layout = Layout(str(folder), str(folder))
    (folder / "dataset_description.json").write_text('{"DatasetType": "derivative"}', encoding="utf-8")
    labels = {"sub-01_ses-1": "lesion", "sub-01_ses-2": "tumour", "sub-02_ses-1": "tumor"}
    for case, label in labels.items():
        subject, session = case.split("_")
        anat = folder / subject / session / "anat"
        write(anat / f"{case}_space-T1w_desc-brain_FLAIR.nii.gz", contrast(case, "FLAIR"))
        write(anat / f"{case}_desc-brain_T1w.nii.gz", contrast(case, "T1w"))
        write(anat / f"{case}_space-T1w_label-{label}_mask.nii.gz", tumour(case))
        write(anat / f"{case}_space-T1w_desc-brain_mask.nii.gz", np.ones(SHAPE, np.uint8))
        layout.flair[case], layout.masks[case] = contrast(case, "FLAIR"), tumour(case)
    return layout


def manifest(folder):
    """Names that say nothing; semicolons, as spreadsheets in much of Europe write them."""
    layout = Layout(str(folder / "cases.csv"))
    lines = ["Case;Split;Image;Reference"]
    for number, (case, split) in enumerate({"one": "train", "two": "valid", "three": "test"}.items()):
        write(folder / "scans" / f"{number}.nrrd", contrast(case, "flair"))
        write(folder / "drawn" / f"{number}.nrrd", tumour(case))
        drawn = f"drawn/{number}.nrrd" if case != "one" else ""
        lines.append(f"{case};{split};scans/{number}.nrrd;{drawn}")
        layout.flair[case], layout.splits[case] = contrast(case, "flair"), split
        if drawn:
            layout.masks[case] = tumour(case)
    (folder / "cases.csv").write_text("\n".join(lines), encoding="utf-8-sig")
    return layout


def dicom(folder):
    """Patient, study, series: the FLAIR series is known by its description; no references."""
    layout = Layout(str(folder))
    for case in ("patient-1", "patient-2", "patient-3"):
        for number, description in enumerate(("AX T1 POST", "AX T2 FLAIR")):
            array = np.rint(contrast(case, description))
            series = folder / case / "2001-01-01" / f"{number}"
            write_dicom(series, array, f"1.2.{number}", description)
        layout.flair[case] = np.rint(contrast(case, "AX T2 FLAIR"))
    return layout


def write_dicom(folder, array, uid="1.2.3", description=""):
    """Write a (Z, Y, X) array as one DICOM series; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array.astype(np.int16))
    image.SetSpacing((0.5, 0.75, 3.0))
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for z in range(image.GetDepth()):
        slice_ = image[:, :, z]
        for tag, value in {
            "0008|0060": "MR",
            "0008|103e": description,
            "0020|000e": uid,
            "0020|000d": "1.2",
            "0008|0018": f"{uid}.{z + 1}",
            "0020|0032": "\\".join(map(str, image.TransformIndexToPhysicalPoint((0, 0, z)))),
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0020|0013": str(z),
        }.items():
            slice_.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{uid}-{z:03d}.dcm"))
        writer.Execute(slice_)
    return folder


LAYOUTS = {
    build.__name__: build
    for build in (
        brats2018,
        brats2019,
        brats2020,
        brats2021,
        brats2023,
        upenn_gbm,
        mu_glioma_post,
        folders_of_plain_names,
        plain_names_by_pattern,
        nnunet,
        nnunet_with_a_chosen_channel,
        nnunet_of_one_channel,
        decathlon,
        decathlon_with_a_chosen_channel,
        bids_derivatives,
        manifest,
        dicom,
    )
}
