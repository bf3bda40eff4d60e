"""What one event off the wire is worth: kept how, answered how. Pure.

Spec:
    protocol.md sections 3.1, 3.2 and 4, the rows named beside the code.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from engine.channels.batches import EMPTY
from engine.channels.content import (
    UNFINISHED,
    VERSIONS,
    begins_again,
    fault_in,
    remarks_on,
)
from engine.channels.rules import Rules
from engine.errors import ParseError
from engine.hl7.acknowledgment import (
    CODES,
    AckFault,
    Header,
    Mode,
    Verdict,
    is_acknowledgment,
    is_wanted,
    missing_fields,
    mode_of,
    read_header,
)
from engine.hl7.batch import split_messages
from engine.hl7.delimiters import STANDARD
from engine.hl7.framing import Block, Event, Fragment, Junk

COMMIT_BLOCKS: Final = frozenset({b"\x06", b"\x15"})
XML_MARK: Final = b"<MSH>"
"""Stands for ``MSH`` in the header of a message in v2.xml: it is answered likewise."""

UNSOLICITED: Final = "unsolicited_ack"
_XML_HEAD: Final = 65_536
_XML_CONTROL_ID: Final = re.compile(rb"<MSH\.10\s*>([^<]{1,500})</MSH\.10\s*>")


class Kept(StrEnum):
    """Where an event ends."""

    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"
    COUNTED = "counted"
    """Not stored: there is nothing in it that a sender could miss."""


@dataclass(frozen=True, slots=True)
class TooLong:
    """The start of a message over the size limit; the rest is not kept anywhere."""

    head: bytes


@dataclass(frozen=True, slots=True)
class Heard:
    """One event, judged.

    Attributes:
        kept: where it ends.
        verdict: what the answer says, before the sender's mode gives it a code.
        data: the bytes to journal, as received.
        header: MSH; None where it could not be read.
        faults: one ERR segment each.
        cause: the stable word for the error queue; empty when accepted.
        flags: named remarks that never block by themselves.
        unreadable: it had no MSH at all; ten of those in a row close the connection.
        silent: it cannot be answered, or must not be.
    """

    kept: Kept
    verdict: Verdict
    data: bytes
    header: Header | None = None
    faults: tuple[AckFault, ...] = ()
    cause: str = ""
    flags: tuple[str, ...] = ()
    unreadable: bool = False
    silent: bool = False


def hear(event: Event | TooLong, rules: Rules) -> Heard:
    """Judge one event off the wire."""
    match event:
        case Block(body, missing_cr):
            return _hear_block(body, missing_cr, rules)
        case Fragment(body):
            return _hear_fragment(body)
        case Junk(body):
            return _counted(body, "interframe_bytes")
        case TooLong(head):
            return _hear_too_long(head)


def answer_code(heard: Heard, rules: Rules) -> str:
    """Return MSA-1 for what was heard; ``""`` where silence is right.

    MSH-15 NE with MSH-16 AL asks for one application answer and no accept answer,
    which is the original mode in other words: it is answered as such.
    """
    header = heard.header
    if heard.silent or heard.kept is Kept.COUNTED:
        return ""
    if header is None or not header.control_id:
        return CODES[heard.verdict, Mode.ORIGINAL]
    if mode_of(header, rules.ack_mode) is Mode.ORIGINAL:
        return CODES[heard.verdict, Mode.ORIGINAL]
    positive = heard.verdict is Verdict.ACCEPTED
    forced = not header.accept_ack and not header.application_ack
    empty = "AL" if forced else rules.enhanced_empty
    if is_wanted(header.accept_ack, positive=positive, when_empty=empty):
        return CODES[heard.verdict, Mode.ENHANCED]
    if is_wanted(header.application_ack, positive=positive, when_empty="NE"):
        return CODES[heard.verdict, Mode.ORIGINAL]
    return ""


def refusal_code(heard: Heard, rules: Rules) -> str:
    """Return MSA-1 for a message that only the journal can see must be refused."""
    return answer_code(replace(heard, verdict=Verdict.BROKEN), rules)


def parts(event: Event | TooLong, rules: Rules) -> list[Event | TooLong]:
    """Return the messages of one event, each as its own (E77); mostly there is one."""
    if isinstance(event, Block) and rules.split and begins_again(event.body):
        *first, last = split_messages(event.body)
        return [*map(Block, first), Block(last, event.missing_cr)]
    return [event]


def empty_batch(body: bytes, *, agrees: bool) -> Heard:
    """Return what a batch without messages is worth; E74 where it should have some."""
    if not agrees:
        fault = AckFault("100", text="the batch is not what its trailer says")
        return _broken(body, "batch-count-mismatch", fault)
    return Heard(Kept.ACCEPTED, Verdict.ACCEPTED, body, flags=(EMPTY,))


def _counted(data: bytes, cause: str) -> Heard:
    return Heard(Kept.COUNTED, Verdict.BROKEN, data, cause=cause, silent=True)


def _broken(
    data: bytes, cause: str, fault: AckFault, header: Header | None = None
) -> Heard:
    return Heard(
        Kept.QUARANTINED, Verdict.BROKEN, data, header, faults=(fault,), cause=cause
    )


def _hear_fragment(body: bytes) -> Heard:
    """E08: an unfinished block is answered only if it can be named."""
    if not body:
        return _counted(body, "interframe_bytes")
    fault = AckFault("100", text="the end block is missing")
    header = _readable_header(body)
    named = header is not None and bool(header.control_id)
    return replace(_broken(body, UNFINISHED, fault, header), silent=not named)


def _hear_too_long(head: bytes) -> Heard:
    """E19: header and size only are kept; answered if MSH-10 was seen."""
    header = _readable_header(head) if b"\r" in head else None
    fault = AckFault("104", text="the message is longer than this listener takes")
    named = header is not None and bool(header.control_id)
    kept = head[: head.find(b"\r") + 1] if header else b""
    return replace(_broken(kept, "too-large", fault, header), silent=not named)


def _readable_header(data: bytes) -> Header | None:
    try:
        return read_header(data)
    except ParseError:
        return None


def _hear_block(body: bytes, missing_cr: bool, rules: Rules) -> Heard:  # noqa: FBT001 - it is the block's own field
    if not body:
        fault = AckFault("100", text="the block is empty")
        return replace(_broken(body, "frame-empty", fault), unreadable=True)
    if body in COMMIT_BLOCKS:
        return _counted(body, "commit_block")
    if body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        return _hear_xml(body)
    try:
        header = read_header(body)
    except ParseError as error:
        fault = AckFault(error.code, location=error.location, text=str(error))
        return replace(_broken(body, "frame-unreadable", fault), unreadable=True)
    flags = remarks_on(body, header, missing_cr=missing_cr)
    heard = _against(fault_in(body, header, flags, rules), body, header)
    heard = heard or _header_verdict(body, header, rules)
    return replace(heard, flags=flags) if flags else heard


def _hear_xml(body: bytes) -> Heard:
    """E30: the name is found by a bounded scan; only the worker runs an XML parser."""
    found = _XML_CONTROL_ID.search(body, 0, _XML_HEAD)
    if found is None:
        fault = AckFault("101", location="MSH^1^10", text="XML without MSH.10")
        return replace(_broken(body, "frame-unreadable", fault), unreadable=True)
    fields = [XML_MARK, STANDARD.encoding_characters.encode(), *[b""] * 7, found[1]]
    header = Header(STANDARD, fields)
    return Heard(Kept.ACCEPTED, Verdict.ACCEPTED, body, header, flags=("xml",))


def _against(
    fault: tuple[str, AckFault] | None, body: bytes, header: Header
) -> Heard | None:
    return _broken(body, fault[0], fault[1], header) if fault else None


def _header_verdict(body: bytes, header: Header, rules: Rules) -> Heard:
    """Judge a message by its readable MSH."""
    if is_acknowledgment(header) and not _answered_anyway(header, rules):
        return replace(_counted(body, UNSOLICITED), header=header)
    missing = missing_fields(header)
    if rules.accept_without_control_id:
        missing = [fault for fault in missing if fault.location != "MSH^1^10"]
    if missing:
        broken = _broken(body, "header-field-missing", missing[0], header)
        return replace(broken, faults=tuple(missing))
    refusal = _refusal(header, rules)
    if refusal is None:
        return Heard(Kept.ACCEPTED, Verdict.ACCEPTED, body, header)
    cause, fault = refusal
    return replace(_broken(body, cause, fault, header), verdict=Verdict.REFUSED)


def _answered_anyway(header: Header, rules: Rules) -> bool:
    """E44: an application acknowledgment that asks for an accept acknowledgment."""
    return rules.acknowledge_application_acks and bool(header.accept_ack)


def _refusal(header: Header, rules: Rules) -> tuple[str, AckFault] | None:
    """Return why a readable message is not taken by this channel."""
    if rules.types and not _takes(header, rules):
        return _type_refusal(header, rules)
    if rules.trusted and (header.part(3), header.part(4)) not in rules.trusted:
        fault = AckFault("199", location="MSH^1^3", text="this sender is not taken")
        return "sender-not-trusted", fault
    processing_id = header.processing_id
    if processing_id and processing_id not in rules.processing_ids:
        fault = AckFault(
            "202", location="MSH^1^11", text="this processing id is not taken here"
        )
        return "processing-id", fault
    if rules.profile_strict and header.version not in VERSIONS:
        fault = AckFault("203", location="MSH^1^12", text="unknown version")
        return "version", fault
    return None


def _takes(header: Header, rules: Rules) -> bool:
    kind = header.message_type
    return kind in rules.types or f"{kind}^{header.trigger_event}" in rules.types


def _type_refusal(header: Header, rules: Rules) -> tuple[str, AckFault]:
    """E45: 200 for a type that is not taken at all, 201 for another event of one."""
    starts = f"{header.message_type}^"
    if any(taken.startswith(starts) for taken in rules.types):
        text = "this trigger event is not taken here"
        return "trigger-event", AckFault("201", location="MSH^1^9", text=text)
    text = "this message type is not taken here"
    return "message-type", AckFault("200", location="MSH^1^9", text=text)
