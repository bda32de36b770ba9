import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clisc_engine.errors import BadInput
from clisc_engine.files.case_names import Names, is_case_name

UNSAFE = ["", ".", "..", ".a", "-a", "_a", "a/b", "a\\b", "a b", "a\nb", "a\x00", "a,b", "=1+1", "@a", "+a"]
UNSAFE += ["a\u202eb", "a\u200bb", "a:b", "a*", "\udc80", "a" * 201, "ä" * 101]


@pytest.mark.parametrize("name", UNSAFE)
def test_unsafe_names_are_refused_with_their_place(name):
    with pytest.raises(BadInput, match=r"m\.csv, line 3: .* cannot be a case name"):
        Names().take(name, "m.csv, line 3")


@pytest.mark.parametrize("name", ["a", "A-1_x.y", "007", "Müller", "患者1", "a" * 200])
def test_letters_and_digits_of_any_script_are_names(name):
    assert Names().take(name, "here") == name


def test_a_name_is_taken_in_its_normal_form():
    assert Names().take(unicodedata.normalize("NFD", "Müller"), "here") == "Müller"


@pytest.mark.parametrize(
    ("one", "other"), [("a", "a"), ("a", "A"), ("straße", "STRASSE"), ("é", "E\u0301")]
)
def test_two_names_that_differ_by_case_alone_are_one(one, other):
    names = Names()
    names.take(one, "first")
    with pytest.raises(BadInput, match="first and second have the same case name"):
        names.take(other, "second")


@given(st.text(max_size=20))
def test_a_name_that_is_taken_leads_nowhere(text):
    try:
        name = Names().take(text, "here")
    except BadInput:
        return
    assert is_case_name(name) and Names().take(name, "again") == name
    assert name[0].isalnum() and not set(name) & set('/\\:*?"<>|,;=+@ \t\r\n\0')
    assert all(unicodedata.category(letter)[0] != "C" for letter in name)
