"""Labels, classifiers and maps: CLIP and the classifier asked for one slice after the other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from pytorch_grad_cam import LayerCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch.nn import functional

from benchmarks.plain.study import Study
from benchmarks.volumes import SPACING
from clisc_engine.core.labelling import NORMAL, TUMOUR
from clisc_engine.core.masking import discriminative_region, mask_out, random_region
from clisc_engine.core.seeds import case_generator
from clisc_engine.imaging.window import square, unsquare
from clisc_engine.models.classifier import SliceClassifier, build_classifier
from clisc_engine.models.clip import load_clip
from clisc_engine.models.slice_labels import labels_of
from clisc_engine.stages.amda import filling
from clisc_engine.stages.cam import slices_to_map
from clisc_engine.stages.classifier.training import augment_slices, slices_an_epoch

CPU = torch.device("cpu")


def label(study: Study) -> None:
    """Step 1: CLIP's label of each slice."""
    asked = study.settings.label
    clip = load_clip(*asked.clips()[0], CPU)
    text = clip.text_features({"normal": asked.normal_prompts, "tumour": asked.tumour_prompts})
    for name in study.names:
        slices = study.slices(name)
        brain = np.asarray(slices.any(axis=(1, 2)), bool)
        probability = np.zeros(len(slices), np.float32)
        for z in np.flatnonzero(brain):
            probability[z] = clip.probabilities(slices[z : z + 1], text)[0]
        study.keep_labels(name, labels_of(probability, brain, SPACING[0], asked))


def mask_copies(study: Study) -> None:
    """AMDA's masked copy of each slice with a certain label, as a volume a case."""
    t = study.settings.amda.t
    for name in study.names:
        slices, maps, labels = study.slices(name), study.read(name, "cam-raw"), study.labels(name)
        rng, copies = case_generator(study.settings.seed, name), np.zeros_like(slices)
        for z in study.certain(name):
            brain = slices[z] != 0
            if labels[z] == TUMOUR:
                region = discriminative_region(maps[z] / np.float32(255), brain, t)
            else:
                region = random_region(brain, round(brain.sum() * t / 100), rng)
            put = filling(slices[z], region, brain, fill=study.settings.amda.fill, spacing=SPACING[1:])
            copies[z] = mask_out(slices[z], region, put)
        study.write(name, "masked", copies)


def train_classifier(study: Study, network: str, *, masked: bool) -> None:
    """Train on all certain slices, with ``masked`` also on their copies; each epoch reads them anew."""
    settings, seed = study.settings.classifier, study.settings.seed
    module = _new_classifier(study)
    optimiser = torch.optim.Adam(module.parameters(), lr=settings.learning_rate)
    module.train()
    for epoch in range(settings.epochs):
        slices, labels = gather(study, masked)
        torch.manual_seed(seed * 1_000_003 + epoch)
        decays = epoch // settings.decay_every if settings.decay_every else 0
        optimiser.param_groups[0]["lr"] = settings.learning_rate * 0.1**decays
        generator = np.random.default_rng([seed, epoch])
        order = generator.permutation(len(labels))
        versions = 2 if masked else 1
        order = order[: slices_an_epoch(settings, len(order) // versions) * versions]
        for start in range(0, len(order), settings.batch_size):
            chosen = order[start : start + settings.batch_size]
            if len(chosen) < 2 <= len(order):
                continue
            batch = torch.cat([module.prepare(torch.from_numpy(slices[index])) for index in chosen])
            if settings.augment:
                batch = augment_slices(batch, generator)
            loss = functional.cross_entropy(module(batch), torch.from_numpy(labels[chosen]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            loss.item()
    torch.save(module.state_dict(), study.root / f"{network}.pt")


def _new_classifier(study: Study) -> SliceClassifier:
    settings = study.settings.classifier
    clip = load_clip(*study.settings.label.clips()[0], CPU) if settings.backbone == "clip" else None
    torch.manual_seed(study.settings.seed)
    return build_classifier(
        settings.backbone,
        pretrained=None if settings.pretrained == "none" else settings.pretrained,
        clip=clip,
        head=settings.head,
        dropout=settings.dropout,
        image_size=settings.image_size,
    )


def gather(study: Study, masked: bool) -> tuple[list[npt.NDArray[np.uint8]], npt.NDArray[np.int64]]:
    """The slices, (1, S, S) each, and their labels (N,); first the slices as they are."""
    size = study.settings.classifier.image_size
    slices: list[npt.NDArray[np.uint8]] = []
    labels: list[int] = []
    for copies in (False, True) if masked else (False,):
        for name in study.names:
            shown, said = study.slices(name), study.labels(name)
            taken = study.read(name, "masked") if copies else shown
            for z in study.certain(name):
                slices.append(square(taken[z : z + 1], size))
                labels.append(int(said[z]))
    return slices, np.array(labels, np.int64)


def maps(study: Study, network: str, array: str, at_most: int | None = None) -> int:
    """Class activation maps by the grad-cam package, as a volume a case.

    Returns:
        How many slices were mapped, ``at_most`` of each case.
    """
    settings = study.settings.cam
    module = _new_classifier(study)
    module.load_state_dict(torch.load(study.root / f"{network}.pt", weights_only=True))
    module.eval()
    layers = [getattr(module, name) for name in settings.layers]
    target, size, count = [ClassifierOutputTarget(TUMOUR)], study.settings.classifier.image_size, 0
    with LayerCAM(model=module, target_layers=layers) as package:
        for name in study.names:
            slices = study.slices(name)
            found = np.zeros(slices.shape, np.uint8)
            candidates = slices_to_map(study.labels(name), settings) & slices.any(axis=(1, 2))
            for z in np.flatnonzero(candidates)[:at_most]:
                squared = torch.from_numpy(square(slices[z : z + 1], size))
                one = package(input_tensor=module.prepare(squared), targets=target)
                if package.outputs[0, TUMOUR] > package.outputs[0, NORMAL]:
                    shown = unsquare(np.asarray(one, np.float32), slices.shape[1:])[0]
                    found[z] = np.rint(np.clip(shown, 0, 1) * 255)
                count += 1
            found[slices == 0] = 0
            study.write(name, array, found)
    return count
