"""Write paths into resources: what they mean, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.transforms.fhir.paths import (
    FhirPath,
    PathFault,
    parse_fhir_path,
    read,
    remove,
    write,
)

URL = "https://hospital.example/vip"


def path(text):
    found = parse_fhir_path(text)
    assert isinstance(found, FhirPath), found
    return found


def written(text, value, resource=None, *, append=False):
    resource = {} if resource is None else resource
    write(resource, path(text), value, append=append)
    return resource


@pytest.mark.parametrize(
    ("text", "value", "resource"),
    [
        ("Patient.gender", "male", {"gender": "male"}),
        ("Patient.name.family", "Doe", {"name": [{"family": "Doe"}]}),
        ("Patient.name[0].given", "Ann", {"name": [{"given": ["Ann"]}]}),
        (
            f'Patient.extension["{URL}"].valueBoolean',
            True,
            {"extension": [{"url": URL, "valueBoolean": True}]},
        ),
        (
            'Encounter.serviceType.coding[system="s"].code',
            "c",
            {"serviceType": {"coding": [{"system": "s", "code": "c"}]}},
        ),
    ],
)
def test_what_is_missing_on_the_way_is_made(text, value, resource):
    assert written(text, value) == resource


def test_a_selected_item_is_found_again():
    known = {"extension": [{"url": "other"}, {"url": URL, "valueString": "old"}]}

    found = written(f'Patient.extension["{URL}"].valueString', "new", known)

    assert found["extension"] == [{"url": "other"}, {"url": URL, "valueString": "new"}]


def test_an_appended_value_comes_last():
    known = {"name": [{"family": "Doe"}]}

    written("Patient.name[+].family", "Roe", known)
    written("Patient.name[0].given", "Ann", known, append=True)
    written("Patient.name[0].given[+]", "Bo", known)

    assert known["name"] == [
        {"family": "Doe", "given": ["Ann", "Bo"]},
        {"family": "Roe"},
    ]


def test_an_item_at_a_position_is_replaced_and_the_first_missing_one_made():
    known: dict[str, object] = {"given": []}

    for value in ("Ann", "Bo"):
        write(known, path("HumanName.given[1]"), value, append=False)

    assert known["given"] == ["Ann", "Bo"]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Patient.gender", {"name": [{"family": "Doe", "given": ["Ann"]}]}),
        ("Patient.name", {"gender": "male"}),
        ("Patient.name.given", {"gender": "male", "name": [{"family": "Doe"}]}),
        (
            "Patient.birthDate",
            {"gender": "male", "name": [{"family": "Doe", "given": ["Ann"]}]},
        ),
    ],
)
def test_removing_leaves_nothing_empty_behind(text, left):
    known: dict[str, object] = {
        "gender": "male",
        "name": [{"family": "Doe", "given": ["Ann"]}],
    }

    remove(known, path(text))

    assert known == left


def test_removing_the_last_part_of_a_structure_removes_the_structure():
    known: dict[str, object] = {"maritalStatus": {"text": "single"}}

    remove(known, path("Patient.maritalStatus.text"))

    assert known == {}


def test_removing_an_extension_by_its_url_leaves_the_others():
    known: dict[str, object] = {
        "extension": [{"url": "other"}, {"url": URL, "valueString": "x"}]
    }

    remove(known, path(f'Patient.extension["{URL}"]'))

    assert known == {"extension": [{"url": "other"}]}


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("Patient.brithDate", "did you mean birthDate?"),
        ("Flag.Flag.status", "begin below Flag: the row names the resource already"),
        ("Patient.gender[0]", "write .gender"),
        ("Patient.name..family", "write .element or [n]"),
        ("Patiant.name", ""),
        ("Patient.extension.colour", ""),
        ("", ""),
    ],
)
def test_what_r4_does_not_have_is_refused_with_a_hint(text, hint):
    found = parse_fhir_path(text)

    assert isinstance(found, PathFault)
    assert found.hint == hint


def test_the_type_of_what_a_path_names_is_known():
    assert path("Observation.valueQuantity.value").leaf == "decimal"
    assert (
        path(f'Patient.extension["{URL}"].valueCodeableConcept.text').leaf == "string"
    )
    assert path(f'Patient.extension["{URL}"].valueCode').leaf == "code"


@given(value=st.text(min_size=1), number=st.integers(0, 3))
def test_what_is_written_is_read_again(value, number):
    for text in ("Patient.gender", f"Patient.name[{number}].family"):
        resource = written(text, value)

        first = text.replace(f"[{number}]", "[0]")
        assert read(resource, path(first)) == value


def test_nothing_is_read_where_nothing_stands():
    assert read({}, path("Patient.name.family")) is None
    assert read({"name": [{}]}, path("Patient.name[2].family")) is None
