"""Batch files: FHS, BHS, messages, BTS, FTS; cut while they stream in.

Spec:
    HL7 v2.9 chapter 2, 2.10.3 HL7 batch protocol.
"""

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from engine.errors import FrameError
from engine.hl7.framing import DEFAULT_MAX_BYTES
from engine.hl7.header import BOM

_KINDS: Final = rb"(?=(?:FHS|BHS|MSH|BTS|FTS)[^0-9A-Za-z])"
_BORDERS: Final = {
    b"\r": re.compile(rb"\r\n?" + _KINDS),
    b"\n": re.compile(rb"\n" + _KINDS),
}
_LINE_END: Final = re.compile(rb"[\r\n]")
_LONGEST_BORDER: Final = len(b"\r\nMSH|")
_OPENED_BY: Final = {b"BTS": b"BHS", b"FTS": b"FHS"}
_CONTROL_ID = 11


@dataclass(frozen=True, slots=True)
class Opening:
    """An FHS or BHS segment, as it stood in the file."""

    segment: bytes

    def raw(self, number: int) -> bytes:
        """Return one field as it was sent; the separator itself is number 1."""
        fields = self.segment.rstrip(b"\r\n").split(self.segment[3:4])
        return fields[number - 1] if number <= len(fields) else b""

    @property
    def control_id(self) -> bytes:
        """FHS-11 or BHS-11."""
        return self.raw(_CONTROL_ID)


@dataclass(frozen=True, slots=True)
class BatchedMessage:
    """One message, its terminators included, and the batch it stood in."""

    message: bytes
    batch: Opening | None


@dataclass(frozen=True, slots=True)
class Closing:
    """The end of a batch or a file.

    ``segment`` is empty where the trailer is missing, ``declared`` is BTS-1 or FTS-1 as
    it was written, ``found`` the messages or batches that there were.
    """

    opening: Opening | None
    segment: bytes
    declared: str
    found: int

    @property
    def agrees(self) -> bool:
        """Whether the trailer is there and counts what was found, or nothing."""
        if not self.segment:
            return False
        return not self.declared or self.declared.lstrip("0") == str(self.found or "")


Event = Opening | BatchedMessage | Closing


@dataclass(slots=True)
class BatchReader:
    """Cut a batch file into events; every byte of it ends in exactly one of them.

    Only a byte order mark and blank lines ahead of the first segment are dropped.
    Messages outside any batch are taken too: a batch without BHS is legal. Feed chunks,
    take events until None, and `flush` at the end. The first line ending of the file
    decides whether CR or LF ends its segments. Memory is bounded by the longest message
    plus one chunk.

    Attributes:
        max_bytes: largest accepted message.
    """

    max_bytes: int = DEFAULT_MAX_BYTES
    _buffer: bytearray = field(default_factory=bytearray, init=False, repr=False)
    _scanned: int = field(default=0, init=False, repr=False)
    _border: re.Pattern[bytes] | None = field(default=None, init=False, repr=False)
    _waiting: deque[Event] = field(default_factory=deque, init=False, repr=False)
    _open: dict[bytes, Opening] = field(default_factory=dict, init=False, repr=False)
    _found: dict[bytes, int] = field(
        default_factory=lambda: {b"BHS": 0, b"FHS": 0}, init=False, repr=False
    )

    def feed(self, data: bytes) -> None:
        """Add bytes as they were read."""
        self._buffer += data

    def next_event(self) -> Event | None:
        """Take the oldest event, or None until more bytes are fed.

        Raises:
            FrameError: a message is longer than ``max_bytes``.
        """
        while not self._waiting and (end := self._next_border()):
            self._read(self._take(end))
        return self._waiting.popleft() if self._waiting else None

    def flush(self) -> Event | None:
        """Take what is left, missing trailers included, when no more bytes come."""
        if not self._waiting and self._buffer:
            self._read(self._take(len(self._buffer)))
        if not self._waiting:
            self._miss(b"BTS", b"FTS")
        return self._waiting.popleft() if self._waiting else None

    def _next_border(self) -> int:
        """Return where the next segment of the batch begins, or 0."""
        if self._border is None:
            first = _LINE_END.search(self._buffer, self._scanned)
            self._border = _BORDERS[first[0]] if first else None
        found = None
        if self._border is not None:
            found = self._border.search(self._buffer, self._scanned)
        if (found.end() if found else len(self._buffer)) > self.max_bytes:
            raise FrameError(f"message is longer than {self.max_bytes} bytes")
        self._scanned = max(len(self._buffer) - _LONGEST_BORDER, 0)
        return found.end() if found else 0

    def _take(self, end: int) -> bytes:
        piece = bytes(memoryview(self._buffer)[:end])
        del self._buffer[:end]
        self._scanned = 0
        return piece

    def _read(self, piece: bytes) -> None:
        piece = piece.removeprefix(BOM)
        kind = piece[:3]
        if kind in _OPENED_BY:
            if kind == b"FTS":
                self._miss(b"BTS")
            self._close(kind, piece)
        elif kind in self._found:
            self._miss(*((b"BTS",) if kind == b"BHS" else (b"BTS", b"FTS")))
            self._found[b"FHS"] += kind == b"BHS"
            self._open[kind] = Opening(piece)
            self._waiting.append(self._open[kind])
        elif not piece.isspace():
            batch = self._open.get(b"BHS")
            if batch is None and not self._found[b"BHS"]:
                self._found[b"FHS"] += 1
            self._found[b"BHS"] += 1
            self._waiting.append(BatchedMessage(piece, batch))

    def _close(self, kind: bytes, segment: bytes) -> None:
        opened_by = _OPENED_BY[kind]
        fields = segment.rstrip(b"\r\n").split(segment[3:4] or b"|")
        declared = fields[1].decode("latin-1").strip() if len(fields) > 1 else ""
        opening, found = self._open.pop(opened_by, None), self._found[opened_by]
        self._found[opened_by] = 0
        self._waiting.append(Closing(opening, segment, declared, found))

    def _miss(self, *kinds: bytes) -> None:
        """Close what is open, for want of its trailer."""
        for kind in kinds:
            if _OPENED_BY[kind] in self._open:
                self._close(kind, b"")


def split_messages(data: bytes) -> list[bytes]:
    """Return the messages of one block, one for each MSH; mostly there is one."""
    reader = BatchReader(max_bytes=len(data))
    reader.feed(data)
    events = [*iter(reader.next_event, None), *iter(reader.flush, None)]
    return [event.message for event in events if isinstance(event, BatchedMessage)]
