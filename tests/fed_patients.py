"""Patients as a source feeds them over FHIR."""

import orjson
from fhir.resources.R4B.patient import Patient

from engine.channels.patient_feed import Form, asked_for, enclosed
from tests.fakes import NOON

SYSTEM = "urn:oid:1.3.6.1.4.1.21367.13.20.1000"
ANN = {
    "name": [{"family": "Mohr", "given": ["Alice", "Q"]}],
    "gender": "female",
    "birthDate": "1958-01-30",
}


def resource(number="994", /, **elements):
    """Return a Patient with one number; ``None`` takes an element away."""
    found = {
        "resourceType": "Patient",
        "identifier": [{"system": SYSTEM, "value": number}],
        **ANN,
        **elements,
    }
    return {name: value for name, value in found.items() if value is not None}


def in_xml(patient):
    """Return a Patient as another library writes it in XML."""
    return Patient.model_validate(patient).model_dump_xml()


def replaced(number, survivor, system=SYSTEM):
    """Return a Patient that its source replaced by another one."""
    other = {"identifier": {"system": system, "value": survivor}}
    link = [{"other": other, "type": "replaced-by"}]
    return resource(number, active=False, link=link)


def fed(patient, number="994", name="C1", form=Form.JSON):
    """Return the message of one PUT, and why it is refused."""
    content = patient if isinstance(patient, bytes) else orjson.dumps(patient)
    about = asked_for(f"{SYSTEM}|{number}")
    assert about is not None
    return enclosed(content, about, NOON, name, form)
