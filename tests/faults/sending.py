"""The sender of a run: many messages in flight, every answer in an append-only log."""

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.edge_ledger import code_of, invented
from tests.faults.books import POSITIVE, SENDER

PERSONS = 200
"""Lanes have many messages each, or order in a lane would mean nothing."""


def admission(number):
    """One invented message; its person always has the same traits."""
    person, name = number % PERSONS, f"F{number:08d}"
    family, birth = invented(person)
    body = (
        f"MSH|^~\\&|SEND|GEN|ENG|HOSP|20300101120000||ADT^A08^ADT_A01|{name}|P|2.5.1"
        f"\rEVN|A08|20300101120000\rPID|1||{person}^^^GEN^MR||{family}^ANN||{birth}|F"
        f"\rPV1|1|I|W^{number % 40}^1\rNTE|1||{'x' * (number % 700)}\r"
    )
    return name, body.encode()


@dataclass
class Sender:
    """Keeps ``width`` messages in flight over the channels, and notes every answer.

    What was not answered is sent again, to the same channel, in the next life.
    """

    folder: Path
    ports: dict[str, int]
    width: int = 64
    make: Callable[[int], tuple[str, bytes]] = admission
    pause: float = 0.0
    answered: int = 0
    negative: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    numbers: int = 0
    unanswered: dict[str, list[tuple[str, bytes]]] = field(default_factory=dict)

    def __post_init__(self):
        self.log = (self.folder / SENDER).open("a", encoding="utf-8", buffering=1)
        self.unanswered = {channel: [] for channel in self.ports}

    def note(self, event, channel, name, body, code=""):
        digest = hashlib.sha256(body).hexdigest()
        fields = (str(time.time_ns()), event, channel, name, digest, code)
        self.log.write("\t".join(fields) + "\n")
        return digest

    async def run(self, stop):
        """Send until ``stop`` is set or the peer is gone."""
        channels = list(self.ports)
        slots = (channels[at % len(channels)] for at in range(self.width))
        await asyncio.gather(*(self._slot(channel, stop) for channel in slots))

    async def _slot(self, channel, stop):
        try:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", self.ports[channel]
            )
        except OSError:
            return
        try:
            while not stop.is_set():
                await self._one(channel, reader, writer)
                if self.pause:
                    await asyncio.sleep(self.pause)
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _one(self, channel, reader, writer):
        name, body = self._next(channel)
        self.note("sent", channel, name, body)
        try:
            writer.write(b"\x0b" + body + b"\x1c\r")
            heard = await reader.readuntil(b"\x1c\r")
        except (OSError, asyncio.IncompleteReadError):
            self.unanswered[channel].append((name, body))
            raise
        code, named = code_of(heard)
        if named != name.encode():
            self.wrong += 1
            return
        self.note("answered", channel, name, body, code.decode())
        if code.decode() in POSITIVE:
            self.answered += 1
        else:
            self.negative[code.decode()] += 1

    def drop_file(self, channel):
        """Put one message into the folder of a channel that takes files."""
        self.numbers += 1
        name, body = self.make(self.numbers)
        self.note("sent", channel, name, body)
        path = self.folder / "in" / f"{name}.hl7"
        hidden = path.with_name(f".{name}")
        hidden.write_bytes(body)
        hidden.rename(path)

    def note_files_taken(self, channel):
        """A file that was put away counts as answered."""
        for path in sorted((self.folder / "in" / "done").glob("*.hl7")):
            self.note("answered", channel, path.stem, path.read_bytes(), "AA")

    def _next(self, channel):
        if self.unanswered[channel]:
            return self.unanswered[channel].pop()
        self.numbers += 1
        return self.make(self.numbers)
