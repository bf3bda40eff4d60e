"""Feeding the patient index with many messages, and on from where it stopped."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from hashlib import sha256
from itertools import count, islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine.cli.invocation import now

if TYPE_CHECKING:
    from engine.identity import Model, Reading
    from engine.store.database import Database

BATCH: Final = 2_000


def taken(
    database: "Database",
    messages: Iterable[bytes],
    model: "Model",
    reading: "Reading",
    *,
    numbered: bool = False,
    load: str = "",
) -> Iterator[int]:
    """Decide and write messages in groups; yield how many were read after each group.

    Each message is decided as a worker would decide it, and sees those before it; only
    what the index writes is gathered. ``numbered`` gives the messages numbers of their
    own, for a store without a journal; else they have none. With ``load``, the name of
    one file's load, messages that an earlier run committed are passed over.
    """
    from engine.channels.collector import Collector
    from engine.hl7 import parse
    from engine.identity import decide, registration_of
    from engine.store.counters import reserve
    from engine.store.patient_changes import apply
    from engine.store.patients import PatientCache, SqlPatientIndex, mint

    cache, numbers = PatientCache(), count(1) if numbered else repeat(0)
    done = position(database, load) if load else 0
    rest = islice(messages, done, None)
    with closing(Collector()) as collector:
        while batch := list(islice(rest, BATCH)):
            with (
                database.engine() as connection,
                SqlPatientIndex(connection, database.sealer, cache) as index,
            ):
                at = now()
                for data in batch:
                    found = registration_of(parse(data), reading, mint, next(numbers))
                    if found.registration is not None:
                        apply(index, decide(found.registration, index, model), at)
                if load:
                    reserve(connection, load, len(batch))
            collector.after_batch()
            done += len(batch)
            yield done


def load_of(feed: Path) -> str:
    """Return the name under which the position in a file is kept: by its content."""
    digest = sha256()
    with feed.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return f"load {digest.hexdigest()[:32]}"


def position(database: "Database", load: str) -> int:
    """Return how many messages of a load were committed."""
    from engine.store.counters import reserve

    with database.engine() as connection:
        return reserve(connection, load, 0).start - 1
