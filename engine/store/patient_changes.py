"""What a decision writes, in the transaction that processes the message.

Spec:
    identity.md 6, "in the same transaction".
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, insert, update

from engine.errors import IllegalTransitionError
from engine.identity.decision import Decision, Move, Reason, RecordChange
from engine.identity.index import Identifier, SourceRecord
from engine.identity.person import LinkEvent, LinkKind
from engine.identity.registration import Registration
from engine.identity.traits import Traits
from engine.identity.weights import Model
from engine.store import audit, family_names, links, placeholders, protection, tasks
from engine.store.counters import reserve
from engine.store.dialect import put
from engine.store.patient_tables import (
    NumberState,
    authority,
    block,
    record,
    record_version,
)
from engine.store.patients import ALL_RECORDS, SqlPatientIndex

ENGINE: Final = "engine"
_INSERT_RECORD: Final = insert(record)
_INSERT_VERSION: Final = insert(record_version)
_INSERT_BLOCKS: Final = insert(block)
_INSERT_AUTHORITY: Final = insert(authority)
_UPDATE_RECORD: Final = (
    update(record)
    .where(record.c.id == bindparam("number"))
    .values(
        kind=bindparam("kind"),
        happened=bindparam("happened"),
        message=bindparam("message"),
        identifying=bindparam("identifying"),
        traits=bindparam("traits"),
    )
)
_DELETE_BLOCKS: Final = delete(block).where(
    block.c.record == bindparam("record"),
    block.c.key.in_(bindparam("keys", expanding=True)),
)


def apply(
    patients: SqlPatientIndex, decision: Decision, now: datetime, model: Model
) -> str:
    """Write everything a decision holds; return the enterprise identifier.

    It is the end of a message's processing: the caller's transaction makes it one
    with the resources and deliveries stamped with that identifier. ``model`` scores
    open doubts anew where a value they rest on turned out to be a placeholder.
    """
    number = _record(patients, decision, now)
    protection.keep(patients, decision, now)
    for other in decision.also:
        apply(patients, _settled(patients, other), now, model)
    for each in decision.moves:
        _move(patients, decision, each, number, now)
    tasks.raise_doubts(patients, decision, number, now)
    _remember(patients, decision, number)
    placeholders.learn(patients, decision, number, now, model)
    return decision.enterprise_id


def _settled(patients: SqlPatientIndex, decision: Decision) -> Decision:
    """Return a further decision of a message as it is after the ones before it.

    All were made before any was written: a number may have its record by now, and a
    person may have been merged.
    """
    change = decision.change
    if change is None or change.number is not None:
        return decision
    known = patients.known(decision.registration.identifiers)
    if not known:
        person = links.resolved(patients.connection, change.person)
        return replace(decision, change=replace(change, person=person))
    record = next(iter(known.values()))
    own = record.person
    moves = tuple(
        replace(move, target=own if move.target == change.person else move.target)
        for move in decision.moves
    )
    if change.person not in {own, decision.registration.minted}:
        moves += (Move("merge", (), change.person, own, Reason.TOLD),)
    stays = RecordChange(record.number, own, record.traits, (), record.traits)
    stays = replace(stays, retired=change.retired)
    return replace(
        decision, enterprise_id=own, record=record, change=stays, moves=moves
    )


# -- the record ------------------------------------------------------------------------


def _record(patients: SqlPatientIndex, decision: Decision, now: datetime) -> int:
    """Write the record's change; return the record's number, 0 for none."""
    change = decision.change
    if change is None:
        return decision.record.number if decision.record else 0
    if change.number is None:
        return _new_record(patients, decision, change, now)
    if change.number in patients.buffer.records:
        patients.flush()
    if change.before != change.traits:
        _changed_record(patients, decision, change, change.number)
    _name(patients, change.number, _states(change), now)
    was = change.before.removed if change.before else False
    if change.identifiers or was != change.traits.removed:
        _note_others(patients, change, decision.registration.message, now)
    return change.number


def _note_others(
    patients: SqlPatientIndex, change: RecordChange, message: int, now: datetime
) -> None:
    """Note among the link events that a record has other identifiers in use.

    Nobody moves; who subscribes to identifiers reads of it there.
    """
    assert change.number is not None, "a new record has a link event of its own"
    number, person = change.number, change.person
    reason = Reason.REMOVED if change.traits.removed else Reason.KNOWN_IDENTIFIER
    event = links.at(now, ENGINE, LinkKind.LINK, reason)
    event = replace(event, records=(number,), source=person, target=person)
    links.append(patients, replace(event, message=message))


def _new_record(
    patients: SqlPatientIndex, decision: Decision, change: RecordChange, now: datetime
) -> int:
    registration = decision.registration
    number = patients.take_number(registration.identifiers)
    own = registration.identifiers[0].authority
    row = _traits_row(patients, registration, change.traits, number)
    row |= {
        "id": number,
        "person": change.person,
        "authority": _authority(patients, own, now),
        "confidential": int(bool(registration.confidential)),
    }
    event = LinkEvent(
        number,
        now,
        ENGINE,
        LinkKind.LINK,
        (number,),
        target=change.person,
        reason=decision.reasons[0],
        message=registration.message,
        via=_followed(decision, change),
        model=decision.model,
    )
    buffer = patients.buffer
    buffer.record_rows.append(row)
    buffer.event_rows.append(links.row_of(event, number))
    if change.person == registration.minted:
        buffer.person_rows.append(links.person_row(change.person))
    buffer.records[number] = SourceRecord(
        number,
        change.person,
        own,
        change.traits,
        registration.happened,
        confidential=bool(registration.confidential),
    )
    _name(patients, number, _states(change), now)
    buffer.add_blocks(number, change.keys_added)
    _count(patients, None, change.traits)
    return number


def _followed(decision: Decision, change: RecordChange) -> int:
    """Return the record whose likeness brought the new one here, 0 for none."""
    found = decision.match
    if found is None or found.record.person != change.person:
        return 0
    return found.record.number


def _changed_record(
    patients: SqlPatientIndex, decision: Decision, change: RecordChange, number: int
) -> None:
    registration, before = decision.registration, decision.record
    assert before is not None, "a changed record was found first"
    version = {
        "record": number,
        "message": registration.message,
        "happened": before.updated,
        "traits": _sealed(patients, before.traits, f"version|{number}"),
    }
    put(patients.connection, record_version, [version])
    row = _traits_row(patients, registration, change.traits, number)
    row["happened"] = max(registration.happened, before.updated)
    patients.connection.execute(_UPDATE_RECORD, {**row, "number": number})
    _block(patients, number, change)
    family_names.change(
        patients.connection, patients.sealer, number, before.traits, change.traits
    )
    _count(patients, change.before, change.traits)


def _traits_row(
    patients: SqlPatientIndex, registration: Registration, traits: Traits, number: int
) -> dict[str, object]:
    return {
        "kind": traits.kind,
        "happened": registration.happened,
        "message": registration.message,
        "identifying": patients.identifying(traits),
        "traits": _sealed(patients, traits, f"record|{number}"),
    }


def _sealed(patients: SqlPatientIndex, traits: Traits, context: str) -> bytes:
    return patients.sealer.seal(traits.packed().encode(), context)


def _block(patients: SqlPatientIndex, number: int, change: RecordChange) -> None:
    patients.ahead.forget((*change.keys_removed, *change.keys_added))
    if change.keys_removed:
        patients.connection.execute(
            _DELETE_BLOCKS, {"record": number, "keys": list(change.keys_removed)}
        )
    if change.keys_added:
        rows = [{"key": key, "record": number} for key in change.keys_added]
        patients.connection.execute(_INSERT_BLOCKS, rows)


def _count(patients: SqlPatientIndex, before: Traits | None, after: Traits) -> None:
    """Keep the count of records that have each name."""
    patients.buffer.names.update(counted_names(patients, after))
    if before is not None:
        patients.buffer.names.subtract(counted_names(patients, before))


def counted_names(patients: SqlPatientIndex, traits: Traits) -> list[int]:
    """Return what a record is counted under: all records, and its names."""
    if traits.isolated:
        return []
    names = (("given", traits.given), ("family", traits.family))
    return [
        ALL_RECORDS,
        *(patients.name_key(trait, name) for trait, name in names if name),
    ]


# -- numbers and authorities -----------------------------------------------------------


def _states(change: RecordChange) -> dict[Identifier, NumberState]:
    return dict.fromkeys(change.identifiers, NumberState.ACTIVE) | dict.fromkeys(
        change.retired, NumberState.OLD
    )


def _name(
    patients: SqlPatientIndex,
    number: int,
    numbers: dict[Identifier, NumberState],
    now: datetime,
) -> None:
    """Let identifiers lead to a record.

    A retired one that led to another record goes on to do so: its record went along.
    """
    buffer, retiring = patients.buffer, NumberState.OLD in numbers.values()
    known = patients.known(tuple(numbers)) if retiring else {}
    for each, state in numbers.items():
        owner = known.get(each)
        led_to = owner.number if owner and state == NumberState.OLD else number
        key = patients.key_of(each)
        context = f"identifier|{key.hex()}"
        buffer.identifier_rows.append(
            {
                "key": key,
                "record": led_to,
                "authority": _authority(patients, each.authority, now),
                "type": each.type,
                "state": state,
                "value": patients.sealer.seal(each.value.encode(), context),
            }
        )
        buffer.numbers[key] = led_to
    if numbers and (retiring or number not in buffer.records):
        patients.flush()  # these numbers are found in the tables, not in the buffer


def _authority(patients: SqlPatientIndex, key: str, now: datetime) -> int:
    """Return the number of an assigning authority, registering a new one."""
    number = patients.authority_number(key)
    if number is None:
        number = reserve(patients.connection, "authority", 1)[0]
        patients.connection.execute(
            _INSERT_AUTHORITY, {"id": number, "key": key, "seen_at": now}
        )
        patients.authority_added(key, number)
    return number


# -- moves told by a sender or made by a rule ------------------------------------------


def _move(
    patients: SqlPatientIndex,
    decision: Decision,
    planned: Move,
    number: int,
    now: datetime,
) -> None:
    patients.flush()
    registration = decision.registration
    event = LinkEvent(
        0,
        now,
        ENGINE,
        LinkKind(planned.kind),
        planned.records,
        reason=planned.reason,
        message=registration.message,
        via=decision.match.record.number if decision.match else 0,
        model=decision.model,
    )
    if event.kind is LinkKind.MERGE:
        event = links.merge(patients, planned.source, planned.target, event)
        tasks.close_answered(patients.connection, {event.target}, ENGINE, now)
    elif event.kind is LinkKind.DIFFERENT:
        links.append(patients, event)
    elif event.kind is LinkKind.UNLINK:
        _taken_back(patients, planned, event)
    else:
        links.move(patients, planned.records, planned.target, event)
    if planned.reason != Reason.MATCH or event.kind is not LinkKind.MERGE:
        subject = f"person {planned.target}" if planned.target else f"record {number}"
        act = audit.Act(now, ENGINE, event.kind, subject, planned.reason)
        audit.write(patients.connection, patients.sealer, [act])


def _taken_back(patients: SqlPatientIndex, planned: Move, event: LinkEvent) -> None:
    """Undo what joined the record, or let it leave alone where nothing did."""
    [number] = planned.records
    brought = links.brought_by(patients.connection, number, planned.source)
    try:
        if brought is not None:
            links.undo(patients, brought.number, replace(event, target=planned.target))
        else:
            links.move(patients, planned.records, planned.target, event)
    except IllegalTransitionError:  # nothing joins them any more
        return


# -- the trace -------------------------------------------------------------------------


def _remember(patients: SqlPatientIndex, decision: Decision, number: int) -> None:
    """Keep one row for each patient of a message: what was decided and why."""
    found = decision.match
    if found is None and decision.doubts and decision.doubts[0].matches:
        found = decision.doubts[0].matches[0]
    row = {
        "message": decision.registration.message,
        "record": number,
        "control_id": decision.registration.control_id,
        "outcome": decision.outcome,
        "reasons": " ".join(decision.reasons),
        "candidate": found.record.number if found else 0,
        "millibits": round(found.bits * 1000) if found else 0,
        "levels": _levels(found.levels.items()) if found else "",
        "model": decision.model,
    }
    patients.buffer.decision_rows.append(row)


def _levels(levels: Iterable[Sequence[str]]) -> str:
    return " ".join(":".join(pair) for pair in levels)
