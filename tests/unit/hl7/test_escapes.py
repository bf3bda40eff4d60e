"""Escape sequences."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import TransformError
from engine.hl7.delimiters import STANDARD, Delimiters
from engine.hl7.escapes import decode, encode, is_broken, spell, unspell

OWN = Delimiters("$", "%", "*", "!", "@", "#")
MARKS = st.sampled_from([STANDARD, OWN, Delimiters("|", "^", "~", "\\")])
TEXTS = st.one_of(
    st.text(),
    st.lists(st.sampled_from(["\\", "|", "X0D", "F", ".br", "é", "\r", "H"])).map(
        "".join
    ),
)


@settings(max_examples=500)
@given(text=TEXTS, marks=MARKS, codec=st.sampled_from(["utf-8", "ascii", "gb18030"]))
def test_what_is_escaped_comes_back(text, marks, codec):
    written = encode(text, marks)

    assert decode(written, marks, codec) == text
    assert not is_broken(written, marks, codec)
    assert not set(written) & {marks.field, marks.component, marks.repetition, "\r"}


@given(text=TEXTS, marks=MARKS)
def test_text_without_an_escape_character_is_left_alone(text, marks):
    plain = text.replace(marks.escape, "")

    assert decode(plain, marks) == plain
    assert not is_broken(plain, marks)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"\F\\S\\T\\R\\E\ ", "|^&~\\ "),
        (r"\E\R\x", r"\R\x"),
        (r"\E\\E\server", r"\\server"),
        (r"\X0D\ ", "\r "),
        (r"\X0d0a\ ", "\r\n "),
        (r"\XC3A9\ ", "é "),
        (r"a\X41\b", "aAb"),
    ],
)
def test_sequences_are_resolved_strictly_from_left_to_right(written, read):
    assert decode(written, STANDARD) == read


@pytest.mark.parametrize(
    "written",
    [
        r"C:\temp\file",
        r"5\6",
        r"\q..\ ",
        r"\X0\ ",
        r"\XZZ\ ",
        r"\X\ ",
        r"\XFF\ ",
        r"\P\ ",
    ],
)
def test_broken_and_unknown_sequences_are_kept_and_told(written):
    assert decode(written, STANDARD) == written
    assert is_broken(written, STANDARD)


@pytest.mark.parametrize(
    "written",
    [r"\.br\ ", r"\.sp3\ ", r"\.in+4\ ", r"\.ti-2\ ", r"\.sk2\ ", r"\.ce\ ", r"\.fi\ ",
     r"\.nf\ ", r"\H\bold\N\ ", r"\Zlocal\ "],
)  # fmt: skip
def test_formatting_and_local_sequences_pass_through(written):
    assert decode(written, STANDARD) == written
    assert not is_broken(written, STANDARD)


def test_a_line_break_becomes_what_the_caller_wants():
    assert decode(r"a\.br\b\.sp\c", STANDARD, line_break="\n") == "a\nb\\.sp\\c"


@pytest.mark.parametrize(
    ("written", "codec", "read"),
    [
        ("\\C2D42\\\xb1", "iso8859-1", "ą"),
        ("\xe9\\C2D42\\\xb1\\C2D41\\\xe9", "iso8859-1", "éąé"),
        (r"\M2442\;3ED\C2842\ x", "ascii", "山田 x"),
        (r"\M242844\0!", "ascii", "丂"),
        (r"\C284A\abc", "ascii", "abc"),
        ("\\C2949\\\xb1\xb2", "iso8859-1", "ｱｲ"),
        ("\\M2442\\é", "iso8859-1", "é"),
    ],
)
def test_another_set_is_decoded_until_the_next_switch(written, codec, read):
    assert decode(written, STANDARD, codec) == read
    assert not is_broken(written, STANDARD, codec)


def test_bytes_mean_what_the_messages_own_set_says():
    assert decode(r"\XE9\ ", STANDARD, "iso8859-1") == "é "
    assert decode(r"\XC3A9\ ", STANDARD, "ascii") == "é "


def test_a_role_the_message_does_not_name_is_not_decoded():
    marks = Delimiters("|", "^", "~", "\\")

    assert decode(r"a\T\b", marks) == r"a\T\b"
    assert decode(r"a\T\b", Delimiters("|", "^")) == r"a\T\b"


def test_without_an_escape_character_a_delimiter_cannot_be_written():
    marks = Delimiters("|", "^")

    assert encode("a&b~c", marks) == "a&b~c"
    with pytest.raises(TransformError, match="no escape"):
        encode("a^b", marks)


@given(
    text=st.text(), codec=st.sampled_from(["ascii", "iso8859-1", "iso8859-2", "utf-8"])
)
def test_what_is_spelled_for_another_set_reads_back_or_is_refused(text, codec):
    written = encode(text, STANDARD)

    try:
        spelled = spell(written, STANDARD, codec)
    except TransformError:
        spelled = ""

    assert spelled or not text or codec.startswith("iso")
    if spelled:
        assert decode(spelled.encode(codec).decode(codec), STANDARD, codec) == text
        assert decode(unspell(spelled, STANDARD, codec), STANDARD, codec) == text


@pytest.mark.parametrize(
    ("written", "codec", "plain"),
    [
        ("Doe", "ascii", "Doe"),
        (r"\XC3BC\ \X0D\ \.br\ \T\ \q\ ", "utf-8", r"ü \X0D\ \.br\ \T\ \q\ "),
        (r"\M2442\;3\C2842\x", "ascii", "山x"),
        (r"C:\temp", "ascii", r"C:\temp"),
    ],
)
def test_what_depends_on_the_set_is_resolved_and_nothing_else(written, codec, plain):
    assert unspell(written, STANDARD, codec) == plain


def test_nothing_is_spelled_where_the_sender_has_no_escape():
    with pytest.raises(TransformError):
        spell("ü", Delimiters("|", "^"), "ascii")
    assert unspell("ü", Delimiters("|", "^"), "utf-8") == "ü"
