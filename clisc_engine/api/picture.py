"""A picture as Jupyter shows it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Picture:
    """What the steps made of a case, drawn; in Jupyter it shows itself.

    Attributes:
        case: its name.
        slices: those drawn, counted from 0 in the stored volume.
        png: the picture's bytes, for a file or a web page.
    """

    case: str
    slices: tuple[int, ...]
    png: bytes = field(repr=False)

    def _repr_png_(self) -> bytes:
        return self.png
