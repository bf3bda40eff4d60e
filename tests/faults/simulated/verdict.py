"""I1 to I5 and I7, after a world has come to rest."""

from itertools import groupby
from typing import Any

from engine.store import journal, queues
from tests.faults.simulated.peers import digest


def judge(world) -> list[str]:
    """Return every sentence that is wrong about this world; nothing if all is well."""
    return [
        *world.faults,
        *(fault for peer in world.peers for fault in peer.faults),
        *_answered_is_kept(world),
        *_states_add_up(world),
        *entries_misfit(world),
        *_received_in_order(world),
        *counters_disagree(world),
    ]


def _answered_is_kept(world):
    rows = world.query("SELECT id, control_id, sha256, verdict FROM journal.message")
    good = [row for row in rows if row.verdict == "accepted"]
    held = {row.control_id: row for row in good}
    if len(held) != len(good):
        yield "I1: a message is journalled twice"
    for peer in world.peers:
        for name, sha in peer.answered.items():
            if name not in held or held[name].sha256 != sha:
                yield f"I1: {name} was answered and is not journalled"
    with world.store.reading() as connection:
        for row in rows:
            content = journal.content(connection, world.store.sealer, row.id)
            if content is not None and not _was_sent(world, row, content):
                yield f"I5: message {row.id} is not what was sent"


def _was_sent(world, row, content):
    """Whether this was sent; what is quarantined may be cut short."""
    if row.verdict == "accepted":
        return bool(content == world.sent.get(row.control_id))
    return any(body.startswith(content) for body in world.sent.values())


def _states_add_up(world):
    rows = world.query(
        "SELECT j.id, j.control_id, m.state, m.attempt FROM journal.message j"
        " LEFT JOIN engine.message m ON m.id = j.id"
    )
    made: dict[tuple[int, int], list[Any]] = {}
    for one in world.deliveries().values():
        made.setdefault((one.message_id, one.attempt), []).append(one)
    destinations = sorted(world.receivers)
    for row in rows:
        if row.state not in {"processed", "filtered"}:
            yield f"I2: message {row.id} ends as {row.state}"
        if row.state == "processed":
            latest = made.get((row.id, row.attempt), [])
            if sorted(one.destination for one in latest) != destinations:
                yield f"I2: message {row.id} lacks a delivery, or has too many"
            for one in latest:
                if one.state != "delivered":
                    yield f"I3: delivery {one.id} ends as {one.state}"


def entries_misfit(world):
    """I2: what stopped has one entry, not what waits behind it; nothing else has."""
    entries = world.query(
        "SELECT message_id, delivery_id FROM engine.error_entry WHERE closed_at IS NULL"
    )
    wanted = [(row.message_id, row.id) for row in world.deliveries().values()
              if row.state == "failed"]  # fmt: skip
    wanted += [
        (row.id, 0)
        for row in world.query(
            "SELECT id FROM engine.message"
            " WHERE state IN ('error', 'held') AND behind IS NULL"
        )
    ]
    if sorted(map(tuple, entries)) != sorted(wanted):
        yield f"I2: the error queue holds {entries}, stopped are {wanted}"


def _received_in_order(world):
    accepted = [
        row.control_id
        for row in world.query(
            "SELECT j.control_id FROM journal.message j JOIN engine.message m"
            " ON m.id = j.id WHERE m.state = 'processed' ORDER BY j.id"
        )
    ]
    for receiver in world.receivers.values():
        stale = [one for one in receiver.taken if one.stale]
        persons = len(set(world.person.values()))
        if len(stale) > world.takeovers * persons:
            yield f"E90: {len(stale)} repeats after {world.takeovers} takeovers"
        for person in sorted(set(world.person.values())):
            lane = [
                one for one in receiver.taken if world.person.get(one.name) == person
            ]
            heard = [one.name for one in lane if not one.stale]
            wanted = [name for name in accepted if world.person[name] == person]
            if [name for name, _ in groupby(heard)] != wanted:
                yield f"I4: {receiver.name} heard {heard}, accepted were {wanted}"
        for one in receiver.taken:
            if one.digest != digest(world.sent.get(one.name, b"")):
                yield f"I5: {receiver.name} took {one.name}, which nobody sent so"


def counters_disagree(world):
    """I7: what the console counts is what is there."""
    with world.store.reading() as connection:
        counted = {
            (one.subject, one.destination, one.state): one.count
            for one in queues.counts(connection)
            if one.count
        }
    real: dict[tuple[str, str, str], int] = {}
    for one in world.deliveries().values():
        place = ("delivery", one.destination, one.state)
        real[place] = real.get(place, 0) + 1
    for row in world.query(
        "SELECT state, count(*) AS n FROM engine.message GROUP BY state"
    ):
        real["message", "", row.state] = row.n
    if {k: v for k, v in counted.items() if k[0] in {"delivery", "message"}} != real:
        yield f"I7: counted {counted}, real {real}"
