"""Two other parsers: where they agree with ours, and where they are known to err.

Each defect is pinned, so that an upgrade that mends it shows here.
"""

import logging
import re

import hl7
import pytest
from hl7apy import exceptions
from hl7apy.parser import parse_message
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.hl7 import parse
from engine.hl7.delimiters import STANDARD
from engine.hl7.escapes import decode, encode
from tests.builders import adt_a01, er7, msh
from tests.shared_data import shared

LEAVES = st.lists(st.text("ab1é", max_size=3), min_size=1, max_size=3).map("&".join)
COMPONENTS = st.lists(LEAVES, min_size=1, max_size=3).map("^".join)
FIELD = st.lists(COMPONENTS, min_size=1, max_size=3).map("~".join)
FIELDS = st.lists(FIELD, max_size=6)
Z_SEGMENT = adt_a01("ZPI|x").decode()


@pytest.fixture(autouse=True)
def _quiet():
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def leaves(field):
    """Return a field without its trailing empty parts, which are no difference."""
    return re.sub(r"[&^~]+(?=[\^~]|$)", "", re.sub(r"&+(?=[\^~]|$)", "", field))


def theirs(text):
    parsed = hl7.parse(text)
    return [[str(field) for field in segment][1:] for segment in parsed]


def ours(data):
    segments = parse(data).segments
    return [[each.raw(n) for n in range(1, each.field_count + 1)] for each in segments]


@given(segments=st.lists(FIELDS.map(lambda fields: "|".join(["OBX", *fields]))))
def test_python_hl7_splits_as_we_do(segments):
    data = er7(msh(), *segments, encoding="utf-8")

    assert theirs(data.decode()) == ours(data)


@given(fields=FIELDS, component=st.integers(1, 4), subcomponent=st.integers(1, 4))
def test_python_hl7_reads_the_leaves_we_read(fields, component, subcomponent):
    data = er7(msh(f18="UNICODE UTF-8"), "|".join(["OBX", *fields]), encoding="utf-8")
    mine, other = parse(data), hl7.parse(data.decode())

    for number in range(1, len(fields) + 1):
        try:
            expected = other.extract_field("OBX", 1, number, 1, component, subcomponent)
        except IndexError:
            expected = ""
        read = mine.segments[1].text(number, component, subcomponent)
        assert read == (expected or "")


def test_python_hl7_agrees_on_published_messages():
    for path in sorted(shared("corpora", "messages").rglob("*.hl7"))[::9]:
        message = parse(path.read_bytes())
        if message.all("MSH") == message.segments[:1]:
            text = message.data.decode(message.charset)
            assert theirs(text) == ours(message.data), path.name


@settings(max_examples=15)
@given(name=FIELD, address=FIELD)
def test_hl7apy_writes_the_leaves_we_read(name, address):
    data = adt_a01(f"NK1|1|{name}||{address}", header=msh(f18="UNICODE UTF-8"))
    written = parse_message(data.decode(), find_groups=False).to_er7()

    mine, other = ours(data)[-1], ours(written.encode())[-1]

    padded = other + [""] * (len(mine) - len(other))
    assert list(map(leaves, mine)) == list(map(leaves, padded))


def test_a_line_feed_ends_a_segment_for_us_but_not_for_python_hl7():
    data = er7(msh(), "PID|||1", end="\n")

    assert len(parse(data).segments) == 2
    assert len(hl7.parse(data.decode())) == 1


def test_python_hl7_takes_two_messages_for_one():
    assert len(hl7.parse((er7(msh()) * 2).decode())) == 2


def test_python_hl7_refuses_a_byte_order_mark_a_latin_1_byte_and_a_bare_msh():
    with pytest.raises(hl7.ParseException):
        hl7.parse("\ufeff" + er7(msh()).decode())
    with pytest.raises(UnicodeDecodeError):
        hl7.parse(er7(msh(f3="\xe9"), encoding="latin-1"))
    with pytest.raises(IndexError):
        hl7.parse("MSH|")


def test_python_hl7_alters_text_that_is_not_ascii():
    other = hl7.parse(er7(msh()).decode())

    assert other.unescape(other.escape("山")) == "\\q"
    assert decode(encode("山", STANDARD), STANDARD) == "山"


@pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated")
@pytest.mark.parametrize(
    ("written", "theirs_read", "ours_read"),
    [
        ("\\E\\R\\", "\\R", "\\R\\"),
        ("5\\6 text", "5", "5\\6 text"),
        ("C:\\temp\\file", "C:file", "C:\\temp\\file"),
        ("a\\Zx\\b", "ab", "a\\Zx\\b"),
        ("a\\C2842\\b", "ab", "ab"),
        ("\\M2442\\;3", ";3", "山"),
    ],
)
def test_python_hl7_drops_text_of_escapes(written, theirs_read, ours_read):
    other = hl7.parse(er7(msh()).decode())

    assert other.unescape(written) == theirs_read
    assert decode(written, STANDARD) == ours_read


def test_hl7apy_drops_a_z_segment_inside_a_known_structure():
    assert "ZPI" not in parse_message(Z_SEGMENT).to_er7()
    assert "ZPI" in parse_message(Z_SEGMENT, find_groups=False).to_er7()


def test_hl7apy_escapes_a_hexadecimal_escape_once_more():
    written = parse_message(adt_a01(family="a\\X0D\\b").decode()).to_er7()

    assert "a\\E\\X0D\\E\\b" in written


def test_hl7apy_knows_neither_2_9_nor_line_feeds():
    with pytest.raises(exceptions.UnsupportedVersion):
        parse_message(adt_a01(header=msh(f12="2.9")).decode())
    with pytest.raises(exceptions.UnsupportedVersion):
        parse_message(adt_a01().decode().replace("\r", "\n"))


def test_hl7apy_moves_fields_it_does_not_know_and_rewrites_numbers():
    moved = parse_message(adt_a01(header=msh(f12="2.3", f23="X")).decode()).to_er7()
    number = parse_message(adt_a01("NK1|1||||^PRN^PH^^1^276^0806080").decode()).to_er7()

    assert ours(moved.encode())[0][19] == "X"
    assert "^276^806080" in number
