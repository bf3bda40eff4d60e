"""A patient index in a real store, fed by messages."""

from datetime import UTC, datetime
from itertools import count

from sqlalchemy import func, select

from engine.hl7 import parse
from engine.identity import Identifier, Reading, decide, registration_of
from engine.store import patient_tables, worklist
from engine.store.audit import Order
from engine.store.index_checks import faults
from engine.store.moves import Request, move
from engine.store.patient_changes import apply
from engine.store.patients import PatientCache, SqlPatientIndex, mint, shipped
from engine.store.person_numbers import persons_called
from tests.builders import adt_patient

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
ORDER = Order("ann", NOON, "seen both charts")


class Hospital:
    """Messages into a store, one transaction each."""

    def __init__(self, database, reading=None):
        self.database, self.cache, self.numbers = database, PatientCache(), count(1)
        self.reading = reading or Reading()

    def patients(self, connection):
        return SqlPatientIndex(connection, self.database.sealer, self.cache)

    def read(self, number="1", *, message=0, **given):
        data = adt_patient(number, **given)
        number = message or next(self.numbers)
        return registration_of(parse(data), self.reading, mint, number).registration

    def send(self, number="1", **given):
        return self.take(self.read(number, **given))

    def take(self, registration):
        with self.database.engine() as c, self.patients(c) as patients:
            decision = decide(registration, patients, shipped())
            apply(patients, decision, NOON, shipped())
        return decision

    def ask(self, question, *given, **named):
        with self.database.engine() as c, self.patients(c) as patients:
            return question(patients, *given, **named)

    def move(self, kind, **given):
        return self.ask(move, Request(kind, **given), ORDER)

    def record(self, number, authority="HOSP"):
        number = Identifier(authority, "MR", number)
        return self.ask(lambda patients: patients.known([number]))[number]

    def person(self, number, authority="HOSP"):
        return self.record(number, authority).person

    def named(self, handle):
        with self.database.reading() as connection:
            return persons_called(connection, handle)

    def open_tasks(self):
        with self.database.reading() as connection:
            return [each.reason for each in worklist.listed(connection)]

    def faults(self):
        return tuple(self.ask(lambda index: list(faults(index, shipped()))))

    def rows(self, name):
        table = getattr(patient_tables, name)
        with self.database.reading() as connection:
            return connection.execute(select(func.count()).select_from(table)).scalar()

    def readable(self, name):
        """Return everything a table shows, as one text."""
        table = getattr(patient_tables, name)
        with self.database.reading() as connection:
            rows = connection.execute(select(table)).all()
        return " ".join(str(value) for row in rows for value in row).lower()
