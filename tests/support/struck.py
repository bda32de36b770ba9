"""What befalls one case while CLIP looks at its slices."""

import numpy as np

from clisc_engine.models.clip import ClipModel
from clisc_engine.stages.classifier.slices import windowed


def strike(monkeypatch, project, name, happens):
    """Call ``happens`` each time after CLIP was asked about slices of the case ``name``."""
    image = project.case(name).read("image").astype(np.float32)
    slices = windowed(image, project.settings.window)[(image != 0).any(axis=(1, 2))]
    asked = ClipModel.probabilities

    def probabilities(self, given, text):
        found = asked(self, given, text)
        if given.shape[1:] == slices.shape[1:] and (slices == given[0]).all(axis=(1, 2)).any():
            happens()
        return found

    monkeypatch.setattr(ClipModel, "probabilities", probabilities)
