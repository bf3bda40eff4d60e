"""F18: what must hold for any bytes at all, one function for each reader of bytes.

Each target takes bytes, raises AssertionError where an oracle is broken, and lets every
exception through that is not declared: hypothesis and atheris run the same functions.
"""

import base64
import itertools
import time
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, Final

import orjson
from lxml import html

from engine.channels.destinations.mllp import judge
from engine.channels.fhir_answers import (
    batch_failure,
    held_in,
    outcome_in_words,
    read,
    statuses,
)
from engine.channels.format.load import load_site
from engine.channels.patient_feed import (
    CARRIER,
    MOST_BYTES,
    Form,
    asked_for,
    opened,
)
from engine.channels.patient_feed import enclosed as enclosed_patient
from engine.channels.patient_pid import traits_in
from engine.console.fhir_api.answers import Refusal
from engine.console.fhir_api.match import parameters_in
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
from engine.identity.traits import traits_of
from engine.transforms.ccda import incoming
from engine.transforms.ccda.attachments import Attachment, body, plain_text
from engine.transforms.ccda.elements import HL7
from engine.transforms.ccda.enclosing import carried
from engine.transforms.ccda.facts import Focus
from engine.transforms.ccda.reading import read_document
from engine.transforms.ccda.viewing import ELEMENTS, STYLES, to_html, to_lines
from engine.transforms.expressions import compile_expression
from engine.transforms.fhir.bundle import write_json
from engine.transforms.fhir.exchange import onto
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.xml_form import from_xml
from engine.transforms.scope import Scope
from tests.builders import er7, msh
from tests.ccda_facts import SITE
from tests.channel_files import context
from tests.fakes import NOON
from tests.fed_patients import ANN, SYSTEM

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


def cda(data):
    """A document that came in is refused with a cause, or shown with nothing live."""
    whole = data.startswith((b"<", b"PK"))
    content = data if whole else _DOCUMENT % data
    try:
        for each in split_messages(carried(content, NOON)) or [content]:
            message = incoming.opened(parse(each))
            assert parse(message.encode()).encode() == message.encode()
            traits = [traits_of(pid) for pid in message.all("PID")]
            assert len(traits) <= 1
        root = read_document(content)
    except (ParseError, TransformError):
        return
    _shown(root)


def _shown(root):
    """A page and lines of a document hold nothing live."""
    for element in html.document_fromstring(to_html(root)).iter():
        assert element.tag in SHOWN
        assert SHOWN_WITH.issuperset(element.attrib)
    lines = "".join(line for _, line in to_lines(root))
    assert not _HIDING.intersection(map(unicodedata.category, lines))
    assert not _TURNING.intersection(map(unicodedata.bidirectional, lines))


_DOCUMENT: Final = b'<ClinicalDocument xmlns="%s">%%s</ClinicalDocument>' % HL7.encode()
_HIDING: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_TURNING: Final = frozenset(
    ("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI")
)
SHOWN: Final = frozenset(
    (*ELEMENTS.values(), *STYLES.values(), "html", "head", "meta", "title", "body")
) | {"h1", "h2", "h3", "h4", "h5", "h6", "div", "pre", "br", "ul", "ol", "u", "span"}
SHOWN_WITH: Final = frozenset(
    ("border", "cellspacing", "cellpadding", "colspan", "rowspan")
) | {"charset", "http-equiv", "content"}


def fhir_json(data):
    """A Patient fed is kept whole; what a server or a client sends breaks nothing."""
    content = data if data[:1] in {b"{", b"["} else _PATIENT % data
    _source_feeds(content, Form.JSON)
    _client_sends(content)
    _server_answers(content)


def fhir_xml(data):
    """A Patient fed in XML is kept whole, and read or refused with a cause."""
    content = data if data.startswith(b"<") else _PATIENT_XML % data
    _source_feeds(content, Form.XML)
    try:
        found = from_xml(content, MOST_BYTES)
    except TransformError:
        return
    assert orjson.loads(write_json(found)) is not None


_PATIENT: Final = b'{"resourceType":"Patient",%s}'
_PATIENT_XML: Final = b'<Patient xmlns="http://hl7.org/fhir">%s</Patient>'


def _source_feeds(content, form):
    """The message holds every byte; it has a patient, or the reason why it has none."""
    about = asked_for(f"{SYSTEM}|1")
    assert about is not None
    kept = enclosed_patient(content, about, NOON, "C1", form)
    message = parse(kept.message)
    [carrier] = message.all(CARRIER)
    assert base64.b64decode(carrier.text(3, 5)) == content
    try:
        pid, refusal = opened(message).first("PID"), ""
    except TransformError as error:
        pid, refusal = None, str(error)
    assert refusal == kept.refusal
    assert refusal or pid is not None
    if pid is not None:
        traits_of(pid)


def _client_sends(content):
    """A question is refused with a cause, or has traits."""
    try:
        asked = orjson.loads(content)
    except orjson.JSONDecodeError:
        return
    if not isinstance(asked, dict):
        return
    try:
        patient, _, count = parameters_in(asked)
    except Refusal:
        return
    assert count > 0
    traits_in(patient)


def _server_answers(content):
    """An answer has a meaning or a declared error; what a server has can be told it."""
    outcome_in_words(content)
    batch_failure(content)
    with suppress(DeliveryError):
        statuses(content)
    found = read(content)
    entry = {"resource": {**found, "resourceType": "Patient"}}
    searchset = {"type": "searchset", "entry": [entry]}
    with suppress(DeliveryError):
        held = held_in(searchset, "Patient?identifier=1")
        assert held is not None
        ours: Element = {"resourceType": "Patient", **ANN}
        told = onto(held, ours, frozenset({"name", "gender"}), {})
        assert orjson.loads(write_json(told))["gender"] == ANN["gender"]
    with suppress(DeliveryError):
        held_in(found, "Patient?identifier=1")


Target = Callable[[bytes], None]
TARGETS: Final[Mapping[str, Target]] = MappingProxyType(
    {
        each.__name__: each
        for each in (
            *(deframe, er7_message, escape, charset, expression, channel, batch),
            *(answer, attachment, cda, fhir_json, fhir_xml),
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
