"""Resources of an older store, which were kept by person, come to their records."""

import json

from sqlalchemy import text

from engine.channels.processing.known import NO_ONE, opened, patient_key, subject_of
from engine.store import resources, schema_version
from engine.store.database import open_database
from engine.store.dialect import SCHEMAS, SqliteFiles
from engine.store.seal import Sealer
from tests.databases import KEY

PERSON, SYSTEM = "ABC", "urn:id:north:person"
SUBJECT = subject_of("north", SYSTEM, PERSON)
PATIENT = {
    "resourceType": "Patient",
    "identifier": [
        {"type": {"coding": [{"code": "EI"}]}, "system": SYSTEM, "value": PERSON},
        {"system": "urn:n", "value": "1"},
    ],
    "link": [{"other": {"reference": "Patient?identifier=x|y"}, "type": "replaces"}],
}
VISIT = '{"resourceType":"Encounter","subject":{"reference":"%s"},"x":7.50}'
VISIT_KEY = ("Encounter", "identifier=v|1")
OLD = """
INSERT INTO engine.record (id, person, authority, kind, happened, message,
  identifying) VALUES (5, 'ABC', 1, 'ordinary', '', 1, x'00');
INSERT INTO engine.record (id, person, authority, kind, happened, message,
  identifying) VALUES (6, 'ABC', 1, 'ordinary', '', 1, x'00');
INSERT INTO engine.decision (message, record, control_id, outcome, reasons, candidate,
  millibits, levels, model) VALUES (8, 6, '', 'new', '', 0, 0, '', '');
INSERT INTO engine.delivery (id, message_id, attempt, ordinal, channel, destination,
  lane_id, state, content_type, sha256, on_failure, queued_at)
  VALUES (1, 8, 1, 0, 'adt', 'registry', 1, 'delivered', 'application/fhir+json',
  x'00', 'park', 0);
"""


def keep(connection, sealer, key_of, written, number):
    """Write a resource as the release before did."""
    (kind, criteria), (body, found_by) = key_of, written
    key = sealer.blind(f"resource|{kind}|{criteria}")
    content = '{"fullUrl":"%s","found_by":%s,"resource":%s}' % (  # noqa: UP031
        SUBJECT.url if kind == "Patient" else "urn:uuid:other",
        json.dumps(found_by),
        body,
    )
    named = criteria.encode()
    whole = len(named).to_bytes(4) + named + content.encode()
    connection.execute(
        text(
            "INSERT INTO engine.resource (key, resource_type, person, hash, content, "
            "message_id) VALUES (:key, :kind, 'ABC', x'00', :content, :number)"
        ),
        {
            "key": key,
            "kind": kind,
            "content": sealer.seal(whole, f"resource|{key.hex()}|"),
            "number": number,
        },
    )


def test_what_was_kept_of_a_person_belongs_to_the_record_heard_last(tmp_path):
    sealer, backend = Sealer(KEY), SqliteFiles(tmp_path, create=True)
    for schema, revision in zip(SCHEMAS, ("0004", "0003"), strict=True):
        with backend.engine.begin() as connection:
            backend.prepare(connection)
            schema_version.migrate(connection, schema, sealer, revision)
    found_by = dict(SUBJECT.found_by)
    with backend.engine.begin() as connection:
        for statement in OLD.split(";")[:-1]:
            connection.execute(text(statement))
        own = f"identifier={SYSTEM}|{PERSON}"
        keep(connection, sealer, ("Patient", own), (json.dumps(PATIENT), {}), 8)
        visit = VISIT % SUBJECT.url
        keep(connection, sealer, VISIT_KEY, (visit, found_by), 7)
    backend.close()

    store = open_database(f"sqlite:///{tmp_path}", KEY)
    with store.reading() as connection:
        keys = [patient_key(6), VISIT_KEY]
        found = resources.load(connection, store.sealer, keys)
        everything = resources.of_person(connection, store.sealer, PERSON)
    store.close()

    patient, encounter = found[keys[0]], found[keys[1]]
    assert (patient.record, sorted(patient.sent)) == (6, ["adt/registry"])
    assert (encounter.record, sorted(encounter.sent)) == (5, [])
    assert sorted(each.resource_type for each in everything) == ["Encounter", "Patient"]
    neutral = opened(patient, NO_ONE).resource
    assert "link" not in neutral
    assert neutral["identifier"] == [{"system": "urn:n", "value": "1"}]
    assert SUBJECT.url.encode() not in encounter.content
    assert b"7.50" in encounter.content
    assert opened(encounter, SUBJECT).resource["subject"] == {"reference": SUBJECT.url}
