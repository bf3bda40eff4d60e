"""Messages about confidential persons: hidden from those who may see other patients."""

import pytest

from engine.channels.format.load import load_site
from engine.channels.processing.assemble import lines_of
from engine.channels.queries.confidential_messages import (
    confidential_among,
    is_confidential,
)
from engine.channels.worker import Worker
from engine.cli.project import write_project
from engine.identity.person import LinkKind
from engine.store import search
from engine.store.moves import Request, move
from engine.store.patients import SqlPatientIndex
from tests.builders import adt_patient
from tests.databases import BOTH, empty_database
from tests.stored import NOON, OPERATOR, accept, arrival

CHANNEL = "hospital-adt"
PROTECTED = "PD1||||||||||||Y"
LIFTED = "PD1||||||||||||N"
LATER = {"sent": "20300102120000"}
OTTO = {"family": "Vance", "given": "Otto", "birth": "19551107", "sex": "M"}


class Desk:
    """A site with its store: messages go in, and questions are asked of them."""

    def __init__(self, database, site):
        self.database, self.site = database, site
        self.worker = Worker(database, lines_of(self.site), lambda: NOON)

    def hear(self, *messages, processed=True):
        """Journal messages, and have them processed."""
        kind = {"message_type": "ADT", "trigger_event": "A04", "channel": CHANNEL}
        ids = [
            one.id
            for data in messages
            for one in accept(self.database, arrival(data=data, **kind))
        ]
        while processed and self.worker.turn():
            pass
        return ids

    def row(self, number):
        with self.database.reading() as connection:
            return search.message(connection, number)

    def hidden(self, number, *, readable=True):
        """Ask of one message; ``readable`` is whether the configuration is."""
        site, row = self.site if readable else None, self.row(number)
        with self.database.reading() as connection:
            return is_confidential(connection, self.database.sealer, site, row)

    def among(self, *numbers):
        rows = [self.row(each) for each in numbers]
        with self.database.reading() as connection:
            return confidential_among(connection, self.database.sealer, self.site, rows)

    def moved(self, kind, **given):
        with self.database.engine() as connection:
            index = SqlPatientIndex(connection, self.database.sealer)
            with index:
                return move(index, Request(kind, **given), OPERATOR)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    write_project(folder)
    return load_site(folder / "config", None, {})


@pytest.fixture(params=["sqlite"])
def desk(request, tmp_path, site):
    database = empty_database(request.param, tmp_path, role="worker")
    yield Desk(database, site)
    database.close()


@pytest.mark.parametrize("desk", BOTH, indirect=True)
def test_M20_every_message_of_a_confidential_person_is_hidden_the_early_ones_too(desk):
    early, other = desk.hear(adt_patient("1"), adt_patient("2", **OTTO))
    assert desk.among(early, other) == set()

    [told] = desk.hear(adt_patient("1", about=[PROTECTED], **LATER))

    assert desk.among(early, other, told) == {early, told}
    assert (desk.hidden(early), desk.hidden(other)) == (True, False)


def test_M20_a_message_that_nobody_processed_yet_is_hidden_by_what_it_says(desk):
    desk.hear(adt_patient("1", about=[PROTECTED]))

    known, says, other, prior = desk.hear(
        adt_patient("1", **LATER),
        adt_patient("3", about=[PROTECTED]),
        adt_patient("2", **OTTO),
        adt_patient("2", trigger="A40", prior="1", **OTTO),
        processed=False,
    )

    assert desk.among(known, says, other, prior) == {known, says, prior}
    assert desk.hidden(known, readable=False)
    assert not desk.hidden(other, readable=False)


def test_M20_a_message_follows_its_person_through_merge_and_unmerge(desk):
    one, two = desk.hear(adt_patient("1"), adt_patient("2", about=[PROTECTED], **OTTO))
    ann, otto = desk.row(one).person, desk.row(two).person
    assert desk.among(one, two) == {two}

    desk.moved(LinkKind.MERGE, source=ann, target=otto)
    assert desk.among(one, two) == {one, two}

    desk.moved(LinkKind.UNMERGE, source=ann)
    assert desk.among(one, two) == {two}


def test_M20_what_cannot_be_read_names_nobody(desk):
    [junk] = desk.hear(b"no message at all", processed=False)

    assert desk.among(junk) == set()
    assert not desk.hidden(junk)
