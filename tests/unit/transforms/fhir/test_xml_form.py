"""FHIR's XML form, held against an independent library that writes it."""

import orjson
import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome
from fhir.resources.R4B.patient import Patient
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import TransformError
from engine.transforms.fhir.xml_form import MOST_TAGS, from_xml, to_xml

MOST = 1 << 20
PHI = "Mohr"
ALICE = {
    "resourceType": "Patient",
    "id": "p1",
    "meta": {
        "lastUpdated": "2029-12-31T23:00:00+00:00",
        "security": [{"system": "http://label.example", "code": "R"}],
    },
    "text": {
        "status": "generated",
        "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p>Said <b>so</b></p></div>',
    },
    "contained": [{"resourceType": "Organization", "id": "o", "name": "Salem"}],
    "extension": [
        {"url": "http://a.example", "valueString": "Vance"},
        {"url": "http://b.example", "extension": [{"url": "c", "valueInteger": 3}]},
    ],
    "identifier": [{"use": "official", "system": "urn:oid:1.2", "value": "994"}],
    "active": True,
    "name": [
        {
            "family": PHI,
            "given": ["Alice", "Q"],
            "_given": [
                None,
                {"extension": [{"url": "http://q.example", "valueCode": "x"}]},
            ],
        }
    ],
    "gender": "female",
    "birthDate": "1958-01-30",
    "_birthDate": {"extension": [{"url": "http://t.example", "valueString": "noon"}]},
    "deceasedBoolean": False,
    "multipleBirthInteger": 2,
    "link": [{"other": {"reference": "#o"}, "type": "seealso"}],
}


def read(inside, root='Patient xmlns="http://hl7.org/fhir"'):
    return from_xml(f"<{root}>{inside}</{root.split()[0]}>".encode(), MOST)


def written(patient):
    return Patient.model_validate(patient).model_dump_xml()


def test_a_patient_that_another_library_wrote_is_the_one_its_json_tells():
    assert from_xml(written(ALICE), MOST) == ALICE


_WORDS = st.text("aé<&\"' 1", min_size=1).map(str.strip).filter(bool)
_NAMES = st.fixed_dictionaries(
    {"family": _WORDS}, optional={"given": st.lists(_WORDS, min_size=1), "text": _WORDS}
)


@given(
    st.fixed_dictionaries(
        {"resourceType": st.just("Patient")},
        optional={
            "active": st.booleans(),
            "name": st.lists(_NAMES, min_size=1),
            "multipleBirthInteger": st.integers(1, 9),
            "photo": st.lists(
                st.fixed_dictionaries({"title": _WORDS}), min_size=1, max_size=2
            ),
        },
    )
)
def test_every_patient_is_the_same_in_both_forms(patient):
    assert from_xml(written(patient), MOST) == patient


def test_what_our_answers_say_is_what_the_other_library_reads():
    said = {"severity": "error", "code": "invalid", "diagnostics": 'a < b & "c"'}
    answer: dict[str, object] = {"resourceType": "OperationOutcome", "issue": [said]}

    told = OperationOutcome.model_validate_xml(to_xml(answer))

    assert orjson.loads(told.model_dump_json()) == answer
    assert b"\x01" not in to_xml({**answer, "issue": [{"diagnostics": "\x01"}]})


@pytest.mark.parametrize(
    ("inside", "wanted"),
    [
        ('<mood value="x"><y value="1"/></mood>', {"mood": {}}),
        ('<gender value="f"/><gender value="m"/>', {"gender": ["f", "m"]}),
        ("<name/>", {"name": [{}]}),
        ("<gender/>", {}),
        ('<!-- Mohr --><active value="true"/><?x Mohr?>', {"active": True}),
        (
            '<extension url="u"><valueDecimal value="1.50"/></extension>',
            {"extension": [{"url": "u", "valueDecimal": "1.50"}]},
        ),
    ],
)
def test_what_r4_does_not_have_stays_to_be_named_and_comments_say_nothing(
    inside, wanted
):
    assert read(inside) == {"resourceType": "Patient", **wanted}


def test_a_resource_fhir_does_not_have_is_only_named():
    assert read("Mohr", 'Mohr xmlns="http://hl7.org/fhir"') == {"resourceType": "Mohr"}


@pytest.mark.parametrize(
    ("inside", "code"),
    [
        (f"<name><family>{PHI}</family></name>", "xml"),
        (f"<name/>{PHI}", "xml"),
        (f'<name use="{PHI}"/>', "xml"),
        (f'<active value="{PHI}"/>', "xml"),
        (f'<multipleBirthInteger value="{PHI}"/>', "xml"),
        (f'<multipleBirthInteger value="{"9" * 11}"/>', "xml"),
        (f'<extension url="u"><valueDecimal value="{PHI}"/></extension>', "xml"),
        (f'<name xmlns="urn:{PHI}"/>', "xml"),
        ("<contained/>", "xml"),
        (f"<name>{PHI}", "xml"),
        ("<contained><Patient>" * 300 + "</Patient></contained>" * 300, "xml"),
        (" " * MOST, "size"),
        ("<name/>" * MOST_TAGS, "size"),
    ],
)
def test_what_cannot_be_read_is_refused_without_a_value(inside, code):
    with pytest.raises(TransformError) as caught:
        read(inside)

    assert caught.value.code == code
    assert PHI not in str(caught.value)


@pytest.mark.parametrize(
    "declared",
    [
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd">',
        '<!DOCTYPE a [<!ENTITY x "xx"><!ENTITY y "&x;&x;">]>',
    ],
)
def test_no_entity_is_expanded_and_nothing_outside_is_opened(declared):
    content = f'{declared}<Patient xmlns="http://hl7.org/fhir">&x;</Patient>'

    for encoding in ("utf-8", "utf-16"):
        with pytest.raises(TransformError) as caught:
            from_xml(content.encode(encoding), MOST)
        assert caught.value.code == "type"
