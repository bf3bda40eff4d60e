"""Where values of the resources come from, asked of the map itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.hl7 import parse
from engine.transforms.fhir import MapContext, map_message
from engine.transforms.fhir import readers as by_frames
from engine.transforms.fhir.compiled import is_compiled
from engine.transforms.fhir.paths import FhirPath, locate, parse_fhir_path
from engine.transforms.fhir.readers import readers
from engine.transforms.fhir.sources import another, leaves_of, trace
from tests.builders import er7
from tests.fhir_messages import admission, adt, msh, obx, oru, pid, pv1

NORTH = MapContext(site="north")


def traced(data):
    found = trace(parse(data), lambda message: map_message(message, NORTH))
    assert found is not None
    return found


def origins(found, kind, place, number=0):
    """Return the paths that one value comes from, the most specific first."""
    entry = found.mapped.all(kind)[number]
    at = next(i for i, each in enumerate(found.mapped.entries) if each is entry)
    return [source.path for source in found.of((at, place))]


def test_a_value_comes_from_its_component():
    found = traced(adt())

    assert origins(found, "Patient", "name[0].family") == ["PID-5.1"]
    assert origins(found, "Patient", "gender") == ["PID-8.1"]
    assert origins(found, "Patient", "birthDate") == ["PID-7.1"]


def test_the_source_tells_what_was_received_and_how_much_hangs_on_it():
    found = traced(adt())
    patient = found.mapped.entries.index(found.mapped.all("Patient")[0])

    (family,) = found.of((patient, "name[0].family"))
    number = found.of((patient, "identifier[0].value"))[0]

    assert (family.value, family.reach, family.field) == ("Doe", 1, "PID-5")
    assert number.reach > family.reach


def test_the_second_of_a_kind_and_of_a_field_are_told_by_number():
    found = traced(oru(obx(), obx(value="2~3", f4="2")))
    values = "component[1].valueQuantity.value"

    first = origins(found, "Observation", "valueQuantity.value")
    assert first == ["OBX-5.1", "OBX-2.1"]
    assert origins(found, "Observation", values, 1)[0] == "OBX[2]-5[2].1"


def test_one_field_may_decide_many_values_and_one_value_come_from_many():
    found = traced(adt())

    sources = origins(found, "Encounter", "subject.reference")

    assert {"PID-3.1", "PID-3.4.2"} <= set(sources)


def test_two_parts_that_say_the_same_are_found_together():
    ssn = "999-70-0123^^^SS^SS"
    found = traced(adt("A01", pid(f3=f"1^^^HOSP^MR~{ssn}"), pv1()))

    sources = origins(found, "Patient", "identifier[1].system")

    assert {"PID-3[2].4", "PID-3[2].5"} <= set(sources)


def test_what_the_event_implies_comes_from_the_event():
    found = traced(adt("A11", structure="ADT_A09"))

    assert origins(found, "Encounter", "status") == ["MSH-9.2"]


def test_what_no_part_changes_is_a_constant():
    found = traced(adt("A01", pid(), pv1(f7="1^Doc")))

    assert origins(found, "Encounter", "participant[0].type[0].coding[0].code") == []


def test_every_value_of_an_admission_that_looks_sent_has_a_source():
    found = traced(admission())
    sent = {"value", "family", "line", "city", "start", "birthDate", "gender", "given"}

    unexplained = [
        (entry.kind, place)
        for number, entry in enumerate(found.mapped.entries)
        for place in found.leaves[number]
        if place.rpartition(".")[2].partition("[")[0] in sent
        and entry.kind not in ("Provenance", "Device")
        and not found.of((number, place))
    ]

    assert unexplained == []


def test_a_message_without_resources_has_no_trace():
    query = er7(msh("QBP^Q22^QBP_Q21"))

    assert trace(parse(query), lambda _: None) is None
    assert readers(parse(query), NORTH) == {}


def test_the_message_is_left_as_it_was():
    message = parse(admission())

    trace(message, lambda each: map_message(each, NORTH), lambda _: [])

    assert message.encode() == admission()


@given(value=st.text(st.characters(exclude_characters="|^~\\&\r\n"), min_size=1))
def test_another_value_is_never_the_same_and_as_long(value):
    made = another(value)

    assert len(made) == len(value)
    assert made != value or not any(map(str.isalnum, value))


def test_a_short_number_that_begins_like_a_year_is_no_date():
    assert [another(value) for value in ("19", "200", "2024")] == ["20", "311", "2025"]


@pytest.mark.skipif(is_compiled(), reason="compiled functions leave no frames")
def test_the_rule_that_reads_a_field_is_known():
    rules = readers(parse(adt()), NORTH)

    assert rules["PID-7"] == ["patient.add_birth"]
    assert all(not name.startswith("conversion") for name in rules["PV1-19"])


def test_a_compiled_engine_names_no_rules(monkeypatch):
    monkeypatch.setattr(by_frames, "is_compiled", lambda: True)

    assert by_frames.readers(parse(adt()), NORTH) == {}


def test_leaves_are_told_by_place_and_as_text():
    (entry,) = map_message(parse(adt("A01", pid(f30="Y"))), NORTH).all("Patient")

    assert leaves_of(entry.resource)["deceasedBoolean"] == "true"
    assert "resourceType" not in leaves_of(entry.resource)


def test_a_path_is_located_by_number():
    resource: dict[str, object] = {
        "identifier": [{"system": "a"}, {"system": "b", "value": "7"}]
    }

    def place(text):
        path = parse_fhir_path(text)
        assert isinstance(path, FhirPath)
        return locate(resource, path)

    assert place('Patient.identifier[system="b"].value') == "identifier[1].value"
    assert place('Patient.identifier[system="c"].value') is None
    assert place("Patient.name.family") is None
    assert place("Patient") == ""
