"""Axes of small charts as inline SVG. Colours are CSS classes, so a chart follows its page's theme."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

WIDTH, HEIGHT = 380, 210
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 12, 40


@dataclass
class Chart:
    """A chart under way: a frame, two linear scales, and what has been drawn into it.

    Attributes:
        description: what it shows in a sentence, for those who do not see it.
        x: first and last value of the horizontal axis.
        y: first and last value of the vertical axis.
    """

    description: str
    x: tuple[float, float]
    y: tuple[float, float]
    root: ET.Element = field(init=False)

    def __post_init__(self) -> None:
        """Start with an empty frame."""
        view = f"0 0 {WIDTH} {HEIGHT}"
        self.root = ET.Element("svg", {"viewBox": view, "class": "chart", "role": "img"})
        self.root.set("aria-label", self.description)

    def across(self, value: float) -> float:
        """Horizontal place of a value."""
        low, high = self.x
        return _rounded(LEFT + (value - low) / ((high - low) or 1) * (WIDTH - LEFT - RIGHT))

    def up(self, value: float) -> float:
        """Vertical place of a value."""
        low, high = self.y
        return _rounded(HEIGHT - BOTTOM - (value - low) / ((high - low) or 1) * (HEIGHT - TOP - BOTTOM))

    def add(self, tag: str, kind: str, hint: str = "", **attributes: float | str) -> None:
        """Draw an element of the CSS class ``kind``; ``hint`` is shown when it is pointed at."""
        names = {name.replace("_", "-"): str(value) for name, value in attributes.items()}
        element = ET.SubElement(self.root, tag, {"class": kind, **names})
        if hint:
            ET.SubElement(element, "title").text = hint

    def text(self, words: str, kind: str, x: float, y: float, anchor: str = "middle") -> None:
        """Write words at a place of the frame."""
        attributes = {"class": kind, "x": str(x), "y": str(y), "text-anchor": anchor}
        ET.SubElement(self.root, "text", attributes).text = words

    def axes(
        self,
        across: str,
        up: str,
        across_ticks: Sequence[float] | None = None,
        up_ticks: Sequence[float] | None = None,
    ) -> None:
        """Draw grid lines, numbers and the names of both axes; no numbers across for an empty list."""
        for value in ticks(*self.y) if up_ticks is None else up_ticks:
            y = self.up(value)
            self.add("line", "grid", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y)
            self.text(number(value), "tick", LEFT - 6, y + 4, "end")
        for value in ticks(*self.x) if across_ticks is None else across_ticks:
            self.text(number(value), "tick", self.across(value), HEIGHT - BOTTOM + 15)
        base = self.up(self.y[0])
        self.add("line", "axis", x1=LEFT, x2=WIDTH - RIGHT, y1=base, y2=base)
        self.text(across, "name", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4)
        middle = (TOP + HEIGHT - BOTTOM) / 2
        attributes = {"class": "name", "text-anchor": "middle", "transform": f"rotate(-90 11 {middle})"}
        ET.SubElement(self.root, "text", {**attributes, "x": "11", "y": str(middle)}).text = up

    def markup(self) -> str:
        """The chart as text of an HTML page; every word in it is escaped."""
        return ET.tostring(self.root, encoding="unicode")


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """At most ``most`` round values from low to high, in steps of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    rough = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def number(value: float) -> str:
    """A number as an axis shows it, e.g. ``0.25``, ``120``."""
    return f"{value:.4g}"


def _rounded(value: float) -> float:
    return round(value, 2)
