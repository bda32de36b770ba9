"""What is said beside a table follows from what the table holds."""

from clisc_engine.products.declared import ROWS
from clisc_engine.stages.evaluation.told import (
    FEW,
    PAPER_ROWS,
    counts_by_group,
    few_cases,
    lacking_in_words,
    lacking_rows,
)


def document(count, groups=(), rows=("sam", "full"), splits=("test",)):
    shown = [{"name": row, "n": count} for row in rows]
    return {
        "rows": shown,
        "lacking": lacking_rows(shown),
        "groups": [{"name": row, "group": group, "n": n} for row in rows for group, n in groups],
        "splits": list(splits),
    }


def test_rows_that_are_not_there_are_named_with_the_command_that_makes_them():
    assert lacking_in_words(document(3, rows=("cam-raw", "cam-amda", "sam"))) == (
        "Not made yet: sam-points, sam-box, without-s3f (`clisc evaluate --ablation`); "
        "without-self-training, full (`clisc run`)"
    )
    assert lacking_in_words(document(3, rows=tuple(ROWS))) == ""
    found = lacking_rows(document(3, rows=tuple(ROWS)[1:])["rows"])
    assert found == [{"name": "cam-raw", "paper_row": "raw CAM", "command": "clisc run"}]
    assert PAPER_ROWS.keys() == ROWS.keys()


def test_few_cases_are_told_as_such_and_many_are_not():
    alone = few_cases(document(1, [("Tiny", 1)]))
    assert alone.startswith("1 case: figures of one volume") and "--splits train,valid,test" in alone
    some = few_cases(document(6, [("Tiny", 2), ("Huge", 1)]), advice=False)
    assert some == "6 cases are few: each moves a mean by a lot, and a fifth by size has 1 to 2 of them."
    assert "--splits" not in few_cases(document(6, splits=("train", "valid", "test")))
    assert few_cases(document(FEW)) == few_cases(document(0)) == ""


def test_each_size_has_its_number_of_cases():
    found = document(9, [("Tiny", 2), ("Huge", 1)])
    assert counts_by_group(found) == {"Tiny": "n = 2", "Huge": "n = 1"}
    found["groups"][0]["n"] = 1
    assert counts_by_group(found)["Tiny"] == "n = 1 to 2"
