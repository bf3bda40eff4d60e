"""Patients that are fed over FHIR: on disk first, then answered."""

import orjson
import pytest
from fhir.resources.R4B.capabilitystatement import CapabilityStatement

from engine.errors import JournalError
from engine.hl7 import parse
from tests.fed_patients import SYSTEM, in_xml, replaced, resource
from tests.posting import SIGNED, Bench, status

JSON = "Content-Type: application/fhir+json; charset=utf-8\r\n"
XML = "Content-Type: application/fhir+xml\r\n"
PLACE = f"/fhir/Patient?identifier={SYSTEM}|994"


def feed(**options):
    return Bench(path="/fhir", takes="patients", **options)


def put(bench, patient, path=PLACE, **given):
    body = patient if isinstance(patient, bytes) else orjson.dumps(patient)
    asked = {"method": "PUT", "headers": SIGNED + JSON, **given}
    return bench.post(body, path=path, **asked)


def outcome(answer):
    """Return code and sentence of the one issue of an OperationOutcome."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/fhir+json" in head
    [issue] = orjson.loads(
        body.rpartition(b"\r\n0\r\n")[0].partition(b"\r\n")[2] or body
    )["issue"]
    return issue["code"], issue["diagnostics"]


def test_a_patient_is_answered_once_it_is_on_disk():
    bench = feed(at_once=False)

    before = put(bench, resource())
    bench.journal.commit(0)

    assert before == b""
    answer = bench.wire.value()
    assert status(answer) == 200
    assert outcome(answer)[0] == "informational"
    [arrival] = bench.journal.arrivals
    assert (arrival.message_type, arrival.trigger_event) == ("ADT", "A31")


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        (XML, "xml"),
        (f"{XML}Accept: application/fhir+json\r\n", "json"),
        (f"{JSON}Accept: text/html, application/fhir+xml;q=0.9\r\n", "xml"),
        (f"{JSON}Accept: */*\r\n", "json"),
    ],
)
def test_a_patient_may_come_in_xml_and_the_answer_go_in_the_form_asked_for(
    headers, wanted
):
    bench, patient = feed(), resource()
    body = in_xml(patient) if XML in headers else orjson.dumps(patient)

    answer = put(bench, body, headers=SIGNED + headers)

    assert status(answer) == 200
    assert f"Content-Type: application/fhir+{wanted}".encode() in answer
    assert (b'<issue><severity value="information"/>' in answer) == (wanted == "xml")
    assert parse(bench.journal.arrivals[0].data)["PID-5.1"] == "Mohr"


def test_a_merge_is_known_by_its_trigger_event_already_at_the_door():
    bench = feed(types=("ADT^A31",))

    answer = put(bench, replaced("994", "1"))

    assert status(answer) == 422
    assert outcome(answer) == (
        "invalid",
        "kept, and refused: this trigger event is not taken here",
    )
    assert len(bench.journal.arrivals) == 1


def test_a_patient_that_cannot_be_read_is_kept_and_the_sender_told_why():
    bench = feed()

    answer = put(bench, resource(gender="Mohr"))

    assert status(answer) == 422
    assert outcome(answer)[1].endswith(
        "Patient.gender: a code FHIR does not have",
    )
    assert b"Mohr" not in answer
    assert parse(bench.journal.arrivals[0].data).all("ZFR")


def test_what_could_not_be_stored_is_to_be_sent_again():
    bench = feed(at_once=False)
    put(bench, resource())

    bench.journal.fail(0, JournalError("disk full"))

    assert status(bench.wire.value()) == 503
    assert b"Retry-After: 5" in bench.wire.value()
    assert outcome(bench.wire.value())[0] == "transient"


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        ({"headers": JSON}, 401),
        ({"method": "POST"}, 405),
        ({"path": "/fhir/Patient/7"}, 404),
        ({"path": "/fhir"}, 404),
        ({"patient": b""}, 400),
        ({"path": "/fhir/Patient"}, 400),
        ({"path": "/fhir/Patient?identifier=994"}, 400),
        ({"path": f"{PLACE}&identifier={SYSTEM}|995"}, 400),
        ({"headers": f"{SIGNED}Content-Type: application/fhir+turtle\r\n"}, 415),
        ({"patient": b" " * (1 << 20) + b"{}"}, 413),
    ],
)
def test_what_is_no_patient_of_this_channel_is_not_stored(request_, wanted):
    bench = feed(max_bytes=2 << 20)

    answer = put(bench, **{"patient": resource(), **request_})

    assert status(answer) == wanted
    assert bench.journal.arrivals == []


def test_a_patient_whom_the_source_removes_is_told_by_a_message_that_is_on_disk():
    bench = feed()

    answer = put(bench, b"", method="DELETE")

    assert (status(answer), outcome(answer)[0]) == (200, "informational")
    [arrival] = bench.journal.arrivals
    assert (arrival.message_type, arrival.trigger_event) == ("ADT", "A29")
    message = parse(arrival.data)
    assert message["PID-3"] == "994"
    assert message["PID-3.4.2"] == SYSTEM.removeprefix("urn:oid:")


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        ({"headers": JSON}, 401),
        ({"path": "/fhir/Patient"}, 400),
        ({"path": "/fhir/Patient?identifier=994"}, 400),
        ({"path": f"{PLACE}&identifier={SYSTEM}|995"}, 400),
    ],
)
def test_a_removal_by_a_stranger_or_of_nobody_named_is_not_stored(request_, wanted):
    bench = feed()

    answer = put(bench, b"", **{"method": "DELETE", **request_})

    assert status(answer) == wanted
    assert bench.journal.arrivals == []


def test_the_ways_to_send_are_named_to_whoever_tries_another():
    answer = put(feed(), resource(), method="POST")

    assert b"Allow: PUT, DELETE" in answer


def test_what_is_done_here_is_told_to_whoever_may_feed():
    bench = feed()

    told = bench.post(b"", path="/fhir/metadata", method="GET")
    refused = bench.post(b"", path="/fhir/metadata", method="GET", headers="")

    statement = orjson.loads(told.rpartition(b"\r\n\r\n")[2])
    [patient] = statement["rest"][0]["resource"]
    assert patient["conditionalUpdate"] is True
    assert (status(told), status(refused)) == (200, 401)
    assert statement["format"] == ["json", "xml"]
    CapabilityStatement.model_validate(statement)
