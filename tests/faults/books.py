"""What the ledger reads: two append-only logs, and the store through its own SQL.

Nothing of the engine is imported here or in `ledger` and `invariants`: what is wrong in
the engine must not be wrong in the same way where it is checked.

A run lies in one folder. ``run.json`` says where the store is and what each channel
promises; ``sender.log`` and ``receiver.log`` have one line per event, fields apart by
tabs::

    time, "sent" or "answered", channel, MSH-10, SHA-256, code     (sender)
    time, channel/destination, MSH-10, SHA-256, "again" or "once"  (receiver)

``again`` says that the receiver may be given this document twice without harm: every
entry of a Bundle is conditional or has its own id.
"""

import hashlib
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

POSITIVE = frozenset({"AA", "CA"})
RUN, SENDER, RECEIVER = "run.json", "sender.log", "receiver.log"


class Answer(NamedTuple):
    """One answer that the sender saw."""

    channel: str
    control_id: str
    sha256: str
    code: str


class Receipt(NamedTuple):
    """One document that a receiver saw; ``at`` is the order of arrival there."""

    at: int
    destination: str
    control_id: str
    sha256: str
    again: bool


class Message(NamedTuple):
    """One journalled message, and what became of it; ``state`` is None while new."""

    id: int
    channel: str
    sha256: str
    state: str | None
    attempt: int
    reason: str
    behind: int | None


class Delivery(NamedTuple):
    """One delivery."""

    id: int
    message_id: int
    attempt: int
    ordinal: int
    channel: str
    destination: str
    lane_id: int
    state: str
    attempts: int
    sha256: str
    event: int

    @property
    def place(self) -> str:
        """Channel and destination, as the receivers' log names them."""
        return f"{self.channel}/{self.destination}"


@dataclass(frozen=True)
class Plan:
    """What a run promises.

    Attributes:
        store: folder of ``journal.db`` and ``engine.db``.
        key: the store's key file.
        channels: channel to destination to how it behaves: ``kind`` is mllp, file or
            http, ``verbatim`` sends on the bytes that came in, ``files`` is the folder
            of a file destination.
        least: answers below which the run proves nothing.
    """

    store: Path
    key: Path
    channels: dict[str, dict[str, dict[str, str]]]
    least: int
    fault: str = ""
    seed: int = 0
    commit: str = "unknown"

    def destination(self, place: str) -> dict[str, str]:
        """Return how a destination behaves, by ``channel/destination``."""
        channel, _, name = place.partition("/")
        return self.channels[channel][name]


def read_plan(folder: Path) -> Plan:
    """Return what ``run.json`` says."""
    told = json.loads((folder / RUN).read_text("utf-8"))
    return Plan(**{**told, "store": Path(told["store"]), "key": Path(told["key"])})


@dataclass
class Books:
    """Everything that one check looks at, read once."""

    plan: Plan
    store: sqlite3.Connection
    sent: set[tuple[str, str]] = field(default_factory=set)
    answers: list[Answer] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    messages: dict[int, Message] = field(default_factory=dict)
    deliveries: dict[int, Delivery] = field(default_factory=dict)

    def ask(self, sql: str) -> list[tuple]:  # type: ignore[type-arg]
        """Return the rows of one question to the store."""
        return self.store.execute(sql).fetchall()

    def by_message(self) -> dict[int, list[Delivery]]:
        """Return the deliveries of each message."""
        found: dict[int, list[Delivery]] = defaultdict(list)
        for each in self.deliveries.values():
            found[each.message_id].append(each)
        return found

    def by_document(self) -> dict[tuple[str, str], list[Delivery]]:
        """Return the deliveries of each document at each destination."""
        found: dict[tuple[str, str], list[Delivery]] = defaultdict(list)
        for each in self.deliveries.values():
            found[each.place, each.sha256].append(each)
        return found

    def seen(self) -> dict[tuple[str, str], list[Receipt]]:
        """Return what the receivers saw of each document at each destination."""
        found: dict[tuple[str, str], list[Receipt]] = defaultdict(list)
        for each in self.receipts:
            found[each.destination, each.sha256].append(each)
        return found


def open_store(folder: Path) -> sqlite3.Connection:
    """Return a connection that can write nothing, both schemas under their names."""
    connection = sqlite3.connect("file::memory:", uri=True, isolation_level=None)
    for schema in ("journal", "engine"):
        place = f"file:{folder / f'{schema}.db'}?mode=ro"
        connection.execute(f"ATTACH DATABASE ? AS {schema}", (place,))
    connection.execute("PRAGMA query_only = 1")
    return connection


_MESSAGES = """
SELECT j.id, j.channel, lower(hex(j.sha256)),
       CASE WHEN r.message_id IS NOT NULL THEN 'received' ELSE m.state END,
       coalesce(m.attempt, 0), coalesce(m.reason, ''), m.behind
FROM journal.message AS j
LEFT JOIN engine.message AS m ON m.id = j.id
LEFT JOIN engine.redo AS r ON r.message_id = j.id
"""
_DELIVERIES = """
SELECT id, message_id, attempt, ordinal, channel, destination, lane_id, state,
       attempts, lower(hex(sha256)), event
FROM engine.delivery
"""
_UNDONE = """
SELECT (SELECT count(*) FROM journal.message)
     - (SELECT count(*) FROM engine.message WHERE state <> 'received')
     + (SELECT count(*) FROM engine.redo)
     + (SELECT count(*) FROM engine.lane WHERE state <> 'parked')
"""


def undone(connection: sqlite3.Connection) -> int:
    """Return how many messages and lanes have not come to rest yet."""
    return int(connection.execute(_UNDONE).fetchone()[0])


def read_books(folder: Path) -> Books:
    """Return the logs, and the store as of one moment."""
    plan = read_plan(folder)
    books = Books(plan, open_store(plan.store))
    books.ask("BEGIN")
    books.messages = {row[0]: Message(*row) for row in books.ask(_MESSAGES)}
    books.deliveries = {row[0]: Delivery(*row) for row in books.ask(_DELIVERIES)}
    for event, channel, name, sha256, code in _lines(folder / SENDER):
        if event == "sent":
            books.sent.add((channel, sha256))
        else:
            books.answers.append(Answer(channel, name, sha256, code))
    books.receipts = [
        Receipt(at, place, name, sha256, again == "again")
        for at, (place, name, sha256, again) in enumerate(_lines(folder / RECEIVER))
    ]
    books.receipts += _files(plan)
    return books


def _lines(path: Path) -> Iterator[list[str]]:
    """Return the fields of each line, without its time."""
    if path.exists():
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                yield line.rstrip("\n").split("\t")[1:]


def _files(plan: Plan) -> Iterator[Receipt]:
    """Return what lies in the folders of file destinations, by time of writing."""
    for channel, destinations in plan.channels.items():
        for name, told in destinations.items():
            if "files" in told:
                yield from _folder(f"{channel}/{name}", Path(told["files"]))


def _folder(place: str, folder: Path) -> Iterator[Receipt]:
    for path in folder.rglob("*"):
        if not path.is_file() or path.name.endswith(".part"):
            continue  # an unfinished write that a crash left: no reader picks it up
        body = path.read_bytes()
        fields = body.split(b"|", 10)
        control_id = fields[9].decode("latin-1") if len(fields) > 10 else path.name
        digest = hashlib.sha256(body).hexdigest()
        yield Receipt(path.stat().st_mtime_ns, place, control_id, digest, again=False)
