"""Send to a real edge, kill it, start it again, and count: shares no code with it.

The *ledger* is what the sender saw answered. What the journal holds is read with
SQLite's own library.
"""

import asyncio
import hashlib
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

CODES = {b"AA", b"CA"}
ROOT = Path(__file__).parent.parent


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


SYLLABLES = ("bal", "cor", "dim", "fen", "gor", "hul", "jas", "kem", "lov", "mun")


def invented(number):
    """A family name that is far from its neighbours', and a birth date of its own."""
    family = "".join(SYLLABLES[int(digit)] for digit in f"{number * 7919 % 10_000:04}")
    return family, f"{1930 + number % 83}{1 + number % 12:02}{1 + number % 28:02}"


def adt(number, tail=""):
    """One invented message; its control id names it."""
    name = f"L{number:08d}"
    family, birth = invented(number)
    body = (
        f"MSH|^~\\&|SEND|GEN|ENG|HOSP|20300101120000||ADT^A01^ADT_A01|{name}|P|2.5.1{tail}"
        f"\rEVN|A01|20300101120000\rPID|1||{number}^^^GEN^MR||{family}^ANN||{birth}|F"
        f"\rPV1|1|I|W^{number % 40}^1\rNTE|1||{'x' * (number % 700)}\r"
    )
    return name, body.encode()


@dataclass
class EdgeProcess:
    """`tests.edge_process` running in a folder of its own."""

    folder: Path
    port: int = field(default_factory=free_port)
    options: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self, *, limit=90.0):
        self.process = self.launch()
        end = time.monotonic() + limit
        while time.monotonic() < end:
            with suppress(OSError), socket.create_connection(self.address):
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        logs = [path.read_text()[-2000:] for path in self.folder.glob("*.log")]
        raise AssertionError("".join(logs))

    def launch(self):
        with (self.folder / "edge.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own module
                [
                    *(sys.executable, "-m", "tests.edge_process", str(self.folder)),
                    *(str(self.port), *self.options),
                ],
                cwd=ROOT,
                stderr=log,
                env=os.environ | self.variables,
            )

    @property
    def address(self):
        return "127.0.0.1", self.port

    def kill(self):
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, limit=15.0):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            return self.process.wait(limit)
        return None

    def journal(self):
        """Return (sha256, control id, verdict) of every journalled message."""
        database = self.folder / "store" / "journal.db"
        with sqlite3.connect(database) as connection:
            return connection.execute(
                "SELECT sha256, control_id, verdict FROM message ORDER BY id"
            ).fetchall()


def exchange(address, *blocks, count=None, limit=10.0):
    """Send blocks on one connection; return the answers without their frames."""
    wanted = len(blocks) if count is None else count
    with socket.create_connection(address, limit) as connection:
        connection.sendall(b"".join(b"\x0b" + block + b"\x1c\r" for block in blocks))
        return receive(connection, wanted)


def receive(connection, wanted):
    heard = b""
    while heard.count(b"\x1c\r") < wanted:
        data = connection.recv(65536)
        if not data:
            break
        heard += data
    return [part.lstrip(b"\x0b") for part in heard.split(b"\x1c\r")[:-1]]


def code_of(answer):
    """MSA-1 and MSA-2."""
    fields = answer.split(b"\rMSA|", 1)[1].split(b"\r", 1)[0].split(b"|")
    return fields[0], fields[1] if len(fields) > 1 else b""


@dataclass
class Load:
    """Keeps ``width`` messages in flight; remembers what was answered."""

    width: int = 64
    answered: dict[str, bytes] = field(default_factory=dict)
    negative: Counter[bytes] = field(default_factory=Counter)
    unanswered: list[tuple[str, bytes]] = field(default_factory=list)
    sent: int = 0
    wrong: int = 0

    async def run(self, address, stop):
        """Send on ``width`` connections until ``stop`` is set or the peer is gone."""
        await asyncio.gather(*(self._slot(address, stop) for _ in range(self.width)))

    async def _slot(self, address, stop):
        try:
            reader, writer = await asyncio.open_connection(*address)
        except OSError:
            return
        try:
            while not stop.is_set():
                await self._one(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _one(self, reader, writer):
        name, body = self.unanswered.pop() if self.unanswered else self._next()
        try:
            writer.write(b"\x0b" + body + b"\x1c\r")
            heard = await reader.readuntil(b"\x1c\r")
        except (OSError, asyncio.IncompleteReadError):
            self.unanswered.append((name, body))
            raise
        code, named = code_of(heard)
        if named != name.encode():
            self.wrong += 1
        elif code in CODES:
            self.answered[name] = hashlib.sha256(body).digest()
        else:
            self.negative[code] += 1

    def _next(self):
        self.sent += 1
        return adt(self.sent)


@dataclass
class Verdict:
    """What the ledger and the journal say of each other."""

    answered: int
    journalled: int
    missing: list[str]
    altered: list[str]
    repeated: list[str]
    phantom: list[str]

    @property
    def clean(self):
        return not (self.missing or self.altered or self.repeated or self.phantom)


def compare(load, rows):
    """I1 and I5: answered means journalled, unchanged, once; nothing else is there."""
    held = {}
    times: Counter[str] = Counter()
    for sha256, name, _ in rows:
        times[name] += 1
        held[name] = bytes(sha256)
    known = {name: hashlib.sha256(body).digest() for name, body in load.unanswered}
    known |= load.answered
    return Verdict(
        answered=len(load.answered),
        journalled=len(rows),
        missing=[name for name in load.answered if name not in held],
        altered=[
            name for name, sha in held.items() if known.get(name) not in {None, sha}
        ],
        repeated=[name for name, count in times.items() if count > 1],
        phantom=[name for name in held if name not in known],
    )


def kill_cycle(edge, load, chance):
    """Start, load, kill 10 to 200 ms after the first answer of this life.

    From the first answer, not from the start: a busy machine would else be killed
    before it said anything, and a run without answers proves nothing.
    """
    before = len(load.answered)
    edge.start()

    async def until_killed():
        stop = asyncio.Event()
        running = asyncio.create_task(load.run(edge.address, stop))
        while len(load.answered) == before and not running.done():  # noqa: ASYNC110 - a counter, not an event
            await asyncio.sleep(0.002)
        await asyncio.sleep(chance.uniform(0.01, 0.2))
        edge.kill()
        stop.set()
        await running

    asyncio.run(until_killed())
    return len(load.answered) - before


def seeded(seed):
    return random.Random(seed)  # noqa: S311 - a reproducible run, not a secret
