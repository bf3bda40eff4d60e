"""HL7 v2 messages of our own: what a decision about two numbers means to a receiver.

Spec:
    identity.md 8, "What a decision sends out"; HL7 v2.5.1 chapter 3, events A24, A31,
    A37 and A40.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from engine.errors import TransformError
from engine.hl7 import Message, Segment
from engine.hl7.charsets import encode
from engine.identity.corrections import What

_STRUCTURES: Final[Mapping[What, str]] = MappingProxyType(
    {
        What.MERGE: "ADT_A39",
        What.LINK: "ADT_A24",
        What.UNLINK: "ADT_A37",
        What.UPDATE: "ADT_A05",
    }
)
_OF_ONE_MESSAGE: Final = (13, 14)
"""Sequence number and continuation pointer of the message that MSH is taken from."""


def notice(
    what: What, pid: Segment, other: Segment | None, base: Message, control_id: str
) -> list[str]:
    """Return the segments of a notice after MSH and EVN.

    Args:
        what: which notice.
        pid: the PID of the number that stays or is spoken of.
        other: the PID of the second number.
        base: the message that MSH is taken from; its delimiters are used.
        control_id: of the notice.

    Raises:
        TransformError: the two numbers are written with different delimiters.
    """
    mark = base.delimiters.field
    if other is not None and other.delimiters != pid.delimiters:
        raise TransformError(
            f"{control_id}: the two messages use different delimiters", "delimiters"
        )
    if what is What.UPDATE or other is None:
        return [pid.encoded, mark.join(("PV1", "1", "N"))]
    if what is What.MERGE:
        prior = ["MRG", other.raw(3), *[""] * 5, other.raw(5)]
        return [pid.encoded, mark.join(prior).rstrip(mark)]
    second = other.copy()
    second.put(1, "2")
    return [pid.encoded, second.encoded]


def written(
    what: What, base: Message, segments: list[str], control_id: str, at: datetime
) -> bytes:
    """Return a notice as bytes, in the words and the charset of the base message."""
    header, mark = base.segments[0].copy(), base.delimiters.field
    when = at.astimezone(UTC).strftime("%Y%m%d%H%M%S+0000")
    component = base.delimiters.component
    header.put(7, when)
    header.put(9, component.join(("ADT", what.value, _STRUCTURES[what])))
    header.put(10, control_id)
    for number in _OF_ONE_MESSAGE:
        if header.raw(number):
            header.put(number, "")
    event = mark.join(("EVN", what.value, when))
    text = "\r".join([header.encoded, event, *segments]) + "\r"
    return encode(text, base.charset, "error")
