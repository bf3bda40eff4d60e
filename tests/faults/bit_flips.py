"""F12: flip one bit of a store at rest; it is found, or it changes nothing.

    python -m tests.faults.bit_flips --flips 1000 [--seed 1]

A node works and is killed: one store has much in both write-ahead logs; another is the
same after its logs went into the files, as a stopped node leaves it. Then, in a copy,
one bit of one page or log frame is flipped, page after page over all files, and the
copy is opened as a starting engine opens it, looked through by what `interop store
verify` runs, and asked for everything that would be processed or sent.
A flip is

* detected: the store is refused or the damage is named;
* harmless: every row of every table reads as before (the bit is in free space, or
  was written anew later in the log);
* told: only what `unproven` names reads differently, counts and times that are shown;
* undetected: a row reads differently and nothing says so; its column is told.

Whatever the flip, content that would be processed or sent is as it was, or is known to
be damaged. Prints one JSON object; ends with 1 if changed content would go on, if a
flip of a write-ahead log is undetected, or if a damaged row keeps a whole queue back.
"""

import argparse
import ast
import asyncio
import json
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from engine.errors import EngineError
from engine.store import claims, deliveries
from engine.store.damage import damages
from engine.store.database import open_database
from engine.store.deliveries import Turn
from engine.store.key_file import Keys, load_or_create_key
from engine.store.settlement import expire
from engine.store.write_lock import WriteLock
from tests.edge_ledger import seeded
from tests.faults.books import open_store
from tests.faults.evidence import commit
from tests.faults.forked import ForkedNode
from tests.faults.ledger import wait_until_settled
from tests.faults.sending import Sender
from tests.faults.site import site
from tests.faults.unproven import UNPROVEN

SCHEMAS = ("journal", "engine")
FILES = ("journal.db", "journal.db-wal", "engine.db", "engine.db-wal")
PAGE, LOG_HEADER, FRAME = 4096, 32, 4096 + 24
LATER = datetime.now(UTC) + timedelta(days=1)  # noqa: TID251 - every retry is due
MEMORY = Path("/dev/shm")  # noqa: S108 - copies are read once; no disk need wait
FIRST, SECOND, UNPROCESSED = 60, 80, 20
LEAST_QUEUED = 5
MANY = 10_000
UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)
"""What a row raises that holds other words or types than were written."""


def make_stores(folder, key):
    """Return the folders of two stores at rest: with much in the logs, and without."""
    killed, stopped = _killed(folder), folder / "stopped"
    shutil.copytree(killed, stopped)
    open_database(f"sqlite:///{stopped}", load_or_create_key(key), role="edge").close()
    return killed, stopped


def _killed(folder):
    with site(folder, ("all",), delay=0.5) as run:
        node, sender = ForkedNode(run), Sender(folder, run.ports, width=8)
        node.start()
        asyncio.run(_send(sender, FIRST))
        wait_until_settled(run.store, 60)
        node.stop()
        node.start()
        asyncio.run(_send(sender, SECOND))
        while queued(run.store) < LEAST_QUEUED:
            time.sleep(0.05)
        node.lives["worker"].send(signal.SIGKILL)
        node.lives["worker"].wait()
        asyncio.run(_send(sender, UNPROCESSED))
        node.kill()
        (run.store / "reserve").unlink(missing_ok=True)
        for path in run.store.glob("*-shm"):
            path.unlink()
        return run.store


def queued(store):
    """Return how many deliveries wait for their turn."""
    connection = open_store(store)
    sql = "SELECT count(*) FROM engine.delivery WHERE state = 'queued'"
    [(count,)] = connection.execute(sql).fetchall()
    connection.close()
    return count


async def _send(sender, more):
    stop, wanted = asyncio.Event(), sender.answered + more
    running = asyncio.create_task(sender.run(stop))
    while sender.answered < wanted:  # noqa: ASYNC110 - a counter, not an event
        await asyncio.sleep(0.01)
    stop.set()
    await running


# ---- what is in a store


def rows_of(store):
    """Return every row of every table, as stored, without the engine's code."""
    connection = open_store(store)
    connection.text_factory = bytes
    found = {}
    for schema in ("journal", "engine"):
        tables = connection.execute(
            f"SELECT name FROM {schema}.sqlite_schema WHERE type = 'table'"  # noqa: S608 - fixed words
        ).fetchall()
        for (name,) in tables:
            table = f"{schema}.{name.decode()}"
            try:
                cursor = connection.execute(f"SELECT * FROM {table}")  # noqa: S608 - our own names
            except UnicodeDecodeError:  # of a column's name
                continue
            columns = [each[0] for each in cursor.description]
            found[table] = columns, sorted(map(repr, cursor))
    connection.close()
    return found


def ahead(store, schema):
    """Return how many commits of a killed store were on disk and not noted yet.

    Whoever waits for a commit is told after the note, so nobody knows of these.
    """
    connection = open_store(store)
    [(commits,)] = connection.execute(
        f"SELECT value FROM {schema}.sequence WHERE name = 'commit'"  # noqa: S608 - a fixed word
    )
    connection.close()
    lock = WriteLock(store / f"{schema}.lock")
    noted = lock.noted()
    lock.close()
    return commits - noted


def differences(before, after):
    """Return the columns, or tables, in which something reads differently."""
    return sorted(
        name + told(before.get(name), after.get(name))
        for name in before.keys() | after.keys()
        if before.get(name) != after.get(name)
    )


def told(before, after):
    """Return the columns in which the one row differs that does; none for more rows."""
    if before is None or after is None:
        return ""
    columns, rows = before
    gone, new = set(rows) - set(after[1]), set(after[1]) - set(rows)
    if len(gone) != 1 or len(new) != 1:
        return ""
    pairs = zip(columns, ast.literal_eval(*gone), ast.literal_eval(*new), strict=True)
    return "".join(f".{column}" for column, was, now in pairs if was != now)


def going_on(database):
    """Return the content of everything that would be processed or sent, by number."""
    content: dict[tuple[str, int], bytes | None] = {}
    with database.engine() as connection:
        claims.forget_starts(connection)
        for claimed in claims.claim(connection, database.sealer, "all", MANY):
            whole = None if claimed.damaged else claimed.data
            content["message", claimed.row.id] = whole
        expire(connection, LATER)
        for name in ("his", "archive", "fhir"):
            turn = Turn("all", name, "flips", LATER, LATER)
            for one in deliveries.claim_heads(connection, database.sealer, turn, MANY):
                content["delivery", one.id] = one.content
    return content


# ---- flips


def pages(store):
    """Return (file, first bit, bits) of every page and log frame, headers included.

    The second list is of what is read of logs: the header, and the frames that bear its
    salt (sqlite.org/fileformat2.html, 4.1); the others are left of earlier logs.
    """
    found, live = [], []
    for name in FILES:
        size = (store / name).stat().st_size if (store / name).exists() else 0
        if not size:  # a log that looking at the store has made
            continue
        head, step = (LOG_HEADER, FRAME) if name.endswith("wal") else (0, PAGE)
        starts = [*([0] if head else []), *range(head, size, step)]
        ends = [*starts[1:], size]
        content = (store / name).read_bytes()
        for start, end in zip(starts, ends, strict=True):
            page = name, start * 8, (end - start) * 8
            salt = content[start + 8 : start + 16] if start else content[16:24]
            found.append(page)
            if head and salt == content[16:24]:
                live.append(page)
    return found, live


@dataclass
class Flips:
    """One store, as it was, and what flipping its bits has led to."""

    store: Path
    key: Keys
    counts: Counter[str] = field(default_factory=Counter)
    undetected: Counter[str] = field(default_factory=Counter)
    stopped: Counter[str] = field(default_factory=Counter)
    offenders: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.rows = rows_of(self.store)
        self.ahead = {schema: ahead(self.store, schema) for schema in SCHEMAS}
        with tempfile.TemporaryDirectory(prefix="interop-F12-") as folder:
            copy = Path(folder, "store")
            shutil.copytree(self.store, copy)
            database = open_database(f"sqlite:///{copy}", self.key, role="edge")
            with database.reading() as connection:
                told = list(damages(connection, database.sealer))
            assert not told, told
            self.content = going_on(database)
            database.close()
        kinds = Counter(kind for kind, _ in self.content)
        assert min(kinds["message"], kinds["delivery"]) > 0, kinds
        self.counts["messages waiting"] = kinds["message"]
        self.counts["heads of lanes waiting"] = kinds["delivery"]

    def flip(self, page, bit, copy):
        """Flip one bit in a copy of the store, and judge it."""
        shutil.copytree(self.store, copy)
        with (copy / page[0]).open("r+b") as file:
            place = page[1] + bit
            file.seek(place // 8)
            [byte] = file.read(1)
            file.seek(place // 8)
            file.write(bytes([byte ^ 1 << place % 8]))
        where = f"{page[0]} bit {place}"
        log = page[0].endswith("-wal")
        try:
            verdict = self._judge(copy, where)
        except (EngineError, DBAPIError, sqlite3.DatabaseError) as error:
            verdict = "refused"
            self.counts[f"refused: {type(error).__name__}"] += 1
        if log and verdict == "undetected" and self.ahead[page[0].partition(".")[0]]:
            verdict = "last commit, which nobody was told of"
        self.counts["flips"] += 1
        self.counts[f"{'log' if log else 'file'}: {verdict}"] += 1
        if log and verdict == "undetected":
            self._offend(f"{where}: a damaged log is not seen")

    def _judge(self, copy, where):
        database = open_database(f"sqlite:///{copy}", self.key, role="edge")
        try:
            with database.reading() as connection:
                named = list(damages(connection, database.sealer))
            changed = [] if named else differences(self.rows, rows_of(copy))
            self._judge_content(database, where, named)
        finally:
            database.close()
        if named:
            return "named"
        if changed and all(map(self._is_told, changed)):
            return "told: " + " ".join(changed)
        if changed:
            self.undetected.update(changed)
            return "undetected"
        return "harmless"

    def _is_told(self, place):
        """Whether it is known of all these columns of a table that nothing proves them.

        Where more than one row reads differently it may be any column.
        """
        schema, table, *columns = place.split(".")
        name = f"{schema}.{table}"
        return set(columns or self.rows[name][0]) <= UNPROVEN.get(name, {}).keys()

    def _judge_content(self, database, where, named):
        """Nothing changed goes on, and what is whole does."""
        try:
            found = going_on(database)
        except (EngineError, DBAPIError, *UNREADABLE) as error:
            self.counts["queue stopped by the damage"] += 1
            self.stopped[type(error).__name__] += 1
            if not named:
                self._offend(f"{where}: {type(error).__name__}, not named")
            return
        for key, content in found.items():
            if content is not None and content != self.content.get(key, content):
                self._offend(f"{where}: {key[0]} {key[1]} would go on changed")
        left = len(self.content) - sum(one is not None for one in found.values())
        self.counts["content kept back or out of its queue"] += max(left, 0)

    def _offend(self, told):
        if len(self.offenders) < 10:
            self.offenders.append(told)


def endless(pages, chance):
    """Yield all the pages in an order of chance, and again in another."""
    while True:
        yield from chance.sample(pages, len(pages))


def run(flips, count, chance):
    """Flip so many bits, page after page in an order of chance, and again.

    Where logs are read, every other flip is in what is read of them: how much of a log
    is left over depends on when the node died.
    """
    every, live = pages(flips.store)
    where = MEMORY if MEMORY.is_dir() else None
    flips.counts["log frames that are read"] = len(live)
    orders = [endless(pages, chance) for pages in (every, live) if pages]
    for number in range(count):
        page = next(orders[number % len(orders)])
        bit = chance.randrange(page[2])
        with tempfile.TemporaryDirectory(prefix="interop-F12-", dir=where) as folder:
            flips.flip(page, bit, Path(folder, "store"))
        if number % 100 == 99:
            print(f"{number + 1} flips: {dict(flips.counts)}", file=sys.stderr)
    return len(every)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--flips", type=int, default=100)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    begun, counts = time.monotonic(), Counter[str]()
    undetected, stopped = Counter[str](), Counter[str]()
    offenders: list[str] = []
    with tempfile.TemporaryDirectory(prefix="interop-F12-") as folder:
        key, chance = Path(folder, "store.key"), seeded(asked.seed)
        for store in make_stores(Path(folder), key):
            flips = Flips(store, load_or_create_key(key))
            counts["pages"] += run(flips, asked.flips // 2, chance)
            counts += flips.counts
            undetected += flips.undetected
            stopped += flips.stopped
            offenders += flips.offenders
    shape = {"fault": "F12", "commit": commit(), "seed": asked.seed}
    shape |= {"seconds": round(time.monotonic() - begun)}
    shape |= {"undetected": dict(undetected), "stopped by": dict(stopped)}
    print(json.dumps({**shape, **counts, "offenders": offenders[:10]}, indent=1))
    return 1 if offenders else 0


if __name__ == "__main__":
    sys.exit(main())
