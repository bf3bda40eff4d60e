"""What the bytes of one block tell before anything reads them. Pure.

Nothing is decoded here but where a channel asks for it, and the usual message is looked
at in one pass.

Spec:
    protocol.md 3.1 to 3.3, the rows named beside the code.
"""

from collections.abc import Iterator
from typing import Final

from engine.channels.rules import Rules
from engine.hl7.acknowledgment import AckFault
from engine.hl7.charsets import codec_for, decode
from engine.hl7.header import BOM, Header

VERSIONS: Final = frozenset(
    {
        *("2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6"),
        *("2.7", "2.7.1", "2.8", "2.8.1", "2.8.2", "2.9"),
    }
)
REMARKS: Final = (
    "missing_cr",
    "byte_order_mark",
    "nul_byte",
    "control_char",
    "line_feed",
    "version_unknown",
)
"""What `remarks_on` says: stored with the message, counted when it is accepted."""
_CONTROLS: Final = bytes(set(range(32)) - set(b"\x00\r\n"))
_ODD: Final = _CONTROLS + b"\x00\n"
_MISREAD: Final = frozenset({"charset_mismatch", "charset_unknown"})

Fault = tuple[str, AckFault]
"""The stable cause for the error queue, and what the sender is told."""

UNFINISHED: Final = "frame-unfinished"
"""The cause of a block whose end is missing."""

SEVERAL: Final = "several-messages"
"""The cause of a block that holds more than one message."""


def remarks_on(body: bytes, header: Header, *, missing_cr: bool) -> tuple[str, ...]:
    """Return the remarks that only the bytes themselves allow."""
    if _is_usual(body, header) and not missing_cr:
        return ()
    present = (
        missing_cr,
        body.startswith(BOM),
        b"\0" in body,
        _has_controls(body, header),
        b"\n" in body,
        header.version not in VERSIONS,
    )
    return tuple(flag for flag, seen in zip(REMARKS, present, strict=True) if seen)


def _has_controls(body: bytes, header: Header) -> bool:
    """Whether control characters stand inside; E53: in ISO 2022 sets ESC is none."""
    if len(body.translate(None, _CONTROLS)) == len(body):
        return False
    codecs = [codec_for(name) or "" for name in header.charsets]
    if not any(codec.startswith("iso2022") for codec in codecs):
        return True
    return len(body.translate(None, _CONTROLS)) != len(body) - body.count(b"\x1b")


def _is_usual(body: bytes, header: Header) -> bool:
    """Whether there is nothing to remark, found in one pass over the bytes."""
    plain = len(body.translate(None, _ODD)) == len(body)
    return plain and header.version in VERSIONS and not body.startswith(BOM)


def fault_in(
    body: bytes, header: Header, flags: tuple[str, ...], rules: Rules
) -> Fault | None:
    """Return the first thing for which this channel refuses the bytes of a block."""
    return next(_faults(body, header, flags, rules), None)


def _faults(
    body: bytes, header: Header, flags: tuple[str, ...], rules: Rules
) -> Iterator[Fault]:
    yield from _flagged(flags, rules)
    if begins_again(body):
        fault = AckFault("100", text="one block holds several MSH segments")
        yield SEVERAL, fault
    yield from _beyond_limits(body, header, rules)
    if rules.quarantine_mismatch and not body.isascii():
        declared = [rules.charset] if rules.charset else header.charsets
        decoded = decode(body, declared, rules.charset_fallback)
        if any(finding.code in _MISREAD for finding in decoded.findings):
            text = "the bytes are not in the character set of MSH-18"
            yield "charset-mismatch", AckFault("199", location="MSH^1^18", text=text)


def _flagged(flags: tuple[str, ...], rules: Rules) -> Iterator[Fault]:
    """Give the remarks that this channel does not let pass."""
    if rules.frame_end_strict and "missing_cr" in flags:
        yield UNFINISHED, AckFault("100", text="the end block has no CR")
    if rules.reject_nul_bytes and "nul_byte" in flags:
        yield "nul-byte", AckFault("102", text="the message holds NUL bytes")
    if rules.reject_control_characters and "control_char" in flags:
        fault = AckFault("199", text="the message holds control characters")
        yield "control-character", fault
    if rules.profile_strict and "line_feed" in flags:
        fault = AckFault("100", text="segments are not terminated by CR alone")
        yield "segment-terminator", fault


def begins_again(body: bytes) -> bool:
    """E77: whether a second MSH with the separator of the first follows."""
    if body.find(b"\rMSH") < 0 and body.find(b"\nMSH") < 0:
        return False
    start = len(BOM) if body.startswith(BOM) else 0
    again = b"MSH" + body[start + 3 : start + 4]
    return b"\r" + again in body or b"\n" + again in body


# ---- E78, limits


def _beyond_limits(body: bytes, header: Header, rules: Rules) -> Iterator[Fault]:
    """Give what there is too much of.

    A message shorter than a limit cannot pass it, so the usual one is not counted.
    """
    size = len(body)
    if size > rules.max_segments:
        ends = body.count(b"\r") or body.count(b"\n")
        if ends > rules.max_segments:
            text = f"the message has more than {rules.max_segments} segments"
            yield "too-many-segments", AckFault("198", text=text)
    if size > rules.max_repetitions:
        marks = _repetition_marks(body, header, rules)
        if marks > rules.max_repetitions:
            text = f"the message has more than {rules.max_repetitions} repetitions"
            yield "too-many-repetitions", AckFault("198", text=text)
    if rules.max_field is not None and _has_longer(body, header, rules.max_field):
        text = f"a field is longer than {rules.max_field} bytes"
        yield "field-too-long", AckFault("104", text=text)


def _repetition_marks(body: bytes, header: Header, rules: Rules) -> int:
    """Return how often fields repeat; a byte of a double-byte character is no mark."""
    mark = header.delimiters.repetition
    found = body.count(mark.encode()) if mark else 0
    if found <= rules.max_repetitions or body.isascii():
        return found
    declared = [rules.charset] if rules.charset else header.charsets
    return decode(body, declared, rules.charset_fallback).text.count(mark)


def _has_longer(body: bytes, header: Header, most: int) -> bool:
    """Whether a run without a separator is longer than ``most``, looked at in leaps."""
    mark, start = header.delimiters.field.encode(), 0
    while len(body) - start > most:
        end = start + most + 1
        last = max(body.rfind(each, start, end) for each in (mark, b"\r", b"\n"))
        if last < 0:
            return True
        start = last + 1
    return False
