"""M21, F12: what the patient index is asked follows from its records and events."""

import pytest
from sqlalchemy import text

from engine.identity.person import LinkKind
from engine.store.damage import damages
from engine.store.database import open_database
from tests.databases import BOTH, KEY, empty_url
from tests.hospital import Hospital

DAMAGE = {
    "block.record": "UPDATE engine.block SET record = 99 WHERE record = 1",
    "block.key": "UPDATE engine.block SET key = key + 1 WHERE record = 1",
    "family_record.key": "UPDATE engine.family_record SET key = 5 WHERE record = 1",
    "family_name": "DELETE FROM engine.family_name",
    "given_name": "DELETE FROM engine.given_name",
    "person.eid": "UPDATE engine.person SET eid = eid || 'x' WHERE survivor = ''",
    "a retired person.eid": "UPDATE engine.person SET eid = 'x' WHERE survivor <> ''",
    "person.state": "UPDATE engine.person SET state = 'retired' WHERE survivor = ''",
    "person.survivor": "UPDATE engine.person SET survivor = '' WHERE survivor <> ''",
    "person.confidential": "UPDATE engine.person SET confidential = 1",
    "an empty person.eid": (
        "INSERT INTO engine.person (eid, state, survivor, confidential) "
        "VALUES ('y', 'active', '', 0)"
    ),
    "identifier.authority": "UPDATE engine.identifier SET authority = authority + 1",
    "identifier.type": "UPDATE engine.identifier SET type = 'MS'",
    "identifier.value": "UPDATE engine.identifier SET value = record_value.value "
    "FROM (SELECT traits AS value FROM engine.record WHERE id = 1) AS record_value",
    "record.person": "UPDATE engine.record SET person = 'z' WHERE id = 1",
    "record.traits": "UPDATE engine.record SET traits = (SELECT traits FROM "
    "engine.record WHERE id > 1 LIMIT 1) WHERE id = 1",
    "record.identifying": "UPDATE engine.record SET identifying = key FROM "
    "(SELECT key FROM engine.identifier LIMIT 1) AS other WHERE id = 1",
    "name_count.key": "UPDATE engine.name_count SET key = 7 WHERE key = "
    "(SELECT max(key) FROM engine.name_count)",
    "name_count.records": "UPDATE engine.name_count SET records = 77 WHERE key = 0",
    "link_event": "DELETE FROM engine.link_event WHERE id = 1",
}


@pytest.fixture(params=BOTH, scope="module")
def hospital(request, tmp_path_factory):
    """Ann twice, merged; Bob, of whom little is known."""
    url = empty_url(request.param, tmp_path_factory.mktemp("index"))
    database = open_database(url, KEY, role="cli")
    hospital = Hospital(database)
    hospital.send("1")
    hospital.send("2", family="Vance", given="Bo", birth="19440501")
    hospital.send("3", family="", given="Bob", birth="")
    people = {"source": hospital.person("2"), "target": hospital.person("1")}
    hospital.move(LinkKind.MERGE, **people)
    yield hospital
    database.close()


def test_M21_an_index_follows_from_its_events_and_records(hospital):
    assert hospital.faults() == ()


@pytest.mark.parametrize("what", DAMAGE)
def test_F12_M21_a_table_that_does_not_follow_is_named(hospital, what):
    with hospital.database.engine() as connection:
        trial = connection.begin_nested()
        assert connection.execute(text(DAMAGE[what])).rowcount
        found = list(damages(connection, hospital.database.sealer))
        trial.rollback()

    assert "engine.db, patient index" in {each.place for each in found}
