"""What a damaged write-ahead log still tells of the messages that it has lost.

The checksum of each frame goes on from the frame before, so SQLite stops at the first
damaged one. Those after it are still there. Written as a log that is whole, beside a
copy of the file, they show what the file would hold; nothing is put back. Whether a
message is as it was received, its sealed content proves.

Spec:
    faults.md F12.
"""

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from shutil import copyfile
from struct import Struct
from typing import Final

from engine.errors import ConfigurationError
from engine.store.contexts import MESSAGE_COLUMNS, of_message
from engine.store.schema import instant
from engine.store.seal import Sealer

_MAGIC: Final = 0x377F0682
"""Checksums of little-endian words; the other kind ends with 3."""

_FORMAT: Final = 3_007_000
_PAGE: Final = 4096
_HEAD: Final = Struct(">4I")
_SUM: Final = Struct(">2I")
_HEADER_BYTES: Final = 32
_FRAME_BYTES: Final = 24 + _PAGE


@dataclass(frozen=True, slots=True)
class LostMessage:
    """A message that was answered and is gone; ``is_certain``: nothing here changed."""

    id: int
    channel: str
    listener: str
    peer: str
    received_at: datetime
    control_id: str
    message_type: str
    trigger_event: str
    is_certain: bool


def lost_messages(
    folder: Path, log: Path, after: int, sealer: Sealer
) -> list[LostMessage]:
    """Return the messages with numbers above ``after`` that a kept log tells of.

    Needs room for a copy of ``journal.db`` beside it; the store is not changed.

    Raises:
        ConfigurationError: there is no room.
    """
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix="salvage-") as scratch:
            copy = Path(scratch, "journal.db")
            copyfile(folder / "journal.db", copy)
            copy.with_name("journal.db-wal").write_bytes(whole(log.read_bytes()))
            return _read(copy, after, sealer)
    except OSError as error:
        said = f"What {log} holds cannot be read: {error.strerror}"
        raise ConfigurationError(said) from error


def whole(log: bytes) -> bytes:
    """Return a log of the same frames, with checksums that go on to its last commit."""
    frames = _frames(log)
    ends = [place for place, (_, size, _) in enumerate(frames, 1) if size]
    salts = bytes(8)
    head = _HEAD.pack(_MAGIC, _FORMAT, _PAGE, 0) + salts
    at = _checksum(head, (0, 0))
    written = [head, _SUM.pack(*at)]
    for page, size, content in frames[: max(ends, default=0)]:
        named = _SUM.pack(page, size)
        at = _checksum(named + content, at)
        written += [named, salts, _SUM.pack(*at), content]
    return b"".join(written)


def _frames(log: bytes) -> list[tuple[int, int, bytes]]:
    """Return page, size after commit and content of each frame of this log's time.

    What follows with other salts was left by an earlier one. The header and the first
    two frames have the same ones, but for one of them that may be damaged.
    """
    ends = range(_HEADER_BYTES + _FRAME_BYTES, len(log) + 1, _FRAME_BYTES)
    frames = [log[end - _FRAME_BYTES : end] for end in ends]
    own = _salts(log, frames)
    last = max((at for at, each in enumerate(frames) if each[8:16] == own), default=-1)
    return [(*_SUM.unpack_from(each), each[24:]) for each in frames[: last + 1]]


def _salts(log: bytes, frames: Sequence[bytes]) -> bytes:
    told = [log[16:24], *(each[8:16] for each in frames[:2])]
    return Counter(told).most_common(1)[0][0]


def _read(copy: Path, after: int, sealer: Sealer) -> list[LostMessage]:
    """Return what can be read, up to the first row that cannot."""
    found: list[LostMessage] = []
    connection = sqlite3.connect(copy)
    connection.text_factory = lambda text: text.decode(errors="replace")
    names = ", ".join(column.name for column in MESSAGE_COLUMNS)
    statement = f"SELECT {names}, content FROM message WHERE id > ? ORDER BY id"  # noqa: S608 - our own columns
    with suppress(sqlite3.Error, *_UNREADABLE):
        for row in connection.execute(statement, (after,)):
            *plain, content = row
            plain[4] = instant(plain[4])
            opened = sealer.open_undamaged(content or b"", *of_message(plain))
            found.append(LostMessage(*[*plain[:8], opened is not None]))
    connection.close()
    return found


_UNREADABLE: Final = (TypeError, ValueError, OverflowError)
"""What a number raises in whose place something else stands."""


def _checksum(content: bytes, at: tuple[int, int]) -> tuple[int, int]:
    """Return SQLite's checksum of words in pairs, going on from another."""
    first, second = at
    words = Struct(f"<{len(content) // 4}I").unpack(content)
    for one, two in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return first, second
