"""A whole message: lossless, split only as far as somebody looks."""

import re
from collections.abc import Sequence
from typing import Final

from engine.hl7.charsets import control_characters, decode
from engine.hl7.charsets import encode as to_bytes
from engine.hl7.delimiters import Delimiters
from engine.hl7.escapes import encode
from engine.hl7.finding import Finding
from engine.hl7.header import BOM, read_header
from engine.hl7.path import ALL, Path, parse_path
from engine.hl7.segment import NULL, Segment

_SEGMENT_END: Final = re.compile(r"\r\n?")


class Message:
    """One HL7 v2 message.

    What was not edited is written back byte for byte. Paths are those of `Path`; a
    text path is accepted wherever one is read.
    """

    __slots__ = ("_changed", "_first", "charset", "data", "delimiters", "findings",
                 "segments")  # fmt: skip

    def __init__(
        self,
        data: bytes,
        segments: list[Segment],
        charset: str,
        findings: Sequence[Finding] = (),
    ) -> None:
        self.data = data
        self.segments = segments
        self.delimiters: Delimiters = segments[0].delimiters
        self.charset = charset
        self.findings = list(findings)
        self._changed = False
        self._first: dict[str, Segment] = {}

    def __getitem__(self, path: str) -> str:
        """Return the decoded text at a path; ``""`` when missing or HL7 null."""
        return self.read(parse_path(path))

    def all(self, segment_id: str) -> list[Segment]:
        """Return the segments of one kind, in message order."""
        return [found for found in self.segments if found.id == segment_id]

    def first(self, segment_id: str) -> Segment | None:
        """Return the first segment of one kind."""
        return (self._first or self._index()).get(segment_id)

    def find(self, path: Path) -> list[Segment]:
        """Return the segments a path speaks of: none, one, or with ``[*]`` all."""
        if path.occurrence == ALL:
            return self.all(path.segment)
        if path.occurrence <= 1:
            found = self.first(path.segment)
            return [] if found is None else [found]
        return self.all(path.segment)[path.occurrence - 1 : path.occurrence]

    def read(self, path: Path) -> str:
        """Return the decoded text at a path, the first where it means several."""
        if path.occurrence <= 1:
            segment = (self._first or self._index()).get(path.segment)
            return "" if segment is None else segment.text(*path.leaf)
        return "".join(found.text(*path.leaf) for found in self.find(path))

    def values(self, path: Path) -> list[str]:
        """Return the decoded texts a path with ``[*]`` means, missing ones ``""``.

        A field that was not sent has no repetitions.
        """
        found: list[str] = []
        for segment in self.find(path):
            repetitions = segment.positions(path.field)
            if path.repetition != ALL:
                number = max(path.repetition, 1)
                repetitions = repetitions[number - 1 : number]
            elif not segment.raw(path.field):
                continue
            found.extend(
                each.text(path.component or 1, path.subcomponent or 1)
                for each in repetitions
            )
        return found

    def encoded(self, path: Path) -> str:
        """Return the encoded text at a path: a field, a repetition or below."""
        for segment in self.find(path):
            raw = segment.raw(path.field)
            marks = (
                (self.delimiters.repetition, path.repetition),
                (self.delimiters.component, path.component),
                (self.delimiters.subcomponent, path.subcomponent),
            )
            if path.component and not path.repetition:
                marks = ((marks[0][0], 1), *marks[1:])
            for mark, number in marks:
                if number > 0:
                    parts = raw.split(mark) if mark else [raw]
                    raw = parts[number - 1] if number <= len(parts) else ""
            return raw
        return ""

    def exists(self, path: Path) -> bool:
        """Whether a value was sent: neither missing nor HL7 null."""
        return bool(self.encoded(path).strip(self._blank)) and not self.is_null(path)

    def is_null(self, path: Path) -> bool:
        """Whether HL7 null was sent at the path."""
        return self.encoded(path) == NULL

    def set_text(self, path: Path, text: str) -> bool:
        """Write one value, escaped; tell whether the segment was there.

        Raises:
            TransformError: the message has no delimiter for it; see `Segment.put`.
        """
        return self.set_encoded(path, encode(text, self.delimiters))

    def set_encoded(self, path: Path, raw: str) -> bool:
        """Write encoded text at a path; tell whether the segment was there."""
        place: tuple[int, ...] = ()
        if path.repetition or path.component:
            place = (max(path.repetition, 1),)
        if path.component:
            place += (path.component,)
        if path.subcomponent:
            place += (path.subcomponent,)
        found = self.find(path)
        for segment in found:
            segment.put(path.field, raw, *place)
        return bool(found)

    def clear(self, path: Path) -> bool:
        """Make the value missing; tell whether the segment was there."""
        return self.set_encoded(path, "")

    def set_null(self, path: Path) -> bool:
        """Write HL7 null; tell whether the segment was there."""
        return self.set_encoded(path, NULL)

    def new_segment(self, segment_id: str) -> Segment:
        """Return an empty segment that speaks this message's delimiters."""
        return Segment(segment_id, self.delimiters, self.charset)

    def insert(self, index: int, segment: Segment) -> None:
        """Put a segment before position ``index`` of `segments`."""
        self.segments.insert(index, segment)
        self._restructured()

    def remove(self, segment: Segment) -> None:
        """Take one segment out."""
        position = next(i for i, each in enumerate(self.segments) if each is segment)
        del self.segments[position]
        self._restructured()

    def encode(self) -> bytes:
        """Return the message as bytes, byte for byte as received when untouched.

        Raises:
            TransformError: an edit wrote a character the charset cannot hold.
        """
        return to_bytes(self.text, self.charset) if self.is_changed else self.data

    @property
    def text(self) -> str:
        """The message as text, each segment ended by CR."""
        return "\r".join(each.encoded for each in self.segments) + "\r"

    @property
    def is_changed(self) -> bool:
        """Whether anything was edited since it was received."""
        return self._changed or any(each.touched for each in self.segments)

    def copy(self) -> "Message":
        """Return an independent message with the same content."""
        twin = Message(
            self.data,
            [each.copy() for each in self.segments],
            self.charset,
            self.findings,
        )
        twin._changed = self.is_changed
        return twin

    @property
    def message_type(self) -> str:
        """MSH-9.1, such as ``ADT``."""
        return self.segments[0].text(9)

    @property
    def trigger_event(self) -> str:
        """MSH-9.2, such as ``A01``."""
        return self.segments[0].text(9, 2)

    @property
    def structure(self) -> str:
        """MSH-9.3, such as ``ADT_A01``; ``""`` when it was not sent."""
        return self.segments[0].text(9, 3)

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.segments[0].text(10)

    @property
    def version(self) -> str:
        """MSH-12.1, or ``""``."""
        return self.segments[0].text(12)

    @property
    def _blank(self) -> str:
        marks = self.delimiters
        return marks.component + marks.repetition + marks.subcomponent

    def _index(self) -> dict[str, Segment]:
        self._first = {found.id: found for found in reversed(self.segments)}
        return self._first

    def _restructured(self) -> None:
        self._changed = True
        self._first.clear()


def parse(
    data: bytes, *, charset: str | None = None, fallback: str = "8859/1"
) -> Message:
    """Return the message that ``data`` holds; only MSH must be readable.

    Args:
        data: the bytes between SB and EB.
        charset: table 0211 name to read it with; None means MSH-18.
        fallback: table 0211 name for bytes that MSH-18 does not explain.

    Raises:
        ParseError: no MSH, or delimiters that cannot be; ``code`` says which.
    """
    findings: list[Finding] = []
    header = read_header(data)
    body = data
    if data.startswith(BOM):
        body = data[len(BOM) :]
        findings.append(Finding("byte_order_mark"))
    decoded = decode(body, [charset] if charset else header.charsets, fallback)
    findings.extend(decoded.findings)
    if odd := control_characters(data):
        findings.append(Finding(odd))
    lines = _lines(decoded.text, findings)
    segments = [Segment(line, header.delimiters, decoded.codec) for line in lines]
    return Message(data, segments, decoded.codec, findings)


def _lines(text: str, findings: list[Finding]) -> list[str]:
    """Return the segments; LF ends one only where the message has no CR."""
    if "\r" in text:
        if "\n" in text:
            findings.append(Finding("line_feed"))
            lines = _SEGMENT_END.split(text)
        else:
            lines = text.split("\r")
    elif "\n" in text:
        findings.append(Finding("line_feed"))
        lines = text.split("\n")
    else:
        lines = [text]
    return [line for line in lines if line and not line.isspace()]
