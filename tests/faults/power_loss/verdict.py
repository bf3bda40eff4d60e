"""What an image is worth: opened by the engine's own recovery, then counted."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from engine.channels.outbox import Outbox
from engine.errors import EngineError
from engine.store import audit, claims, journal
from engine.store.database import Database, open_database
from engine.store.key_file import load_or_create_key
from tests.stored import arrival

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Shape:
    """Which channel an image's messages came in by, and where its files went."""

    channel: str = "adt"
    out: str = "config/out/adt/"


@dataclass
class Verdict:
    """What is wrong with one image: nothing, if every list is empty."""

    unreadable: str = ""
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def clean(self):
        return not (self.unreadable or self.lost or self.wrong)


def answered_in(data):
    """Return the names of the positive acknowledgments in bytes that were sent."""
    found = []
    for part in data.split(b"\rMSA|")[1:]:
        code, name = part.split(b"\r", 1)[0].split(b"|")[:2]
        if code in {b"AA", b"CA"}:
            found.append(name.decode())
    return found


def judge(
    image: Mapping[str, bytes],
    folder: Path,
    answered: set[str],
    sent: Mapping[str, bytes],
    shape: Shape = Shape(),
    *,
    opened: dict[tuple[int, bytes], bytes] | None = None,
):
    """Write an image to ``folder``, open it as an engine would, and count.

    Args:
        image: name to bytes.
        folder: an empty one.
        answered: the messages whose positive answer was sent before the cut.
        sent: SHA-256 of every message that was ever sent, by control id.
        shape: of the site.
        opened: SHA-256 of what a row's sealed bytes held in an earlier image: images
            of one run have most of their rows in common.
    """
    verdict, opened = Verdict(), {} if opened is None else opened
    for name, content in image.items():
        if not name.startswith(shape.out) and not name.endswith("/reserve"):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.write_bytes(content)
            path.chmod(0o600)
    try:
        key = load_or_create_key(folder / "store.key")
        database = open_database(f"sqlite:///{folder}/store", key, role="edge")
    except EngineError as error:
        verdict.unreadable = str(error)
        return verdict
    try:
        Outbox(database, "node", lambda: NOW).recover()
        with database.reading() as connection:
            _judge_store(connection, database, verdict, answered, sent, opened)
            _judge_files(connection, image, verdict, sent, shape)
        _goes_on(database, verdict, shape)
    except EngineError as error:
        verdict.unreadable = str(error)
    finally:
        database.close()
    return verdict


def _judge_store(
    connection: Connection, database: Database, verdict, answered, sent, opened
):
    for schema in ("journal", "engine"):
        found = connection.exec_driver_sql(f"PRAGMA {schema}.integrity_check").scalar()
        if found != "ok":
            verdict.unreadable = f"{schema}: {found}"
            return
    _judge_journal(connection, database, verdict, answered, sent, opened)
    _judge_states(connection, verdict)
    walk = audit.verify(connection, database.sealer)
    if walk.fault:
        verdict.wrong.append(f"audit: {walk.fault}")


def _judge_journal(
    connection: Connection, database: Database, verdict, answered, sent, opened
):
    """I1 and I5: answered means journalled, unchanged, once; nothing else is there."""
    rows = connection.exec_driver_sql(
        "SELECT id, control_id, sha256, content FROM journal.message"
        " WHERE control_id NOT LIKE 'W%'"
    ).all()
    held = {row.control_id: row.sha256 for row in rows}
    verdict.lost += [name for name in answered if held.get(name) != sent[name]]
    if len(held) != len(rows):
        verdict.wrong.append("a message is there twice")
    for row in rows:
        sealed = row.id, row.content
        if sealed not in opened:
            content = journal.content(connection, database.sealer, row.id) or b""
            opened[sealed] = hashlib.sha256(content).digest()
        if opened[sealed] != sent.get(row.control_id):
            verdict.wrong.append(f"message {row.id} is not what was sent")


def _judge_states(connection: Connection, verdict):
    """I2, as far as a moment in the middle of work allows."""
    orphans = connection.exec_driver_sql(
        "SELECT id FROM engine.message WHERE id NOT IN (SELECT id FROM journal.message)"
    ).all()
    undelivered = connection.exec_driver_sql(
        "SELECT m.id FROM engine.message m LEFT JOIN engine.delivery d"
        " ON d.message_id = m.id WHERE m.state = 'processed'"
        " GROUP BY m.id HAVING count(d.id) != 1"
    ).all()
    verdict.wrong += [f"message {row.id} is not in the journal" for row in orphans]
    verdict.wrong += [f"message {row.id} has not one delivery" for row in undelivered]


def _judge_files(connection: Connection, image, verdict, sent, shape):
    """A delivered document is there, whole; a file that is there was received."""
    files = {
        name.removeprefix(shape.out): content
        for name, content in image.items()
        if name.startswith(shape.out) and name.endswith(".hl7")
    }
    hashes = set(sent.values())
    for name, content in files.items():
        if hashlib.sha256(content).digest() not in hashes:
            verdict.wrong.append(f"file {name} is not what was received")
    delivered = connection.exec_driver_sql(
        "SELECT message_id FROM engine.delivery WHERE state = 'delivered'"
    ).scalars()
    verdict.lost += [
        f"file {number}" for number in delivered if f"{number}.hl7" not in files
    ]


def _goes_on(database: Database, verdict, shape):
    """What was recovered takes the next message, under a number of its own."""
    with database.journal() as connection:
        [one] = journal.append(
            connection,
            database.sealer,
            [arrival("NEXT", b"MSH|next", channel=shape.channel)],
        )
    with database.engine() as connection:
        claims.forget_starts(connection)
        waiting = claims.claim(connection, database.sealer, shape.channel, 10_000)
    if not waiting or waiting[-1].row.id != one.id:
        verdict.wrong.append("the next message is not the last one to be processed")
