"""The processing transaction: everything a batch of messages led to, at once."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select

from engine.errors import IllegalTransitionError
from engine.failpoint import reach
from engine.store import audit, contexts, error_queue, leases, resources, table_misses
from engine.store.audit import Act, Order
from engine.store.counters import Move, at_the_gate, of_messages, tally
from engine.store.deliveries import NewDelivery, enqueue
from engine.store.delivery_moves import drop_unsent
from engine.store.dialect import bulk, put
from engine.store.error_queue import NewEntry
from engine.store.leases import Lease
from engine.store.message_state import MessageEvent, MessageState, advance_message
from engine.store.resources import KnownResource, NewDocument
from engine.store.seal import Sealer
from engine.store.table_misses import NewMiss
from engine.store.tables import attempt as attempts
from engine.store.tables import (
    held_person,
    message,
    progress,
    redo,
    search_key,
)
from engine.store.words import EntryKind


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a message became ``error`` or ``held``, for the error queue.

    ``stage`` is a stage of `channel-format.md` 3.8, ``class_`` a retry class (or
    ``frame``), ``code`` the stable cause, ``sentence`` one sentence without PHI,
    ``cause`` the same without values that differ from message to message: it groups.
    """

    stage: str
    class_: str
    code: str
    sentence: str
    cause: str = ""
    label: str = ""
    assignee: str = ""


@dataclass(frozen=True, slots=True)
class SearchKey:
    """One way to find the message: ``kind`` such as ``identifier`` or ``family``.

    Kept as a keyed hash only. Values are compared without case and outer space.
    """

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class TableMiss:
    """A code that a code table did not have."""

    table: str
    code: str
    sender: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What processing made of one message.

    ``state`` is filtered (``reason``: the rule), processed, received (a part that waits
    for the others), held or error (with ``failure``; a hold for an identity doubt has
    none, its entry is in the mismatch queue). ``report`` is the loss report with the
    findings, ready as JSON. ``holds`` are the person keys (see `results.blocked`) that
    must wait for this held message; ``behind`` is the held message that this one waits
    for. ``gates`` are destinations a Bundle was made for, and whether it was validated.
    """

    message_id: int
    state: MessageState
    attempt: int = 1
    redo: bool = False
    revision: str = ""
    stage: str = ""
    reason: str = ""
    person: str = ""
    duration_us: int = 0
    failure: Failure | None = None
    behind: int | None = None
    holds: tuple[str, ...] = ()
    keys: tuple[SearchKey, ...] = ()
    report: bytes = b""
    deliveries: tuple[NewDelivery, ...] = ()
    resources: tuple[KnownResource, ...] = ()
    documents: tuple[NewDocument, ...] = ()
    misses: tuple[TableMiss, ...] = ()
    acts: tuple[Act, ...] = ()
    gates: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """The outcomes of messages of one channel, in the order they were claimed.

    ``lease`` is the worker's hold on the channel's partition: when another worker has
    taken it over, nothing of the batch may be written. None where nobody competes.
    """

    channel: str
    outcomes: Sequence[Outcome]
    partition: int = 0
    lease: Lease | None = None


PERSON: Final = "person"
"""The kind of search key that every message of a person has."""

_EVENTS: Final = MappingProxyType(
    {
        MessageState.FILTERED: MessageEvent.FILTER,
        MessageState.PROCESSED: MessageEvent.PROCESS,
        MessageState.HELD: MessageEvent.HOLD,
        MessageState.ERROR: MessageEvent.FAIL,
        MessageState.RECEIVED: MessageEvent.WAIT,
    }
)
_STATES: Final = select(message.c.id, message.c.state).where(
    message.c.id.in_(bindparam("ids", expanding=True))
)
_DONE_AGAIN: Final = delete(redo).where(
    redo.c.message_id.in_(bindparam("ids", expanding=True))
)
_BLOCKED: Final = (
    select(held_person.c.key, held_person.c.message_id)
    .where(held_person.c.key.in_(bindparam("keys", expanding=True)))
    .order_by(held_person.c.message_id.desc())
    .with_for_update(read=True)
)
_ATTEMPT: Final = insert(attempts)
_NEW: Final = insert(message)
_CHANGES: Final = (
    *("state", "attempt", "revision", "stage", "code"),
    *("reason", "person", "behind", "processed_at"),
)


def record(
    connection: Connection, sealer: Sealer, batch: Batch, now: datetime
) -> list[list[int]]:
    """Write a batch: states, attempts, progress, search keys, deliveries, entries.

    Return the delivery numbers of each outcome.

    Raises:
        IllegalTransitionError: the lease is not ours any more, or a message is not
            *received*; nothing may be committed.
    """
    if batch.lease is not None and not leases.is_held(connection, batch.lease):
        raise IllegalTransitionError(
            f"{batch.lease.owner} lost {batch.lease.name} to another worker"
        )
    _write_states(connection, sealer, batch, now)
    reach("results.states-written")
    _advance(connection, batch)
    reach("results.cursor-moved")
    outcomes = batch.outcomes
    _write_keys(connection, sealer, outcomes)
    table_misses.record(connection, sealer, batch.channel, _misses(outcomes), now)
    reach("results.keys-written")
    numbers = _write_deliveries(connection, sealer, outcomes, now)
    known = [one for outcome in outcomes for one in outcome.resources]
    resources.store(connection, sealer, known)
    reach("results.resources-written")
    documents = [one for outcome in outcomes for one in outcome.documents]
    resources.store_documents(connection, sealer, documents, now)
    entries = [
        _entry(batch.channel, outcome, outcome.failure)
        for outcome in outcomes
        if outcome.failure is not None
    ]
    error_queue.open_entries(connection, entries, now)
    acts = [act for outcome in outcomes for act in outcome.acts]
    audit.write(connection, sealer, acts)
    reach("results.recorded")
    return numbers


def _write_states(
    connection: Connection, sealer: Sealer, batch: Batch, now: datetime
) -> None:
    """Write the row of each message and of this attempt at it, and count them."""
    before = _states(connection, [one.message_id for one in batch.outcomes])
    moves: Counter[Move] = Counter()
    states: list[dict[str, object]] = []
    tries: list[dict[str, object]] = []
    for one in batch.outcomes:
        known = before.get(one.message_id)
        after = of_messages(batch.channel, _ended(known, one))
        was = of_messages(batch.channel, known) if known else None
        moves[was, after] += 1
        moves.update(at_the_gate(batch.channel, one.gates))
        tried = _attempt_row(sealer, one, now)
        tries.append(tried)
        states.append(_message_row(batch.channel, one, tried))
    if before:
        put(connection, message, states, replace=_CHANGES)
    else:
        bulk(connection, _NEW, states)
    bulk(connection, _ATTEMPT, tries)
    tally(connection, moves)
    holds: list[dict[str, object]] = [
        {"key": _person_key(sealer, key), "message_id": one.message_id, "since": now}
        for one in batch.outcomes
        for key in one.holds
    ]
    put(connection, held_person, holds)


def _ended(before: MessageState | None, one: Outcome) -> MessageState:
    if one.state is MessageState.RECEIVED and not one.reason:
        raise IllegalTransitionError("a message stays received only for a reason")
    return advance_message(before or MessageState.RECEIVED, _EVENTS[one.state])


def _states(connection: Connection, ids: Sequence[int]) -> dict[int, MessageState]:
    rows = connection.execute(_STATES, {"ids": ids})
    return {row.id: MessageState(row.state) for row in rows}


def _attempt_row(sealer: Sealer, one: Outcome, now: datetime) -> dict[str, object]:
    failure = one.failure
    row: dict[str, object] = {
        "message_id": one.message_id,
        "attempt": one.attempt,
        "state": one.state.value,
        "revision": one.revision,
        "stage": one.stage or (failure.stage if failure else ""),
        "code": failure.code if failure else "",
        "reason": one.reason or (failure.sentence if failure else ""),
        "person": one.person,
        "processed_at": now,
        "duration_us": one.duration_us,
    }
    context, _ = contexts.of_report(tuple(row.values()))
    return row | {"report": sealer.seal(one.report, context)}


def _message_row(
    channel: str, one: Outcome, tried: dict[str, object]
) -> dict[str, object]:
    """Return the message's own row: where it stands after this attempt."""
    return {
        "id": one.message_id,
        "channel": channel,
        "state": tried["state"],
        "attempt": one.attempt,
        "revision": one.revision,
        "stage": tried["stage"],
        "code": tried["code"],
        "reason": tried["reason"],
        "person": one.person,
        "behind": one.behind,
        "processed_at": tried["processed_at"],
    }


def _advance(connection: Connection, batch: Batch) -> None:
    """Move the cursor behind the new messages; take the repeated ones off the list."""
    new = [one.message_id for one in batch.outcomes if not one.redo]
    again = [one.message_id for one in batch.outcomes if one.redo]
    if new:
        cursor: dict[str, object] = {
            "channel": batch.channel,
            "partition": batch.partition,
            "last_id": max(new),
            "started_to": max(new),
            "trying_id": 0,
            "tries": 0,
        }
        put(connection, progress, [cursor], replace=("last_id", "trying_id", "tries"))
    if again:
        connection.execute(_DONE_AGAIN, {"ids": again})


def _write_keys(
    connection: Connection, sealer: Sealer, outcomes: Sequence[Outcome]
) -> None:
    found = {
        (key_number(sealer, key), outcome.message_id)
        for outcome in outcomes
        for key in (*outcome.keys, SearchKey(PERSON, outcome.person))
        if key.value
    }
    put(
        connection,
        search_key,
        [{"value": value, "message_id": number} for value, number in sorted(found)],
    )


def key_number(sealer: Sealer, key: SearchKey) -> int:
    """Return what stands for a search key in the index."""
    return sealer.blind_number(f"{key.kind}|{key.value.strip().casefold()}")


def _misses(outcomes: Sequence[Outcome]) -> Iterator[NewMiss]:
    for outcome in outcomes:
        stopped = outcome.state is MessageState.ERROR
        for miss in outcome.misses:
            place = (miss.table, miss.sender, miss.code)
            yield NewMiss(*place, outcome.message_id, stopped)


def _write_deliveries(
    connection: Connection,
    sealer: Sealer,
    outcomes: Sequence[Outcome],
    now: datetime,
) -> list[list[int]]:
    """Queue the documents; what an earlier attempt had not sent is discarded."""
    again = [one.message_id for one in outcomes if one.redo]
    if again:
        drop_unsent(connection, again, Order("engine", now, "processed again"))
    documents = [
        (outcome.message_id, outcome.attempt, ordinal, new)
        for outcome in outcomes
        for ordinal, new in enumerate(outcome.deliveries)
    ]
    ids = iter(enqueue(connection, sealer, documents, now))
    return [[next(ids) for _ in outcome.deliveries] for outcome in outcomes]


def _entry(channel: str, outcome: Outcome, failure: Failure) -> NewEntry:
    kind = EntryKind.MESSAGE
    if outcome.state is MessageState.HELD:
        kind = EntryKind.HELD
    elif failure.class_ == "frame":
        kind = EntryKind.QUARANTINED
    return NewEntry(
        kind=kind,
        message_id=outcome.message_id,
        channel=channel,
        stage=failure.stage,
        class_=failure.class_,
        code=failure.code,
        sentence=failure.sentence,
        cause=failure.cause,
        label=failure.label,
        assignee=failure.assignee,
    )


def _person_key(sealer: Sealer, key: str) -> bytes:
    return sealer.blind(f"held|{key}")


def blocked(
    connection: Connection, sealer: Sealer, keys: Sequence[str]
) -> dict[str, int]:
    """Return, for each person key that waits, the first message it waits for.

    A key is whatever names the person in messages, such as ``system|identifier``. Until
    the transaction ends nobody moves these messages: what comes to wait for them is
    released with them.
    """
    if not keys:
        return {}
    names = {_person_key(sealer, key): key for key in keys}
    rows = connection.execute(_BLOCKED, {"keys": list(names)})
    return {names[row.key]: row.message_id for row in rows}
