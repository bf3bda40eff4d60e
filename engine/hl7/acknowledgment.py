"""Acknowledgments: which one is due, how it is written, what one received says.

Spec:
    protocol.md section 4, the ACK decision table; HL7 v2.9 chapter 2, 2.9 and 2.13.1.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from engine.hl7.batch import Opening
from engine.hl7.conformance import CONDITIONS as FINDING_CONDITIONS
from engine.hl7.conformance import Finding
from engine.hl7.delimiters import STANDARD, Delimiters
from engine.hl7.dictionary import DEFAULT_VERSION
from engine.hl7.escapes import decode, encode
from engine.hl7.header import Header, read_header
from engine.hl7.message import parse
from engine.hl7.segment import Segment

__all__ = [
    "CODES",
    "AckFault",
    "Answer",
    "Header",
    "Mode",
    "Verdict",
    "acknowledge",
    "acknowledge_batch",
    "fault_for",
    "is_acknowledgment",
    "is_wanted",
    "missing_fields",
    "mode_of",
    "parse_acknowledgment",
    "read_header",
]

MAX_FAULTS: Final = 20
_MAX_TEXT: Final = 80
_POSITIVE: Final = frozenset({"AA", "CA"})

CONDITIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "100": "Segment sequence error",
        "101": "Required field missing",
        "102": "Data type error",
        "103": "Table value not found",
        "104": "Value too long",
        "198": "Non-Conformant Cardinality",
        "199": "Other HL7 Error",
        "200": "Unsupported message type",
        "201": "Unsupported event code",
        "202": "Unsupported processing id",
        "203": "Unsupported version id",
        "204": "Unknown key identifier",
        "205": "Duplicate key identifier",
        "206": "Application record locked",
        "207": "Application error",
    }
)
"""HL7 table 0357, message error condition codes."""


class Mode(StrEnum):
    """The two acknowledgment modes."""

    ORIGINAL = "original"
    ENHANCED = "enhanced"


class Verdict(StrEnum):
    """What became of a message, as far as an answer can tell it."""

    ACCEPTED = "accepted"
    """Stored durably, or processed where the sender waits for that."""
    REFUSED = "refused"
    """Readable, and not taken here: type, event, processing id, version, sender."""
    BROKEN = "broken"
    """Unreadable, out of sequence, too large, or it could not be stored."""
    FAILED = "failed"
    """Taken, and then its processing failed."""


CODES: Final[Mapping[tuple[Verdict, Mode], str]] = MappingProxyType(
    {
        (Verdict.ACCEPTED, Mode.ORIGINAL): "AA",
        (Verdict.ACCEPTED, Mode.ENHANCED): "CA",
        (Verdict.REFUSED, Mode.ORIGINAL): "AR",
        (Verdict.REFUSED, Mode.ENHANCED): "CR",
        (Verdict.BROKEN, Mode.ORIGINAL): "AR",
        (Verdict.BROKEN, Mode.ENHANCED): "CE",
        (Verdict.FAILED, Mode.ORIGINAL): "AE",
        (Verdict.FAILED, Mode.ENHANCED): "AE",
    }
)
"""MSA-1 by verdict and mode."""


@dataclass(frozen=True, slots=True)
class AckFault:
    """One ERR segment. ``text`` is ASCII and never holds a value of the message.

    Attributes:
        code: HL7 table 0357.
        severity: HL7 table 0516: E, F, W or I.
        location: ``MSH^1^9`` (segment, its occurrence, field, ...), or empty.
        text: one sentence for a person.
        application_code: HL7 table 0533, or empty.
    """

    code: str
    severity: str = "E"
    location: str = ""
    text: str = ""
    application_code: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered; texts are decoded and may hold patient data."""

    code: str
    control_id: str
    errors: tuple[AckFault, ...] = ()
    text: str = ""
    sequence: str = ""

    @property
    def positive(self) -> bool:
        """Whether MSA-1 is AA or CA."""
        return self.code in _POSITIVE

    def acknowledges(self, header: Header) -> bool:
        """Whether MSA-2 names the message of ``header``, escapes apart."""
        sent = header.control_id.decode("latin-1")
        return bool(sent) and decode(sent, header.delimiters) == self.control_id


def mode_of(header: Header | None, ack_mode: str = "from-message") -> Mode:
    """Return the mode to answer in.

    Args:
        header: MSH of the message; None where it could not be read.
        ack_mode: the channel's ``mllp.ack-mode``; ``from-message`` means MSH-15 and 16.
    """
    if ack_mode != "from-message":
        return Mode(ack_mode)
    enhanced = header is not None and (header.raw(15) or header.raw(16))
    return Mode.ENHANCED if enhanced else Mode.ORIGINAL


def is_wanted(condition: str, *, positive: bool, when_empty: str = "NE") -> bool:
    """Whether a sender wants to hear an answer.

    Args:
        condition: MSH-15 or MSH-16, HL7 table 0155; an unknown one means always.
        positive: whether the answer would be AA or CA.
        when_empty: the channel's ``mllp.enhanced-empty``.
    """
    known = {"NE": False, "ER": not positive, "SU": positive}
    return known.get(condition or when_empty, True)


def is_acknowledgment(header: Header) -> bool:
    """Whether the message is itself an acknowledgment, which is never answered."""
    return header.message_type == "ACK"


def missing_fields(header: Header) -> list[AckFault]:
    """Return one fault for each of MSH-9 and MSH-10 that was not sent."""
    return [
        AckFault("101", location=f"MSH^1^{number}", text=f"MSH-{number} is missing")
        for number in (9, 10)
        if not header.raw(number)
    ]


def fault_for(finding: Finding) -> AckFault:
    """Return a finding as the ERR segment with which a strict channel rejects it.

    Examples:
        >>> fault_for(Finding("field_required", "PID[1]-3")).location
        'PID^1^3'
    """
    code = FINDING_CONDITIONS.get(finding.code, "199")
    location = re.sub(r"[-.\[\]]+", "^", finding.path)
    return AckFault(code, location=location, text=finding.code.replace("_", " "))


def acknowledge(  # noqa: PLR0913 - what MSH, MSA and ERR say comes from six places
    header: Header | None,
    code: str,
    *,
    now: datetime,
    control_id: str,
    errors: Sequence[AckFault] = (),
    text: str = "",
    sequence: str = "",
) -> bytes:
    """Return the acknowledgment of a message, in the sender's own delimiters.

    Args:
        header: MSH of the message; None where it could not be read.
        code: MSA-1.
        now: MSH-7, aware.
        control_id: MSH-10 of the acknowledgment itself, unique.
        errors: one ERR segment each, the first 20.
        text: MSA-3, where the version still has it; otherwise the first fault's.
        sequence: MSA-4, on links that agreed on the sequence protocol.
    """
    marks = header.delimiters if header else STANDARD
    version = (header.version if header else "") or DEFAULT_VERSION
    echoed = header.control_id if header else b""
    faults = errors[:MAX_FAULTS]
    if version < "2.5" and faults:
        text = text or faults[0].text
    msa = [_plain(code, marks), echoed, _plain(text[:_MAX_TEXT], marks), b"", b"", b""]
    msa[3] = _plain(sequence, marks)
    if version < "2.7" and faults:
        msa[5] = _condition(faults[0], marks)
    segments = [
        _msh(header, marks, f"{now:%Y%m%d%H%M%S%z}", control_id),
        [b"MSA", *(msa if version < "2.7" else [*msa[:2], b"", msa[3]])],
        *([b"ERR", *_err(fault, marks, version)] for fault in faults),
    ]
    mark = marks.field.encode()
    return b"".join(mark.join(each).rstrip(mark) + b"\r" for each in segments)


def acknowledge_batch(
    opening: Opening, answers: Sequence[bytes], *, now: datetime, control_id: str
) -> bytes:
    """Return a batch of acknowledgments; BHS-12 names the batch they answer.

    Args:
        opening: BHS of the batch received.
        answers: acknowledgments of its messages: all of them, or the errors only.
        now: BHS-7, aware.
        control_id: BHS-11 of the answer itself, unique; plain ASCII.
    """
    mark = opening.segment[3:4]
    fields = [b"BHS", opening.raw(2), *map(opening.raw, (5, 6, 3, 4))]
    fields += [f"{now:%Y%m%d%H%M%S%z}".encode(), b"", b"", b""]
    fields += [control_id.encode("ascii"), opening.control_id]
    trailer = [b"BTS", str(len(answers)).encode()]
    return b"".join([mark.join(fields), b"\r", *answers, mark.join(trailer), b"\r"])


def parse_acknowledgment(data: bytes) -> Answer:
    """Return what an acknowledgment says; code ``""`` where it has no MSA.

    Raises:
        ParseError: the bytes are no HL7 message.
    """
    message = parse(data)
    msa = message.first("MSA") or message.new_segment("MSA")
    faults = [_read_fault(err) for err in message.all("ERR")]
    if not faults and msa.text(6):
        faults = [AckFault(msa.text(6), text=msa.text(6, 2))]
    control_id = decode(msa.raw(2), msa.delimiters, message.charset)
    return Answer(msa.text(1), control_id, tuple(faults), msa.text(3), msa.text(4))


def _read_fault(err: Segment) -> AckFault:
    if not err.raw(3):  # before 2.5, all in ERR-1: segment^sequence^field^code&text
        places = [err.text(1, component) for component in (1, 2, 3)]
        return AckFault(
            err.text(1, 4),
            location="^".join(place for place in places if place),
            text=err.text(1, 4, 2),
        )
    return AckFault(
        code=err.text(3),
        severity=err.text(4) or "E",
        location=err.raw(2).replace(err.delimiters.component, "^"),
        text=err.text(8) or err.text(7) or err.text(3, 2),
        application_code=err.text(5),
    )


def _msh(
    header: Header | None, marks: Delimiters, time: str, control_id: str
) -> list[bytes]:
    fields = [b"MSH", marks.encoding_characters.encode(), *[b""] * 16]
    fields[6] = time.encode()
    fields[8] = b"ACK"
    fields[9] = _plain(control_id, marks)
    fields[10:12] = b"P", DEFAULT_VERSION.encode()
    if header:
        event = header.trigger_event.encode("latin-1")
        if event and (header.version or DEFAULT_VERSION) >= "2.4":
            fields[8] = marks.component.encode().join([b"ACK", event, b"ACK"])
        fields[2:6] = header.raw(5), header.raw(6), header.raw(3), header.raw(4)
        fields[10:12] = header.raw(11), header.raw(12)
        fields[17] = header.raw(18)
    return fields


def _err(fault: AckFault, marks: Delimiters, version: str) -> list[bytes]:
    """Return ERR-1 and what follows it."""
    component = marks.component.encode()
    places = [_plain(place, marks) for place in fault.location.split("^")]
    condition = _condition(fault, marks)
    if version < "2.5":
        code = condition.replace(component, marks.subcomponent.encode())
        return [component.join([*places, *[b""] * (3 - len(places)), code])]
    application = _plain(fault.application_code, marks)
    if application:
        application = component.join([application, b"", b"HL70533"])
    return [
        b"",
        component.join(places),
        condition,
        _plain(fault.severity, marks),
        application,
        b"",
        b"",
        _plain(fault.text, marks),
    ]


def _condition(fault: AckFault, marks: Delimiters) -> bytes:
    """Return the table 0357 code as CWE."""
    parts = (fault.code, CONDITIONS.get(fault.code, ""), "HL70357")
    return marks.component.encode().join(_plain(part, marks) for part in parts)


def _plain(text: str, marks: Delimiters) -> bytes:
    """Return text of ours, escaped; spaces where the sender knows no escape."""
    if not text or (text.isascii() and text.isalnum()):
        return text.encode()
    if not marks.escape:
        used = marks.field + marks.encoding_characters
        text = text.translate(dict.fromkeys(map(ord, used), " "))
    return encode(text, marks).encode("ascii", "replace")
