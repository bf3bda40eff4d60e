"""Delimiters: what MSH-1 and MSH-2 may say."""

import pytest

from engine.errors import ParseError
from engine.hl7.delimiters import STANDARD, Delimiters, read_delimiters


@pytest.mark.parametrize(
    ("encoding", "truncates", "expected"),
    [
        ("^~\\&", False, STANDARD),
        ("^", False, Delimiters("|", "^")),
        ("^~", True, Delimiters("|", "^", "~")),
        ("^~\\&#", False, STANDARD),
        ("^~\\&#", True, Delimiters("|", "^", "~", "\\", "&", "#")),
    ],
)
def test_only_the_roles_that_are_named_exist(encoding, truncates, expected):
    assert read_delimiters("|", encoding, truncates=truncates) == expected


@pytest.mark.parametrize("encoding", ["", "^^\\&", "|~\\&", "A~\\&", "1", "\t", "\x7f"])
def test_impossible_delimiters_are_refused(encoding):
    with pytest.raises(ParseError) as caught:
        read_delimiters("|", encoding, truncates=False)

    assert (caught.value.code, caught.value.location) == ("199", "MSH^1^2")


def test_delimiters_write_themselves():
    assert Delimiters("|", "^", "~", "\\", "&", "#").encoding_characters == "^~\\&#"
