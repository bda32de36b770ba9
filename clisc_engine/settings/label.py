"""The settings of step 1, where CLIP labels slices."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from clisc_engine.settings.section import Section, Text

NORMAL_PROMPT = (
    "an image of brain tissue showing typical signal intensity "
    "without any regions of abnormal intensity or suspicious mass"
)
TUMOUR_PROMPT = (
    "an image of brain tissue showing a tumor with uneven hyperintensity "
    "and irregular borders distinct from surroundings"
)


class LabelSettings(Section):
    """Image-level labels from CLIP (`label`), paper section 2.1.1 and eq. (1)."""

    model: Text | Annotated[list[Text], Field(min_length=2)] = Field(
        "ViT-B-32",
        description="open_clip model name (paper: ViT-Base), hf-hub:ORGANISATION/NAME or "
        "local-dir:FOLDER of a CLIP with its own description, or tiny; of several the tumour "
        "probabilities are averaged",
    )
    pretrained: str | Annotated[list[str], Field(min_length=2)] = Field(
        "openai",
        description="open_clip's pretrained tag, or a local file; of several models one for all, or one "
        "for each; unused by those with a description, and by tiny",
    )
    normal_prompts: Annotated[list[Text], Field(min_length=1)] = Field(
        [NORMAL_PROMPT], description="phrasings of the normal class (paper: this one)"
    )
    tumour_prompts: Annotated[list[Text], Field(min_length=1)] = Field(
        [TUMOUR_PROMPT], description="phrasings of the tumour class (paper: this one)"
    )
    smoothing: Annotated[float, Field(ge=0, le=100)] = Field(
        0.0,
        description="before the next rule each slice's probability is averaged with its neighbours', by a "
        "Gaussian of this standard deviation in mm; 0: not (paper)",
    )
    confidence: Annotated[float, Field(ge=0.5, le=1.0)] = Field(
        0.6, description="a slice counts when its larger probability reaches this (code: 0.6)"
    )
    vote_reach: Annotated[int, Field(ge=0, le=100)] = Field(
        5,
        description="confident neighbours that vote on each side, for slices of 1 mm; 0: no vote (code: 5)",
    )
    vote_window: Annotated[int, Field(ge=1, le=100)] = Field(
        6, description="how many slices of 1 mm away a voter may lie (code: 6)"
    )
    vote_quorum: Annotated[int, Field(ge=0, le=200)] = Field(
        8,
        description="the vote holds with more voters than this, for slices of 1 mm (code: 8); there are at "
        "most twice vote_reach, and twice vote_window",
    )

    @model_validator(mode="after")
    def _one_for_each(self) -> LabelSettings:
        models = [self.model] if isinstance(self.model, str) else self.model
        if isinstance(self.pretrained, list) and len(self.pretrained) != len(models):
            raise ValueError(
                f"pretrained has {len(self.pretrained)} values for {len(models)} of model; give one for "
                "all, or one for each"
            )
        if len(set(self.clips())) < len(models):
            raise ValueError("model names the same CLIP twice")
        return self

    def clips(self) -> list[tuple[str, str]]:
        """Each CLIP that is asked: its model, and its pretrained."""
        models = [self.model] if isinstance(self.model, str) else self.model
        given = self.pretrained
        return list(zip(models, [given] * len(models) if isinstance(given, str) else given, strict=True))
