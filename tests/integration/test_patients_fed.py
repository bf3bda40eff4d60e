"""Patients fed over FHIR: through a channel, and to a real edge that is killed."""

from http.client import HTTPConnection, HTTPException

import orjson
import pytest

from engine.channels.format.load import load_site
from engine.channels.processing.assemble import lines_of
from engine.channels.processing.trial import bench
from engine.failpoint import ENABLED, POINT
from engine.store import audit
from tests.edge_ledger import EdgeProcess, free_port
from tests.fed_patients import SYSTEM, fed, replaced, resource

CHANNEL = """
channel: patients
source:
  http: {path: /feed, credential: feed, takes: patients}
destinations:
  - name: server
    fhir: {url: "https://fhir.example/r4", validate: always}
"""
SETTINGS = """
site = "test"
[http]
bind = "127.0.0.1:8088"
[credentials.feed]
kind = "bearer"
token = "t"
"""
NUMBER, NAME = "IHERED-994", "Xylander"


def put(port, patient):
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": "Bearer t", "Content-Type": "application/fhir+json"}
    place = f"/fhir/Patient?identifier={SYSTEM}|{NUMBER}"
    try:
        connection.request("PUT", place, orjson.dumps(patient), headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_patient_on_disk_whose_answer_was_lost_is_there_once(tmp_path):
    port = free_port()
    edge = EdgeProcess(tmp_path, options=("--patients", f"127.0.0.1:{port}"))
    edge.variables = {POINT: "journal.committed:1:exit", ENABLED: "1"}
    patient = resource(
        NUMBER, name=[{"family": NAME}], meta={"lastUpdated": "2029-12-31T23:00:00Z"}
    )

    edge.start()
    with pytest.raises((OSError, HTTPException)):
        put(port, patient)
    assert edge.process is not None
    edge.process.wait()
    after_the_kill = edge.journal()
    edge.variables = {}
    edge.start()
    try:
        answered = put(port, patient)
    finally:
        edge.stop()

    assert answered == 200
    assert len(after_the_kill) == 1
    assert edge.journal() == after_the_kill
    log = (tmp_path / "edge.log").read_text()
    assert NAME not in log
    assert NUMBER not in log


@pytest.fixture
def line(tmp_path):
    (tmp_path / "channels").mkdir()
    (tmp_path / "interop.toml").write_text(SETTINGS)
    (tmp_path / "channels" / "patients.yaml").write_text(CHANNEL)
    return lines_of(load_site(tmp_path, variables={}))["patients"]


def test_a_patient_goes_through_its_channel_as_a_message_does(line):
    maiden = resource("m94", name=[{"family": "Mohr", "given": ["Maiden"]}])

    with bench(line) as place:
        first = place.put(fed(resource()).message)
        place.put(fed(maiden, "m94").message)
        merged = place.put(fed(replaced("m94", "994"), "m94").message)
        refused = place.put(fed(resource(gender="F")).message)
        with place.database.reading() as connection:
            acts = audit.rows(connection, place.database.sealer)

    [delivery] = first.outcome.deliveries
    entries = orjson.loads(delivery.content)["entry"]
    [patient] = [
        one["resource"]
        for one in entries
        if one["resource"]["resourceType"] == "Patient"
    ]
    numbers = {(one["system"], one["value"]) for one in patient["identifier"]}
    assert (SYSTEM, "994") in numbers
    assert patient["birthDate"] == "1958-01-30"
    assert b"ZFR" not in delivery.content
    assert merged.outcome.state == "processed"
    assert merged.outcome.person == first.outcome.person
    assert [(row.act.action, row.act.subject) for row in acts[::-1]] == [
        ("feed.create", "message 1"),
        ("feed.create", "message 2"),
        ("merge", f"person {first.outcome.person}"),
        ("feed.update", "message 3"),
    ]
    assert {row.act.detail for row in acts} <= {"", "TOLD_BY_SENDER"}
    failure = refused.outcome.failure
    assert failure is not None
    assert (refused.outcome.state, failure.code) == ("error", "patient-unreadable")
