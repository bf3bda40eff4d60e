"""The ledger: was everything that was answered delivered, and nothing else?

    python -m tests.faults.ledger RUN_FOLDER [--wait SECONDS]

A process of its own that shares no code with the engine. It waits until nothing is
under way or the time is up, reads the store through a read-only connection, evaluates
I1 to I7, and prints one JSON object. It ends with 0 when all hold, 1 when one does
not, and 2 where so little was answered that the run proves nothing.
"""

import argparse
import json
import sqlite3
import sys
import time
from collections import Counter
from itertools import islice
from pathlib import Path

from tests.faults.books import (
    POSITIVE,
    Books,
    open_store,
    read_books,
    read_plan,
    undone,
)
from tests.faults.invariants import INVARIANTS

SHOWN = 10
HOLDS, BROKEN, NO_POWER = 0, 1, 2
LOOK_SECONDS = 0.25


def wait_until_settled(store: Path, seconds: float) -> bool:
    """Return True as soon as nothing is under way, False when the time is up."""
    end = time.monotonic() + seconds
    while True:
        try:
            connection = open_store(store)
            left = undone(connection)
            connection.close()
        except sqlite3.OperationalError:  # being made, or being recovered
            left = 1
        if not left or time.monotonic() > end:
            return not left
        time.sleep(LOOK_SECONDS)


def check(folder: Path) -> tuple[dict[str, object], int]:
    """Return the figures of a run and the exit code."""
    books = read_books(folder)
    broken = {
        name: offenders
        for name, invariant in INVARIANTS.items()
        if (offenders := list(islice(invariant(books), SHOWN)))
    }
    figures = {**_figures(books), "broken": broken}
    if broken:
        return figures, BROKEN
    if int(str(figures["answered"])) < books.plan.least:
        return figures | {"no_power": f"fewer than {books.plan.least}"}, NO_POWER
    return figures, HOLDS


def _figures(books: Books) -> dict[str, object]:
    plan = books.plan
    answered = {each.control_id for each in books.answers if each.code in POSITIVE}
    states = Counter(each.state or "received" for each in books.messages.values())
    ends = Counter(each.state for each in books.deliveries.values())
    documents = len({(each.destination, each.sha256) for each in books.receipts})
    return {
        "fault": plan.fault,
        "seed": plan.seed,
        "commit": plan.commit,
        "answered": len(answered),
        "journalled": len(books.messages),
        **{f"messages_{state}": count for state, count in sorted(states.items())},
        "delivered": ends["delivered"],
        "repeated": len(books.receipts) - documents,
        "pending": ends["queued"] + ends["leased"],
        "failed": ends["failed"],
        "audit_rows": books.ask("SELECT count(*) FROM engine.audit")[0][0],
    }


def main() -> int:
    """Check one run."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--wait", type=float, default=0.0)
    asked = options.parse_args()
    if asked.wait:
        wait_until_settled(read_plan(asked.folder).store, asked.wait)
    figures, code = check(asked.folder)
    print(json.dumps(figures, indent=1))
    return code


if __name__ == "__main__":
    sys.exit(main())
