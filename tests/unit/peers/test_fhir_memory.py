"""The stand-in FHIR server answers transactions as a real one would."""

import json

import pytest

from engine.peers.fhir_memory import Json, Memory

PATIENT: Json = {
    "resourceType": "Patient",
    "identifier": [{"system": "urn:a", "value": "1"}],
}


def bundle(*requests):
    entries = [{"resource": PATIENT, "request": request} for request in requests]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def statuses(reply):
    return [entry["response"]["status"] for entry in entries(reply)]


def entries(reply):
    return json.loads(json.dumps(reply.body))["entry"]


UPSERT = {"method": "PUT", "url": "Patient?identifier=urn:a|1"}
CREATE = {"method": "POST", "url": "Patient", "ifNoneExist": "identifier=urn:a%7C1"}


def test_a_conditional_update_creates_once_and_updates_afterwards():
    memory = Memory()

    first = memory.answer("POST", "", bundle(UPSERT))
    second = memory.answer("POST", "", bundle(UPSERT))

    assert (statuses(first), statuses(second)) == (["201 Created"], ["200 OK"])
    assert entries(second)[0]["response"]["location"] == "Patient/1/_history/2"
    assert len(memory.resources["Patient"]) == 1


def test_a_conditional_create_leaves_what_is_there():
    memory = Memory()

    replies = [memory.answer("POST", "", bundle(CREATE)) for _ in range(2)]

    assert [statuses(reply) for reply in replies] == [["201 Created"], ["200 OK"]]
    assert memory.versions["Patient/1"] == 1


def test_two_matches_refuse_a_conditional_update():
    memory = Memory()
    for _ in range(2):
        memory.answer("POST", "Patient", PATIENT)

    reply = memory.answer("PUT", "Patient?identifier=urn:a|1", PATIENT)

    assert reply.status == 412


@pytest.mark.parametrize(
    ("target", "status"), [("metadata", 200), ("Patient/1", 200), ("Patient/9", 404)]
)
def test_it_can_be_read(target, status):
    memory = Memory()
    memory.answer("POST", "Patient", PATIENT)

    assert memory.answer("GET", target, {}).status == status


def test_a_search_by_identifier_finds_the_resource():
    memory = Memory()
    memory.answer("POST", "Patient", PATIENT)

    reply = memory.answer("GET", "Patient?identifier=urn:a|1", {})

    assert reply.body["total"] == 1


def test_bundles_are_kept_in_the_folder(tmp_path):
    memory = Memory(tmp_path)

    memory.answer("POST", "", bundle(UPSERT))

    assert memory.last_file == tmp_path / "bundle-000001.json"
    assert b"urn:a" in (tmp_path / "bundle-000001.json").read_bytes()


def test_deleting_is_not_supported():
    assert Memory().answer("DELETE", "Patient/1", {}).status == 405
