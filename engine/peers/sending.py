"""An MLLP sender: numbered messages, several connections, every answer counted."""

import asyncio
import re
import ssl
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Final

from engine.errors import FrameError
from engine.hl7.framing import Block, BlockReader, enclose

ACCEPTED: Final = frozenset({"AA", "CA"})
TRIES: Final = 3
_HEADER: Final = re.compile(rb"(?:^|(?<=[\r\n]))(?=MSH.)")
_FRAMING: Final = re.compile(rb"[\x0b\x1c]")


def read_messages(place: Path) -> list[bytes]:
    """Return the messages of a file, or of every ``*.hl7`` below a folder, in order.

    A file may hold one message or many, with or without MLLP blocks; line feeds
    become the carriage returns that end segments.
    """
    files = sorted(place.rglob("*.hl7")) if place.is_dir() else [place]
    return [message for file in files for message in split(file.read_bytes())]


def split(content: bytes) -> list[bytes]:
    """Return the messages in ``content``: each begins with MSH at a line's start."""
    content = _FRAMING.sub(b"\r", content.removeprefix(b"\xef\xbb\xbf"))
    found = [part.strip() for part in _HEADER.split(content)]
    return [
        re.sub(rb"\r?\n|\r+", b"\r", part) + b"\r"
        for part in found
        if part.startswith(b"MSH")
    ]


@dataclass(frozen=True, slots=True)
class Answer:
    """One acknowledgment: MSA-1, MSA-2 and what ERR says, without patient data."""

    code: str = "none"
    control_id: str = ""
    reason: str = ""
    body: bytes = b""


def read_answer(body: bytes) -> Answer:
    """Return what an acknowledgment says, also when it is hardly one."""
    code, control_id, reason = "unreadable", "", ""
    separator = body[3:4] or b"|"
    for segment in body.split(b"\r"):
        fields = segment.decode("latin-1").split(separator.decode("latin-1"))
        fields += [""] * 9
        if fields[0] == "MSA":
            code, control_id = fields[1], fields[2]
        elif fields[0] == "ERR":
            reason = " ".join(filter(None, (fields[3], fields[2], fields[8])))
    return Answer(code, control_id, reason.replace("^", " "), body)


@dataclass(slots=True)
class Tally:
    """What happened to the messages of one run."""

    codes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    finished: int = 0
    trouble: str = ""

    def count(self, answer: Answer, seconds: float) -> None:
        """Take one answer and how long it took."""
        self.codes[answer.code] += 1
        self.finished += 1
        self.seconds.append(seconds)
        if answer.code not in ACCEPTED:
            self.reasons[answer.code, answer.reason] += 1

    @property
    def accepted(self) -> int:
        """How many messages the receiver took."""
        return sum(self.codes[code] for code in ACCEPTED)

    def milliseconds(self, share: float) -> float:
        """Return the answer time below which ``share`` of the answers stayed."""
        if not self.seconds:
            return 0.0
        ordered = sorted(self.seconds)
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3, 2)


@dataclass(slots=True)
class Feed:
    """Messages by number; past the last they come again, with new control ids."""

    messages: Sequence[bytes]
    first: int = 1
    last: int = 0
    per_second: float = 0.0
    began: float = field(default=0.0, init=False)
    _turns: Iterator[int] = field(init=False)

    def __post_init__(self) -> None:
        self.last = self.last or len(self.messages)
        self._turns = iter(range(self.first, self.last + 1))

    def next_number(self) -> int | None:
        """Take the next number, or None after the last."""
        return next(self._turns, None)

    def due(self, number: int) -> float:
        """Return the instant of `perf_counter` at which this number may go."""
        if not self.per_second:
            return 0.0
        return self.began + (number - self.first) / self.per_second

    def message(self, number: int) -> tuple[str, bytes]:
        """Return the control id and the bytes of one number."""
        turn, place = divmod(number - 1, len(self.messages))
        message = self.messages[place]
        separator = message[3:4]
        head, rest = message.split(b"\r", 1)
        fields = [*head.split(separator), *([b""] * 10)]
        if turn:
            fields[9] += b"R%d" % turn
            head = separator.join(fields[:-10])
            message = head + b"\r" + rest
        return fields[9].decode("latin-1"), message


@dataclass(slots=True)
class Sender:
    """Sends a feed to one address and keeps the tally."""

    feed: Feed
    host: str
    port: int
    tls: ssl.SSLContext | None = None
    timeout: float = 60.0
    answered: Callable[[int, Answer], None] = lambda *_: None
    tally: Tally = field(default_factory=Tally, init=False)
    stopping: bool = field(default=False, init=False)

    async def run(self, connections: int = 1) -> Tally:
        """Send until the feed ends or `stopping` is set; then return the tally."""
        self.feed.began = perf_counter()
        await asyncio.gather(*(self._converse() for _ in range(connections)))
        return self.tally

    async def _converse(self) -> None:
        """Send message after message on one connection, each after its answer."""
        wire: _Wire | None = None
        while not self.stopping and not self.tally.trouble:
            number = self.feed.next_number()
            if number is None:
                break
            await asyncio.sleep(max(0.0, self.feed.due(number) - perf_counter()))
            wire = await self._deliver(number, wire)
        if wire is not None:
            wire.close()

    async def _deliver(self, number: int, wire: "_Wire | None") -> "_Wire | None":
        """Send one message until it is answered; gives up after three connections."""
        control_id, message = self.feed.message(number)
        reason = ""
        for attempt in range(TRIES):
            try:
                await asyncio.sleep(attempt * 0.5)
                async with asyncio.timeout(self.timeout):  # a TLS handshake included
                    wire = wire or await _connect(self.host, self.port, self.tls)
                begin = perf_counter()
                async with asyncio.timeout(self.timeout):
                    answer = await wire.ask(message)
            except (OSError, EOFError, FrameError, TimeoutError) as error:
                if wire is not None:
                    wire.close()
                wire = None
                reason = str(error) or type(error).__name__
                continue
            if answer.control_id not in {control_id, ""}:
                answer = Answer("mismatch", answer.control_id, "MSA-2 differs")
            self.tally.count(answer, perf_counter() - begin)
            self.answered(number, answer)
            return wire
        self.tally.lost.append(number)
        self.tally.trouble = reason
        return wire


async def _connect(host: str, port: int, tls: ssl.SSLContext | None) -> "_Wire":
    return _Wire(*await asyncio.open_connection(host, port, ssl=tls))


@dataclass(slots=True)
class _Wire:
    """One open connection, with what it has read so far."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    blocks: BlockReader = field(default_factory=BlockReader)

    async def ask(self, message: bytes) -> Answer:
        """Send one message and return the answer that follows."""
        self.writer.write(enclose(message))
        await self.writer.drain()
        while True:
            event = self.blocks.next_event()
            if isinstance(event, Block):
                return read_answer(event.body)
            if event is None:
                chunk = await self.reader.read(65536)
                if not chunk:
                    raise EOFError("the receiver closed the connection")
                self.blocks.feed(chunk)

    def close(self) -> None:
        """Let go of the connection."""
        self.writer.close()
