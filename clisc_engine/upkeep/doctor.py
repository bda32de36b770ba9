"""Is this machine fit for clisc? Each check says what was found, and what to do when it is not good."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from clisc_engine.errors import CliscError
from clisc_engine.models.known import KNOWN
from clisc_engine.models.paper_files import paper_files_present
from clisc_engine.models.weights import models_folder, present
from clisc_engine.project.project import Project
from clisc_engine.running.cores import seen_cores, usable_cores
from clisc_engine.settings.medical import BIOMEDCLIP, MEDSAM
from clisc_engine.settings.presets import preset
from clisc_engine.version import VERSION

State = Literal["good", "note", "problem"]

PACKAGES = {
    "torch": "torch",
    "torchvision": "torchvision",
    "open_clip_torch": "open_clip",
    "segment-anything": "segment_anything",
    "SimpleITK": "SimpleITK",
    "zarr": "zarr",
    "safetensors": "safetensors",
    "scipy": "scipy",
    "numpy": "numpy",
}
"""The packages that the work rests on, by the name to install and the name to import."""

GIGABYTE = 1e9
LITTLE_MEMORY, LITTLE_DISK = 8, 10


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes:
        name: what was looked at.
        state: good; note, when it works but there is something to know; problem.
        found: in words.
        advice: what to do, empty when all is good.
    """

    name: str
    state: State
    found: str
    advice: str = ""


def examine(project: Project | None, device: str) -> Iterator[Check]:
    """All checks in order, each given as soon as it is done.

    Args:
        project: its disk and weights are looked at too.
        device: where the models are tried: auto, cpu, cuda, cuda:N or mps.
    """
    yield Check("clisc", "good", f"{VERSION}, Python {platform.python_version()}, {platform.platform()}")
    broken = [check for check in map(_package, PACKAGES) if check.state == "problem"]
    yield from broken
    if broken:
        return
    versions = (f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    yield Check("packages", "good", ", ".join(versions))
    yield from _devices()
    yield _memory()
    yield _disk("models folder", models_folder())
    if project is not None:
        yield _disk("project", project.root)
    yield from _models(device)


def diagnose(error: BaseException, package: str = "") -> str:
    """What to do about an error that is known from broken installations; empty when it is not known."""
    text = str(error)
    if "torchvision::nms does not exist" in text:
        return (
            "torch and torchvision come from different builds. Install both anew from one place, e.g. "
            "`pip install --force-reinstall torch torchvision`, with the same --index-url for both."
        )
    if "CUDA driver" in text or "no kernel image is available" in text:
        return "The GPU's driver does not fit this torch; update it, or install a torch for its CUDA."
    if "numpy" in text and ("1.x" in text or "dtype size changed" in text):
        return "A package was built for another NumPy; `pip install --upgrade` that package, or NumPy."
    if isinstance(error, ModuleNotFoundError):
        return f"Install it: `pip install {package or error.name}`."
    return ""


def _package(name: str) -> Check:
    try:
        importlib.import_module(PACKAGES[name])
        return Check(name, "good", importlib.metadata.version(name))
    except Exception as error:
        advice = diagnose(error, name) or f"Install it anew: `pip install --force-reinstall {name}`."
        return Check(name, "problem", f"{type(error).__name__}: {error}", advice)


def _devices() -> Iterator[Check]:
    import torch

    seen, usable = seen_cores(), usable_cores()
    share = f" (a quota lets this process use {usable})" if usable < seen else ""
    yield Check("CPU", "good", f"{seen} cores{share}, {torch.get_num_threads()} threads for torch")
    for index in range(torch.cuda.device_count()):
        found = torch.cuda.get_device_properties(index)
        half = "bf16 and 16" if torch.cuda.is_bf16_supported() else "16"
        memory = found.total_memory / GIGABYTE
        text = f"{found.name}, {memory:.0f} GB; --precision {half}"
        yield Check(f"GPU cuda:{index}", "good", text)
    if torch.backends.mps.is_available():
        yield Check("GPU mps", "good", "Apple GPU")
    elif not torch.cuda.is_available():
        yield _why_no_gpu(torch.version.cuda, shutil.which("nvidia-smi") is not None)


def _why_no_gpu(built_for: str | None, has_driver: bool) -> Check:
    if not has_driver:
        advice = "The tiny models need none; full-size trainings take days without."
        return Check("GPU", "note", "none that torch can use", advice)
    if built_for is None:
        advice = "Install a CUDA build of torch and torchvision (see pytorch.org)."
        return Check("GPU", "problem", "there is an NVIDIA driver, but torch is built for CPUs", advice)
    advice = "Update the driver, or install a torch for an older CUDA; `nvidia-smi` shows what it can."
    return Check("GPU", "problem", f"torch for CUDA {built_for} cannot use the NVIDIA driver", advice)


def _memory() -> Check:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return Check("memory", "note", "cannot be told on this system")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text(encoding="utf-8").strip() if limit.is_file() else ""
    usable = min(total, int(text)) if text.isdigit() else total
    found = f"{usable / GIGABYTE:.0f} GB"
    if usable < LITTLE_MEMORY * GIGABYTE:
        return Check("memory", "note", found, "Enough for the tiny models; full-size ones need 16 GB.")
    return Check("memory", "good", found)


def _disk(name: str, folder: Path) -> Check:
    there = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    free = shutil.disk_usage(there).free / GIGABYTE
    found = f"{free:.0f} GB free at {folder}"
    if not os.access(there, os.W_OK):
        return Check(
            name, "problem", f"{there} cannot be written", "Take another folder, or ask for access."
        )
    if free < LITTLE_DISK:
        return Check(name, "note", found, "A BraTS-sized project needs about 10 GB; make room.")
    return Check(name, "good", found)


def _models(device: str) -> Iterator[Check]:
    """Each model that is here does one slice of a made-up brain."""
    from clisc_engine.models import self_test

    yield _tried("tiny CLIP", partial(self_test.clip, "tiny", "", device))
    yield _tried("tiny SAM", partial(self_test.sam, "tiny", device))
    yield _tried("U-Net", partial(self_test.unet, device))
    tests: dict[str, Callable[[], None]] = {
        "ViT-B-32": partial(self_test.clip, "ViT-B-32", "openai", device),
        BIOMEDCLIP: partial(self_test.clip, BIOMEDCLIP, "", device),
        "vit_b": partial(self_test.sam, "vit_b", device),
        "vit_l": partial(self_test.sam, "vit_l", device),
        "vit_h": partial(self_test.sam, "vit_h", device),
        MEDSAM: partial(self_test.sam, MEDSAM, device),
        "resnet50": partial(self_test.classifier, "resnet50", device),
        "resnet18": partial(self_test.classifier, "resnet18", device),
    }
    lacking = []
    for key, entry in KNOWN.items():
        if present(entry) is not None:
            yield _tried(entry.what, tests[key])
        else:
            lacking.append(entry.name)
    if lacking:
        advice = "`clisc models pull` fetches those that --weights paper needs."
        if paper_files_present(preset("paper")):
            advice = "--weights paper needs none of them; `clisc models pull NAME` fetches one."
        yield Check("full-size models", "note", f"not here: {', '.join(lacking)}", advice)


def _tried(name: str, test: Callable[[], None]) -> Check:
    started = time.monotonic()
    try:
        test()
    except CliscError as error:
        return Check(name, "problem", str(error), "`clisc models verify` tells whether the file is whole.")
    except Exception as error:
        advice = diagnose(error) or "Try --device cpu: if that works, look at the GPU's memory and driver."
        return Check(name, "problem", f"{type(error).__name__}: {error}", advice)
    return Check(name, "good", f"one slice in {time.monotonic() - started:.1f} s, loading included")
