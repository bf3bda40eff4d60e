"""CPU of the store per message, against the budgets of the flow.

Run: ``python bench/store.py [MESSAGES]``. Prints microseconds of CPU per message and
step, amortised over batches, with durable commits.
"""

import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import process_time

from engine.store import claims, deliveries, journal, results, settlement
from engine.store.claims import Claimed
from engine.store.database import Database, open_database
from engine.store.deliveries import Leased, NewDelivery, Turn
from engine.store.delivery_state import Event
from engine.store.journal import Arrival
from engine.store.message_state import MessageState
from engine.store.resources import KnownResource
from engine.store.results import Batch, Outcome, SearchKey
from engine.store.settlement import Settlement

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
BATCH = 64
BUDGETS = {
    "append": 80,
    "claim": 10,
    "record": 60,
    "record with 3 resources": 100,
    "lease": 20,
    "settle": 30,
}
"""Journal rows with sealing 65 + 15; search keys to outbox rows 60, and 40 for the
latest resources; of deliver's 90 and settle's 30 the share that is the store's."""


def adt(number: int) -> bytes:
    """Return an invented ADT of about 1 kB."""
    lines = [
        f"MSH|^~\\&|REG|NORTH|ENGINE|HUB|20300101120000||ADT^A08|C{number:08}|P|2.5.1",
        f"EVN|A08|20300101120000|||U{number % 97}",
        (
            f"PID|1||{number % 20_000:07}^^^NORTH^MR||ROE{number % 1987}^JO{number}^Q"
            f"||19{number % 90 + 10}0{number % 9 + 1}11|F|||{number} ELM ST^^TOWN^ST"
        ),
        f"PV1|1|I|W{number % 30}^{number % 12}^1^NORTH||||D{number % 300}^DOC^ANN",
        *(
            f"OBX|{n}|NM|CODE{n}^TEXT {n}^L||{number % 89 + n}|kg|||||F"
            for n in range(20)
        ),
    ]
    return "\r".join(lines).encode() + b"\r"


def arrival(number: int) -> Arrival:
    """Return an ADT as the listener gives it to the journal."""
    data = adt(number)
    return Arrival(
        channel="adt",
        listener="mllp:2575",
        peer="10.0.0.7",
        received_at=NOON + timedelta(milliseconds=number),
        data=data,
        control_id=f"C{number:08}",
        message_type="ADT",
        trigger_event="A08",
        dedupe_key=f"mllp:2575|10.0.0.7|REG|NORTH|C{number:08}",
        content_hash=data[:16],
    )


def outcome(claimed: Claimed, resources: int) -> Outcome:
    """Return a processed message with six search keys and one delivery."""
    number = claimed.row.id
    person = f"E{number % 20_000:08}"
    kinds = ("identifier", "family", "given", "birth", "visit", "control")
    return Outcome(
        message_id=number,
        state=MessageState.PROCESSED,
        revision="7f3a91c0",
        person=person,
        duration_us=300,
        keys=tuple(SearchKey(kind, f"{kind}{number % 20_000}") for kind in kinds),
        report=b'{"losses":[{"path":"PV1-44","reason":"no-fhir-home"}],"findings":[]}',
        deliveries=(
            NewDelivery("adt", "hub", person, claimed.data, "application/hl7-v2"),
        ),
        resources=tuple(
            KnownResource(
                "Patient", f"identifier=n|{number % 20_000}.{n}", claimed.data, number
            )
            for n in range(resources)
        ),
    )


SPENT: defaultdict[str, float] = defaultdict(float)
"""Seconds of CPU by step."""


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Add the CPU of one step to the account."""
    began = process_time()
    yield
    SPENT[name] += process_time() - began


def append(database: Database, numbers: range) -> None:
    """Journal one group."""
    arrivals = [arrival(number) for number in numbers]
    with timed("append"), database.journal() as connection:
        journal.append(connection, database.sealer, arrivals)


def claim(database: Database) -> list[Claimed]:
    """Take the next batch."""
    with timed("claim"), database.engine() as connection:
        return claims.claim(connection, database.sealer, "adt", BATCH)


def record(database: Database, claimed: list[Claimed], resources: int) -> None:
    """Write what a batch led to."""
    outcomes = [outcome(one, resources) for one in claimed]
    name = "record with 3 resources" if resources else "record"
    with timed(name), database.engine() as connection:
        results.record(connection, database.sealer, Batch("adt", outcomes), NOON)


def lease(database: Database) -> list[Leased]:
    """Take the heads that are due."""
    turn = Turn("adt", "hub", "node", NOON, NOON + timedelta(seconds=30))
    with timed("lease"), database.engine() as connection:
        return deliveries.claim_heads(connection, database.sealer, turn, BATCH)


def settle(database: Database, leased: list[Leased]) -> None:
    """Write that everything was taken."""
    answer = b"MSH|^~\\&|A\rMSA|AA|1\r"
    ends = [Settlement(one, Event.ACCEPT, answer=answer) for one in leased]
    with timed("settle"), database.engine() as connection:
        settlement.settle(connection, database.sealer, ends, NOON)


def main(count: int) -> None:
    """Run the flow and print the account."""
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{Path(folder) / 'store'}", bytes(32))
        for start in range(0, count, BATCH):
            append(database, range(start, start + BATCH))
        done = 0
        while claimed := claim(database):
            record(database, claimed, 3 if done >= count // 2 else 0)
            done += len(claimed)
        while leased := lease(database):
            settle(database, leased)
        database.close()
    print(f"{count} messages of {len(adt(1))} bytes, batches of {BATCH}, FULL")
    for name, budget in BUDGETS.items():
        share = count // 2 if name.startswith("record") else count
        print(f"{name:26}{SPENT[name] / share * 1e6:8.1f} us  budget {budget}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 6_400)
