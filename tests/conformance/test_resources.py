"""What every database must do with the latest resources and document versions."""

from dataclasses import replace

from engine.identity.person import LinkKind
from engine.store import resources
from engine.store.resources import KnownResource, NewDocument
from tests.hospital import Hospital
from tests.stored import LATER, NOON

PATIENT = KnownResource("Patient", "identifier=urn:n|1", b'{"id":1}', 1, NOON, 7)
VISIT = KnownResource("Encounter", "identifier=urn:v|1", b'{"id":2}', 1, None, 8)
KEY = ("Patient", "identifier=urn:n|1")


def keep(store, *some):
    with store.engine() as connection:
        return resources.store(connection, store.sealer, some)


def load(store, *keys):
    with store.reading() as connection:
        return resources.load(connection, store.sealer, keys)


def person(store, enterprise_id):
    with store.reading() as connection:
        return resources.of_person(connection, store.sealer, enterprise_id)


def test_a_resource_comes_back_under_its_key(store):
    keep(store, PATIENT, VISIT)

    assert load(store, KEY, ("Patient", "identifier=urn:n|2")) == {KEY: PATIENT}


def test_the_latest_version_replaces_the_one_before(store):
    keep(store, PATIENT)
    newer = replace(PATIENT, content=b'{"id":9}', source_time=LATER, message_id=9)

    assert keep(store, newer) == 1

    assert load(store, KEY) == {KEY: newer}


def test_an_unchanged_resource_is_not_written_again(store):
    keep(store, PATIENT)

    assert keep(store, PATIENT, VISIT) == 1


def test_who_was_sent_a_resource_is_remembered(store):
    keep(store, replace(PATIENT, sent=frozenset({"adt/registry"})))
    keep(store, replace(PATIENT, sent=frozenset({"lab/archive"})))

    assert keep(store, PATIENT) == 0

    assert load(store, KEY)[KEY].sent == {"adt/registry", "lab/archive"}


def test_M09_what_records_said_goes_with_them_wherever_they_go(store):
    hospital = Hospital(store)
    hospital.send("1")
    hospital.send("2", family="Roe", given="Bo", birth="19551224", sex="M")
    first, second = hospital.record("1"), hospital.record("2")
    visit = replace(VISIT, record=second.number)
    keep(store, replace(PATIENT, record=first.number), visit)
    one, two = first.person, second.person
    assert (kinds(store, one), kinds(store, two)) == (["Patient"], ["Encounter"])

    hospital.move(LinkKind.MERGE, source=two, target=one)
    assert (kinds(store, one), kinds(store, two)) == (["Encounter", "Patient"], [])

    hospital.move(LinkKind.UNMERGE, source=two)
    assert (kinds(store, one), kinds(store, two)) == (["Patient"], ["Encounter"])


def kinds(store, enterprise_id):
    return [each.resource_type for each in person(store, enterprise_id)]


def test_the_last_version_of_a_document_set_is_known(store):
    first = NewDocument("set", 1, "urn:uuid:1")
    second = NewDocument("set", 2, "urn:uuid:2", relates_to="urn:uuid:1", message_id=5)
    with store.engine() as connection:
        resources.store_documents(connection, store.sealer, [first, second], NOON)

    with store.reading() as connection:
        latest = resources.latest_document(connection, store.sealer, "set")
        other = resources.latest_document(connection, store.sealer, "other")

    assert (latest, other) == (second, None)
