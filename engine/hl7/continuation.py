"""Messages sent in fragments: DSC says that more follows, ADD continues a segment.

Spec:
    protocol.md E70 to E72; HL7 v2.9 chapter 2, 2.10.2 Continuation messages and
    segments.
"""

import re
from collections.abc import Sequence
from typing import Final

_LINE_END: Final = re.compile(rb"[\r\n]+")


def pointer(data: bytes) -> bytes:
    """Return DSC-1, which MSH-14 of the next fragment repeats; ``b""`` if none follows.

    Only the last segment is looked at.
    """
    end = len(data.rstrip(b"\r\n"))
    start = 1 + max(data.rfind(b"\r", 0, end), data.rfind(b"\n", 0, end))
    if data[start : start + 4] != b"DSC" + data[3:4]:
        return b""
    return data[start:end].split(data[3:4])[1]


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
        lines = [line for line in _LINE_END.split(fragment) if line]
        for line in lines[1 if place else 0 :]:
            if line == b"ADD" or line.startswith(b"ADD" + mark):
                segments[-1] += line[4:]
            elif not line.startswith(b"DSC" + mark):
                segments.append(line)
    return b"".join(segment + b"\r" for segment in segments)
