"""Memory while large messages are claimed: by a worker, and for a destination.

    python bench/large_claims.py [MESSAGES [MEGABYTES]]

Prints by how much the process grew when as many as one claim may take were waiting.
"""

import resource
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from engine.store import claims, journal
from engine.store.database import open_database
from engine.store.deliveries import NewDelivery, Turn, claim_heads, enqueue
from engine.store.journal import Arrival

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
LIMIT = 64


def memory_mb() -> float:
    """Return how much memory this process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1_000_000


def main(messages: int, megabytes: int) -> None:
    """Fill a store, claim from it, and print what that took."""
    data = b"MSH|^~\\&|LAB\r" + bytes(megabytes * 1_000_000)
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(open_database(f"sqlite:///{folder}", bytes(32))) as store,
    ):
        for number in range(messages):
            with store.journal() as connection:
                arrival = Arrival("adt", "bench", "bench", NOON, data)
                journal.append(connection, store.sealer, [arrival])
            with store.engine() as connection:
                new = NewDelivery("adt", "hub", f"{number}", data, "text/plain")
                enqueue(connection, store.sealer, [(number + 1, 1, 0, new)], NOON)
        before = memory_mb()
        with store.engine() as connection:
            taken = claims.claim(connection, store.sealer, "adt", LIMIT)
        worker = f"worker {len(taken)} of {messages}: +{memory_mb() - before:.0f} MB"
        del taken
        before = memory_mb()
        with store.engine() as connection:
            turn = Turn("adt", "hub", "bench", NOON, NOON + timedelta(seconds=30))
            heads = claim_heads(connection, store.sealer, turn, LIMIT)
        edge = f"edge {len(heads)} of {messages}: +{memory_mb() - before:.0f} MB"
    print(f"{megabytes} MB each; {worker}; {edge}")


if __name__ == "__main__":
    asked = [int(word) for word in sys.argv[1:]]
    main(*asked, *(LIMIT, 50)[len(asked) :])
