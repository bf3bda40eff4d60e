"""Batches as they come in: surveyed first, then taken message by message. Pure.

Only the end of a batch tells whether it is whole, and nothing of it may be delivered
before that is known: so a batch is read twice, and never held in memory.

Spec:
    protocol.md E73 to E75.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from engine.hl7.batch import BatchedMessage, BatchReader, Closing, Event, Opening
from engine.hl7.header import BOM
from engine.store.batches import Batch

MISMATCH: Final = "batch_count_mismatch"
"""The finding of messages whose batch is not what its trailer says."""

EMPTY: Final = "batch_empty"
"""The finding of a batch without any message."""

_NAME_DIGITS: Final = 32
ROUND: Final = 256
"""Messages of one transaction: few enough that no other sender waits for long."""

T = TypeVar("T")


def rounds(messages: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield messages in the groups that are journalled together."""
    for start in range(0, len(messages), ROUND):
        yield messages[start : start + ROUND]


def is_batch(body: bytes) -> bool:
    """Whether a block holds a batch, not a message."""
    return body.removeprefix(BOM).startswith((b"FHS", b"BHS"))


@dataclass(slots=True)
class Unit:
    """One batch of a stream, or messages that stand outside any.

    ``opening`` is its BHS, else the FHS of the file, else None.
    """

    opening: Opening | None
    file: Opening | None
    found: int = 0
    declared: str = ""
    closed: bool = False
    agrees: bool = True


@dataclass(slots=True)
class Walk:
    """Cuts a stream into messages and tells which unit each stands in.

    Attributes:
        max_bytes: the longest message.
        units: those seen so far; those of a whole stream once it has ended.
        whole: False when the trailer of the file itself is missing or wrong.
    """

    max_bytes: int
    units: list[Unit] = field(default_factory=list)
    whole: bool = True
    _file: Opening | None = None
    _current: Unit | None = None
    _reader: BatchReader = field(init=False)

    def __post_init__(self) -> None:
        self._reader = BatchReader(self.max_bytes)

    def feed(self, chunk: bytes) -> Iterator[tuple[bytes, int]]:
        """Yield the messages that end within a chunk, each with its unit's place.

        Raises:
            FrameError: a message is longer than ``max_bytes``.
        """
        self._reader.feed(chunk)
        return self._messages(iter(self._reader.next_event, None))

    def end(self) -> Iterator[tuple[bytes, int]]:
        """Yield what is left when the stream has ended."""
        return self._messages(iter(self._reader.flush, None))

    def _messages(self, events: Iterable[Event]) -> Iterator[tuple[bytes, int]]:
        for event in events:
            match event:
                case Opening():
                    self._open(event)
                case Closing():
                    self._close(event)
                case BatchedMessage(message):
                    self._unit().found += 1
                    yield message, len(self.units) - 1

    def _open(self, opening: Opening) -> None:
        self._current = None
        if opening.segment.startswith(b"FHS"):
            self._file = opening
        else:
            self._begin(opening)

    def _begin(self, opening: Opening | None) -> Unit:
        self._current = Unit(opening, self._file)
        self.units.append(self._current)
        return self._current

    def _unit(self) -> Unit:
        return self._current or self._begin(self._file)

    def _close(self, closing: Closing) -> None:
        opened = closing.opening.segment[:3] if closing.opening else b""
        if closing.segment.startswith(b"FTS") or opened == b"FHS":
            self.whole = self.whole and closing.agrees
            self._file = None
        else:
            unit = self._unit()
            unit.declared, unit.closed = closing.declared, True
            unit.agrees = closing.agrees
        self._current = None


@dataclass(frozen=True, slots=True)
class Survey:
    """What a stream holds: how many messages, and the batch of each unit."""

    messages: int
    units: list[Unit]
    batches: list[Batch | None]
    agrees: bool


def survey(chunks: Iterable[bytes], source: str, max_bytes: int) -> Survey:
    """Read a stream to its end and return what it holds.

    Args:
        chunks: the stream.
        source: whose it is: equal streams of two sources are different batches.
        max_bytes: the longest message.

    Raises:
        FrameError: a message is longer than that.
    """
    walk, digest, messages = Walk(max_bytes), hashlib.sha256(source.encode()), 0
    for chunk in chunks:
        digest.update(chunk)
        messages += sum(1 for _ in walk.feed(chunk))
    messages += sum(1 for _ in walk.end())
    name = digest.hexdigest()[:_NAME_DIGITS]
    batches = [
        _batch(unit, f"{name}.{place}") if walk.whole else _file(unit, name, messages)
        for place, unit in enumerate(walk.units)
    ]
    agrees = walk.whole and all(unit.agrees for unit in walk.units)
    return Survey(messages, walk.units, batches, agrees)


def _batch(unit: Unit, name: str) -> Batch | None:
    """Return the batch that a unit is; None for messages outside any."""
    if unit.opening is None and not unit.closed:
        return None
    outer, inner = _control_id(unit.file), _control_id(unit.opening)
    inner = "" if unit.opening is unit.file else inner
    return Batch(name, inner, outer, unit.declared, unit.found, unit.agrees)


def _file(unit: Unit, name: str, messages: int) -> Batch:
    """Return the whole file as one batch: its own trailer is wrong, nothing is sure."""
    outer = _control_id(unit.file)
    return Batch(name, _control_id(unit.opening), outer, "", messages, agrees=False)


def _control_id(opening: Opening | None) -> str:
    return opening.control_id.decode("latin-1") if opening else ""
