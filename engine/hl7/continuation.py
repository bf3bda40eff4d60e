"""Messages sent in fragments: DSC says that more follows, ADD continues a segment.

Spec:
    protocol.md E70 to E72; HL7 v2.9 chapter 2, 2.10.2 Continuation messages and
    segments.
"""

from collections.abc import Sequence
from typing import Final

_FRAGMENT: Final = b"F"
"""DSC-2, table 0398: another fragment follows; with I, an asker goes on at its wish."""


def pointer(data: bytes, *, told: bool = False) -> bytes:
    """Return DSC-1, which MSH-14 of the next fragment repeats; ``b""`` if none follows.

    Only the last segment is looked at.

    Args:
        data: one message.
        told: whether DSC-2 must say that it is a fragment. In a query, DSC alone says
            where an earlier answer is to be continued.
    """
    if b"DSC" not in data:
        return b""
    end = len(data.rstrip(b"\r\n"))
    start = 1 + max(data.rfind(b"\r", 0, end), data.rfind(b"\n", 0, end))
    if data[start : start + 4] != b"DSC" + data[3:4]:
        return b""
    fields = data[start:end].split(data[3:4])
    style = fields[2] if len(fields) > 2 else b""  # noqa: PLR2004 - DSC-2
    return fields[1] if style == _FRAGMENT or not (style or told) else b""


def is_continued(data: bytes) -> bool:
    """Whether a message has an ADD segment, so that it is to be joined even alone."""
    mark = data[3:4]
    return b"ADD" in data and any(
        start + b"ADD" + end in data
        for start in (b"\r", b"\n")
        for end in (mark, b"\r", b"\n")
    )


def join(fragments: Sequence[bytes]) -> bytes:
    """Return the message that was sent in fragments, segments ended by CR.

    The first fragment's MSH stays, without what DSC and the other MSH say. What follows
    ``ADD|`` continues the segment before it, character by character, within a fragment
    and from one to the next; an ADD with nothing in it only announces that.

    Args:
        fragments: at least one, in order, all with the same delimiters.
    """
    mark = fragments[0][3:4]
    segments: list[bytes] = []
    for place, fragment in enumerate(fragments):
        goes_on = bool(pointer(fragment))
        for line in _lines(fragment)[1 if place else 0 :]:
            if line == b"ADD" or line.startswith(b"ADD" + mark):
                segments[-1] += line[4:]
            elif not (goes_on and line.startswith(b"DSC" + mark)):
                segments.append(line)
    return b"".join(segment + b"\r" for segment in segments)


def _lines(fragment: bytes) -> list[bytes]:
    """Return its segments; LF ends them only in a message without CR (E33)."""
    end = b"\r" if b"\r" in fragment else b"\n"
    return [line for raw in fragment.split(end) if (line := raw.strip(b"\r\n"))]
