"""The files of a bundle, put into its folder."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from clisc_engine.errors import BadInput, Home
from clisc_engine.outputs.inputs import Inputs
from clisc_engine.outputs.outputs import Made, Outputs
from clisc_engine.project.project import Project
from clisc_engine.results.bundle.carried import carried_files
from clisc_engine.results.bundle.configs import described, inference, readme
from clisc_engine.results.model_file import ModelCard
from clisc_engine.results.trained import card_of

METADATA = "configs/metadata.json"
MODEL = "models/model.pt"
WAY_OUT = "Choose another folder with -o, or move what lies there away."


def export_bundle(project: Project, network: str, out: Path) -> ModelCard:
    """Write a network of the project as a MONAI Bundle into a folder; its metadata comes last.

    Raises:
        MissingStage: when the network is not trained.
        BadInput: naming the files in the way that clisc did not write.
    """
    card = card_of(project, network)
    if card.asks:
        home = Home(project.base.root)
        making = home.in_words("variant new --set unet.ask_sam=false", "NAME")
        raise BadInput(
            "unet.ask_sam is on, and a bundle runs without SAM: its masks would be others than those of "
            f"`clisc predict`. Run a variant without it ({making}) "
            "and export its network with --variant NAME."
        )
    texts = {
        "configs/inference.json": json.dumps(inference(card), indent=1),
        "docs/README.md": readme(card),
        **carried_files(),
        **_licence(),
    }
    outputs = Outputs(Inputs.of_project(project), WAY_OUT, home=out)
    outputs.check(out / name for name in (*texts, MODEL, METADATA))
    made = Made("bundle", {"network": card.fingerprint})
    outputs.remove(out / METADATA)
    for file in sorted((out / "scripts").rglob("*.py")):
        if file.relative_to(out).as_posix() not in texts:
            outputs.remove(file)
    for name, text in texts.items():
        outputs.put_bytes(out / name, text.encode(), made)
    outputs.put_bytes(out / MODEL, _weights(project, network), made)
    outputs.put_bytes(out / METADATA, json.dumps(described(card), indent=1).encode(), made)
    return card


def _licence() -> dict[str, str]:
    """The licence of what is carried, which goes where it goes."""
    text = None
    with suppress(metadata.PackageNotFoundError):  # clisc run from its folder without being installed
        text = metadata.distribution("clisc").read_text("licenses/LICENSE")
    return {"docs/license.txt": text} if text else {}


def _weights(project: Project, network: str) -> bytes:
    """The network's tensors as torch keeps them, the one format that bundles know."""
    import torch

    file = io.BytesIO()
    torch.save(project.checkpoint(network).tensors(), file)
    return file.getvalue()
