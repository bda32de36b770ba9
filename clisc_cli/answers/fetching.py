"""Answers of `clisc models`."""

from __future__ import annotations

from typing_extensions import TypedDict


class KnownModel(TypedDict):
    """A published weight file.

    Attributes:
        name: by which commands know it.
        what: for people.
        paper: whether --weights paper needs it.
        medical: whether --preset medical needs it.
        size: bytes.
        licence: of it.
        url: of the file.
        page: about it.
        sha256: of the file, or its first digits; empty where none is known.
        md5: likewise.
        path: where it is on this machine; empty when it is not.
    """

    name: str
    what: str
    paper: bool
    medical: bool
    size: int
    licence: str
    url: str
    page: str
    sha256: str
    md5: str
    path: str


class KnownModels(TypedDict):
    """The folder of weight files, and all that are known."""

    folder: str
    models: list[KnownModel]


class VerifiedModel(TypedDict):
    """A weight file that was read; path and SHA-256 are empty when it is not here.

    Attributes:
        good: whether it is the published one; null when no digest of that is known.
    """

    name: str
    path: str
    sha256: str
    good: bool | None


class VerifiedModels(TypedDict):
    """The weight files that were read."""

    models: list[VerifiedModel]


class FetchedModel(TypedDict):
    """A weight file that is here now."""

    name: str
    path: str


class FetchedModels(TypedDict):
    """The weight files that are here now."""

    models: list[FetchedModel]
