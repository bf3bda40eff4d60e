"""Who and what a message only refers to: found again under one name."""

from engine.hl7 import parse
from engine.transforms.fhir import MapContext, map_message
from tests.builders import er7, msh


def firms(*segments):
    mapped = map_message(parse(er7(*segments)), MapContext())
    return [each for each in mapped.entries if each.kind == "Organization"]


def searches(entry):
    return {f"{one['system']}|{one['value']}" for one in entry.resource["identifier"]}


def test_a_word_finds_the_firm_named_by_it_alone_and_not_the_one_with_an_oid():
    found = firms(
        msh(f4="WEST^2.999.8^ISO", f6="WEST", f9="ADT^A08^ADT_A01"),
        "PID|1||7^^^WEST^MR||Doe^Ann",
    )

    assert len(found) == 2
    for entry in found:
        search = entry.criteria.removeprefix("identifier=")
        assert [search in searches(each) for each in found].count(True) == 1
