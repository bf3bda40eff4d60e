"""A stored message as somebody edits it: its text, and the bytes that come of it.

Spec:
    console.md S4 (edit and resend).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from engine.console.queries.message_story import Difference, differences
from engine.errors import ParseError, TransformError
from engine.hl7 import parse
from engine.hl7.acknowledgment import read_header
from engine.hl7.charsets import codec_for, encode

READS_ALL: Final = "iso8859-1"
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_FRAME: Final = "\x0b\x1c\r\n"


@dataclass(frozen=True, slots=True)
class Edit:
    """What was typed over a message; ``complaint`` says why it cannot be sent.

    ``data`` are the bytes that would be journaled.
    """

    data: bytes = b""
    differences: tuple[Difference, ...] = ()
    complaint: str = ""


def text_of(data: bytes) -> str:
    """Return a message as one edits it: a segment on a line.

    Encoded as it was read it gives the same bytes, but for its line ends.
    """
    return _LINE_END.sub("\n", data.decode(_codec(data), "replace").strip(_FRAME))


def is_editable(data: bytes) -> bool:
    """Whether an edit leaves alone what nobody touched.

    It does not where bytes are in no character set that the message says it is in.
    """
    try:
        return _bytes(text_of(data), _codec(data)) == _plain(data)
    except TransformError:
        return False


def edit_of(original: bytes, typed: str) -> Edit:
    """Return what typed text makes of a message.

    It keeps the character set it came in, unless MSH-18 was changed.
    """
    text = _LINE_END.sub("\n", typed).strip(_FRAME)
    try:
        data = _bytes(text, _wanted(original, text))
    except TransformError as error:
        return Edit(complaint=f"Its text does not fit MSH-18: {error}.")
    if data == _plain(original):
        return Edit(data, complaint="Nothing is changed yet.")
    return Edit(data, tuple(_changes(original, data)))


def _plain(data: bytes) -> bytes:
    """Return a message with every segment ended by CR and no frame around it."""
    text = data.decode(READS_ALL).strip(_FRAME)
    return (_LINE_END.sub("\r", text) + "\r").encode(READS_ALL)


def _bytes(text: str, codec: str) -> bytes:
    return encode(_LINE_END.sub("\r", text) + "\r", codec)


def _codec(data: bytes) -> str:
    try:
        return parse(data).charset
    except ParseError:
        return READS_ALL


def _wanted(original: bytes, text: str) -> str:
    """Return the character set of an edited message."""
    before, after = _declared(original), _declared(text.encode("utf-8", "replace"))
    changed = codec_for(after[0]) if after and after != before else None
    return changed or _codec(original)


def _declared(data: bytes) -> list[str]:
    try:
        return read_header(data.replace(b"\n", b"\r")).charsets
    except ParseError:
        return []


def _changes(original: bytes, data: bytes) -> Iterator[Difference]:
    """Yield the places that differ; none where one of the two is no message."""
    try:
        yield from differences(parse(original), parse(data))
    except ParseError:
        return
