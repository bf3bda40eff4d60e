"""F21 with a full store: a start that finds so many rows in every state.

    python -m tests.faults.full_store --rows 100000

Messages received, filtered, processed, held and in error, deliveries queued, leased,
delivered, failed and discarded, as many of each. Recovery must end the leases of this
node's earlier life, touch nothing else, ask a page at a time, and leave counters that
agree with the tables. Prints its figures; exits 1 if anything differs.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import event

from engine.channels.outbox import Outbox
from engine.store import delivery_moves, queues
from engine.store.delivery_state import Event
from engine.store.message_state import MessageState
from engine.store.results import Failure, Outcome
from engine.store.settlement import PAGE, expire
from tests.databases import empty_database
from tests.stored import (
    NOON,
    accept,
    arrival,
    claim,
    document,
    end,
    failed,
    lease,
    order,
    processed,
    record,
)

PIECE = 1000
STATES = 9
"""A message that was received and not processed yet has no row of its own."""

STATEMENTS_A_PAGE = 12
"""More than the few that recovery makes for each page, far fewer than one for a row."""


def fill(store, rows):
    """Make that many rows of every state."""
    for first in range(0, rows, PIECE):
        count = min(PIECE, rows - first)
        for make in (filtered, held, failed):
            process(store, count, make)
        for settle in (delivered, parked, discarded):
            process(store, count, with_document)
            settle(store)
    for first in range(0, rows, PIECE):  # after the discarded, which end all leases
        process(store, min(PIECE, rows - first), with_document)
        leased(store)
    for first in range(0, rows, PIECE):
        process(store, min(PIECE, rows - first), with_document)  # these stay queued
    for first in range(0, rows, PIECE):
        accept(store, *map(numbered, range(min(PIECE, rows - first))))


def numbered(number):
    return arrival(f"C{number}")


def process(store, count, make):
    """Accept so many messages; ``make`` says how each ends."""
    accept(store, *map(numbered, range(count)))
    record(store, *[make(each.row.id) for each in claim(store, count)])


def filtered(number):
    return Outcome(number, MessageState.FILTERED, reason="not for us")


def held(number):
    why = Failure("edit", "permanent", "waits", "Waits for a person.")
    return Outcome(number, MessageState.HELD, failure=why)


def with_document(number):
    return processed(number, document(order_key=str(number)))


def delivered(store):
    for one in leased(store):
        end(store, one)


def parked(store):
    for one in leased(store):
        end(store, one, Event.PARK, class_="permanent", code="refused", sentence="No.")


def discarded(store):
    numbers = [one.id for one in leased(store)]
    with store.engine() as connection:
        expire(connection, NOON, owner="node-1")
    order(store, delivery_moves.discard, *numbers)


def leased(store):
    return lease(store, limit=PIECE)


# ---- the start


def counted(store):
    """Return the rows of each state, as the tables and as the counters have them."""
    with store.reading() as connection:
        rows = connection.exec_driver_sql(
            "SELECT 'message' AS subject, state, count(*) AS n FROM engine.message"
            " GROUP BY state UNION ALL SELECT 'delivery', state, count(*)"
            " FROM engine.delivery GROUP BY state"
        ).all()
        shown = [one for one in queues.counts(connection) if one.count]
    tables = {(row.subject, row.state): row.n for row in rows}
    counters = {(one.subject, one.state): one.count for one in shown
                if one.subject in {"message", "delivery"}}  # fmt: skip
    return tables, counters


def recovered(store):
    """Recover as a node does; return the statements that it took, and the seconds."""
    statements = []

    def note(_connection, _cursor, statement, *_):
        statements.append(statement)

    event.listen(store._backend.engine, "before_cursor_execute", note)
    began = time.process_time()
    Outbox(store, "node-1", lambda: NOON).recover()
    seconds = time.process_time() - began
    event.remove(store._backend.engine, "before_cursor_execute", note)
    return len(statements), round(seconds, 2)


def judge(before, after, counters, rows):
    """Return what recovery did that it should not have, in sentences."""
    wanted = dict(before)
    wanted["delivery", "queued"] += wanted.pop(("delivery", "leased"))
    wrong = []
    if len(before) != STATES or min(before.values()) < rows:
        wrong.append(f"the store was not full: {before}")
    if after != wanted:
        wrong.append(f"the states are {after} instead of {wanted}")
    if counters != after:
        wrong.append(f"the counters say {counters}, the tables {after}")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="interop-F21-") as folder:
        store = empty_database("sqlite", Path(folder))
        fill(store, asked.rows)
        before, _ = counted(store)
        statements, seconds = recovered(store)
        after, counters = counted(store)
        store.close()
    wrong = judge(before, after, counters, asked.rows)
    most = STATEMENTS_A_PAGE * (1 + asked.rows // PAGE)
    if statements > most:
        wrong.append(f"{statements} statements, more than {most}")
    told = {" ".join(key): count for key, count in sorted(before.items())}
    told |= {"statements": statements, "recovery_cpu_seconds": seconds, "wrong": wrong}
    print(json.dumps(told, indent=1))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
