"""What every database must do with what was received."""

import os
from datetime import timedelta

from engine.store import claims, journal
from engine.store.contents import SMALL_BYTES
from engine.store.messages import reprocess
from engine.store.sequences import Numbered, thaw
from engine.store.words import Verdict
from tests.stored import (
    LATER,
    NOON,
    accept,
    accept_some,
    arrival,
    ask,
    claim,
    failed,
    order,
    processed,
    record,
)

KEY = "mllp:2575|10.0.0.7|REG|NORTH|C1"


def keyed(**fields):
    return arrival(**{"dedupe_key": KEY, "content_hash": b"h" * 16, **fields})


def test_what_was_received_comes_back_byte_for_byte(store):
    data = b"MSH|^~\\&|LAB\x00\xff\rPID|1\r" * 40

    [kept] = accept(store, arrival(data=data))

    with store.reading() as connection:
        assert journal.content(connection, store.sealer, kept.id) == data
    row = ask(store, journal.row, kept.id)
    assert (row.size, row.channel, row.received_at) == (len(data), "adt", NOON)


def test_numbers_follow_the_order_of_acceptance(store):
    first = accept_some(store, 3)
    second = accept_some(store, 2, channel="oru")

    assert first + second == [1, 2, 3, 4, 5]


def test_a_message_sent_again_is_answered_as_before_and_kept_once(store):
    [first] = accept(store, keyed(ack_code="CA"))
    again, other = accept(store, keyed(ack_code="AA"), arrival("C2"))

    assert (again.id, again.ack_code, again.duplicate) == (first.id, "CA", True)
    assert not other.duplicate
    assert [one.row.id for one in claim(store)] == [first.id, other.id]


def test_a_message_repeated_within_one_group_is_kept_once(store):
    first, again = accept(store, keyed(), keyed())

    assert (again.id, again.duplicate) == (first.id, True)


def test_another_content_under_the_same_control_id_is_new_and_flagged(store):
    accept(store, keyed())

    [reused] = accept(store, keyed(content_hash=b"other content..."))

    assert (reused.duplicate, reused.control_id_reuse) == (False, True)
    assert ask(store, journal.row, reused.id).findings == ("control_id_reuse",)


def test_a_reused_control_id_can_be_refused(store):
    accept(store, keyed())

    [refused] = accept(store, keyed(content_hash=b"other", reuse_code="AE"))

    row = ask(store, journal.row, refused.id)
    assert (refused.ack_code, row.ack_code) == ("AE", "AE")
    assert (row.verdict, row.cause) == (Verdict.QUARANTINED, "control-id-reuse")


def test_a_first_one_that_is_too_old_does_not_count(store):
    [first] = accept(store, keyed())

    [late] = accept(store, keyed(received_at=LATER, first_after=LATER))
    [again] = accept(store, keyed(received_at=LATER, first_after=LATER))

    assert (late.duplicate, again.duplicate) == (False, True)
    assert again.id == late.id != first.id


def test_old_duplicate_keys_are_forgotten(store):
    accept(store, keyed())

    with store.journal() as connection:
        assert journal.prune_duplicates(connection, LATER, 10) == 1

    assert not accept(store, keyed())[0].duplicate


def counted(number, peer="10.0.0.7", **fields):
    named = Numbered("mllp:2575", peer, number)
    return arrival(f"C{number}", numbered=named, refusal_code="AR", **fields)


def told(appended):
    return [(one.ack_code, one.sequence, one.refused) for one in appended]


def test_sequence_numbers_count_on_each_link_by_itself(store):
    accept(store, counted("7"), counted("8"), counted("41", "10.0.0.8"))

    appended = accept(store, counted("9"), counted("42", "10.0.0.8"))

    assert told(appended) == [("AA", "9", ""), ("AA", "42", "")]


def test_what_is_out_of_sequence_is_quarantined_and_not_known_when_it_comes_again(
    store,
):
    key = {"dedupe_key": KEY, "content_hash": b"h" * 16}
    early, *rest = accept(
        store, counted("7"), counted("9", **key), counted("8"), counted("9", **key)
    )

    assert told([early, *rest]) == [
        ("AA", "7", ""),
        ("AR", "8", "sequence-gap"),
        ("AA", "8", ""),
        ("AA", "9", ""),
    ]
    row = ask(store, journal.row, rest[0].id)
    assert (row.verdict, row.cause, row.ack_code) == (
        Verdict.QUARANTINED,
        "sequence-gap",
        "AR",
    )


def test_a_message_refused_for_its_control_id_does_not_count_on_its_link(store):
    again = {"dedupe_key": KEY, "reuse_code": "AE"}
    accept(store, counted("7", content_hash=b"a", **again))

    [refused, after] = accept(
        store, counted("8", content_hash=b"b", **again), counted("8")
    )

    assert told([refused, after]) == [("AE", "", ""), ("AA", "8", "")]


def test_a_frozen_link_goes_on_where_it_was_once_it_is_thawed(store):
    accept(store, counted("7"), counted("3"))
    frozen, starts = accept(store, counted("8"), counted("0"))

    with store.journal() as connection:
        assert thaw(connection, "mllp:2575") == 1
        assert thaw(connection, "mllp:2575") == 0
    [thawed] = accept(store, counted("8"))

    assert told([frozen, starts]) == [("AR", "8", "link-frozen"), ("AA", "8", "")]
    assert told([thawed]) == [("AA", "8", "")]


def test_a_worker_gets_the_messages_of_its_channel_in_order(store):
    accept_some(store, 2)
    accept_some(store, 2, channel="oru")

    assert [one.row.id for one in claim(store, channel="oru")] == [3, 4]
    assert [one.row.id for one in claim(store, limit=1)] == [1]


def test_large_messages_are_claimed_few_at_a_time(store):
    half, unpacked = bytes(claims.MAX_BYTES // 2), os.urandom(2 * SMALL_BYTES)
    accept(store, *(arrival(data=data) for data in (half, unpacked, half, b"MSH|")))

    claimed = claim(store)
    record(store, *(processed(one.row.id) for one in claimed))

    assert [one.data for one in claimed] == [half, unpacked, half]
    assert [one.data for one in claim(store)] == [b"MSH|"]


def test_large_messages_are_claimed_again_few_at_a_time(store):
    whole = bytes(claims.MAX_BYTES)
    accept(store, arrival(data=whole), arrival(data=b"MSH|"))
    record(store, failed(1), failed(2))
    order(store, reprocess, 1, 2)

    assert [one.data for one in claim(store)] == [whole]


def test_what_is_recorded_is_not_given_again(store):
    first, second = accept_some(store, 2)
    claim(store, limit=1)
    record(store, processed(first))

    assert [one.row.id for one in claim(store)] == [second]


def test_a_message_whose_worker_dies_comes_alone_and_its_deaths_are_counted(store):
    accept_some(store, 3)
    claim(store)  # dies with the whole batch
    [alone] = claim(store)  # dies again
    [poison] = claim(store)

    assert [alone.deaths, poison.deaths] == [1, 2]
    assert alone.row.id == poison.row.id == 1


def test_the_others_of_that_batch_are_not_blamed(store):
    accept_some(store, 3)
    claim(store)
    claim(store)
    record(store, processed(1))

    [second] = claim(store)
    record(store, processed(2))
    [third] = claim(store)
    record(store, processed(3))
    accept_some(store, 2)

    assert [second.deaths, third.deaths] == [1, 1]
    assert [one.deaths for one in claim(store)] == [0, 0]


def test_a_restart_of_the_whole_engine_is_no_death(store):
    accept_some(store, 2)
    claim(store)

    with store.engine() as connection:
        claims.forget_starts(connection)

    assert [one.deaths for one in claim(store)] == [0, 0]


def give_back(store, claimed):
    with store.engine() as connection:
        claims.give_back(connection, "adt", claimed)


def test_what_is_given_back_was_no_death(store):
    accept_some(store, 3)
    give_back(store, claim(store))
    assert [one.deaths for one in claim(store)] == [0, 0, 0]

    give_back(store, claim(store))  # those died, and it was not the next one's turn

    assert [one.deaths for one in claim(store)] == [1]


def test_what_is_given_back_to_be_processed_again_was_no_death(store):
    accept_some(store, 2)
    record(store, failed(1), failed(2))
    order(store, reprocess, 1, 2)

    give_back(store, claim(store))

    assert [one.deaths for one in claim(store)] == [0, 0]


def test_messages_to_process_again_come_before_new_ones(store):
    accept_some(store, 2)
    claim(store, limit=1)
    record(store, processed(1))
    order(store, reprocess, 1)

    [again] = claim(store)
    record(store, processed(1, attempt=again.attempt, redo=True))
    [new] = claim(store)

    assert (again.row.id, again.attempt, again.redo) == (1, 2, True)
    assert (new.row.id, new.redo) == (2, False)


def test_a_repeated_message_whose_worker_dies_comes_alone_too(store):
    accept_some(store, 2)
    claim(store)
    record(store, processed(1), processed(2))
    order(store, reprocess, 1, 2)
    claim(store)

    [alone] = claim(store)

    assert (alone.row.id, alone.deaths) == (1, 1)


def test_the_time_of_reception_keeps_its_microseconds(store):
    at = NOON + timedelta(microseconds=123_456)

    [kept] = accept(store, arrival(received_at=at))

    assert ask(store, journal.row, kept.id).received_at == at
