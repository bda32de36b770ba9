r"""Table 1 as LaTeX that needs no package: a ``table`` with one ``tabular``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clisc_engine.baselines.table1.paper import titled
from clisc_engine.core.metrics import SIZE_GROUPS
from clisc_engine.outputs.inputs import Inputs
from clisc_engine.outputs.outputs import Made, Outputs
from clisc_engine.project.project import Project
from clisc_engine.stages.evaluation.told import counts_by_group, few_cases

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "<": "$<$",
    ">": "$>$",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}


def latex(document: Mapping[str, Any]) -> str:
    """The whole table with its caption; a star marks a significant difference from CLISC."""
    groups = {(entry["name"], entry["group"]): entry for entry in document["groups"]}
    counts = {group: rf" ({_plain(words)})" for group, words in counts_by_group(document).items()}
    sizes = [f"{group}{counts.get(group, '')}" for group in SIZE_GROUPS]
    heads = ["Method", "Label-free", r"DSC (\%)", "HD95 (mm)", "$n$", "Empty", *sizes]
    heads += [r"Paper: DSC (\%)", "Paper: HD95 (mm)"]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(caption(document))}}}",
        rf"\begin{{tabular}}{{l{'c' * (len(heads) - 1)}}}",
        r"\hline",
        rf"{' & '.join(heads)} \\",
        r"\hline",
    ]
    for row in document["rows"]:
        tests, paper = row["against_full"] or {}, row["paper"] or {}
        stars = {m: "$^{*}$" if tests.get(m, {}).get("significant") else "" for m in ("dsc", "hd95")}
        cells = [
            escaped(titled(row)),
            "yes" if row["label_free"] else "no",
            *(_mean(row, metric) + stars[metric] for metric in ("dsc", "hd95")),
            str(row["n"]),
            str(row["empty"]),
            *(_number(groups.get((row["name"], group), {}).get("dsc_mean")) for group in SIZE_GROUPS),
            *(_mean(paper, metric) for metric in ("dsc", "hd95")),
        ]
        lines.append(rf"{' & '.join(cells)} \\")
    lines += [r"\hline", r"\end{tabular}", r"\end{table}", ""]
    return "\n".join(lines)


def caption(document: Mapping[str, Any]) -> str:
    """What the table shows, and all that must be said of it."""
    count = len({entry["case"] for entry in document["cases"] if entry["dsc"] is not None})
    told = [
        f"Comparison on {count} case{'' if count == 1 else 's'} with a tumour: "
        "mean ± standard deviation over n cases.",
        "DSC in % by fifths of tumour size: mean over the n cases of each.",
        "* differs from CLISC: Wilcoxon signed-rank test, p < 0.05 after Holm's correction over the rows.",
        few_cases(document, advice=False),
        f"Note: {document['note']}." if document["note"] else "",
        *document["notes"],
    ]
    return " ".join(filter(None, told))


def escaped(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(_SPECIAL.get(letter, letter) for letter in text)


def outputs_for(project: Project, path: Path) -> Outputs:
    """Checked before any work: whether the file may be written.

    Raises:
        BadInput: when there is a file that clisc did not write.
    """
    outputs = Outputs(
        Inputs.of_project(project), "Choose another file with --latex, or move that one away."
    )
    outputs.check([path])
    return outputs


def write_latex(project: Project, document: Mapping[str, Any], path: Path) -> None:
    """Write the table as a file outside the project.

    Raises:
        BadInput: when there is a file that clisc did not write.
        DiskFault: when the disk does not take it.
    """
    made = Made("table", {"project": str(project.root.absolute())})
    outputs_for(project, path).put_bytes(path, latex(document).encode(), made)


def _mean(row: Mapping[str, Any], metric: str) -> str:
    mean, deviation = row.get(f"{metric}_mean"), row.get(f"{metric}_std")
    if mean is None or deviation is None:
        return ""
    return rf"{mean:.2f} $\pm$ {deviation:.2f}" if row.get("n", 2) > 1 else f"{mean:.2f}"


def _plain(count: str) -> str:
    """A count of cases as mathematics, e.g. ``$n$ = 4``."""
    return count.replace("n", "$n$", 1)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
