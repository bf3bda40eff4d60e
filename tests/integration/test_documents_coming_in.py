"""A C-CDA document that comes in is a message like any other: known by its patient."""

import base64

import orjson
import pytest

from engine.channels.format.load import load_site
from engine.channels.processing.assemble import lines_of
from engine.channels.processing.trial import bench
from engine.transforms.ccda.enclosing import enclosed
from tests.builders import adt_a01
from tests.ccda_facts import NOON, document, patient

CHANNEL = """
channel: adt
source:
  http: {path: /documents, credential: feed}
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


@pytest.fixture
def line(tmp_path):
    (tmp_path / "channels").mkdir()
    (tmp_path / "interop.toml").write_text(SETTINGS)
    (tmp_path / "channels" / "adt.yaml").write_text(CHANNEL)
    return lines_of(load_site(tmp_path, variables={}))["adt"]


def resources(outcome, kind):
    [delivery] = outcome.deliveries["server"]
    entries = orjson.loads(delivery.content)["entry"]
    found = [each["resource"] for each in entries]
    return [each for each in found if each["resourceType"] == kind]


def test_a_document_is_identified_filed_and_forwarded(line):
    own = [{"system": "urn:oid:2.25.51", "value": "4711"}]
    content = document(person=patient(identifier=own, birthDate="1980-02-03")).document
    carried = enclosed(content, NOON)
    admitted = adt_a01().replace(b"5^^^HOSP^MR", b"4711^^^HOSP&2.25.51&ISO^MR")

    with bench(line) as place:
        before = place.put(admitted)
        outcome = place.put(carried)

    [reference] = [
        each
        for each in resources(outcome, "DocumentReference")
        if each["content"][0]["attachment"]["contentType"] == "text/xml"
    ]
    attachment = reference["content"][0]["attachment"]
    assert base64.b64decode(attachment["data"]) == content
    assert outcome.outcome.state == "processed"
    assert outcome.outcome.person
    assert before.outcome.state == "processed"


def test_a_hostile_document_stands_in_the_error_queue(line):
    hostile = (
        b'<!DOCTYPE x [<!ENTITY y "z">]><ClinicalDocument xmlns="urn:hl7-org:v3"/>'
    )

    with bench(line) as place:
        outcome = place.put(enclosed(hostile, NOON))

    failure = outcome.outcome.failure
    assert failure is not None
    assert (outcome.outcome.state, failure.code) == ("error", "document-type")
