"""What the processes count."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.channels.counting import OTHER, EdgeCounts, count_finished, type_label
from engine.channels.journal_writer import Written
from engine.channels.outbox import Outcome
from engine.channels.processing.finish import Finished
from engine.channels.processing.prepared import Ended
from engine.store.deliveries import Leased
from engine.store.delivery_state import Event
from engine.store.journal import Appended
from engine.store.message_state import MessageState
from engine.store.results import Failure, TableMiss
from engine.store.results import Outcome as Result
from engine.store.settlement import Settlement
from engine.store.traffic import Counts
from engine.store.words import OnFailure
from tests.stored import NOON, arrival

LEASED = Leased(
    7, 1, 3, "adt", "his", 1, 1, b"x", "", "", "", OnFailure.PARK, NOON, NOON
)


def told(counts):
    return {
        "/".join(filter(None, key)): count
        for key, count in counts.take().items()
        if key.label != "sum"
    }


def settled(*settlements, stale=()):
    counts = EdgeCounts()
    outcome = Outcome(stale=list(stale))
    later = NOON + timedelta(seconds=2)
    assert counts.settled(outcome, settlements, lambda: later) is outcome
    return told(counts.traffic)


def finished(state, **fields):
    counts = Counts()
    outcome = Result(1, state, **fields)
    count_finished(counts, "adt", Ended(outcome), Finished(outcome))
    return told(counts)


@given(st.text(), st.text())
def test_a_sender_cannot_write_words_of_its_own_into_a_label(message_type, event):
    found = type_label(message_type, event)

    head, _, tail = found.partition("^")
    assert found == OTHER or (len(head) == 3 and head.isascii() and head.isupper())
    assert len(tail) in (0, 3)


def test_a_group_on_disk_counts_what_is_new_and_the_commit():
    counts = EdgeCounts()
    came = [arrival(message_type="ADT", trigger_event="A01"), arrival()]
    became = [Appended(1, "AA"), Appended(1, "AA", duplicate=True)]

    counts.committed(Written(came, became, 0.002))

    assert told(counts.traffic) == {"received/adt/ADT^A01": 1, "commit/0.0025": 1}
    assert counts.told() == {"journal_commits": 1, "journal_messages": 2}


@pytest.mark.parametrize(
    ("event", "count", "expected"),
    [
        ("ack_AA", 1, {"acknowledged/adt/AA": 1}),
        ("ack_undelivered", 1, {}),
        ("duplicates_suppressed", 2, {"duplicate/adt": 2}),
        ("interframe_bytes", 12, {"discarded-bytes/adt": 12}),
        ("idle_timeout", 1, {}),
    ],
)
def test_notes_of_a_channel_are_traffic_where_a_metric_tells_them(
    event, count, expected
):
    counts = EdgeCounts()

    counts.note("adt", event, count)

    assert told(counts.traffic) == expected
    assert counts.told() == {f"adt/{event}": count}


def test_a_delivery_counts_once_with_the_time_since_its_message_came():
    assert settled(Settlement(LEASED, Event.ACCEPT)) == {
        "attempt/adt/his/delivered": 1,
        "delivered/adt/his": 1,
        "latency/adt/his/2.5": 1,
    }


def test_a_correction_has_no_message_to_count_from():
    one = Settlement(replace(LEASED, received_at=None), Event.ACCEPT)

    assert "latency/adt/his/2.5" not in settled(one)


def test_a_failed_attempt_counts_with_its_class_and_fails_for_good_when_parked():
    again = Settlement(LEASED, Event.RETRY, class_="transient")
    parked = Settlement(LEASED, Event.PARK, class_="permanent")

    assert settled(again) == {"attempt/adt/his/transient": 1}
    assert settled(parked) == {
        "attempt/adt/his/permanent": 1,
        "failed/adt/his/permanent": 1,
        "broken-promise/adt": 1,
    }


def test_what_was_taken_over_or_given_back_unsent_does_not_count():
    assert settled(Settlement(LEASED, Event.ACCEPT), stale=[7]) == {}
    assert settled(Settlement(LEASED, Event.RETRY)) == {}


@pytest.mark.parametrize(
    ("state", "fields", "expected"),
    [
        ("filtered", {"reason": "only adults"}, {"filtered/adt/only adults": 1}),
        ("processed", {}, {"processed/adt": 1}),
        ("held", {"reason": "identity"}, {"held/adt": 1}),
        ("received", {"reason": "waits"}, {}),
        (
            "error",
            {"failure": Failure("edit", "permanent", "table-miss", "no row")},
            {"error/adt/edit/table-miss": 1, "broken-promise/adt": 1},
        ),
        (
            "error",
            {"failure": Failure("accept", "frame", "quarantined", "no message")},
            {"error/adt/accept/quarantined": 1},
        ),
        (
            "processed",
            {"misses": (TableMiss("sex", "X"),)},
            {"processed/adt": 1, "table-miss/adt/sex": 1},
        ),
    ],
)
def test_each_end_of_a_message_is_counted(state, fields, expected):
    assert finished(MessageState(state), **fields) == expected
