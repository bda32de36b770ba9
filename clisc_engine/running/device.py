"""Where and with which arithmetic the networks run. torch is loaded when a device is picked, not before."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Literal

from clisc_engine.errors import BadInput

if TYPE_CHECKING:
    import torch

NO_NETWORK = "no network"
"""What stands in the place of a device when none was picked."""


def check_device_name(name: str) -> None:
    """Refuse what can name no device on any machine, without asking torch.

    Raises:
        BadInput: for it.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps(:\d+)?", name):
        raise BadInput(f"--device {name!r} is not auto, cpu, cuda, cuda:N or mps.")


def check_precision(name: Literal["32", "bf16", "16"]) -> Literal["32", "bf16", "16"]:
    """The precision, if it is one: a script may give anything.

    Raises:
        BadInput: when it is none.
    """
    if name not in ("32", "bf16", "16"):
        raise BadInput(f"precision {name!r} is not '32', 'bf16' or '16'.")
    return name


def pick_device(name: str) -> torch.device:
    """The device named ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Raises:
        BadInput: when it is not there; the message says what is.
    """
    import torch

    if name == "auto":
        return torch.device(_best())
    check_device_name(name)
    device = torch.device(name)
    present = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not present.get(device.type, False):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        raise BadInput(
            f"--device {name} is not available here ({count} CUDA devices); use --device {_best()}."
        )
    return device


def device_in_words(name: str) -> str:
    """The device of that name for people, e.g. ``cpu, 2 threads`` or ``cuda:0: NVIDIA H100``.

    It is `NO_NETWORK` in a process that has not loaded torch, and the bare name of an absent device.
    """
    if "torch" not in sys.modules:
        return NO_NETWORK
    import torch

    try:
        device = pick_device(name)
    except BadInput:
        return name
    if device.type == "cuda":
        return f"{device}: {torch.cuda.get_device_name(device)}"
    threads = torch.get_num_threads()
    return f"{device}, {threads} thread{'s' if threads > 1 else ''}"


def device_of_rank(name: str, local: int) -> str:
    """The device of one of several processes on a machine: ``auto`` and ``cuda`` give each a GPU.

    Where the batch system shows each process a single GPU, that is the one.
    """
    import torch

    if name in ("auto", "cuda") and torch.cuda.is_available():
        return f"cuda:{local % torch.cuda.device_count()}"
    return name


def autocast(device: torch.device, precision: Literal["32", "bf16", "16"]) -> torch.autocast:
    """Mixed precision on the device; no change with ``32``."""
    import torch

    dtype = {"bf16": torch.bfloat16, "16": torch.float16}.get(precision)
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not None)


def emulated(name: str, precision: Literal["32", "bf16", "16"]) -> str:
    """What to say of an arithmetic that the device named has to emulate; nothing of any other.

    Only float16 on a CPU is told: bfloat16 takes no longer than float32 there, emulated or not.
    """
    if precision != "16":
        return ""
    import torch

    try:
        device = pick_device(name)
    except BadInput:  # told by what needs it
        return ""
    native = getattr(torch.ops.mkldnn, "_is_mkldnn_fp16_supported", None)  # not in every build of torch
    if device.type != "cpu" or native is None or native():
        return ""
    return (
        "--precision 16 is made for GPUs: this processor emulates it, which takes up to ten times as long "
        f"as 32; use --precision {'bf16' if _has_bf16() else '32'}."
    )


def _has_bf16() -> bool:
    """Whether the CPU has instructions for bfloat16, as far as PyTorch says."""
    import torch

    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in asked)


def _best() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
