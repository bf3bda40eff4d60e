"""One person: what the sources say, what came and went for them, who looked.

Spec:
    console.md S7; identity.md 9.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson

from engine.errors import IllegalTransitionError
from engine.identity.person import LinkEvent
from engine.identity.survivorship import Chosen
from engine.identity.traits import Traits
from engine.store import audit, links, person_numbers, queues, search, worklist
from engine.store.audit import AuditRow, Wanted
from engine.store.database import Connection
from engine.store.patient_views import PersonView
from engine.store.patients import SqlPatientIndex
from engine.store.person_numbers import Number
from engine.store.protection import shielded
from engine.store.queues import DeliveryRow
from engine.store.seal import Sealer
from engine.store.search import MessageFilter, MessageRow
from engine.store.worklist import Task

MOST: Final = 200
SSN_SHOWN: Final = 4
DISCLOSED: Final = "disclosure"
FIELDS: Final = ("to", "what", "purpose", "basis")


@dataclass(frozen=True, slots=True)
class Row:
    """One group of fields: the golden value with its rule, then each record's own."""

    name: str
    value: str
    rule: str
    record: int
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Passed:
    """One message of a person, with what was sent because of it."""

    message: MessageRow
    deliveries: tuple[DeliveryRow, ...]


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Something of a person that went to somebody; patient data."""

    at: datetime
    to: str
    what: str
    purpose: str = ""
    basis: str = ""
    by: str = "the engine"
    message: int = 0


PERSON: Final = "person"
"""How the audit trail names whom somebody looked at: a hash beside it tells who."""


def subject(eid: str) -> str:
    """Return how the audit trail names a person."""
    return f"person {eid}"


def said(group: str, traits: Traits) -> str:
    """Return what a record says of one group of fields; of an SSN only its end."""
    t = traits
    words: dict[str, tuple[str, ...]] = {
        "name": (t.given, t.middle, t.family, t.suffix),
        "birth": (day(t.birth),),
        "sex": (t.sex,),
        "address": (t.number, t.street, t.city, t.state, t.zip5),
        "phone": (t.phone,),
        "email": (t.email,),
        "birth facts": (
            f"birth order {t.order}" if t.order else "",
            "multiple birth" if t.multiple == "Y" else "",
        ),
        "death": (day(t.death),),
    }
    if group == "ssn":
        end = t.ssn[-SSN_SHOWN:] or t.last_four
        return f"ends in {end}" if end else ""
    return " ".join(filter(None, words[group]))


def day(text: str) -> str:
    """Return a date as people read it.

    Examples:
        >>> day("19800229"), day("1980"), day("")
        ('1980-02-29', '1980', '')
    """
    return "-".join(filter(None, (text[:4], text[4:6], text[6:8])))


def rows_of(found: PersonView) -> list[Row]:
    """Return the golden record, group by group, with what every source says."""
    return [_row(group, chosen, found) for group, chosen in found.golden.chosen.items()]


def _row(group: str, chosen: Chosen, found: PersonView) -> Row:
    return Row(
        group.capitalize() if group != "ssn" else "SSN",
        said(group, found.golden.traits),
        chosen.rule,
        chosen.record,
        tuple(said(group, each.traits) for each in found.records),
    )


def years(birth: str, now: datetime) -> int | None:
    """Return the age of somebody with a full birth date.

    Examples:
        >>> years("20000301", datetime(2030, 2, 28)), years("2000", datetime.max)
        (29, None)
    """
    if len(birth) < len("YYYYMMDD") or not birth[:8].isdigit():
        return None
    had = (now.month, now.day) >= (int(birth[4:6]), int(birth[6:8]))
    return now.year - int(birth[:4]) - (not had)


def merged(connection: Connection, retired: str) -> LinkEvent | None:
    """Return the merge by which a person retired, where there was one."""
    try:
        return links.merge_into(connection, retired)
    except IllegalTransitionError:
        return None


def passed(
    connection: Connection, sealer: Sealer, persons: Sequence[str]
) -> list[Passed]:
    """Return a person's latest messages, those of absorbed persons too."""
    found = [
        each
        for eid in persons
        for each in search.messages(
            connection, sealer, MessageFilter(person=eid), limit=MOST
        )
    ]
    unique = sorted({each.id: each for each in found}.values(), key=lambda m: -m.id)
    return [Passed(each, _sent(connection, each.id)) for each in unique[:MOST]]


def _sent(connection: Connection, number: int) -> tuple[DeliveryRow, ...]:
    wanted = queues.DeliveryFilter(message_id=number)
    return tuple(queues.deliveries(connection, wanted))


def disclosures(past: Sequence[Passed], acts: Sequence[AuditRow]) -> list[Disclosure]:
    """Return what went out of the house and what people noted, newest first."""
    sent = [
        Disclosure(
            row.settled_at,
            row.destination,
            f"{each.message.message_type}^{each.message.trigger_event} as "
            f"{row.content_type}",
            message=each.message.id,
        )
        for each in past
        for row in each.deliveries
        if row.state == "delivered" and row.settled_at
    ]
    noted = [
        Disclosure(row.act.at, *_noted(row.act.detail), row.act.actor)
        for row in acts
        if row.act.action == DISCLOSED
    ]
    return sorted([*sent, *noted], key=lambda each: each.at, reverse=True)


def _noted(detail: str) -> tuple[str, str, str, str]:
    """Return the four fields of a noted disclosure."""
    try:
        told = orjson.loads(detail)
    except orjson.JSONDecodeError:  # a damaged row is shown as such
        told = {"what": detail}
    to, what, purpose, basis = (str(told.get(name, "")) for name in FIELDS)
    return to, what, purpose, basis


def acts_of(
    connection: Connection, sealer: Sealer, persons: Sequence[str]
) -> list[AuditRow]:
    """Return what people did with a person, newest first."""
    wanted = Wanted(subjects=tuple(map(subject, persons)), patients=tuple(persons))
    return audit.search(connection, sealer, wanted, limit=MOST)


def open_tasks(
    connection: Connection, found: PersonView, *, confidential: bool
) -> list[Task]:
    """Return the open doubts about a person, none that names somebody hidden."""
    tasks = worklist.about(connection, [each.record for each in found.records])
    hidden = [] if confidential else shielded(connection, [each.id for each in tasks])
    return [each for each in tasks if each.id not in hidden]


def find(patients: SqlPatientIndex, hidden: Sequence[str], number: str) -> list[str]:
    """Return whom a number leads to, whoever assigned it, and who has that handle."""
    known = person_numbers.authorities(patients.connection)
    found = {
        eid
        for issuer in known
        for eid in person_numbers.persons_of(patients, issuer, number)
    }
    if today := person_numbers.person_today(patients.connection, number):
        found.add(today)
    found.update(person_numbers.persons_called(patients.connection, number))
    return sorted(found - set(hidden))


def numbers(patients: SqlPatientIndex, eid: str) -> list[Number]:
    """Return the numbers of one person, those in use first."""
    return person_numbers.numbers_of(patients, [eid]).get(eid, [])
