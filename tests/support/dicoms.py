"""DICOM files that tests make: slices and multi-frame files as scanners write them."""

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage

SERIES = "1.2.826.0.1.3680043.10.1"
AXIAL, SAGITTAL, CORONAL = (1, 0, 0, 0, 1, 0), (0, 1, 0, 0, 0, -1), (1, 0, 0, 0, 0, -1)
PIXEL, GAP = (0.75, 0.5), 3.0
"""mm between rows and between columns; between slices."""


def turned(degrees, axes=AXIAL):
    """Axes turned about x and then about z, so that none is along the patient's any more."""
    a, b = np.radians(degrees), np.radians(degrees / 2)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    turn = about_z @ about_x
    return (*(turn @ axes[:3]), *(turn @ axes[3:]))


def head(count=8, rows=20, columns=22, seed=0):
    """A small brain in whole numbers, (slice, row, column), with one voxel of 900."""
    rng = np.random.default_rng(seed)
    grid = np.meshgrid(*(np.linspace(-1.1, 1.1, n) for n in (count, rows, columns)), indexing="ij")
    inside = sum(a**2 for a in grid) < 1
    array = np.where(inside, rng.integers(100, 300, inside.shape), 0).astype(np.int16)
    array[count // 2 + 1, rows // 2 + 2, columns // 2 - 3] = 900
    return array


def text(value):
    """A number as DICOM writes it: 16 characters at most."""
    return f"{value:.10f}"[:16]


def place(k, axes=AXIAL, gap=GAP, origin=(-70.0, 40.0, -15.0)):
    """Position of slice k along the normal of its axes."""
    return np.array(origin) + k * gap * np.cross(axes[:3], axes[3:])


def slice_of(plane, position, number, axes=AXIAL, pixel=PIXEL, uid=SERIES, **more):
    """One slice as a data set; ``more`` are further attributes, or others in place of these."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, f"{uid}.{number}"
    dataset.Modality, dataset.SeriesDescription = "MR", "AX FLAIR"
    dataset.PatientID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "p", "1.2.3", uid
    dataset.FrameOfReferenceUID, dataset.InstanceNumber = "1.2.3.4", number
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    dataset.SliceThickness = text(GAP)
    dataset.ImagePositionPatient = [text(v) for v in position]
    dataset.ImageOrientationPatient = [text(v) for v in axes]
    dataset.PixelSpacing = [text(v) for v in pixel]
    put_pixels(dataset, plane)
    for keyword, value in more.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def put_pixels(dataset, array):
    dataset.Rows, dataset.Columns = array.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = int(array.dtype.kind == "i")
    dataset.PixelData = array.astype(array.dtype.newbyteorder("<")).tobytes()


def stack(array, axes=AXIAL, gap=GAP, start=1, **more):
    """The slices of a volume."""
    return [slice_of(plane, place(k, axes, gap), start + k, axes, **more) for k, plane in enumerate(array)]


def multi_frame(array, axes=AXIAL, gap=GAP, order=None, uid=SERIES, per_frame=None, **more):
    """A volume as one enhanced MR file; frame n lies at place ``order[n]``."""
    dataset = slice_of(array[0], (0, 0, 0), 1, uid=uid)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        delattr(dataset, keyword)
    dataset.SOPClassUID = EnhancedMRImageStorage
    put_pixels(dataset, array)
    dataset.NumberOfFrames = len(array)
    shared = Dataset()
    shared.PlaneOrientationSequence = [group(ImageOrientationPatient=[text(v) for v in axes])]
    shared.PixelMeasuresSequence = [group(PixelSpacing=[text(v) for v in PIXEL], SliceThickness=text(gap))]
    dataset.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for index, k in enumerate(range(len(array)) if order is None else order):
        frame = Dataset()
        frame.PlanePositionSequence = [group(ImagePositionPatient=[text(v) for v in place(k, axes, gap)])]
        if per_frame:
            per_frame(frame, index)
        frames.append(frame)
    dataset.PerFrameFunctionalGroupsSequence = frames
    for keyword, value in more.items():
        setattr(dataset, keyword, value)
    return dataset


def group(**values):
    """One item of a functional group."""
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def write(folder, datasets, name="{:04d}.dcm", start=1):
    """Write data sets into a folder, by number; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, dataset in enumerate(datasets, start):
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.save_as(folder / name.format(number), enforce_file_format=True)
    return folder


def plain(folder):
    return write(folder, stack(head()))


def alternating(keyword, values):
    """One stack whose slices differ in turn."""
    slices = stack(head())
    for k, one in enumerate(slices):
        setattr(one, keyword, values[k % len(values)])
    return slices


def leaning(per_slice):
    slices = stack(head())
    for k, one in enumerate(slices):
        one.ImagePositionPatient[1] = f"{one.ImagePositionPatient[1] + k * per_slice:.4f}"
    return slices


def slices(build, *arguments, **more):
    return lambda folder: write(folder, build(*arguments, **more))
