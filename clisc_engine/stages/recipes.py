"""What each product of a project is made from, as the graph declares it: freshness follows from this alone.

No voxel is read and no network loaded here, so that `clisc status` answers at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from clisc_engine.core import border, labelling, reach
from clisc_engine.models.clip_file import clip_digests
from clisc_engine.models.weights import bundled_unet_digest, own_file_digest, sam_digest
from clisc_engine.products import graph
from clisc_engine.products.declared import GOING_ON, ROWS
from clisc_engine.products.graph import ARRAYS, NETWORKS
from clisc_engine.products.kinds import EVALUATION
from clisc_engine.products.shared import ASKED
from clisc_engine.project.case_record import SPLITS
from clisc_engine.project.checkpoints import Checkpoint
from clisc_engine.project.fingerprint import fingerprint, settings_used
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.spec import CaseSpec
from clisc_engine.settings.classifier import ClassifierSettings
from clisc_engine.settings.keys import value_of
from clisc_engine.settings.presets import preset
from clisc_engine.settings.schema import PromptSettings, Settings, UnetSettings

OWN_FILE = "classifier file"
"""The SHA-256 of a file of one's own that a classifier starts from, among what it is made from."""


def array(settings: Settings, name: str, *, trained: str = "", step: str = "") -> CaseSpec:
    """What an array, and those made along with it, is made from.

    Args:
        settings: the project's.
        name: the array, e.g. ``cams/raw``.
        trained: fingerprint of the weights of the network that makes it, if one does.
        step: the step that is named in its seal; by default the one that makes it.

    Raises:
        MissingWeights: when the foundation model that makes it is not on this machine.
    """
    declared = ARRAYS[name]
    used = settings_used(settings, *declared.settings)
    used |= {key: json.loads(used[key]) for key in declared.unquoted}
    used |= declared.instead
    if "unet.ask_sam" in declared.settings and settings.unet.ask_sam:
        used |= asking(settings, sam_digest(settings.sam.model, settings.sam.checkpoint))
    if used.keys() & {"sam.border", "unet.border"}:
        used["border"] = border.RULE
    if "label" in declared.settings and settings.label.vote_window < settings.label.vote_reach:
        used["vote"] = labelling.NARROW
    if declared.network:
        used[declared.network] = trained
    if "clip" in declared.weights:
        used |= clip_digests(settings.label.clips())
    if "sam" in declared.weights:
        used["sam"] = sam_digest(settings.sam.model, settings.sam.checkpoint)
    if "bundled" in declared.weights:
        used |= bundled_models()
    with_network = "prompts.region" in declared.settings and settings.prompts.region == "map+bundled"
    if with_network:
        used |= {"bundled unet": bundled_unet_digest(), "reach": reach.RULE}
    outputs = graph.outputs(name)
    return CaseSpec(
        name=step or declared.command.removesuffix(" --ablation"),
        inputs=declared.inputs,
        outputs=outputs,
        made_from=used | graph.revisions(*outputs),
    )


def asking(settings: Settings, sam: str) -> dict[str, str]:
    """What SAM's part in a prediction is made from; ``sam`` is the digest of its weight file."""
    return settings_used(settings, *ASKED) | {"sam": sam, "reach": reach.RULE}


def bundled_models() -> dict[str, str]:
    """What makes the masks of the bundled U-Net and SAM, whatever the settings of a project are."""
    settings = preset("tiny")
    sam = settings.sam
    return {
        "bundled unet": bundled_unet_digest(),
        "bundled sam": sam_digest("tiny", ""),
        "reach": reach.RULE,
        "mirror": json.dumps(sam.mirror),
        "border": f"{sam.border} mm, {border.RULE}",
        "rival share": json.dumps(settings.unet.rival_share),
    }


def prompts_of(settings: Settings, name: str) -> PromptSettings:
    """The prompts by which SAM makes a mask, e.g. points alone for ``masks/sam-points``."""
    instead = {key.removeprefix("prompts."): value for key, value in ARRAYS[name].instead.items()}
    return PromptSettings.model_validate({**settings.prompts.model_dump(), **instead})


def splits_of(settings: Settings, network: str) -> tuple[str, ...]:
    """The splits that a network's training reads: valid only where it chooses the epoch."""
    setting = NETWORKS[network].select_setting
    chooses = setting and value_of(settings, setting) == "best"
    return ("train", "valid") if chooses else ("train",)


def start_of(project: Project, network: str) -> Checkpoint | None:
    """The network whose weights a training starts from; None when it starts from scratch."""
    before = NETWORKS[network].goes_on_from
    going_on = before and project.settings.s3f.start == "round1"
    return project.checkpoint(before) if going_on else None


def schedule_section(project: Project, network: str) -> str:
    """The section of the settings that holds a training's epochs and learning rate."""
    return "s3f" if start_of(project, network) else NETWORKS[network].select_setting.partition(".")[0]


def unet_settings(project: Project, network: str) -> UnetSettings:
    """The settings by which a U-Net is trained: one that goes on from another has a pace of its own."""
    settings = project.settings
    if start_of(project, network) is None:
        return settings.unet
    changes: dict[str, Any] = {
        key.removeprefix("unet."): value_of(settings, other) for key, other in GOING_ON.items()
    }
    return settings.unet.model_copy(update=changes)


def classifier_is_extensible(settings: ClassifierSettings) -> bool:
    """Whether a finished classifier can go on to more epochs: no epoch's slices depend on their number."""
    return settings.passes == 0


def is_extensible(settings: UnetSettings) -> bool:
    """Whether a finished U-Net can go on to more epochs: its learning rate follows from no end."""
    return settings.poly_power == 0


def network(project: Project, name: str, cases: Sequence[CaseArrays]) -> dict[str, str]:
    """What determines a network: settings, what it goes on from, and its inputs of each case.

    Args:
        project: the project.
        name: the network, e.g. ``unet-round1``.
        cases: those it is to learn from; cases of splits that its training does not read are left out.
    """
    declared = NETWORKS[name]
    used = settings_used(project.settings, *declared.settings)
    left_out = set(declared.without)
    start = start_of(project, name)
    if start is not None:
        used |= settings_used(project.settings, "s3f.start", *GOING_ON.values())
        used[start.name] = fingerprint(start.made_from() or {})
        left_out |= GOING_ON.keys()
    provenance = {key: value for key, value in used.items() if key not in left_out}
    if start is None and provenance.get("unet.start") == json.dumps("bundled"):
        provenance["bundled unet"] = bundled_unet_digest()
    splits = splits_of(project.settings, name)
    for case in (case for case in cases if case.info.split in splits):
        for array_name in declared.inputs:
            if stamp := case.stamp(array_name):
                provenance[f"{case.info.split}/{case.info.identity}/{array_name}"] = stamp.fingerprint
    provenance |= graph.revisions(name)
    if "classifier" not in declared.settings:
        return provenance
    finished = project.checkpoint(name).made_from() or {}
    if finished == provenance:  # made before the file was noted: it counts as the one of then
        return provenance
    return provenance | own_file(project.settings.classifier, finished.get(OWN_FILE, ""))


def own_file(settings: ClassifierSettings, noted: str = "") -> dict[str, str]:
    """What stands for the file of one's own that a classifier starts from; nothing without one.

    Published weights are told by their name.

    Args:
        settings: the classifier's.
        noted: digest that counts when the file is gone.
    """
    if settings.backbone == "clip" or settings.pretrained in ("imagenet", "none"):
        return {}
    digest = own_file_digest(settings.pretrained) or noted
    return {OWN_FILE: digest} if digest else {}


def arrays_read(made_from: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """The arrays of cases among what `network` names: split, the name imported under, and array of each."""
    for key in made_from:
        split, _, rest = key.partition("/")
        case, _, name = rest.partition("/")
        if split in SPLITS and name:
            yield split, case, name


def present_rows(cases: Sequence[CaseArrays]) -> dict[str, str]:
    """The rows that at least half of the cases have; a few that lack one are failed cases."""
    having = {row: sum(case.stamp(name) is not None for case in cases) for row, name in ROWS.items()}
    return {row: ROWS[row] for row, count in having.items() if count and 2 * count >= len(cases)}


def evaluation_provenance(
    project: Project, cases: Sequence[CaseArrays], rows: Mapping[str, str]
) -> dict[str, str]:
    """What determines an evaluation: the references and the measured arrays."""
    provenance = settings_used(project.settings, *graph.TABLES[EVALUATION].settings)
    for case in cases:
        provenance[f"{case.info.name}/reference"] = project.references.fingerprint(case.info)
        for name in rows.values():
            if stamp := case.stamp(name):
                provenance[f"{case.info.name}/{name}"] = stamp.fingerprint
    return provenance | graph.revisions(EVALUATION)


def why_not_measured(
    stored: str,
    provenance: Mapping[str, str],
    table: str = EVALUATION,
    otherwise: str = "masks, references, names or roi changed",
) -> str:
    """Why a table with the fingerprint ``stored`` is not that of ``provenance``; empty when it is.

    Args:
        stored: fingerprint of what is there.
        provenance: what determines it now.
        table: Table 2's, or another one that is measured.
        otherwise: what to say when no earlier revision of the table explains it.
    """
    if stored == fingerprint(provenance):
        return ""
    declared = graph.TABLES[table]
    now = graph.revisions(table)
    settings_and_masks = {key: value for key, value in provenance.items() if key not in now}
    for earlier in range(1, declared.revision):
        if stored == fingerprint(settings_and_masks | graph.mark(table, earlier)):
            return declared.of_revision(earlier)
    return otherwise
