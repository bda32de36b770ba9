"""The tables of `clisc evaluate` as a reader of them needs them."""

import csv
import json

CPU = ("--device", "cpu")
HEADS_OF_0_1_0 = {
    "rows.csv": ["name", "dsc_mean", "dsc_std", "hd95_mean", "hd95_std", "n", "empty"],
    "groups.csv": ["name", "group", "dsc_mean", "dsc_std", "hd95_mean", "hd95_std", "n", "empty"],
}
"""The columns by which scripts know the tables."""


def heads(path):
    with path.open(encoding="utf-8") as file:
        return next(csv.reader(file))


def test_the_table_says_what_stands_in_it(clisc, copied):
    shown = clisc("evaluate", copied.root, *CPU)
    assert shown.code == 0
    for words in (
        "mean ± SD over n cases",
        "SAM (5 points + box)",
        "Not made yet: sam-points, sam-box, without-s3f (`clisc evaluate --ablation`)",
        "1 case: figures of one volume",
    ):
        assert words in shown.out
    assert "DSC % of each case" not in shown.out
    document = json.loads(clisc("evaluate", copied.root, *CPU, "--json").out)
    assert [row["name"] for row in document["lacking"]] == ["sam-points", "sam-box", "without-s3f"]
    assert document["units"]["hd95"] == "mm" and "divided by n" in document["units"]["std"]
    for name, columns in HEADS_OF_0_1_0.items():
        assert heads(copied.results / name)[: len(columns)] == columns


def test_sizes_have_their_n_and_cases_a_table_of_their_own(clisc, copied):
    everyone = ("--splits", "train,valid,test")
    shown = clisc("evaluate", copied.root, *CPU, *everyone, "--cases-table")
    assert shown.code == 0 and shown.out.count("n = 1") == 5
    document = json.loads(clisc("evaluate", copied.root, *CPU, *everyone, "--json").out)
    table = shown.out[shown.out.index("DSC % of each case") :]
    for entry in document["cases"]:
        (line,) = (line for line in table.splitlines() if f" {entry['case']} " in line)
        assert f" {entry['dsc']:.2f} " in line and f" {entry['volume_ml']:.1f} " in line
    assert "5 cases are few" in shown.out and "--splits" not in table
