"""Messages and documents that are posted: on disk first, then answered."""

import base64
import io
import zipfile
from datetime import timedelta

import pytest
from twisted.python.failure import Failure

from engine.channels.accept import Reply
from engine.channels.format.endpoints import HttpSource
from engine.channels.posts import TOO_LARGE, status_of
from engine.errors import ConfigurationError, JournalError
from engine.hl7 import parse
from tests.listening import adt
from tests.posting import MAX_BYTES, Bench, channel, status

DOCUMENT = b'<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"/>'


def test_a_message_is_answered_once_it_is_on_disk():
    bench = Bench(at_once=False)

    before = bench.post(adt())
    bench.journal.commit(0)

    assert before == b""
    answer = bench.wire.value()
    assert status(answer) == 200
    assert b"application/hl7-v2" in answer
    assert b"MSA|AA|" in answer
    [arrival] = bench.journal.arrivals
    assert arrival.data == adt()


def test_a_message_that_is_refused_is_kept_and_answered_with_the_reason():
    bench = Bench(types=("ORU",))

    answer = bench.post(adt())

    assert status(answer) == 422
    assert b"MSA|AR|" in answer
    assert len(bench.journal.arrivals) == 1


def test_what_could_not_be_stored_is_to_be_sent_again():
    bench = Bench(at_once=False)
    bench.post(adt())

    bench.journal.fail(0, JournalError("disk full"))

    assert status(bench.wire.value()) == 503
    assert b"Retry-After: 5" in bench.wire.value()


def test_a_document_is_journaled_in_the_message_that_carries_it():
    bench = Bench()

    answer = bench.post(DOCUMENT)
    bench.now += timedelta(minutes=5)
    again = bench.post(DOCUMENT)

    first, second = (parse(each.data) for each in bench.journal.arrivals)
    assert status(answer) == status(again) == 200
    assert (first.message_type, first.trigger_event) == ("MDM", "T02")
    assert base64.b64decode(first["OBX-5.5"]) == DOCUMENT
    assert first.control_id == second.control_id
    told = {(one.dedupe_key, one.content_hash) for one in bench.journal.arrivals}
    assert len(told) == 1


@pytest.mark.parametrize(("types", "wanted"), [(("ADT", "ORU"), 200), (("ADT",), 422)])
def test_a_batch_is_answered_by_a_batch_in_which_one_refusal_counts(types, wanted):
    bench = Bench(types=types)
    messages = adt("M1") + adt("M2", f9="ORU^R01")

    answer = bench.post(b"BHS|^~\\&|A\r" + messages + b"BTS|2\r")

    assert status(answer) == wanted
    assert b"\r\nBHS|" in answer
    assert answer.count(b"MSA|A") == 2


def test_each_document_of_a_package_is_journaled_in_a_message_of_its_own():
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as package:
        for name in ("a.xml", "b.xml"):
            package.writestr(name, DOCUMENT)
    bench = Bench()

    answer = bench.post(target.getvalue())

    assert status(answer) == 200
    assert answer.count(b"MSA|AA|") == 2
    kept = [parse(each.data) for each in bench.journal.arrivals]
    assert [each.all("OBX")[0].text(4) for each in kept] == ["1", "2"]
    held = base64.b64decode(kept[0].all("OBX")[0].text(5, 5))
    assert held == target.getvalue()


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        ({"headers": ""}, 401),
        ({"headers": "Authorization: Basic dTpx\r\n"}, 401),
        ({"method": "GET"}, 405),
        ({"path": "/other"}, 404),
        ({"body": b""}, 400),
    ],
)
def test_what_is_no_posting_of_this_channel_is_not_stored(request_, wanted):
    bench = Bench()

    answer = bench.post(**{"body": adt(), **request_})

    assert status(answer) == wanted
    assert bench.journal.arrivals == []


def test_a_body_over_the_limit_ends_the_connection_and_is_not_held():
    bench = Bench()

    answer = bench.post(b"x" * (MAX_BYTES + 1))

    assert answer.startswith(TOO_LARGE)
    assert bench.wire.disconnecting
    assert bench.journal.arrivals == []


def test_a_sender_that_leaves_early_is_not_answered_and_loses_nothing():
    bench = Bench(at_once=False)
    bench.post(adt())

    bench.protocol.connectionLost(Failure(ConnectionError()))
    bench.journal.commit(0)

    assert bench.wire.value() == b""
    assert len(bench.journal.arrivals) == 1


def test_a_defect_is_an_answer_too():
    bench = Bench(at_once=False)
    bench.post(adt())

    bench.journal.fail(0, ValueError("a defect"))

    assert status(bench.wire.value()) == 500


def test_bytes_that_are_counted_and_not_stored_are_a_bad_request():
    assert status_of(Reply()) == (400, b"")
    assert status_of(Reply(None, kept=True)) == (202, b"")


@pytest.mark.parametrize(
    ("bind", "wanted", "sentence"),
    [
        ("", channel(), "http.bind is not set"),
        ("0.0.0.0:8088", channel(), "without TLS"),
        ("127.0.0.1:8088", channel(credential="empty"), "no password and no token"),
        ("127.0.0.1:8088", channel(credential="none"), "no password and no token"),
    ],
)
def test_a_path_that_cannot_be_opened_says_why(bind, wanted, sentence):
    bench = Bench(bind)

    with pytest.raises(ConfigurationError, match=sentence):
        bench.web.add(bench.intake(wanted))


def test_a_path_belongs_to_one_channel_and_the_listener_goes_with_the_last():
    bench = Bench()
    bench.web.add(bench.intake(channel()))

    with pytest.raises(ConfigurationError, match="takes /adt"):
        bench.web.add(bench.intake(channel("other")))
    bench.web.remove(HttpSource(path="/adt", credential="feed"))

    assert bench.web.port is None
