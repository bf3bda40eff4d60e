"""Path templates: what a message may do to a file name, and what it may not."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.channels.format.path_template import MAX_VALUE, fill, placeholder_fault
from engine.errors import TransformError
from engine.hl7 import parse
from engine.hl7.escapes import encode


def message(family="Doe"):
    probe = parse(b"MSH|^~\\&|A")
    text = encode(family, probe.delimiters)
    return parse(f"MSH|^~\\&|A|||||||1|P|2.5\rPID|||4711||{text}\r".encode())


def test_names_and_paths_are_filled():
    path = fill("out/{message.id}/{PID-5.1}.hl7", {"message.id": "7"}, message())

    assert path == "out/7/Doe.hl7"


def test_a_name_without_a_value_stops_the_message():
    with pytest.raises(TransformError, match="has no value") as caught:
        fill("out/{PID-9}.hl7", {}, message())

    assert caught.value.code == "empty-path"


@pytest.mark.parametrize(
    ("hostile", "kept"),
    [
        ("../../etc/passwd", "etcpasswd"),
        ("a/b", "ab"),
        (".hidden", "hidden"),
        ("nul\0byte", "nulbyte"),
        ("x" * 500, "x" * MAX_VALUE),
    ],
)
def test_a_value_cannot_lead_out_of_the_folder(hostile, kept):
    assert fill("out/{name}.hl7", {"name": hostile}, message()) == f"out/{kept}.hl7"


@given(value=st.text())
def test_no_value_at_all_makes_another_folder(value):
    try:
        path = PurePosixPath(fill("out/{PID-5.1}.hl7", {}, message(value)))
    except TransformError:
        return

    assert path.parent == PurePosixPath("out")
    assert ".." not in path.parts


def test_a_placeholder_is_checked_when_the_channel_is_loaded():
    known = frozenset({"message.id"})

    assert placeholder_fault("message.id", known) is None
    assert placeholder_fault("PID-3.1", known) is None
    assert "neither" in (placeholder_fault("message.idd", known) or "")
