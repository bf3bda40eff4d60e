"""A channel on a store: messages in, decisions about persons, deliveries out."""

from engine.channels.format.load import load_site
from engine.channels.processing.assemble import lines_of
from engine.channels.worker import Worker
from engine.identity import Identifier
from engine.store import error_queue, moves
from engine.store.audit import Order
from engine.store.delivery_moves import content
from engine.store.patients import SqlPatientIndex
from engine.store.queues import DeliveryFilter, deliveries
from tests.builders import adt_a01, msh
from tests.channel_files import SITE_WITH_DOCUMENTS
from tests.databases import empty_database
from tests.stored import NOON, accept, arrival

SETTINGS = f"""{SITE_WITH_DOCUMENTS}
[outbound]
allowed = ["127.0.0.1", "fhir.example.org"]
"""


class Ward:
    """A channel on a store: messages in, decisions between, deliveries out."""

    def __init__(self, folder, channel, kind="sqlite"):
        self.now = NOON
        self.store = empty_database(kind, folder)
        self.folder, self.sent = folder / "config", 0
        (self.folder / "channels").mkdir(parents=True)
        (self.folder / "interop.toml").write_text(SETTINGS)
        (self.folder / "channels" / "adt.yaml").write_text(channel)
        lines = lines_of(load_site(self.folder, variables={}))
        self.worker = Worker(self.store, lines, lambda: self.now)

    def journal(self, *messages):
        for data in messages:
            self.sent += 1
            accept(self.store, arrival(f"M{self.sent}", data))

    def run(self):
        while self.worker.turn():
            pass

    def send(self, *messages):
        self.journal(*messages)
        self.run()

    def decide(self, kind, **given):
        order = Order("ann", NOON, "both charts seen")
        with self.store.engine() as connection:
            index = SqlPatientIndex(connection, self.store.sealer)
            return moves.move(index, moves.Request(kind, **given), order)

    def known(self, number, authority="HOSP"):
        with self.store.reading() as connection:
            index = SqlPatientIndex(connection, self.store.sealer)
            known = index.known([Identifier(authority, "MR", number)])
        return next(iter(known.values()))

    def person(self, number, authority="HOSP"):
        return self.known(number, authority).person

    def record(self, number, authority="HOSP"):
        return self.known(number, authority).number

    def outbox(self, destination, after=0):
        """Return what was queued for a destination, in order."""
        with self.store.reading() as connection:
            found = deliveries(connection, DeliveryFilter())
            return [
                content(connection, self.store.sealer, each.id)
                for each in sorted(found, key=lambda each: each.id)
                if each.destination == destination and each.id > after
            ]

    def last(self):
        with self.store.reading() as connection:
            return max(each.id for each in deliveries(connection, DeliveryFilter()))

    def entries(self):
        with self.store.reading() as connection:
            return error_queue.entries(connection)


def admission(control_id, *more, **given):
    return adt_a01(*more, header=msh(f10=control_id), **given)
