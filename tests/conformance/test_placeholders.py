"""What every database must do with numbers that were learned to mean nobody."""

import pytest

from engine.store import audit, placeholders, quality, worklist
from tests.databases import BOTH, empty_database
from tests.hospital import NOON, Hospital

CLERKS = "512-34-7890"
PEOPLE = (
    ("Vance", "Otto", "19400110"),
    ("Ortiz", "Ines", "19490221"),
    ("Okafor", "Chidi", "19580303"),
    ("Lindqvist", "Astrid", "19670417"),
    ("Marchetti", "Bruno", "19760529"),
)


@pytest.fixture(params=BOTH)
def hospital(request, tmp_path):
    database = empty_database(request.param, tmp_path, role="worker")
    yield Hospital(database)
    database.close()


def crowd(hospital, people=PEOPLE, authority="HOSP"):
    """Register people who share nothing but what a clerk typed to get on."""
    for family, given, birth in people:
        hospital.send(
            given,
            authority=authority,
            family=family,
            given=given,
            birth=birth,
            ssn=CLERKS,
        )


def listed(hospital):
    with hospital.database.reading() as connection:
        return placeholders.listed(connection)


def doubts(hospital):
    """Return by record the bits of its open doubt's strongest candidate."""
    with hospital.database.reading() as connection:
        return {
            each.record: max(other.bits for other in each.candidates)
            for each in worklist.listed(connection)
        }


def test_M15_a_learned_ssn_is_kept_and_reported(hospital):
    crowd(hospital)

    [found] = listed(hospital)

    assert (found.trait, found.seen, found.persons) == ("ssn", 4, 5)
    assert found.person == hospital.person("Bruno")
    assert found.since == NOON
    assert "5123" not in hospital.readable("placeholder")
    with hospital.database.reading() as connection:
        rows = audit.rows(connection, hospital.database.sealer)
    assert "learn placeholder" in {row.act.action for row in rows}


def test_M15_doubts_that_rested_on_a_learned_ssn_are_scored_anew(hospital):
    crowd(hospital, PEOPLE[:4])
    before = doubts(hospital)

    crowd(hospital, PEOPLE[4:])

    after = doubts(hospital)
    assert before, "one SSN of two people is asked about"
    assert all(after[record] < bits - 10 for record, bits in before.items())
    assert hospital.faults() == ()


def test_M15_what_was_learned_stays_learned_in_later_transactions(hospital):
    crowd(hospital)
    crowd(hospital, (("Nowak", "Eva", "19850606"),), authority="CLINIC")

    assert len(listed(hospital)) == 1
    assert hospital.record("Eva", "CLINIC").number not in doubts(hospital)


def test_M15_the_quality_of_a_source_tells_its_share_of_learned_placeholders(hospital):
    crowd(hospital)
    hospital.send("77", family="Nowak", given="Eva", birth="19850606")

    [source] = hospital.ask(quality.quality, NOON, NOON)

    assert source.learned_share() == {"ssn": 5 / 6, "phone": 0.0}
