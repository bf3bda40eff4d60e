"""A person's Patient: what several source records say, as one golden record."""

from datetime import UTC, datetime

from engine.channels.processing.known import closed
from engine.channels.processing.person_patient import Persons, combined
from engine.identity.index import Identifier
from engine.identity.survivorship import SourceValues
from engine.identity.traits import Traits
from engine.transforms.fhir.update import Version

EARLY, LATE = (datetime(2030, 1, day, tzinfo=UTC) for day in (1, 2))
NUMBERS = {
    1: {"system": "urn:a", "value": "11"},
    2: {"value": "22", "assigner": {"display": "CLINIC"}},
}


def said(number, at, **elements):
    patient = {"resourceType": "Patient", "identifier": [NUMBERS[number]], **elements}
    return closed("urn:uuid:p", Version(patient), record=number).at(at)


def source(number, time, **traits):
    authority = "urn:a" if number == 1 else "CLINIC"
    return SourceValues(number, authority, Traits(**traits), time)


def both(ranks=()):
    doe = {"name": [{"use": "official", "family": "Doe"}], "birthDate": "1980-01-01"}
    roe = {"name": [{"use": "official", "family": "Roe"}]}
    homes = [{"address": [{"city": city}]} for city in ("Salem", "Ames")]
    kept = {1: said(1, LATE, **doe, **homes[0]), 2: said(2, EARLY, **roe, **homes[1])}
    members = [
        source(
            1, "20300102", family="doe", given="ann", birth="19800101", city="salem"
        ),
        source(2, "20300101", family="roe", given="ann", city="ames"),
    ]
    return combined(kept, members, [Identifier("CLINIC", "MR", "22")], ranks)


def test_the_latest_wins_and_what_lost_stays_as_history():
    patient = both()

    names = [(one["use"], one["family"]) for one in patient["name"]]
    assert names == [("official", "Doe"), ("old", "Roe")]
    lost = {"city": "Ames", "use": "old", "period": {"end": "2030-01-02"}}
    assert patient["address"] == [{"city": "Salem"}, lost]


def test_a_trusted_source_outranks_a_later_one_field_by_field():
    patient = both(ranks=["CLINIC"])

    assert patient["name"][0]["family"] == "Roe"
    assert patient["birthDate"] == "1980-01-01"


def test_identifiers_are_united_and_those_out_of_use_say_so():
    values = {one["value"]: one.get("use") for one in both()["identifier"]}

    assert values == {"11": None, "22": "old"}


def test_one_record_alone_is_the_person():
    kept = said(1, LATE, gender="female")

    assert combined({1: kept}, ()) is kept.resource


def test_an_enterprise_identifier_comes_first_and_once():
    persons = Persons("north", "urn:eid")
    identifiers = [{"system": "urn:eid", "value": "A"}, NUMBERS[1]]

    stamped = persons.stamped({"identifier": identifiers}, "B")

    assert values_of(stamped) == ["B", "11"]


def values_of(patient):
    return [one["value"] for one in patient["identifier"]]
