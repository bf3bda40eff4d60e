"""One invented person with a fact of every kind, and what odd feeds make of her."""

import copy
import random

from engine.transforms.ccda.facts import Facts
from tests.ccda_facts import (
    ENTERPRISE,
    LN,
    PATIENT,
    SCT,
    UCUM,
    about,
    coded,
    note,
    patient,
)

RX = "http://www.nlm.nih.gov/research/umls/rxnorm"
HL7 = "http://terminology.hl7.org/CodeSystem/"
CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
CDC = "urn:oid:2.16.840.1.113883.6.238"
CLINIC = "urn:organization:clinic"
DOCTOR = "urn:practitioner:smith"
MORNING = "2029-12-30T08:15:00-05:00"


def quantity(value, unit="", *, ucum=True, **more):
    named = {"unit": unit} if unit else {}
    claimed = {"system": UCUM, "code": unit} if unit and ucum else {}
    return {"value": value, **named, **claimed, **more}


def observation(**more):
    return about(
        "Observation",
        **{
            "status": "final",
            "code": coded(LN, "718-7", "Hemoglobin"),
            "effectiveDateTime": MORNING,
            **more,
        },
    )


def vital(code, value, unit, **more):
    kind = coded(f"{HL7}observation-category", "vital-signs")
    return observation(
        **{
            "code": coded(LN, code, f"Vital sign {code}"),
            "category": [kind],
            "valueQuantity": quantity(value, unit),
            **more,
        }
    )


def ann():
    return patient(
        gender="female",
        birthDate="1980-02-03",
        deceasedBoolean=True,
        address=[
            {
                "use": "home",
                "line": ["1 Elm St", "Apt 2"],
                "city": "Ann Arbor",
                "state": "MI",
                "postalCode": "48104",
            }
        ],
        telecom=[
            {"system": "phone", "value": "(555) 555-1234", "use": "home"},
            {"system": "email", "value": "ann@example.org"},
        ],
        maritalStatus=coded(f"{HL7}v3-MaritalStatus", "M", "Married"),
        communication=[{"language": coded("urn:ietf:bcp:47", "en")}],
        extension=[
            {
                "url": f"{CORE}race",
                "extension": [
                    {
                        "url": "ombCategory",
                        "valueCoding": {"system": CDC, "code": "2106-3"},
                    },
                    {
                        "url": "detailed",
                        "valueCoding": {"system": CDC, "code": "2108-9"},
                    },
                ],
            },
            {
                "url": f"{CORE}ethnicity",
                "extension": [
                    {
                        "url": "ombCategory",
                        "valueCoding": {"system": CDC, "code": "2186-5"},
                    }
                ],
            },
            {
                "url": "http://hl7.org/fhir/StructureDefinition/patient-religion",
                "valueCodeableConcept": coded(f"{HL7}v3-ReligiousAffiliation", "1013"),
            },
        ],
    )


VALUES = [
    {"valueQuantity": quantity(13.5, "g/dL")},
    {"valueQuantity": quantity(5, "mg/dl", ucum=False)},
    {"valueQuantity": quantity(5.25)},
    {"valueQuantity": quantity(5, comparator="<")},
    {"valueQuantity": quantity(5, "mg", comparator=">=")},
    {"valueQuantity": quantity(5, "odd unit", ucum=False, comparator=">")},
    {"valueRange": {"low": quantity(1, "mg"), "high": quantity(2, "mg")}},
    {"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}},
    {"valueCodeableConcept": coded(SCT, "10828004", "Positive")},
    {"valueCodeableConcept": {"text": "see remark"}},
    {"valueString": "first line\nsecond line"},
    {"valueDateTime": "2024"},
    {"valueTime": "10:00:00"},
    {"valuePeriod": {"start": "2024", "end": "2025"}},
    {"valueBoolean": True},
    {"valueInteger": 3},
    {"valueSampledData": {"origin": {"value": 0}, "period": 1, "data": "1 2 E"}},
    {"component": [{"valueString": "a"}, {"valueString": "b"}]},
    {"component": [{"valueString": "a"}, {"valueQuantity": quantity(1)}]},
    {"dataAbsentReason": coded(f"{HL7}data-absent-reason", "masked")},
    {},
]


def laboratory():
    flag = coded(f"{HL7}v3-ObservationInterpretation", "L", "Low")
    limit = {"text": "14-18", "low": quantity(14, "g/dL"), "high": quantity(18, "g/dL")}
    return [
        observation(**value, interpretation=[flag], referenceRange=[limit])
        for value in VALUES
    ]


def report(count):
    return about(
        "DiagnosticReport",
        status="final",
        code=coded(LN, "58410-2", "CBC panel"),
        effectiveDateTime=MORNING,
        identifier=[{"system": "urn:oid:2.25.7.8", "value": "F1"}],
        result=[{"reference": f"urn:fact:{number}"} for number in range(1, count)],
    )


def vitals():
    return [
        vital("8867-4", 80, "/min"),
        vital("8480-6", 120, "mm[Hg]"),
        vital("8867-4", 81, "/min", effectiveDateTime="2029-12-29"),
        vital("8302-2", 170, "no unit"),
        observation(
            code=coded(LN, "72166-2"),
            valueCodeableConcept=coded(SCT, "8517006", "Former smoker"),
        ),
    ]


def concerns():
    state = f"{HL7}condition-clinical"
    return [
        about(
            "AllergyIntolerance",
            type="allergy",
            category=["medication"],
            criticality="high",
            code=coded(RX, "7980", "Penicillin G"),
            onsetDateTime="2019",
            recordedDate="2024-01-02",
            reaction=[
                {
                    "manifestation": [
                        {"text": "Hives"},
                        coded(SCT, "39579001", "Shock"),
                    ],
                    "severity": "severe",
                    "onset": "2020",
                }
            ],
        ),
        about(
            "AllergyIntolerance",
            code={"text": "nuts"},
            clinicalStatus=coded(state, "resolved"),
        ),
        about(
            "Condition",
            code=coded("http://hl7.org/fhir/sid/icd-10-cm", "J18.9", "Pneumonia"),
            category=[coded(f"{HL7}condition-category", "encounter-diagnosis")],
            recordedDate="2024-01-02",
            onsetDateTime="2023-12",
            abatementDateTime="2023-11",
        ),
        about(
            "Condition",
            code=coded(SCT, "38341003", "Hypertension"),
            clinicalStatus=coded(state, "resolved"),
            verificationStatus=coded(state, "refuted"),
        ),
    ]


def medications():
    daily = {"frequency": 3, "period": 1, "periodUnit": "d"}
    return [
        about(
            "MedicationRequest",
            status="active",
            intent="order",
            medicationCodeableConcept=coded(RX, "197361", "Amlodipine 5 MG"),
            authoredOn="2024-01-02",
            dosageInstruction=[
                {
                    "text": "one in the morning",
                    "route": {"text": "by mouth"},
                    "timing": {
                        "repeat": {**daily, "boundsPeriod": {"start": "2024-01-02"}}
                    },
                    "doseAndRate": [{"doseQuantity": quantity(1, "mg")}],
                }
            ],
        ),
        about(
            "MedicationRequest",
            status="unknown",
            medicationReference={"reference": "#m"},
            contained=[
                {"resourceType": "Medication", "id": "m", "code": {"text": "a pill"}}
            ],
            dosageInstruction=[
                {
                    "timing": {"repeat": {"when": ["ACM"]}},
                    "doseAndRate": [{"doseRange": {"low": {"value": 1}}}],
                }
            ],
        ),
        about(
            "MedicationAdministration",
            status="not-done",
            effectiveDateTime=MORNING,
            medicationCodeableConcept=coded("http://hl7.org/fhir/sid/ndc", "0000-1111"),
            dosage={"dose": quantity(5, "tab", ucum=False)},
        ),
    ]


def acts():
    vaccine = "http://hl7.org/fhir/sid/cvx"
    return [
        about(
            "Procedure",
            status="completed",
            code=coded("http://www.ama-assn.org/go/cpt", "99213", "Office visit"),
            performedDateTime="2024-01-02",
        ),
        about("Procedure", status="not-done", code={"text": "biopsy"}),
        about(
            "Immunization",
            status="completed",
            vaccineCode=coded(vaccine, "08", "HepB"),
            occurrenceDateTime="2024-01-01",
            lotNumber="L1",
            manufacturer={"reference": CLINIC},
            doseQuantity=quantity(0.5, "mL"),
        ),
        about(
            "Immunization",
            status="not-done",
            vaccineCode={"text": "flu"},
            statusReason=coded(f"{HL7}v3-ActReason", "PATOBJ"),
            manufacturer={"display": "Some maker"},
        ),
        about(
            "ServiceRequest",
            status="active",
            intent="order",
            code=coded(LN, "58410-2", "CBC panel"),
            authoredOn="2029-12-31",
        ),
        {
            "resourceType": "Appointment",
            "status": "booked",
            "start": "2030-02-01T10:00:00Z",
            "end": "2030-02-01T10:30:00Z",
        },
        note(date=MORNING, author=[{"reference": DOCTOR}]),
        note(b"%PDF-1.4 invented", "application/pdf", type={"text": "letter"}),
    ]


def visit(condition):
    return about(
        "Encounter",
        **{"class": {"system": f"{HL7}v3-ActCode", "code": "IMP"}},
        status="finished",
        identifier=[{"system": "urn:oid:2.25.77", "value": "V1"}],
        period={"start": "2029-12-28T08:00:00Z", "end": "2029-12-31T08:00:00Z"},
        hospitalization={"dischargeDisposition": coded(f"{HL7}v2-0112", "01")},
        diagnosis=[
            {
                "condition": {"reference": condition},
                "use": coded(f"{HL7}diagnosis-role", "DD"),
            }
        ],
    )


def relatives():
    return [
        about(
            "RelatedPerson",
            name=[{"family": "Doe", "given": ["Bob"]}],
            relationship=[
                coded(f"{HL7}v3-RoleCode", "HUSB", "husband"),
                coded(f"{HL7}v2-0131", "C"),
            ],
        ),
        about(
            "RelatedPerson",
            name=[{"text": "Guardian Angel"}],
            relationship=[coded(f"{HL7}v3-RoleCode", "GUARD")],
        ),
    ]


def everything():
    """Full URL to resource: one person with a fact of every kind."""
    results = laboratory()
    listed = [*results, report(len(results)), *vitals()]
    condition = f"urn:fact:{len(listed) + 3}"
    listed += [*concerns(), *medications(), *acts(), visit(condition), *relatives()]
    listed.append({"resourceType": "MessageHeader", "sender": {"reference": CLINIC}})
    clinic = {
        "resourceType": "Organization",
        "name": "North Clinic",
        "identifier": [{"system": "urn:oid:2.25.99", "value": "NC"}],
    }
    doctor = {
        "resourceType": "Practitioner",
        "name": [{"family": "Smith", "given": ["Jo"], "prefix": ["Dr"]}],
        "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234"}],
    }
    numbered = {f"urn:fact:{n}": fact for n, fact in enumerate(listed, 1)}
    return {PATIENT: ann(), **numbered, CLINIC: clinic, DOCTOR: doctor}


ODD = [
    "",
    " ",
    "\x00\x0bü\ud800\ufffe",
    "<script>alert(1)</script>",
    "]]>&amp;\"'",
    "名前 Ω 🩺",
    "a\r\nb\rc\nd\te",
    "x" * 3000,
    "2024-02-30",
    "0000",
    "2024-01-01T25:00:00Z",
    "2031-01-01T00:00:00.123+14:00",
    "urn:oid:1.2.3.4",
    "urn:oid:2.999.1",
    "http://loinc.org",
    "javascript:alert(1)",
    "../../etc/passwd",
    "entered-in-error",
    "final",
    None,
    True,
    0,
    -1.5,
    1e300,
    float("nan"),
    [],
    {},
    [None],
    ["x", {"text": "y"}],
    {"coding": [{"system": "http://loinc.org", "code": "1-1"}], "text": "odd"},
]


def odd(seed):
    """The person as a broken feed would send her: values missing, repeated, replaced.

    Types stay what they are, and some people keep only a name and an identifier.
    """
    chance = random.Random(seed)  # noqa: S311 - test data
    rate = chance.choice([0.01, 0.05, 0.2, 0.6])
    resources = {
        url: _odd(copy.deepcopy(resource), chance, rate)
        for url, resource in everything().items()
        if url == PATIENT or chance.random() > rate
    }
    for url, resource in everything().items():
        resources.get(url, {})["resourceType"] = resource["resourceType"]
    return Facts(resources, ENTERPRISE)


def _odd(value, chance, rate):
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if chance.random() > rate / 2}
        return {name: _odd(item, chance, rate) for name, item in kept.items()}
    if isinstance(value, list):
        doubled = value * 2 if chance.random() < rate else value
        return [_odd(item, chance, rate) for item in doubled]
    return chance.choice(ODD) if chance.random() < rate else value
