"""HTTP out: the small client, posting, and what a FHIR server's answer means."""

import base64
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from engine.channels.destinations import Document
from engine.channels.destinations.fhir import FhirSender
from engine.channels.destinations.http import HttpSender
from engine.channels.fhir_answers import outcome_in_words
from engine.channels.http_client import AnswerReader, HttpClient, HttpLine
from engine.channels.posting import Poster, Target, authorization
from engine.errors import (
    AmbiguousError,
    CredentialsError,
    NotNowError,
    PermanentError,
    TransientError,
)
from tests.fakes import Wire, ends_of


class Link:
    """A client and the wires it opened; ``send`` collects how each send ended."""

    def __init__(self, url="http://fhir.test:8090/r4", headers=None):
        self.clock, self.lines, self.wires, self.down = Clock(), [], [], None
        client = HttpClient(self.connect, self.clock, 30.0)
        self.poster = Poster(client, Target.of(url), headers or {})

    def connect(self, factory):
        if self.down is not None:
            return fail(self.down)
        line, wire = factory.buildProtocol(None), Wire()
        line.makeConnection(wire)
        self.lines.append(line)
        self.wires.append(wire)
        return succeed(line)

    def send(self, sender, content=b"{}"):
        return ends_of(sender.send(Document(content, "application/fhir+json")))

    def hear(self, data):
        self.lines[-1].dataReceived(data)


def answer(status=200, body=b"", **headers):
    lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def refused(data, mode="transaction"):
    link = Link()
    ends = link.send(FhirSender(link.poster, mode))
    link.hear(data)
    return ends[0].value


def test_a_bundle_is_posted_to_the_base_of_the_server():
    link = Link(headers={"Authorization": "Bearer x"})

    ends = link.send(FhirSender(link.poster), b'{"a": 1}')
    head, _, body = link.wires[0].value().partition(b"\r\n\r\n")
    link.hear(answer(body=b'{"resourceType": "Bundle"}'))

    assert head.startswith(b"POST /r4 HTTP/1.1\r\nHost: fhir.test:8090\r\n")
    assert b"Content-Type: application/fhir+json" in head
    assert b"Authorization: Bearer x" in head
    assert body == b'{"a": 1}'
    assert ends[0].answer == b'{"resourceType": "Bundle"}'


@pytest.mark.parametrize(
    ("mode", "start"),
    [("batch", b"POST /r4 "), ("message", b"POST /r4/$process-message ")],
)
def test_the_mode_decides_the_request(mode, start):
    link = Link()

    link.send(FhirSender(link.poster, mode))

    assert link.wires[0].value().startswith(start)


def test_a_name_cannot_smuggle_a_header_in():
    link = Link(headers={"X": "a\r\nEvil: 1"})

    link.send(HttpSender(link.poster))

    assert b"\r\nEvil" not in link.wires[0].value()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, PermanentError),
        (400, PermanentError),
        (401, CredentialsError),
        (403, CredentialsError),
        (404, PermanentError),
        (408, TransientError),
        (409, NotNowError),
        (410, PermanentError),
        (412, PermanentError),
        (422, PermanentError),
        (425, TransientError),
        (429, TransientError),
        (500, TransientError),
        (503, TransientError),
    ],
)
def test_every_status_has_its_class(status, kind):
    error = refused(answer(status))

    assert type(error) is kind
    assert (error.status, error.code) == (status, f"http-{status}")


def test_retry_after_is_honoured_in_both_forms():
    date = "Tue, 01 Jan 2030 12:00:00 GMT"
    later = "Tue, 01 Jan 2030 12:01:30 GMT"

    assert refused(answer(503, Retry_After="7")).retry_after_seconds == 7
    dated = refused(answer(503, Retry_After=later, Date=date))
    assert dated.retry_after_seconds == 90
    assert refused(answer(503, Retry_After="soon")).retry_after_seconds == 0


def test_an_outcome_is_told_by_element_and_code_and_never_quoted():
    body = (
        b'{"issue": [{"code": "required", "expression": ["Encounter.class"],'
        b' "diagnostics": "John Doe has none", "details": {"text": "John Doe"}},'
        b' {"code": "JOHN DOE", "expression": ["John Doe"]}]}'
    )

    error = refused(answer(422, body))

    assert str(error) == "HTTP 422: Encounter.class: required"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"issue": 3}', b"{}"])
def test_an_outcome_that_is_none_is_left_out(body):
    assert outcome_in_words(body) == ""


@pytest.mark.parametrize(
    ("statuses", "kind"),
    [
        (["200 OK", "422"], PermanentError),
        (["201", "503 busy"], TransientError),
        ([""], AmbiguousError),
    ],
)
def test_a_batch_is_taken_only_if_every_entry_was(statuses, kind):
    entries = ", ".join(f'{{"response": {{"status": "{each}"}}}}' for each in statuses)

    error = refused(answer(body=f'{{"entry": [{entries}]}}'.encode()), "batch")

    assert type(error) is kind


def test_a_batch_answer_without_entries_is_ambiguous():
    assert type(refused(answer(body=b"{}"), "batch")) is AmbiguousError


def test_connections_are_kept_and_used_again():
    link = Link()
    sender = HttpSender(link.poster)
    link.send(sender)
    link.hear(answer())

    link.send(sender)

    assert len(link.wires) == 1


def test_a_connection_the_server_closes_is_not_used_again():
    link = Link()
    sender = HttpSender(link.poster)
    link.send(sender)
    link.hear(answer(Connection="close"))

    link.send(sender)

    assert len(link.wires) == 2


def test_several_requests_at_a_time_use_several_connections():
    link = Link()
    sender = HttpSender(link.poster)

    link.send(sender)
    link.send(sender)

    assert len(link.wires) == 2


def test_every_connection_of_a_burst_is_kept_for_the_next_one():
    link = Link()
    sender = HttpSender(link.poster)

    ends = []
    for _ in range(2):
        ends += [link.send(sender) for _ in range(20)]
        for line in link.lines:
            line.dataReceived(answer())

    assert len(link.wires) == 20
    assert all(ends)


def test_no_answer_in_time_is_transient():
    link = Link()
    ends = link.send(HttpSender(link.poster))

    link.clock.advance(30)

    assert ends[0].type is TransientError
    assert link.wires[0].disconnecting


def test_a_broken_connection_is_transient():
    link = Link()
    ends = link.send(HttpSender(link.poster))

    link.lines[0].connectionLost(Failure(ConnectionDone()))

    assert ends[0].type is TransientError


def test_an_answer_that_ends_with_the_connection_is_whole():
    link = Link()
    ends = link.send(HttpSender(link.poster))

    link.hear(b"HTTP/1.1 200 OK\r\n\r\nall of it")
    link.lines[0].connectionLost(Failure(ConnectionDone()))

    assert ends[0].answer == b"all of it"


@pytest.mark.parametrize(
    "data",
    [
        b"SMTP ready\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"x" * 70_000,
    ],
)
def test_what_is_no_http_is_ambiguous(data):
    link = Link()
    ends = link.send(HttpSender(link.poster))

    link.hear(data)

    assert ends[0].type is AmbiguousError


CHUNKED = (
    b"HTTP/1.1 100 Continue\r\n\r\n"
    b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n6;x=1\r\n world\r\n0\r\nTrailer: x\r\n\r\n"
)


@given(cuts=st.lists(st.integers(0, len(CHUNKED)), max_size=8))
def test_an_answer_may_come_in_any_pieces(cuts):
    reader, whole = AnswerReader(), None
    borders = sorted({0, len(CHUNKED), *cuts})

    for start, end in pairwise(borders):
        whole = whole or reader.feed(CHUNKED[start:end])

    assert whole is not None
    assert (whole.status, whole.body) == (201, b"hello world")


def test_an_answer_without_body_is_whole_at_its_head():
    whole = AnswerReader().feed(b"HTTP/1.1 204 No Content\r\n\r\n")

    assert whole is not None
    assert whole.body == b""


def test_nobody_is_sent_anything_when_the_server_is_away():
    link = Link()
    link.down = TransientError("refused", "connection-refused")

    [end] = link.send(HttpSender(link.poster))

    assert end.value is link.down


@pytest.mark.parametrize(
    ("url", "place", "path", "host"),
    [
        ("http://a/r4/", ("http", "a", 80), "/r4", "a"),
        ("https://a:8443/x?y=1", ("https", "a", 8443), "/x?y=1", "a:8443"),
        ("https://u:p@a", ("https", "a", 443), "", "a"),
    ],
)
def test_a_url_is_taken_apart_once(url, place, path, host):
    target = Target.of(url)

    assert (tuple(target.place), target.path, target.host) == (place, path, host)


def test_credentials_become_a_header():
    basic = authorization({"kind": "basic", "user": "u", "password": "p"})

    assert basic == {"Authorization": f"Basic {base64.b64encode(b'u:p').decode()}"}
    assert authorization({"kind": "bearer", "token": "t"}) == {
        "Authorization": "Bearer t"
    }
    assert authorization({}) == {}


@pytest.mark.parametrize("sender", [HttpSender, FhirSender])
def test_nothing_leaves_after_the_lease_ended_while_it_connected(sender):
    link = Link()
    dialled: Deferred[HttpLine] = Deferred()
    client = HttpClient(lambda _: dialled, link.clock, 30.0)
    poster = Poster(client, link.poster.target)
    held = iter([False, True])
    document = Document(b"{}", is_ours=lambda: next(held))
    ends = ends_of(sender(poster).send(document))

    dialled.callback(link.connect(Factory.forProtocol(HttpLine)).result)

    assert ends[0].value.code == "lease-ended"
    assert link.wires[0].value() == b""
    ends_of(sender(poster).send(document))  # the connection is as good as before
    assert link.wires[0].value().startswith(b"POST ")


def test_what_a_server_says_with_a_refusal_is_kept():
    link = Link()
    ends = link.send(HttpSender(link.poster))

    link.hear(answer(422, b"MSH|^~\\&|"))

    assert ends[0].value.answer == b"MSH|^~\\&|"
