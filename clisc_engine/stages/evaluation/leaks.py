"""Cases that count as unseen and are not: a network behind a row has learnt from their images.

A case gets into that place when it is moved into the test split after a training, or taken out and imported
anew under another name. Networks know the images that they learnt from by name and by fingerprint.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clisc_engine.errors import BadInput, Home, Unreadable
from clisc_engine.products import graph
from clisc_engine.products.kinds import IMAGE
from clisc_engine.project.project import CaseArrays, Project

UNSEEN = {"test": ("train", "valid"), "valid": ("train",)}
"""The splits that are taken for unseen, and as what a network must not have read their cases."""


def networks_behind(arrays: Iterable[str]) -> list[str]:
    """The networks that arrays were made by, directly or not, in the order of their training."""
    behind = {name for array in arrays if array in graph.PRODUCTS for name in graph.ancestors(array)}
    return [name for name in graph.NETWORKS if name in behind]


def leaks(project: Project, cases: Sequence[CaseArrays], arrays: Iterable[str]) -> dict[str, list[str]]:
    """Of the cases that count as unseen, those that were learnt from, each with the networks that did.

    Args:
        project: theirs.
        cases: to be measured; those of the train split count as seen, and are left alone.
        arrays: what is to be measured.
    """
    found: dict[str, list[str]] = {}
    for network in networks_behind(arrays):
        try:
            made_from = project.checkpoint(network).made_from() or {}
        except Unreadable:
            raise
        except BadInput:  # damaged weights tell nothing; whoever needs them says so
            continue
        read = {split: _Read.by(made_from, splits) for split, splits in UNSEEN.items()}
        for case in cases:
            if case.info.split in read and read[case.info.split].holds(case):
                found.setdefault(case.info.name, []).append(network)
    return found


def told(found: dict[str, list[str]], home: Home | None = None) -> list[str]:
    """A sentence for each such case; without a home one to be kept, since a project may be moved."""
    anew = f" ({home.in_words('run')})" if home else ""
    seen = home.in_words("evaluate --seen") if home else "evaluate with --seen"
    return [
        f"{name} is not measured: {', '.join(networks)} learnt from it, though it counts as unseen now. "
        f"Training anew{anew} leaves it out; {seen} measures it all the same."
        for name, networks in found.items()
    ]


@dataclass(frozen=True)
class _Read:
    """What a network has read of some splits, for its learning or to choose its epoch.

    Attributes:
        names: under which it knows their cases.
        images: fingerprints of their images.
    """

    names: frozenset[str]
    images: frozenset[str]

    @classmethod
    def by(cls, made_from: Mapping[str, str], splits: Sequence[str]) -> _Read:
        """By a network's provenance, which names each image as ``split/case/image``."""
        images = [
            (key.removesuffix(f"/{IMAGE}").partition("/")[2], value)
            for key, value in made_from.items()
            if key.endswith(f"/{IMAGE}") and key.partition("/")[0] in splits
        ]
        return cls(frozenset(name for name, _ in images), frozenset(value for _, value in images))

    def holds(self, case: CaseArrays) -> bool:
        """Whether the case is among them, under its own name or another."""
        if case.info.identity in self.names:
            return True
        stamp = case.stamp(IMAGE)
        return stamp is not None and stamp.fingerprint in self.images
