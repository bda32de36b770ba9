"""What calls cost, and how that grows with the cases, as tables and a plot for docs/performance.md."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

from benchmarks.report import PAGE
from benchmarks.scale import TORCH, Call, Size
from clisc_engine.report.svg import BOTTOM, HEIGHT, RIGHT, WIDTH, Chart

PICTURE = PAGE.parent / "pictures" / "scale.svg"
STYLE = PAGE.parents[1] / "clisc_engine" / "report" / "templates" / "style.css"
LIMITS: Mapping[str, float] = {"status": 2.0, "report": 60.0}
"""Seconds that a call may take at the largest size, other finished steps 3: of the processor, which hardly
count what else the machine does. Such calls have one thread and wait for little else."""
PANELS = (
    ("seconds", ("status", "label", "self-train", "evaluate")),
    ("seconds", ("init", "verify", "report")),
    ("MB on disk", ("store", "of which in its files")),
)
"""The plot's parts: the quantity, and its lines."""
LETTERS = 12
"""Height of a line of words in the plot."""


def calls_table(calls: Sequence[Call]) -> str:
    """One call on a small project: seconds, and as a share of importing torch in the same run."""
    torch = _named(calls, TORCH)
    lines = [
        "| call | seconds by the clock | of the processor | the same, of torch's import | peak MB |",
        "|---|---|---|---|---|",
    ]
    for call in calls:
        lines.append(
            f"| `{call.command}` | {call.seconds:.2f} | {call.processor:.2f} "
            f"| {call.processor / torch.processor:.2f} | {call.peak_mb:.0f} |"
        )
    return "\n".join(lines)


def scale_table(sizes: Sequence[Size]) -> str:
    """Processor seconds, a row a command and a column a size; peak memory at the first and the last."""
    head = " | ".join(f"{size.cases:,} cases" for size in sizes)
    lines = [f"| | {head} | peak MB, {sizes[0].cases} to {sizes[-1].cases:,} |"]
    lines.append("|---" * (len(sizes) + 2) + "|")
    for command in [call.command for call in sizes[0].calls]:
        found = [_named(size.calls, command) for size in sizes]
        seconds = " | ".join(f"{call.processor:.2f}" for call in found)
        lines.append(f"| `{command}`, s | {seconds} | {found[0].peak_mb:.0f} to {found[-1].peak_mb:.0f} |")
    for what, values in (
        ("store, MB in files", [size.store_mb for size in sizes]),
        ("store, MB on disk", [size.disk_mb for size in sizes]),
        ("report, MB", [size.report_mb for size in sizes]),
    ):
        lines.append(f"| {what} | {' | '.join(f'{value:.1f}' for value in values)} | |")
    lines.append(f"| store, files and folders | {' | '.join(f'{s.files:,}' for s in sizes)} | |")
    return "\n".join(lines)


def tables(calls: Sequence[Call], sizes: Sequence[Size]) -> list[str]:
    """Those of what was measured."""
    return [*([calls_table(calls)] if calls else []), *([scale_table(sizes)] if sizes else [])]


def rewrite(calls: Sequence[Call], sizes: Sequence[Size], machine: str) -> None:
    """Put what was measured into docs/performance.md, and the plot beside it."""
    if calls:
        _put("calls", machine, calls_table(calls))
    if sizes:
        _put("scale", machine, scale_table(sizes))
        PICTURE.write_text(plot(sizes), encoding="utf-8")


def _put(mark: str, machine: str, table: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    block = f"<!-- {mark} -->\nMeasured on {machine}\n\n{table}\n<!-- end of {mark} -->"
    whole = rf"<!-- {mark} -->.*<!-- end of {mark} -->"
    PAGE.write_text(re.sub(whole, lambda _: block, page, flags=re.S), encoding="utf-8")


def plot(sizes: Sequence[Size]) -> str:
    """The growth over the cases as one SVG file that needs nothing else, in the report's style."""
    frame = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img"})
    frame.set("viewBox", f"0 0 {WIDTH * len(PANELS)} {HEIGHT}")
    frame.set("aria-label", "Seconds of calls, and size of the store, over the number of cases")
    ET.SubElement(frame, "style").text = _style()
    for place, (quantity, names) in enumerate(PANELS):
        panel = _panel(quantity, {name: _values(name, sizes) for name in names}, sizes)
        panel.set("x", str(place * WIDTH))
        panel.set("width", str(WIDTH))
        panel.set("height", str(HEIGHT))
        frame.append(panel)
    return ET.tostring(frame, encoding="unicode") + "\n"


def _panel(quantity: str, lines: Mapping[str, Sequence[float]], sizes: Sequence[Size]) -> ET.Element:
    across = [float(size.cases) for size in sizes]
    most = max(max(values) for values in lines.values())
    chart = Chart(f"{', '.join(lines)}: {quantity} over cases", (0, across[-1]), (0, most * 1.1))
    chart.axes("cases", quantity)
    free = HEIGHT - BOTTOM - 4.0
    for name, values in sorted(lines.items(), key=lambda line: line[1][-1]):
        places = [(chart.across(x), chart.up(y)) for x, y in zip(across, values, strict=True)]
        chart.add("polyline", "curve", points=" ".join(f"{x},{y}" for x, y in places))
        for (x, y), value, size in zip(places, values, sizes, strict=True):
            chart.add("circle", "end", f"{name}, {size.cases} cases: {value:.2f}", cx=x, cy=y, r=3)
        free = min(places[-1][1] - 5, free - LETTERS)
        chart.text(f"{name} {values[-1]:.3g}", "tick", WIDTH - RIGHT - 6, free, "end")
    return chart.root


def _values(name: str, sizes: Sequence[Size]) -> list[float]:
    if name == "store":
        return [size.disk_mb for size in sizes]
    if name == "of which in its files":
        return [size.store_mb for size in sizes]
    return [_named(size.calls, name).processor for size in sizes]


def _style() -> str:
    """The rules of the report's page that concern its charts, and its colours."""
    text = STYLE.read_text(encoding="utf-8")
    colours = text[: text.index("* {")]
    rules = [line for line in text.splitlines() if line.startswith((".chart text", ".chart ."))]
    return "\n".join([colours, ".chart { font-family: sans-serif; }", *rules])


def _named(calls: Sequence[Call], command: str) -> Call:
    return next(call for call in calls if call.command == command)


def missed(sizes: Sequence[Size]) -> list[str]:
    """Calls of the largest size that take longer than they may."""
    largest = sizes[-1]
    steps = ("label", "cam", "amda", "prompt-sam", "train", "self-train", "evaluate")
    limits = {**dict.fromkeys(steps, 3.0), **LIMITS}
    return [
        f"{call.command} on {call.cases:,} cases: {call.processor:.1f} s, at most {limits[call.command]:g}"
        for call in largest.calls
        if call.processor > limits.get(call.command, float("inf"))
    ]
