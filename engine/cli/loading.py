"""Feeding the patient index with many messages, and on from where it stopped."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Final

from engine.cli.intake import Group, Intake, read_ahead
from engine.cli.invocation import now
from engine.cli.unread import Unread, tell

if TYPE_CHECKING:
    from engine.identity import Model, Reading
    from engine.store.database import Database

BATCH: Final = 2_000

Keep = Callable[[Unread, bytes], None]
"""Take note of a message that cannot be read."""


def _told(one: Unread, _: bytes) -> None:
    tell(one)


def taken(
    database: "Database",
    messages: Iterable[bytes],
    model: "Model",
    reading: "Reading",
    *,
    numbered: bool = False,
    load: str = "",
    processes: int = 0,
    keep: Keep = _told,
) -> Iterator[int]:
    """Decide and write messages in groups; yield how many were read after each group.

    Each message is decided as a worker would decide it, and sees those before it; only
    what the index reads and writes is gathered. ``numbered`` gives the messages numbers
    of their own, for a store without a journal; else they have none. With ``load``, the
    name of one file's load, messages that an earlier run committed are passed over.
    ``processes`` read messages ahead. A message that cannot be read registers nobody;
    it is given to ``keep`` before the group it is in is written.
    """
    from engine.channels.collector import Collector
    from engine.identity import decide
    from engine.store.counters import reserve
    from engine.store.patient_changes import apply
    from engine.store.patients import PatientCache, SqlPatientIndex

    cache = PatientCache()
    done = position(database, load) if load else 0
    groups = _groups(islice(messages, done, None), numbered=numbered)
    reading = replace(reading, assigners=dict(reading.assigners))  # no view travels
    intake = Intake(reading, dict(model.formal), database.sealer.blind("block keys"))
    with (
        closing(Collector()) as collector,
        closing(read_ahead(intake, groups, processes)) as read,
    ):
        for batch, (registrations, unread) in read:
            for one in unread:
                keep(one._replace(number=done + one.number), batch[one.number - 1])
            with (
                database.engine() as connection,
                SqlPatientIndex(connection, database.sealer, cache) as index,
            ):
                at = now()
                index.read_ahead(registrations)
                for each in registrations:
                    apply(index, decide(each, index, model), at, model)
                if load:
                    reserve(connection, load, len(batch))
            collector.after_batch()
            done += len(batch)
            yield done


def _groups(messages: Iterable[bytes], *, numbered: bool) -> Iterator[Group]:
    rest, done = iter(messages), 0
    while batch := list(islice(rest, BATCH)):
        yield batch, done + 1 if numbered else 0
        done += len(batch)


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


def spare_cores() -> int:
    """Return how many cores this process may use besides the one it decides on."""
    return (os.cpu_count() or 1) - 1


def cpu_seconds() -> float:
    """Return the processor time of this process and of those that read for it."""
    ended = os.times()
    return process_time() + ended.children_user + ended.children_system
