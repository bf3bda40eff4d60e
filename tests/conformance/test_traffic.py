"""What every database must do with counts of the traffic."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.store import traffic
from engine.store.schema import EPOCH
from engine.store.traffic import BOUNDS, Counts, Key, Measure, Point
from tests.stored import NOON, accept_some, ask, document, lease, queue

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
FOR_EVER = (EPOCH, NOON + timedelta(days=999))


def write(store, counts, now=NOON):
    with store.engine() as connection:
        traffic.write(connection, counts.take(), now)


def received(count, kind="ADT^A01", channel="adt"):
    counts = Counts()
    counts.add(Measure.RECEIVED, channel, label=kind, count=count)
    return counts


def minutes(store, *measures, since=EPOCH, until=FOR_EVER[1], **fields):
    return ask(store, traffic.minutes, measures, since, until, **fields)


def test_counts_add_up_by_minute_by_hour_and_in_all(store):
    write(store, received(2))
    write(store, received(3), NOON + timedelta(seconds=59))
    write(store, received(4), NOON + MINUTE)

    found = minutes(store, Measure.RECEIVED)
    assert sorted((point.at, point.amount) for point in found) == [
        (NOON, 5),
        (NOON + MINUTE, 4),
    ]
    [hour] = ask(store, traffic.hours, Measure.RECEIVED, [NOON])
    [total] = ask(store, traffic.totals)
    assert (hour.amount, total.amount) == (9, 9)
    assert total.last_at == NOON + MINUTE
    assert ask(store, traffic.first_hour) == NOON


def test_each_channel_place_and_label_is_counted_by_itself(store):
    counts = received(1)
    counts.add(Measure.RECEIVED, "lab", label="ORU^R01")
    counts.add(Measure.ATTEMPT, "adt", "his", "transient")
    write(store, counts)

    found = {Key(*point[1:5]): point.amount for point in ask(store, traffic.totals)}
    assert found == {
        Key("received", "adt", "", "ADT^A01"): 1,
        Key("received", "lab", "", "ORU^R01"): 1,
        Key("attempt", "adt", "his", "transient"): 1,
    }
    assert len(minutes(store, Measure.RECEIVED, channels=["lab"])) == 1
    assert len(minutes(store, Measure.RECEIVED, Measure.ATTEMPT)) == 3


def test_old_minutes_go_first_then_hours_and_totals_never(store):
    counts = received(1)
    counts.add(Measure.PROCESSED, "adt")
    write(store, counts)

    def after(**span):
        with store.engine() as connection:
            traffic.prune(connection, NOON + timedelta(**span))
        kept = minutes(store, Measure.RECEIVED, Measure.PROCESSED)
        hours = ask(store, traffic.hours, Measure.RECEIVED, [NOON])
        return len(kept), len(hours), len(ask(store, traffic.totals))

    assert after(hours=24) == (2, 1, 2)
    assert after(hours=26) == (1, 1, 2)
    assert after(days=9) == (0, 1, 2)
    assert after(weeks=27) == (0, 0, 2)


def test_what_could_not_be_written_is_counted_again():
    counts = received(2)

    taken = counts.take()
    counts.add(Measure.RECEIVED, "adt", label="ADT^A01")
    counts.put_back(taken)

    assert counts.take() == {Key("received", "adt", "", "ADT^A01"): 3}


def test_each_minute_tells_what_was_counted_by_channel_or_by_label(store):
    write(store, received(1), NOON - 61 * MINUTE)
    write(store, received(2), NOON - 59 * MINUTE)
    counts = received(3)
    counts.add(Measure.RECEIVED, "adt", label="ADT^A08", count=4)
    write(store, counts)

    since, until = NOON - HOUR, NOON + MINUTE
    taken = ask(store, traffic.each_minute, Measure.RECEIVED, "channel", since, until)
    kinds = ask(store, traffic.each_minute, Measure.RECEIVED, "label", since, until)
    assert taken == {NOON - 59 * MINUTE: {"adt": 2}, NOON: {"adt": 7}}
    assert kinds[NOON] == {"ADT^A01": 3, "ADT^A08": 4}
    summed = ask(store, traffic.summed, [Measure.RECEIVED], NOON - HOUR, NOON, "adt")
    assert [(point.channel, point.amount) for point in summed] == [("adt", 2)]


def test_a_lane_head_tells_when_its_message_came(store):
    [number] = accept_some(store, 1)
    queue(store, document(), message_id=number)
    queue(store, document("bob"), message_id=999)

    first, second = lease(store)
    assert (first.received_at, second.received_at) == (NOON, None)


@pytest.mark.parametrize("measure", list(BOUNDS))
def test_a_histogram_keeps_the_time_all_took(measure):
    counts = Counts()
    counts.observe(measure, 0.25, "adt")
    counts.observe(measure, 99_999.0, "adt")

    found = {key.label: count for key, count in counts.take().items()}
    assert found == {"0.25": 1, "+Inf": 1, "sum": 99_999_250_000}


@given(seconds=st.lists(st.floats(0, 10_000), min_size=1), share=st.floats(0.01, 1))
def test_a_quantile_lies_in_the_bucket_of_the_exact_one(seconds, share):
    counts, bounds = Counts(), BOUNDS[Measure.LATENCY]
    for each in seconds:
        counts.observe(Measure.LATENCY, each, "adt", "his")
    points = [Point(NOON, *key, count, NOON) for key, count in counts.take().items()]

    found = traffic.quantile(points, share)
    assert found is not None

    rank = max(1, -(-share * len(seconds) // 1))
    exact = sorted(seconds)[min(int(rank), len(seconds)) - 1]
    above = next((bound for bound in bounds if bound >= exact), bounds[-1])
    below = max([bound for bound in bounds if bound < exact], default=0.0)
    assert min(below, bounds[-1]) - 1e-9 <= found <= above + 1e-9


def test_there_is_no_quantile_of_nothing():
    assert traffic.quantile([], 0.95) is None


def test_hours_are_told_of_all_channels_or_of_one(store):
    hours = [NOON - 2 * HOUR, NOON]
    with store.engine() as connection:
        for at in (*hours, NOON - HOUR):
            for channel in ("adt", "lab"):
                traffic.write(connection, {Key("received", channel): 3}, at)

    both = ask(store, traffic.hours, Measure.RECEIVED, hours)
    one = ask(store, traffic.hours, Measure.RECEIVED, hours, "lab")

    assert len(both) == 4
    assert sorted(each.at for each in one) == hours
    assert {each.channel for each in one} == {"lab"}
