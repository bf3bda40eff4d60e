"""Whose facts they are, and what their references mean."""

from engine.transforms.ccda.facts import Facts, newest_first
from tests.ccda_facts import ENTERPRISE, PATIENT, about, coded, facts, patient

OLD = "urn:uuid:old"


def merged(link):
    """The person, a Patient that was merged into her, and a fact about that one."""
    old = patient(identifier=[], active=False, link=[link])
    fact = about("Condition") | {"subject": {"reference": OLD}}
    return Facts({OLD: old, PATIENT: patient(), "urn:fact:1": fact}, ENTERPRISE)


def test_the_enterprise_identifier_tells_which_patient_is_meant():
    assert merged({}).patient_url == PATIENT


def test_facts_of_a_patient_merged_into_the_person_are_hers():
    link = {"type": "replaced-by", "other": {"reference": PATIENT}}

    found = merged(link)

    assert found.strangers == 0
    assert len(found.of("Condition")) == 1


def test_facts_of_a_patient_merged_into_somebody_else_are_not():
    link = {"type": "replaced-by", "other": {"reference": "urn:uuid:third"}}

    assert merged(link).strangers == 1


def test_without_an_enterprise_identifier_the_active_patient_is_meant():
    people = {OLD: patient(active=False), PATIENT: patient()}

    assert Facts(people).patient_url == PATIENT


def test_a_conditional_reference_finds_its_resource_by_identifier():
    number = {"system": "urn:oid:2.25.1", "value": "7"}
    found = facts(about("Encounter", identifier=[number]))

    query = "Encounter?identifier=urn:oid:2.25.1|7"

    assert found.url_of(query) == "urn:fact:1"
    assert found.url_of("Encounter?identifier=urn:oid:2.25.1|8").endswith("|8")


def test_a_contained_resource_is_found_inside_its_holder():
    holder = {"contained": [{"id": "m", "resourceType": "Medication"}]}
    found = facts()

    inside = found.resolve({"it": {"reference": "#m"}}, "it", holder)

    assert inside["resourceType"] == "Medication"
    assert found.resolve({"it": {"reference": "#x"}}, "it", holder) == {}


def test_the_newest_comes_first_and_equal_dates_stand_by_code_and_url():
    items = [
        ("0", {"date": "2020", "code": coded("x", "Z")}),
        ("b", {"date": "2020", "code": coded("x", "A")}),
        ("a", {"date": "2020", "code": coded("x", "A")}),
        ("c", {}),
        ("d", {"period": {"start": "2021"}}),
    ]

    found = newest_first(items, "date", "period.start")

    assert [url for url, _ in found] == ["d", "a", "b", "0", "c"]
