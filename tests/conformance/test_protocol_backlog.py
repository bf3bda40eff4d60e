"""protocol.md E89: a destination that is down for long, and everything behind it."""

import pytest
from sqlalchemy import event

from engine.errors import TransientError
from engine.hl7.framing import enclose
from engine.store.delivery_state import Event
from tests.backlog import run
from tests.databases import empty_database
from tests.link import Link, ack
from tests.listening import adt
from tests.stored import document, end, lease, queue

HOURS = 3600


def test_E89_after_three_days_without_a_receiver_everything_is_still_there_in_order():
    link = Link(adt("M1"), adt("M2"), adt("M3"), lanes=["ann", "ann", "bob"])
    link.refuse(TransientError("his:1 refused the connection", "connection-refused"))
    link.lines[0].drop(TransientError("no answer", "no-answer"))

    for _ in range(72 * 12):
        link.clock.advance(HOURS / 12)
    kinds = {(event, kind) for _, event, kind in link.outbox.settled}
    in_memory = link.loop.in_hand
    link.refuse(None)
    answered = 0
    for _ in range(600):
        link.clock.advance(1)
        if len(link.wires) > 1:
            answered += answer_new(link, answered)

    assert kinds == {(Event.RETRY, "transient")}
    assert in_memory <= 1
    taken = [number for number, event in link.settled if event is Event.ACCEPT]
    assert sorted(taken) == [1, 2, 3]
    assert taken.index(1) < taken.index(2)


def answer_new(link, answered):
    """Acknowledge what the newest line has sent since; return how many."""
    sent = link.sent[-1].split(b"\x0b")[1 + answered :]
    for block in sent:
        link.hear(enclose(ack(name=block.split(b"|")[9].decode())))
    return len(sent)


class Work:
    """Counts what SQLite does, in steps of its own machine: no clock, no load."""

    def __init__(self, store):
        self.steps, self.store = 0, store
        event.listen(store._backend.engine, "connect", self._listen)
        store._backend.engine.dispose()

    def _listen(self, raw, _):
        raw.set_progress_handler(self._step, 10)

    def _step(self):
        self.steps += 1
        return 0

    def of_sending(self, count, destination):
        """Return the steps for each delivery that is leased and settled."""
        before, left = self.steps, count
        while left:
            some = lease(self.store, limit=min(left, 64), destination=destination)
            for each in some:
                end(self.store, each)
            left -= len(some)
        return (self.steps - before) / count


def test_E89_others_and_the_drain_are_no_more_work_behind_a_backlog(tmp_path):
    store = empty_database("sqlite", tmp_path)
    work = Work(store)
    queue_some(store, 60)
    queue_some(store, 60, destination="archive")
    alone, normal = (work.of_sending(60, each) for each in ("archive", "registry"))

    queue_some(store, 10_000)
    queue_some(store, 60, destination="archive")
    beside, drain = (work.of_sending(60, each) for each in ("archive", "registry"))

    assert alone / beside >= 0.95
    assert normal / drain >= 0.8


def queue_some(store, count, **fields):
    lanes = [f"lane{number % 50}" for number in range(count)]
    queue(store, *(document(lane, **fields) for lane in lanes))


@pytest.mark.slow
def test_E89_a_backlog_costs_no_memory_no_order_and_nobody_else(tmp_path):
    figures = run(tmp_path, queued=3_000, drained=1_500, others=40)

    assert figures.growth_mb <= 50
    assert figures.ready_cpu_seconds <= 10
    assert figures.out_of_order == 0
    assert figures.drain_ratio >= 0.5  # the work itself is counted above; a clock
    assert figures.others_ratio >= 0.5  # on a busy machine sees more than that
