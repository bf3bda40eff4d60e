"""A message that a person edited is journaled once, as a new one, by the edge."""

from dataclasses import replace

import pytest
from twisted.internet.defer import DeferredList, execute, fail, succeed

from engine.channels.edited import EditedCopies
from engine.channels.format.channel import Channel, Hl7Options, Source
from engine.channels.format.endpoints import MllpSource
from engine.errors import IllegalTransitionError, JournalError
from engine.store import audit, damage, edited_copies, journal, search
from engine.store.message_state import MessageState
from tests.builders import adt_a01, er7, msh
from tests.stored import (
    NOON,
    OPERATOR,
    accept,
    arrival,
    claim,
    failed,
    processed,
    record,
)

BEFORE, AFTER = adt_a01(family="Roe"), adt_a01(family="Doe")
CHANNEL = Channel(name="adt", source=Source(mllp=MllpSource(port=2575)))

SPLITS = Hl7Options(split_multi_msh=True)


class Writer:
    """Journals at once, as the edge's one writer does after a moment."""

    def __init__(self, store):
        self.store, self.full, self.groups = store, False, 0

    def append(self, one):
        if self.full:
            return fail(JournalError("the disk is full"))
        self.groups += 1
        [appended] = accept(self.store, one)
        return succeed(appended)

    def append_all(self, some):
        return DeferredList([self.append(one) for one in some])


class Desk:
    """A store with one message in error, and the part of the edge that takes orders."""

    def __init__(self, store):
        self.store, self.writer = store, Writer(store)
        self.edge = self.life()
        accept(store, arrival("M1", BEFORE, message_type="ADT"))
        claim(store)
        record(store, failed(1))

    def life(self, node="here"):
        return EditedCopies(self.store, node, execute, self.writer, lambda: NOON)

    def ask(self, data=AFTER, origin=1, asked=OPERATOR, **more):
        sealer = self.store.sealer
        with self.store.engine() as connection:
            return edited_copies.ask(connection, sealer, origin, data, asked, **more)

    def look(self, *channels):
        self.edge.look(channels or [CHANNEL])

    def copies(self, number=1):
        with self.store.reading() as connection:
            return edited_copies.copies(connection, self.store.sealer, number)

    def content(self, number):
        with self.store.reading() as connection:
            return journal.content(connection, self.store.sealer, number)

    def state(self, number):
        with self.store.reading() as connection:
            found = search.message(connection, number)
            return found and found.state

    def acts(self, subject):
        with self.store.reading() as connection:
            rows = audit.rows(connection, self.store.sealer, subject=subject)
            return [(row.act.actor, row.act.action) for row in rows]


@pytest.fixture
def desk(store):
    return Desk(store)


def test_a_copy_becomes_a_message_of_its_own_and_each_names_the_other(desk):
    desk.ask()
    desk.look()

    assert (desk.content(1), desk.content(2)) == (BEFORE, AFTER)
    [copy] = desk.copies(1)
    assert [copy] == desk.copies(2)
    assert (copy.origin, copy.message_id, copy.reason) == (1, 2, OPERATOR.reason)
    with desk.store.reading() as connection:
        row = journal.row(connection, 2)
    assert row is not None
    assert (row.channel, row.ack_code, row.control_id) == ("adt", "", "MSG1")
    assert row.peer == "edited copy of message 1"


def test_the_original_stays_as_it_is_and_a_worker_takes_the_copy(desk):
    desk.ask()
    desk.look()

    assert desk.state(1) is MessageState.ERROR
    assert [each.row.id for each in claim(desk.store)] == [2]


def test_the_original_leaves_the_error_queue_with_the_copy_where_asked_for(desk):
    desk.ask(gives_up=True)
    assert desk.state(1) is MessageState.ERROR

    desk.look()

    assert desk.state(1) is MessageState.FILTERED
    assert (OPERATOR.actor, "message.discard") in desk.acts("message 1")


def test_an_original_that_went_through_meanwhile_is_left_alone(store):
    desk = Desk(store)
    accept(store, arrival("M2", BEFORE, message_type="ADT"))
    claim(store)
    record(store, processed(2))

    desk.ask(origin=2, gives_up=True)
    desk.look()

    assert desk.state(2) is MessageState.PROCESSED
    assert desk.copies(2)[0].message_id == 3


def test_who_asked_stands_in_the_audit_trail_of_both(desk):
    desk.ask()
    desk.look()

    assert (OPERATOR.actor, "message.edit") in desk.acts("message 1")
    assert (OPERATOR.actor, "message.edited") in desk.acts("message 2")


def test_an_edge_that_dies_after_the_journal_does_not_journal_again(desk):
    desk.ask()

    def dies(call, *arguments):
        if call.__name__ == "_settle":
            return fail(RuntimeError("died"))
        return execute(call, *arguments)

    desk.edge.in_store = dies
    desk.look()
    assert desk.copies()[0].message_id == 0
    desk.edge = desk.life()
    desk.look()

    assert desk.writer.groups == 2
    assert desk.copies()[0].message_id == 2
    assert desk.content(3) is None


def test_what_the_disk_does_not_take_waits_for_the_next_look(desk):
    desk.ask()
    desk.writer.full = True
    desk.look()
    assert desk.copies()[0].message_id == 0

    desk.writer.full = False
    desk.look()

    assert desk.copies()[0].message_id == 2


def test_another_node_leaves_what_one_has_in_hand(desk):
    desk.ask()
    desk.writer.full = True
    desk.look()
    desk.writer.full = False
    desk.edge = desk.life("there")
    desk.look()

    assert desk.copies()[0].message_id == 0


def test_a_look_while_one_is_under_way_does_nothing(desk):
    desk.ask()
    desk.edge._busy = True
    desk.look()

    assert desk.writer.groups == 0


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"no message at all\r", "frame-unreadable"),
        (er7(msh(f10=""), "PID|1"), "header-field-missing"),
        (AFTER + AFTER, "several-messages"),
        (er7(msh(f14="F1"), "PID|1"), "part-of-a-message"),
    ],
)
def test_what_the_channel_would_not_take_is_refused_with_its_cause(desk, data, cause):
    desk.ask(data, gives_up=True)
    desk.look()

    assert (desk.copies()[0].refusal, desk.writer.groups) == (cause, 0)
    assert desk.state(1) is MessageState.ERROR
    assert ("engine", "message.edit-refused") in desk.acts("message 1")


def test_a_channel_that_splits_messages_takes_one_at_a_time(desk):
    desk.ask(AFTER + AFTER)
    desk.look(replace(CHANNEL, source=replace(CHANNEL.source, hl7=SPLITS)))

    assert desk.copies()[0].refusal == "several-messages"


def test_a_channel_that_is_gone_takes_nothing(desk):
    desk.ask()
    desk.edge.look([])

    assert desk.copies()[0].refusal == "channel-gone"


def test_what_cannot_be_asked_for_is_said_at_once(desk):
    desk.ask()
    for say, origin, data, asked in (
        ("waits already", 1, AFTER, OPERATOR),
        ("no message 9", 9, AFTER, OPERATOR),
        ("nothing was changed", 1, BEFORE, OPERATOR),
        ("is empty", 1, b"", OPERATOR),
        ("needs a reason", 1, AFTER, audit.Order("kim", NOON)),
    ):
        with pytest.raises(IllegalTransitionError, match=say):
            desk.ask(data, origin, asked)


def test_a_second_answer_to_an_order_changes_nothing(desk):
    number = desk.ask()
    desk.look()
    sealer = desk.store.sealer
    with desk.store.engine() as connection:
        edited_copies.journaled(connection, sealer, number, 7, NOON)
        edited_copies.refuse(connection, sealer, number, "late", NOON)

    assert (desk.copies()[0].message_id, desk.copies()[0].refusal) == (2, "")


def test_orders_that_do_not_open_are_named_as_damage(desk):
    desk.ask()
    with desk.store.reading() as connection:
        assert list(damage.damages(connection, desk.store.sealer)) == []
