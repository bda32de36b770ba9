"""The weight files that others have published: where they are, and by which digest they are told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from clisc_engine.files.digest import Algorithm, digest_of
from clisc_engine.settings.medical import BIOMEDCLIP, MEDSAM

Digest = tuple[Algorithm, str]
"""An algorithm, and the hexadecimal digits that its digest begins with."""


@dataclass(frozen=True)
class Known:
    """A published weight file.

    Attributes:
        name: by which `clisc models` calls it.
        files: names it is known by, the usual one first.
        what: in words.
        url: of the usual file.
        page: where its publisher describes it.
        licence: of the weights, as their publisher states it.
        size: of the usual file in bytes; rounded where no digest goes with it.
        digest: of the usual file; digits are fewer where the publisher gives no more. None where none
            that could be checked is known: then nothing vouches for the file.
        older: digests of further files, by name.
        folder: in the models folder, for a file that others belong to.
        beside: those others, without which it cannot be loaded: name and URL.
    """

    name: str
    files: tuple[str, ...]
    what: str
    url: str
    page: str
    licence: str
    size: int
    digest: Digest | None
    older: tuple[tuple[str, Digest], ...] = ()
    folder: str = ""
    beside: tuple[tuple[str, str], ...] = ()

    def digest_of(self, file: str) -> Digest | None:
        """The known digest of a file by its name; None when nothing is known."""
        return self.digest if file == self.files[0] else dict(self.older).get(file)

    def parts(self) -> tuple[Known, ...]:
        """The weight file and each of those that belong to it, as things to find and to fetch."""
        alone = replace(self, beside=())
        others = [
            replace(alone, files=(file,), what=f"{self.what}: {file}", url=url, size=0, digest=None)
            for file, url in self.beside
        ]
        return (alone, *others)


def is_published(entry: Known, path: Path, file: str = "") -> bool | None:
    """Whether what lies at a path is a known file; None when nothing vouches for it.

    Args:
        entry: the known file.
        path: what is read.
        file: the name it is published under, where the path has another.
    """
    expected = entry.digest_of(file or path.name)
    return None if expected is None else digest_of(path, expected[0]).startswith(expected[1])


_SAM = "https://github.com/facebookresearch/segment-anything#model-checkpoints"
_SAM_FILES = "https://dl.fbaipublicfiles.com/segment_anything"
_RESNET = "https://pytorch.org/vision/stable/models.html"
_RESNET_FILES = "https://download.pytorch.org/models"
_HUB = "https://huggingface.co"
_CLIP = f"{_HUB}/timm/vit_base_patch32_clip_224.openai"
_BIOMEDCLIP = f"{_HUB}/{BIOMEDCLIP.removeprefix('hf-hub:')}"
_BIOMEDBERT = f"{_HUB}/microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract"

# The digits in SAM's file names are of the MD5; those in torchvision's are of the SHA-256. Zenodo, where
# MedSAM lies, gives an MD5. BiomedCLIP's digest stands on the hub, which could not be reached from here.
KNOWN = {
    "ViT-B-32": Known(
        "clip-vit-b-32",
        ("ViT-B-32-openai.safetensors",),
        "CLIP ViT-B/32",
        f"{_CLIP}/resolve/a6f597a30f7b82c51704746581f9a4e41421e878/open_clip_model.safetensors",
        _CLIP,
        "MIT",
        605_143_284,
        ("sha256", "e6d1bd7789aa45192b3bf90570a789b478bae1b74ebcce7eddd908e83a2b7c31"),
    ),
    BIOMEDCLIP: Known(
        "biomedclip",
        ("open_clip_pytorch_model.bin",),
        "BiomedCLIP",
        f"{_BIOMEDCLIP}/resolve/main/open_clip_pytorch_model.bin",
        _BIOMEDCLIP,
        "MIT",
        784_000_000,
        None,
        folder=BIOMEDCLIP.rpartition("/")[2],
        beside=(
            ("open_clip_config.json", f"{_BIOMEDCLIP}/resolve/main/open_clip_config.json"),
            ("tokenizer.json", f"{_BIOMEDCLIP}/resolve/main/tokenizer.json"),
            ("tokenizer_config.json", f"{_BIOMEDCLIP}/resolve/main/tokenizer_config.json"),
            ("config.json", f"{_BIOMEDBERT}/resolve/main/config.json"),
        ),
    ),
    "vit_b": Known(
        "sam-vit-b",
        ("sam_vit_b_01ec64.pth",),
        "SAM ViT-B",
        f"{_SAM_FILES}/sam_vit_b_01ec64.pth",
        _SAM,
        "Apache-2.0",
        375_042_383,
        ("sha256", "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912"),
    ),
    "vit_l": Known(
        "sam-vit-l",
        ("sam_vit_l_0b3195.pth",),
        "SAM ViT-L",
        f"{_SAM_FILES}/sam_vit_l_0b3195.pth",
        _SAM,
        "Apache-2.0",
        1_249_524_607,
        ("sha256", "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622"),
    ),
    "vit_h": Known(
        "sam-vit-h",
        ("sam_vit_h_4b8939.pth",),
        "SAM ViT-H",
        f"{_SAM_FILES}/sam_vit_h_4b8939.pth",
        _SAM,
        "Apache-2.0",
        2_564_550_879,
        ("sha256", "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e"),
    ),
    MEDSAM: Known(
        "medsam",
        ("medsam_vit_b.pth",),
        "MedSAM",
        "https://zenodo.org/records/10689643/files/medsam_vit_b.pth",
        "https://github.com/bowang-lab/MedSAM",
        "CC-BY-4.0",
        375_000_000,
        ("md5", "3bb6db55bd0c9ca30b61248bca72f8d6"),
    ),
    "resnet50": Known(
        "resnet50",
        ("resnet50-11ad3fa6.pth", "resnet50-0676ba61.pth"),
        "ResNet-50 on ImageNet",
        f"{_RESNET_FILES}/resnet50-11ad3fa6.pth",
        _RESNET,
        "BSD-3-Clause",
        102_540_417,
        ("sha256", "11ad3fa6"),
        (("resnet50-0676ba61.pth", ("sha256", "0676ba61")),),
    ),
    "resnet18": Known(
        "resnet18",
        ("resnet18-f37072fd.pth",),
        "ResNet-18 on ImageNet",
        f"{_RESNET_FILES}/resnet18-f37072fd.pth",
        _RESNET,
        "BSD-3-Clause",
        46_830_571,
        ("sha256", "f37072fd"),
    ),
}
"""By the value of the setting that asks for it: label.model, sam.model or classifier.backbone."""
