"""Which messages are about somebody confidential, as kept and as they say.

Where a message was processed, the person it was found to be about decides, as that
person is today. What it says itself counts too: it may not be processed yet, and its
number may be another person's since.

Spec:
    identity.md 14, M20; security.md S11.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace

from engine.channels.format.load import Site
from engine.channels.processing.assemble import reading_of
from engine.errors import EngineError
from engine.hl7 import parse
from engine.identity.index import Identifier
from engine.identity.registration import Reading, Registration, registration_of
from engine.store import journal, links, person_numbers
from engine.store.database import Connection
from engine.store.patients import SqlPatientIndex
from engine.store.protection import concerned
from engine.store.seal import Sealer
from engine.store.search import MessageRow


def is_confidential(
    connection: Connection, sealer: Sealer, site: Site | None, found: MessageRow
) -> bool:
    """Whether a message is about somebody confidential.

    What cannot be read names nobody, so only what is stored counts there.
    """
    return bool(concerned(connection, [found.id])) or _says(
        connection, sealer, site, found
    )


def confidential_among(
    connection: Connection,
    sealer: Sealer,
    site: Site | None,
    rows: Collection[MessageRow],
) -> frozenset[int]:
    """Return which of some messages are; only those of nobody yet are opened for it."""
    told = concerned(connection, [each.id for each in rows])
    unknown = [each for each in rows if not each.person and each.id not in told]
    says = [each.id for each in unknown if _says(connection, sealer, site, each)]
    return told.union(says)


def _says(
    connection: Connection, sealer: Sealer, site: Site | None, found: MessageRow
) -> bool:
    data = journal.content(connection, sealer, found.id)
    reading = _reading(site, found.channel)
    try:
        message = parse(data or b"")
        # whom the index knows is asked next: no enterprise identifier is made here
        intake = registration_of(message, reading or Reading(), str, found.id)
    except EngineError:
        return False
    told = list(_patients(intake.registration))
    if any(each.confidential for each in told):
        return True
    numbers = [one for each in told for one in _numbers(each)]
    index = SqlPatientIndex(connection, sealer, reads_only=True)
    persons = _holders(index, numbers, exact=reading is not None)
    return bool(links.confidential(connection, persons))


def _reading(site: Site | None, name: str) -> Reading | None:
    """Return how a channel reads patients, whatever it does with doubts."""
    if site is None:
        return None
    found = next((each for each in site.channels if each.name == name), None)
    if found is None:
        return None
    return replace(reading_of(found, site.matching), refuses_unknown=False)


def _patients(registration: Registration | None) -> Iterator[Registration]:
    if registration is not None:
        yield registration
        yield from registration.also


def _numbers(registration: Registration) -> tuple[Identifier, ...]:
    notice = registration.notice
    return (*registration.identifiers, *(notice.prior if notice else ()))


def _holders(
    index: SqlPatientIndex, numbers: Collection[Identifier], *, exact: bool
) -> set[str]:
    """Return who has these numbers, of any authority where it is not known which."""
    if exact:
        return {each.person for each in index.known(list(numbers)).values()}
    known = person_numbers.authorities(index.connection)
    return {
        eid
        for one in numbers
        for authority in known
        for eid in person_numbers.persons_of(index, authority, one.value)
    }
