"""The prediction of one volume as files: its mask, and its probability beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clisc_engine.imaging.endings import ending_of
from clisc_engine.imaging.source import hash_of
from clisc_engine.importing.casefiles import CaseFiles
from clisc_engine.outputs.inputs import Inputs
from clisc_engine.outputs.outputs import Made, Outputs
from clisc_engine.results.segmenter import FileSegmenter, Prediction

WAY_OUT = "Choose another folder or file with -o."
BY_FORCE = "replace masks that are no inputs with --force"


def predict_file(
    segmenter: FileSegmenter,
    case: CaseFiles,
    mask: Path,
    outputs: Outputs,
    *,
    probabilities: bool,
) -> Prediction:
    """Write one volume's mask as a file, and beside it its probability if that is asked for."""
    prediction = segmenter.predict(case.image, case.channel)
    probability = probability_beside(mask) if probabilities else None
    made_from = made_from_file(segmenter, case) | segmenter.arithmetic()
    write_prediction(outputs, prediction, mask, probability, made_from)
    return prediction


def probability_beside(mask: Path) -> Path:
    """Where the probability of a mask goes that has a file name of its own."""
    ending = ending_of(mask)
    return mask.with_name(f"{mask.name.removesuffix(ending)}_probability{ending}")


def outputs_of_one(case: CaseFiles, inputs: Inputs, *, force: bool) -> Outputs:
    """What may be written beside and over when one volume becomes one mask; its image never is."""
    return Outputs(inputs | Inputs([case.image]), WAY_OUT, by_force=BY_FORCE, force=force)


def write_prediction(
    outputs: Outputs,
    prediction: Prediction,
    mask: Path,
    probability: Path | None,
    made_from: Mapping[str, str],
) -> None:
    """Write a result as image files on its own grid."""
    from clisc_engine.imaging.volume import write_image, write_mask

    if probability is not None:
        outputs.put(
            probability,
            lambda new: write_image(new, prediction.probability, prediction.geometry),
            Made("probability", made_from),
        )
    outputs.put(
        mask,
        lambda new: write_mask(new, prediction.mask, prediction.geometry),
        Made("mask", made_from),
    )


def made_from_file(segmenter: FileSegmenter, case: CaseFiles) -> dict[str, str]:
    """The network and the image; the digest of a DICOM folder is empty, so it is always predicted anew."""
    digest = hash_of(case.image) if case.image.is_file() else ""
    chosen = {} if case.channel is None else {"channel": str(case.channel)}
    return {"network": segmenter.identity, "image": digest, **chosen}
