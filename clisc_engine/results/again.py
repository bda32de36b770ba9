"""The commands that make something again from its source files, with the settings that are sealed in it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from clisc_engine.importing.comparison import as_text
from clisc_engine.products.graph import EVALUATE, NETWORKS, STAGES
from clisc_engine.products.kinds import UNET_ROUND1
from clisc_engine.project.case_record import CaseInfo
from clisc_engine.project.fingerprint import SINCE_0_1_0
from clisc_engine.project.project import Project
from clisc_engine.results.bundled import BUNDLED
from clisc_engine.results.explain.explained import UNNAMED
from clisc_engine.results.provenance import Link, settings_of
from clisc_engine.settings.keys import known_keys, value_of
from clisc_engine.settings.presets import preset

FOLDER = "again"
TABLE = "again.csv"


def commands(project: Project, chain: Sequence[Link], case: str = "", product: str = "") -> list[str]:
    """Lines for a shell: a table of the cases, `init` with their settings, the steps, and the export.

    Draws follow the names that cases were imported under, so those are in the table.

    Args:
        project: the one that holds it, for the source files of the cases that networks learnt from.
        chain: of what is to be made again.
        case: whose it is; empty for a network.
        product: the array or the network.
    """
    infos = _involved(project, chain, case)
    identity = next((info.identity for info, _ in infos if info.name == case), case)
    lines = [f"cat > {TABLE} <<'END'", "case,image,split"]
    lines += [f"{info.identity},{_cell(info.source)},{split}" for info, split in infos]
    lines.append("END")
    sealed, several = settings_of(chain)
    sections = {key.partition(".")[0] for key in sealed}
    left_out = {key: value for key, value in SINCE_0_1_0.items() if key.partition(".")[0] in sections}
    settings = {**left_out, **sealed}  # at these values they are left out of seals
    lines += [f"# {key} had several values on the way; the last one is taken" for key in several]
    words = ["clisc", "init", FOLDER, "--images", TABLE, "--preset", project.settings.weights]
    channels = {info.channel for info, _ in infos if info.channel is not None}
    words += ["--channel", str(channels.pop())] if len(channels) == 1 else []
    lines.append(" ".join([*map(shlex.quote, words), *_set(settings, project.settings.weights)]))
    devices = {f"{link.device}, precision {link.precision}" for link in chain if link.device}
    lines += [f"# made on {device}" for device in sorted(devices)]
    made_in = {link.command for link in chain}
    steps = [step for step in STAGES if step in made_in]
    lines += [f"clisc {step} {FOLDER}" for step in steps]
    if product.startswith("masks/"):
        kind = product.removeprefix("masks/")
        if kind in ("sam-points", "sam-box", "without-s3f"):
            lines.append(f"clisc {EVALUATE} {FOLDER} --ablation")
        export = f"clisc export masks {FOLDER} --masks {kind} --cases {shlex.quote(identity)}"
        lines.append(f"{export} -o {FOLDER}-masks")
    elif product in ("unet-round1", "unet-round2"):
        lines.append(f"clisc export model {FOLDER} --network {product} -o {FOLDER}.clisc")
    return lines


def prediction(chain: Sequence[Link], *, probability: bool) -> list[str]:
    """The line that segments a scan again: by the project of `commands`, or by what comes with clisc.

    Args:
        chain: of the prediction: the scan, what led to the network, the network, and itself.
        probability: whether that is to be written, too.
    """
    network, last, ((path, digest),) = chain[-2].product, chain[-1], chain[0].files.items()
    lines = [f"# IMAGE is the scan with the SHA-256 {digest}"] if path == UNNAMED else []
    words = ["clisc", "predict", FOLDER if network in NETWORKS else BUNDLED]
    words += ["IMAGE" if path == UNNAMED else path, "-o", f"{FOLDER}-masks"]
    words += ["--network", network] if network == UNET_ROUND1 else []
    words += ["--probabilities"] if probability else []
    words += ["--precision", last.precision] if last.precision not in ("", "32") else []
    words += last.options
    return [*lines, shlex.join(words)]


def _involved(project: Project, chain: Sequence[Link], case: str) -> list[tuple[CaseInfo, str]]:
    """The cases that are needed, each with the split that it had then."""
    by_identity = {one.info.identity: one.info for one in project.cases()}
    splits: dict[str, str] = {}
    for link in chain:
        for split, names in link.learnt_from.items():
            splits |= dict.fromkeys(names, split)
    for info in by_identity.values():
        if info.name == case:
            splits.setdefault(info.identity, info.split)
    return [(by_identity[name], splits[name]) for name in sorted(splits) if name in by_identity]


def _set(settings: dict[str, Any], weights: str) -> list[str]:
    """``--set`` for each setting that differs from the preset."""
    base, known = preset(weights), {*known_keys()}
    return [
        f"--set {key}={as_text(value)}"
        for key, value in settings.items()
        if key in known and value_of(base, key) != value and _plain(value_of(base, key)) != value
    ]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if set(text) & {",", '"'} else text
