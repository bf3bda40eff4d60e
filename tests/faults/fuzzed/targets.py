"""F18: what must hold for any bytes at all, one function for each reader of bytes.

Each target takes bytes, raises AssertionError where an oracle is broken, and lets every
exception through that is not declared: hypothesis and atheris run the same functions.
"""

import base64
import itertools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, Final

from engine.channels.destinations.mllp import judge
from engine.channels.format.load import load_site
from engine.errors import (
    ConfigurationError,
    DeliveryError,
    FrameError,
    ParseError,
    TransformError,
)
from engine.hl7 import charsets, parse
from engine.hl7.acknowledgment import read_header
from engine.hl7.batch import BatchReader, split_messages
from engine.hl7.charsets import control_characters
from engine.hl7.conformance import check
from engine.hl7.delimiters import STANDARD
from engine.hl7.escapes import decode, encode
from engine.hl7.framing import Block, BlockReader
from engine.hl7.masking import mask
from engine.transforms.ccda.attachments import Attachment, body, plain_text
from engine.transforms.ccda.facts import Focus
from engine.transforms.expressions import compile_expression
from engine.transforms.scope import Scope
from tests.builders import er7, msh
from tests.ccda_facts import SITE
from tests.channel_files import context

SECONDS_PER_KB: Final = 0.02
"""CPU seconds; twenty times the figure of `faults.md`, for tools that watch a run."""

SENT: Final = read_header(er7(msh()))
DECLARED: Final = (
    (),
    ("ASCII",),
    ("UNICODE UTF-8",),
    ("ASCII", "ISO IR87"),
    ("BIG-5",),
)


def deframe(data):
    """Chunk borders do not matter, no block holds another's start, nothing is lost."""
    whole, complaint = _read(BlockReader(), [data])
    pieces = _read(BlockReader(), [data[at : at + 1] for at in range(len(data))])
    assert (whole, complaint) == pieces
    assert all(b"\x0b" not in event.body for event in whole if isinstance(event, Block))
    inside = b"".join(event.body for event in whole)
    marks = (b"\x0b", b"\x1c", b"\r")
    assert _without(inside, marks) == _without(data, marks)


def _read(reader, chunks):
    events: list[Any] = []
    try:
        for chunk in chunks:
            reader.feed(chunk)
            events.extend(iter(reader.next_event, None))
        events.extend(iter(reader.flush, None))
    except FrameError as error:
        return events, str(error)
    return events, None


def _without(data, marks):
    for mark in marks:
        data = data.replace(mark, b"")
    return data


def er7_message(data):
    """What parses is written back byte for byte; it can be checked and shown."""
    try:
        message = parse(b"MSH|^~\\&|" + data)
    except ParseError:
        return
    assert message.encode().rstrip(b"\r") == message.data.rstrip(b"\r")
    assert mask(message).count("\r") == len(message.segments)
    assert all(finding.code for finding in check(message))
    for segment in message.segments:
        for number in range(1, min(segment.field_count, 40) + 1):
            for each in segment.repetitions(number)[:4]:
                each.text(1)


def escape(data):
    """Whatever text is written can be read back; whatever is read is not dropped."""
    text = data.decode("utf-8", "replace")
    assert decode(encode(text, STANDARD), STANDARD) == text
    decode(text, STANDARD)


def charset(data):
    """Bytes that were read are written back the same, or a finding says so."""
    for declared in DECLARED:
        found = charsets.decode(data, declared)
        assert "\ufffd" not in found.text or b"\xef\xbf\xbd" in data or found.findings
    control_characters(data)


def expression(data):
    """What compiles never raises; what does not has a fault with its place."""
    text = data.decode("utf-8", "replace")
    made, faults = compile_expression(text, Scope())
    assert (made is None) == bool(faults)
    assert all(0 <= fault.offset <= len(text) for fault in faults)
    if made is not None:
        made.evaluate(context(er7(msh(), "PID|1||7^^^H^MR||DOE^ANN")))


def channel(data):
    """A channel file is loaded, or every fault of it has a place."""
    with TemporaryDirectory() as name:
        config = Path(name)
        (config / "channels").mkdir()
        (config / "interop.toml").write_text('site = "fuzz"\n')
        (config / "channels" / "a.yaml").write_bytes(b"channel: a\n" + data)
        try:
            load_site(config, variables={})
        except ConfigurationError as error:
            faults = error.faults
        else:
            return
    assert faults


def batch(data):
    """Chunk borders do not matter, and a message is found whole in what was read."""
    whole = _read(BatchReader(), [data])
    assert whole == _read(
        BatchReader(), [data[at : at + 7] for at in range(0, len(data), 7)]
    )
    assert all(each in data for each in split_messages(data))


def answer(data):
    """No bytes but an answer that names the message take it."""
    try:
        code = judge(data, SENT)
    except DeliveryError:
        return
    assert code in {"AA", "CA"}
    assert SENT.control_id in data


def attachment(data):
    """An attachment is sent whole or refused with a cause."""
    kinds = ("application/pdf", "text/plain", "text/html", "")
    texts = (base64.b64encode(data).decode(), data.decode("latin-1"))
    for kind, text in itertools.product(kinds, texts):
        given = Attachment(Focus("urn:x", 0), {}, {"contentType": kind, "data": text})
        plain_text(given)
        try:
            body(given, SITE)
        except TransformError as error:
            cause = error.code
        else:
            continue
        assert cause


Target = Callable[[bytes], None]
TARGETS: Final[Mapping[str, Target]] = MappingProxyType(
    {
        each.__name__: each
        for each in (
            *(deframe, er7_message, escape, charset, expression, channel, batch),
            *(answer, attachment),
        )
    }
)


def timed(target: Target, data: bytes) -> None:
    """Run a target, and hold it to its time."""
    began = time.process_time()
    target(data)
    spent = time.process_time() - began
    allowed = SECONDS_PER_KB * (1 + len(data) / 1000)
    assert spent < max(allowed, 1.0), f"{len(data)} bytes took {spent:.2f} s"
