import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clisc_engine.errors import BadInput
from clisc_engine.files.tables import cell, read_table, write_table

FORMULA = ("=", "+", "-", "@", "\t", "\n")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("@x", "'@x"),
        ("\tx", "'\tx"),
        ("-x", "'-x"),
        ("p-1", "p-1"),
        (-0.5, -0.5),
        (3, 3),
    ],
)
def test_text_in_tables_is_no_formula(value, shown):
    assert cell(value) == shown


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=1, max_size=5))
def test_what_is_written_comes_back_and_is_never_a_formula(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("table") / "t.csv"
    write_table(path, ["text"], [{"text": text} for text in texts])
    with path.open(encoding="utf-8", newline="") as file:
        found = [row["text"] for row in csv.DictReader(file)]
    lines = [text.replace("\r\n", "\n").replace("\r", "\n") for text in texts]
    assert found == [f"'{text}" if text.startswith(FORMULA) else text for text in lines]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not a CSV table with the columns a,b"),
        ("a\n1\n", "is not a CSV table with the columns a,b"),
        ("a,b,b\n1,2,3\n", "each of them once"),
        ("a,b\n", "has no row"),
        ("a,b\n1,2\n\n1,2,3\n", "line 4: 3 values for 2 columns"),
        ('a,b\n"x\ny",2\n1,2,3\n', "line 4: 3 values for 2 columns"),
        ("a,b\n" + "x" * 200_000 + ",2\n", "line 2, is not a CSV table"),
    ],
)
def test_what_is_no_table_is_refused_with_its_line(tmp_path, text, reason):
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=reason) as error:
        read_table(path, ("a", "b"), "a,b")
    assert "t.csv" in str(error.value)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"a,b\n\xff\xfe,1\n")
    with pytest.raises(BadInput, match=r"Cannot read the table .*t\.csv"):
        read_table(tmp_path / "t.csv", ("a", "b"), "a,b")


def test_rows_carry_their_lines_and_lack_nothing(tmp_path):
    (tmp_path / "t.csv").write_text("\ufeff a , b\n\n 1 ,x y\n2\n", encoding="utf-8")
    rows = read_table(tmp_path / "t.csv", ("a", "b"), "a,b")
    assert [(row.line, dict(row.values)) for row in rows] == [
        (3, {"a": "1", "b": "x y"}),
        (4, {"a": "2", "b": ""}),
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_tables_of_spreadsheets_are_read_with_and_without_their_mark(tmp_path, encoding):
    path = tmp_path / "t.csv"
    path.write_bytes("case,image\nä,b.nii.gz\n".encode(encoding))
    assert read_table(path, ("case",), "case,image")[0].values == {"case": "ä", "image": "b.nii.gz"}
