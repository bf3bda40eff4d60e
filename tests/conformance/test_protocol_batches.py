"""protocol.md E73 to E76: batches, from files and in MLLP blocks."""

from datetime import timedelta

import pytest
from twisted.internet.defer import execute
from twisted.internet.task import Clock

from engine.channels.accept import Conversation
from engine.channels.format.endpoints import FileSource
from engine.channels.sources.file import FolderSource
from engine.errors import JournalError
from engine.hl7.framing import enclose
from engine.store import batches, error_queue, journal
from engine.store.messages import discard, release, reprocess
from engine.store.words import Verdict
from tests.databases import each_setting
from tests.fakes import ends_of
from tests.listening import Peer, adt, answers, codes
from tests.processing import lines, process, queued, states
from tests.sites import site_at
from tests.stored import ask, order

both = pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
MISMATCH = "the batch is not what its trailer says, or has none"


def message(name, **fields):
    return adt(name, body="EVN||2030\rPID|1||7^^^GEN^MR||Doe\rPV1|1|I\r", **fields)


def batch(*messages, name="B1", count=None, mark="|"):
    """Return a batch; ``count=""`` leaves BTS-1 out, ``count=None`` counts right."""
    head = f"BHS|^~\\&|REG|GEN|ENG|HOSP|2030||||{name}\r".replace("|", mark)
    told = len(messages) if count is None else count
    return head.encode() + b"".join(messages) + f"BTS{mark}{told}\r".encode()


def file_of(*parts, name="F1", count=None):
    """Return a file of batches."""
    told = len(parts) if count is None else count
    head = f"FHS|^~\\&|REG|GEN|ENG|HOSP|2030||||{name}\r"
    return head.encode() + b"".join(parts) + f"FTS|{told}\r".encode()


def take(peer, folder, content):
    """Have a file taken by the channel that the peer speaks to."""
    folder.mkdir(exist_ok=True)
    (folder / "some.hl7").write_bytes(content)
    source = FolderSource(
        folder,
        FileSource(path=str(folder), every=timedelta(seconds=5)),
        Conversation(peer.intake, f"file:{folder}"),
        Clock(),
        execute,
        peer.notes,
    )
    assert ends_of(source.look()) == [None]
    assert ends_of(source.look()) == [None]
    return source


def rows(store):
    """Return control id and batch of every journalled message."""
    found = []
    with store.reading() as connection:
        number = 1
        while (row := journal.row(connection, number)) is not None:
            found.append((row.control_id, batches.batch(connection, row.batch)))
            number += 1
    return found


def named(found):
    return [
        (control_id, batch and (batch.control_id, batch.file_control_id))
        for control_id, batch in found
    ]


@each_setting
def test_E73_each_message_of_a_batch_is_a_row_that_knows_its_batch(store, strict):
    peer = Peer(strict=strict, store=store)
    two = batch(message("M3").replace(b"|", b"$"), name="B2", mark="$")
    block = file_of(batch(message("M1"), message("M2")), two)

    peer.hear(enclose(block))

    assert named(rows(store)) == [
        ("M1", ("B1", "F1")),
        ("M2", ("B1", "F1")),
        ("M3", ("B2", "F1")),
    ]
    assert codes(peer.sent)[0] == ("AA", "M1")
    [answer] = answers(peer.sent)
    assert b"MSA|AA|M2\r" in answer
    assert b"MSA$AA$M3\r" in answer


@each_setting
def test_E73_a_file_is_taken_message_by_message_and_put_away(store, strict, tmp_path):
    peer = Peer(strict=strict, store=store)
    inside = [message(f"M{n}") for n in range(300)]

    take(peer, tmp_path / "in", file_of(batch(*inside)))

    assert named(rows(store)) == [(f"M{n}", ("B1", "F1")) for n in range(300)]
    assert (tmp_path / "in" / "done" / "some.hl7").exists()


@both
def test_E73_messages_of_a_file_without_headers_are_no_batch(strict, tmp_path):
    peer = Peer(strict=strict)

    take(peer, tmp_path / "in", message("M1") + message("M2"))

    assert peer.journalled == [message("M1"), message("M2")]
    assert [each.batch for each in peer.journal.arrivals] == [None, None]


@both
def test_E73_a_file_that_could_not_be_stored_stays_and_is_taken_again(strict, tmp_path):
    peer = Peer(strict=strict, at_once=False)
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "some.hl7").write_bytes(batch(message("M1"), message("M2")))
    source = FolderSource(
        folder,
        FileSource(path=str(folder)),
        Conversation(peer.intake, "file"),
        Clock(),
        execute,
        peer.notes,
    )
    assert ends_of(source.look()) == [None]

    ends = ends_of(source.look())
    peer.journal.commit(0)
    peer.journal.fail(1, JournalError("disk full"))

    assert ends == [None]
    assert (folder / "some.hl7").exists()
    first, second = (each.batch for each in peer.journal.arrivals)
    peer.journal.at_once = True
    assert ends_of(source.look()) == [None]
    assert not (folder / "some.hl7").exists()
    assert {each.batch for each in peer.journal.arrivals} == {first} == {second}


@both
def test_E73_a_message_that_is_too_long_quarantines_its_file(strict, tmp_path):
    peer = Peer(strict=strict)
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "some.hl7").write_bytes(batch(message("M1"), adt(body="x" * 5000)))
    source = FolderSource(
        folder,
        FileSource(path=str(folder), after="delete"),
        Conversation(peer.intake, "file"),
        Clock(),
        execute,
        peer.notes,
        max_bytes=4000,
    )

    assert ends_of(source.look()) == ends_of(source.look()) == [None]

    [arrival] = peer.journal.arrivals
    assert (arrival.verdict, arrival.cause) == (Verdict.QUARANTINED, "too-large")
    assert (folder / "done" / "some.hl7").exists()


PAIR = message("M1"), message("M2")
WRONG = {
    "count": batch(message("M1"), message("M2"), count=3),
    "no trailer": batch(message("M1"), message("M2")).split(b"BTS")[0],
    "file count": file_of(batch(message("M1")), batch(message("M2")), count=3),
    "no file trailer": file_of(batch(message("M1"), message("M2"))).split(b"FTS")[0],
}


@each_setting
@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
def test_E74_a_batch_that_is_not_what_its_trailer_says_is_held_whole(
    store, strict, content, tmp_path
):
    peer = Peer(strict=strict, store=store)
    peer.hear(enclose(content) + enclose(message("OTHER")))

    process(store, lines(tmp_path, strict=strict))

    assert states(store) == [
        ("held", MISMATCH),
        ("held", "waits for its batch"),
        ("processed", ""),
    ]
    [entry] = ask(store, error_queue.entries)
    assert (entry.message_id, entry.code) == (1, "batch-count-mismatch")
    assert queued(store) == [message("OTHER")]


@each_setting
def test_E74_a_person_releases_all_of_it_in_order(store, strict, tmp_path):
    found = lines(tmp_path, strict=strict)
    take(Peer(strict=strict, store=store), tmp_path / "in", WRONG["count"])
    process(store, found)

    order(store, release, 1)
    process(store, found)

    assert states(store) == [("processed", ""), ("processed", "")]
    assert queued(store) == [message("M1"), message("M2")]
    assert ask(store, error_queue.entries) == []


def test_E74_a_retry_of_its_entry_releases_it(tmp_path):
    site, found = site_at(tmp_path), lines(tmp_path / "lines")
    store = site.database("edge")
    Peer(store=store).hear(enclose(WRONG["count"]))
    process(store, found)
    [entry] = ask(store, error_queue.entries)

    told = site.run("errors", "retry", entry.group_key, "--yes")
    process(store, found)

    assert told.exit_code == 0
    assert queued(store) == [message("M1"), message("M2")]


@each_setting
def test_E74_or_discards_all_of_it(store, strict, tmp_path):
    found = lines(tmp_path, strict=strict)
    take(Peer(strict=strict, store=store), tmp_path / "in", WRONG["no trailer"])
    process(store, found)

    order(store, discard, 1)
    process(store, found)

    assert states(store) == [("filtered", "discarded by kim")] * 2
    assert queued(store) == []
    assert ask(store, error_queue.entries) == []


@each_setting
def test_E74_only_the_batch_that_is_wrong_is_held(store, strict, tmp_path):
    wrong = batch(message("M1"), name="B1", count=2)
    right = batch(message("M2"), name="B2")
    Peer(strict=strict, store=store).hear(enclose(file_of(wrong, right)))

    process(store, lines(tmp_path, strict=strict))

    assert [state for state, _ in states(store)] == ["held", "processed"]


@each_setting
def test_E74_a_channel_may_deliver_it_with_a_flag(store, strict, tmp_path):
    deliver = ("batch-count-mismatch: deliver",)
    Peer(strict=strict, store=store).hear(enclose(WRONG["count"]))

    process(store, lines(tmp_path, strict=strict, hl7=deliver))

    assert queued(store) == [message("M1"), message("M2")]
    assert ask(store, journal.row, 1).findings == ("batch_count_mismatch",)


@each_setting
def test_E74_messages_show_the_batch_they_came_in(store, strict):
    Peer(strict=strict, store=store).hear(enclose(file_of(batch(message("M1")))))

    [(_, found)] = rows(store)
    assert (found.declared, found.found, found.agrees) == ("1", 1, True)


@each_setting
def test_E74_the_same_wrong_batch_again_is_still_one(store, strict, tmp_path):
    for _ in range(2):
        Peer(strict=strict, store=store).hear(enclose(WRONG["count"]))
        process(store, lines(tmp_path, strict=strict))

    assert [state for state, _ in states(store)] == ["held", "held"]
    assert len(ask(store, error_queue.entries)) == 1


@each_setting
def test_E74_a_corrected_batch_is_no_repetition_of_the_held_one(
    store, strict, tmp_path
):
    found, peer = lines(tmp_path, strict=strict), Peer(strict=strict, store=store)
    right = batch(message("M1"), message("M2"))
    peer.hear(enclose(WRONG["count"]))
    process(store, found)

    for _ in range(2):  # the second time it is one
        peer.hear(enclose(right))
    process(store, found)

    again = "discarded by engine: its batch came again, and whole: up to message 4"
    assert states(store) == [("filtered", again)] * 2 + [("processed", "")] * 2
    assert queued(store) == [message("M1"), message("M2")]
    assert ask(store, journal.row, 3).findings == ()  # no control id was used again
    assert ask(store, error_queue.entries) == []


@each_setting
def test_E74_a_person_can_take_back_that_a_correction_has_discarded(
    store, strict, tmp_path
):
    found, peer = lines(tmp_path, strict=strict), Peer(strict=strict, store=store)
    for one in (WRONG["count"], batch(message("M1"), message("M2"))):
        peer.hear(enclose(one))
        process(store, found)

    order(store, reprocess, 1, 2)
    process(store, found)

    assert states(store) == [("processed", "")] * 4


@each_setting
@pytest.mark.parametrize(
    "other",
    [
        batch(message("M1"), message("M2"), name="B2"),
        batch(message("M1"), message("M2"), name=""),
        batch(message("M1"), message("M3")),
        batch(message("M1")),
        batch(message("M1"), message("M2", f8="S")),
    ],
    ids=["other name", "no name", "another message", "one is missing", "one differs"],
)
def test_E74_only_the_same_batch_with_all_its_messages_closes_a_held_one(
    store, strict, other, tmp_path
):
    found, peer = lines(tmp_path, strict=strict), Peer(strict=strict, store=store)
    peer.hear(enclose(WRONG["count"]))
    process(store, found)

    peer.hear(enclose(other))
    process(store, found)

    assert [state for state, _ in states(store)][:2] == ["held", "held"]
    assert len(ask(store, error_queue.entries)) == 1


@each_setting
def test_E74_another_sender_corrects_nobody_elses_batch(store, strict, tmp_path):
    found = lines(tmp_path, strict=strict)
    Peer(strict=strict, store=store).hear(enclose(WRONG["count"]))
    process(store, found)

    take(Peer(strict=strict, store=store), tmp_path / "in", batch(*PAIR))
    process(store, found)

    assert [state for state, _ in states(store)] == ["held"] * 2 + ["processed"] * 2


@each_setting
def test_E74_a_corrected_batch_repeats_what_a_person_has_released(
    store, strict, tmp_path
):
    found, peer = lines(tmp_path, strict=strict), Peer(strict=strict, store=store)
    peer.hear(enclose(WRONG["count"]))
    process(store, found)
    order(store, release, 1)
    process(store, found)

    peer.hear(enclose(batch(message("M1"), message("M2"))))
    process(store, found)

    assert queued(store) == [message("M1"), message("M2")]


@each_setting
def test_E75_an_empty_batch_is_legal_and_acknowledged(store, strict, tmp_path):
    peer = Peer(strict=strict, store=store)

    peer.hear(enclose(file_of(batch())))
    take(peer, tmp_path / "in", batch(count=0))
    process(store, lines(tmp_path, strict=strict))

    [answer] = answers(peer.sent)
    assert answer.startswith(b"BHS|^~\\&|ENG|HOSP|REG|GEN|20300101")
    assert answer.endswith(b"|B1\rBTS|0\r")
    assert states(store) == [("filtered", "a batch without any message")] * 2


@both
def test_E75_an_empty_batch_that_should_hold_something_is_quarantined(strict):
    peer = Peer(strict=strict)

    peer.hear(enclose(batch(count=3)))

    assert codes(peer.sent) == [("AR", "")]
    assert peer.verdicts == [Verdict.QUARANTINED]


@both
@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("all", [("AA", "M1"), ("AR", "M2"), ("CA", "M3")]),
        ("errors", [("AR", "M2")]),
    ],
)
def test_E76_the_answer_is_a_batch_that_names_the_original(strict, choice, said):
    peer = Peer(strict=strict, hl7={"batch_ack": choice})
    inside = [message("M1"), message("M2", f11="T"), message("M3", f15="AL")]

    peer.hear(enclose(batch(*inside)))

    [answer] = answers(peer.sent)
    head, *_, trailer = answer.rstrip(b"\r").split(b"\r")
    assert head.split(b"|")[11] == b"B1"
    assert trailer == f"BTS|{len(said)}".encode()
    parts = answer.split(b"\rMSH|")[1:]
    assert codes(b"".join(enclose(b"MSH|" + part) for part in parts)) == said


@both
def test_E76_an_acknowledgment_inside_a_batch_is_not_answered(strict):
    peer = Peer(strict=strict)

    peer.hear(enclose(batch(message("M1"), message("A", f9="ACK"), message("M2"))))

    [answer] = answers(peer.sent)
    assert answer.endswith(b"BTS|2\r")
    assert len(peer.journalled) == 2


@both
def test_E76_errors_only_may_be_an_empty_batch_and_none_is_silence(strict):
    errors = Peer(strict=strict, hl7={"batch_ack": "errors"})
    silent = Peer(strict=strict, hl7={"batch_ack": "none"})

    errors.hear(enclose(batch(message("M1"))))
    silent.hear(enclose(batch(message("M1"))))

    assert answers(errors.sent)[0].endswith(b"|B1\rBTS|0\r")
    assert silent.sent == b""
    assert silent.journalled == [message("M1")]


@both
def test_E76_nothing_is_said_of_a_batch_that_is_not_on_disk(strict):
    peer = Peer(strict=strict, at_once=False)
    peer.hear(enclose(batch(message("M1"), message("M2"))))

    peer.journal.commit(0)
    peer.journal.fail(1, JournalError("disk full"))

    assert peer.sent == b""
    assert peer.wire.producerState == "paused"
