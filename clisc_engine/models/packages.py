"""The one door to the packages of other people's networks: open_clip, segment_anything and torchvision.

They are taken partly where a program asked for that (`running.partly`), and whole should they not come so:
then they take seconds more, and nothing else differs. Such a program imports timm and transformers only for
those who name a CLIP with one of their towers; open_clip has both for optional.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from clisc_engine.errors import BadInput
from clisc_engine.running.partly import imports_partly, take_whole

NAMES = (
    "open_clip.model",
    "open_clip.modified_resnet",
    "open_clip.tokenizer",
    "segment_anything.build_sam",
    "segment_anything.modeling.image_encoder",
    "segment_anything.utils.amg",
    "segment_anything.utils.transforms",
    "torchvision.models.resnet",
    "torchvision.ops.boxes",
)
"""The modules whose names are offered here."""
OPTIONAL = ("timm", "transformers")
"""What open_clip takes if it is there."""


def with_timm() -> None:
    """Have open_clip see timm, if it is installed: for a model with one of its towers."""
    if importlib.util.find_spec("timm") is not None:
        import open_clip.timm_model

        if open_clip.timm_model.timm is None:
            importlib.reload(open_clip.timm_model)


def with_transformers() -> None:
    """Have open_clip see transformers: for a model with one of its text towers.

    Raises:
        BadInput: when it is not installed.
    """
    if importlib.util.find_spec("transformers") is None:
        raise BadInput(
            "This CLIP's text tower needs the package transformers; install it with "
            "`pip install 'clisc[medical]'`."
        )
    import open_clip.hf_model

    if open_clip.hf_model.transformers is None:
        importlib.reload(open_clip.hf_model)


@contextmanager
def _without_optional() -> Iterator[None]:
    """Nobody finds the optional packages meanwhile, in a program that imports partly."""
    hidden = [name for name in OPTIONAL if name not in sys.modules] if imports_partly() else []
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def _import_all() -> None:
    with _without_optional():
        for name in NAMES:
            importlib.import_module(name)


try:
    _import_all()
except ImportError:
    if not take_whole():
        raise
    _import_all()

from open_clip.model import CLIP, CustomTextCLIP  # noqa: E402
from open_clip.modified_resnet import ModifiedResNet  # noqa: E402
from open_clip.tokenizer import HFTokenizer, SimpleTokenizer  # noqa: E402
from segment_anything.build_sam import sam_model_registry  # noqa: E402
from segment_anything.modeling import (  # noqa: E402
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)
from segment_anything.modeling.image_encoder import Attention, Block, get_rel_pos  # noqa: E402
from segment_anything.utils import amg  # noqa: E402
from segment_anything.utils.transforms import ResizeLongestSide  # noqa: E402
from torchvision.models.resnet import BasicBlock, resnet18, resnet50  # noqa: E402
from torchvision.ops.boxes import nms  # noqa: E402

__all__ = [
    "CLIP",
    "Attention",
    "BasicBlock",
    "Block",
    "CustomTextCLIP",
    "HFTokenizer",
    "ImageEncoderViT",
    "MaskDecoder",
    "ModifiedResNet",
    "PromptEncoder",
    "ResizeLongestSide",
    "Sam",
    "SimpleTokenizer",
    "TwoWayTransformer",
    "amg",
    "get_rel_pos",
    "nms",
    "resnet18",
    "resnet50",
    "sam_model_registry",
    "with_timm",
    "with_transformers",
]
