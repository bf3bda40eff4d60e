"""protocol.md 3.3, escape sequences: read by the worker, written for the receiver."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.hl7 import parse
from engine.hl7.delimiters import STANDARD, Delimiters
from engine.hl7.escapes import decode, encode
from tests.builders import er7, msh
from tests.feeding import Feed

COPY = {"set": "PID-9", "to": "PID-5.1"}
OWN = Delimiters("$", "%", "*", "!", "@")
TRUNCATING = Delimiters("|", "^", "~", "\\", "&", "#")
TO_FHIR = {"name": "fhir", "fhir": {"url": "http://127.0.0.1:9/fhir"}}


def admission(family, *, number="1", encoding="utf-8", **header):
    """Return an admission with this in PID-5.1, as it stands."""
    header.setdefault("f18", "UNICODE UTF-8")
    pid = f"PID|1||{number}^^^HOSP^MR||{family}^Ann"
    segments = (msh(f10=f"M{number}", **header), "EVN|A01|2030", pid, "PV1|1|I")
    return er7(*segments, encoding=encoding)


def result(text, kind="FT"):
    """Return a laboratory result with this as its value."""
    return er7(
        msh(f9="ORU^R01^ORU_R01", f18="UNICODE UTF-8"),
        "PID|1||1^^^HOSP^MR||Doe^Ann",
        "OBR|1|||24323-8^Panel^LN" + "|" * 21 + "F",
        f"OBX|1|{kind}|8251-1^Comment^LN||{text}||||||F",
        encoding="utf-8",
    )


# ---- E56, the delimiters


@given(text=st.text(), marks=st.sampled_from([STANDARD, OWN, TRUNCATING]))
def test_E56_whatever_is_escaped_comes_back(text, marks, strict):
    written = encode(text, marks)

    assert decode(written, marks) == text
    assert not set(written) & {marks.field, marks.component, marks.repetition, "\r"}


@pytest.mark.parametrize("marks", [STANDARD, OWN], ids=["usual", "own"])
def test_E56_roles_are_read_in_the_messages_delimiters(marks, strict, tmp_path):
    usual = admission(r"a\F\b\S\c\T\d\R\e\E\f").decode()
    table = str.maketrans(
        STANDARD.field + STANDARD.encoding_characters,
        marks.field + marks.encoding_characters,
    )

    taken = Feed(tmp_path, strict=strict, edit=[COPY]).put(
        usual.translate(table).encode()
    )

    meant = f"a{marks.field}b{marks.component}c{marks.subcomponent}d"
    meant += f"{marks.repetition}e{marks.escape}f"
    assert taken.flags == []
    assert taken.message["PID-5.1"] == meant
    assert taken.sent_message()["PID-9"] == meant


def test_E56_text_goes_out_in_the_receivers_delimiters(strict):
    source, target = parse(admission(r"Smith \T\ Sons")), Delimiters("|", "^", "~", "$")

    written = encode(source["PID-5.1"], target)

    assert written == "Smith & Sons"
    assert decode(encode("5$", target), target) == "5$"


@pytest.mark.parametrize(("version", "read"), [("2.6", r"a\P\b"), ("2.7", "a#b")])
def test_E37_the_truncation_role_exists_from_2_7_on(version, read, strict, tmp_path):
    taken = Feed(tmp_path, strict=strict).put(
        admission(r"a\P\b", delimiters=("|", "^~\\&#"), f12=version)
    )

    assert taken.message["PID-5.1"] == read
    assert taken.flags == (["bad_escape"] if version == "2.6" else [])
    refused = strict and version == "2.6"
    assert taken.cause == (("accept", "bad_escape") if refused else None)


@pytest.mark.parametrize("version", ["2.6", "2.7"])
def test_E37_the_fifth_character_is_data_before_2_7(version, strict, tmp_path):
    marks = ("|", "^~\\&#")
    taken = Feed(tmp_path, strict=strict, edit=[COPY]).put(
        admission("No #7", delimiters=marks, f12=version)
    )

    written = b"No #7" if version == "2.6" else rb"No \P\7"
    assert b"|" + written in taken.sent().split(b"^Ann")[1]


# ---- E57, E58, from left to right, nothing dropped


@pytest.mark.parametrize(
    ("written", "read"),
    [(r"\E\R\x", r"\R\x"), (r"\E\\E\server", r"\\server"), (r"\E\.br\E\x", r"\.br\x")],
)
def test_E57_sequences_do_not_nest(written, read, strict, tmp_path):
    taken = Feed(tmp_path, strict=strict, edit=[COPY]).put(admission(written))

    unclosed = written.count("\\") % 2 == 1
    assert taken.message["PID-5.1"] == read
    assert taken.flags == ["bad_escape"] * unclosed
    if strict and unclosed:
        assert taken.cause == ("accept", "bad_escape")
    else:
        assert taken.sent_message()["PID-9"] == read


@pytest.mark.parametrize("written", [r"C:\temp\file", r"5\6", r"\q..\x", "tail\\"])
def test_E58_broken_and_unknown_sequences_are_kept_and_flagged(
    written, strict, tmp_path
):
    data = admission(written)

    taken = Feed(tmp_path, strict=strict).put(data)

    assert taken.flags == ["bad_escape"]
    assert taken.message["PID-5.1"] == written
    assert taken.code == "AA"
    if strict:
        assert (taken.state, taken.cause) == ("error", ("accept", "bad_escape"))
    else:
        assert taken.sent() == data


def test_E58_text_after_a_broken_sequence_survives_an_edit(strict, tmp_path):
    edit = [{"set": "PID-8", "value": "F"}]

    taken = Feed(tmp_path, strict=strict, edit=edit).put(admission(r"5\6 Main"))

    if strict:
        assert taken.cause == ("accept", "bad_escape")
    else:
        assert rb"||5\6 Main^Ann|||F" in taken.sent()


# ---- E59, bytes


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"\X0D\x", "\rx"),
        (r"\X0D0A\x", "\r\nx"),
        (r"\XC3A9\x", "éx"),
        (r"\X09\x", "\tx"),
    ],
)
def test_E59_bytes_are_read_in_the_messages_set_and_break_no_segment(
    written, read, strict, tmp_path
):
    data = admission(written)

    taken = Feed(tmp_path, strict=strict, edit=[COPY]).put(data)

    sent = taken.sent_message()
    assert taken.flags == []
    assert sent["PID-9"] == sent["PID-5.1"] == read
    assert taken.sent().count(b"\r") == data.count(b"\r")
    assert b"\n" not in taken.sent()
    assert b"\t" not in taken.sent()


def test_E59_the_same_bytes_mean_another_character_in_another_set(strict, tmp_path):
    feed = Feed(tmp_path, strict=strict)

    latin = feed.put(admission(r"\XE9\x", f18="8859/1"))
    cyrillic = feed.put(admission(r"\XE9\x", number="2", f18="8859/5"))

    assert (latin.message["PID-5.1"], cyrillic.message["PID-5.1"]) == ("éx", "щx")


@pytest.mark.parametrize("written", [r"\X0\x", r"\XZZ\x", r"\X\x", r"\XFF\x"])
def test_E59_bytes_that_are_none_are_kept_and_flagged(written, strict, tmp_path):
    taken = Feed(tmp_path, strict=strict).put(admission(written))

    assert taken.message["PID-5.1"] == written
    assert taken.flags == ["bad_escape"]
    assert taken.state == ("error" if strict else "processed")


# ---- E60, E61, formatting and other sets


FORMATTING = r"a\.br\b\.sp3\c\.in+4\d\.ti-2\e\.sk2\f\.ce\g\.fi\h\.nf\i\H\j\N\k"


def test_E60_formatting_passes_through_untouched(strict, tmp_path):
    edit = [{"set": "OBX-14", "value": "2030"}]

    taken = Feed(tmp_path, strict=strict, edit=edit).put(result(FORMATTING))

    assert taken.flags == []
    assert FORMATTING.encode() in taken.sent()
    assert taken.message["OBX-5"] == FORMATTING


def test_E60_a_line_break_of_formatted_text_is_a_newline_in_fhir(strict, tmp_path):
    feed = Feed(tmp_path, strict=strict, destinations=[TO_FHIR])

    bundle = json.loads(feed.put(result(r"one\.br\two")).sent("fhir"))

    [found] = [
        entry["resource"]
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] == "Observation"
    ]
    assert found["valueString"] == "one\ntwo"


@pytest.mark.parametrize(
    ("written", "encoding", "charset", "read"),
    [
        ("\\C2D42\\\xf8\\C2842\\x", "iso8859-1", "8859/1", "řx"),
        ("\\C2D4C\\\xb8\\C2D41\\\xe9", "iso8859-1", "8859/1", "Иé"),
        (r"\M2442\;3ED\C2842\x", "ascii", "ASCII", "山田x"),
        (r"\M242844\0!\C2842\x", "ascii", "ASCII", "丂x"),
        ("\\C2949\\\xb1\xb2", "iso8859-1", "8859/1", "ｱｲ"),
        (r"\Zlocal\x", "ascii", "ASCII", r"\Zlocal\x"),
    ],
)
def test_E61_other_sets_are_decoded_by_their_iso_ir_name_and_local_ones_opaque(
    written, encoding, charset, read, strict, tmp_path
):
    data = admission(written, encoding=encoding, f18=charset)

    taken = Feed(tmp_path, strict=strict).put(data)

    assert taken.flags == []
    assert taken.message["PID-5.1"] == read
    assert taken.sent() == data
