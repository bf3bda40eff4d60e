"""A FHIR Patient, and the message that says the same."""

import base64

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.channels.patient_feed import Form, asked_for, opened
from engine.errors import TransformError
from engine.hl7 import parse
from engine.identity.confidentiality import is_confidential
from engine.identity.traits import traits_of
from engine.transforms.fhir.systems import SSN
from tests.builders import adt_patient
from tests.fed_patients import SYSTEM, fed, in_xml, replaced, resource

PHI = "Mohr"
OID = SYSTEM.removeprefix("urn:oid:")
MAIDEN = "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName"


def message(patient, number="994", name="C1"):
    made = fed(patient, number, name)
    assert made.refusal == ""
    return parse(made.message)


def test_a_patient_becomes_an_update_with_the_same_traits_as_a_pid_gives():
    told = resource(
        address=[{"use": "work", "line": ["1 Work Rd"], "postalCode": "97999"},
                 {"line": ["12 Elm St"], "city": "Salem", "state": "OR",
                  "postalCode": "97301"}],
        telecom=[{"system": "fax", "value": "5550000001"},
                 {"system": "phone", "value": "5035550123"},
                 {"system": "email", "value": "a@example.org"}],
        identifier=[{"system": SSN, "value": "219111222"},
                    {"system": SYSTEM, "value": "994"}],
        multipleBirthInteger=2,
        deceasedDateTime="2030-01-02T03:04:05Z",
        extension=[{"url": MAIDEN, "valueString": "Vance"}],
    )  # fmt: skip
    same = adt_patient(
        family="Mohr", given="Alice", middle="Q", birth="19580130", sex="F",
        ssn="219111222", address="12 Elm St^^Salem^OR^97301", phone="5035550123",
        order="2", death="20300102",
    )  # fmt: skip

    made = message(told)

    pid = made.all("PID")[0]
    wanted = traits_of(parse(same).all("PID")[0])._replace(email="a@example.org")
    assert traits_of(pid) == wanted
    assert (made.message_type, made.trigger_event) == ("ADT", "A31")
    assert pid.encoded.split("|")[3] == f"994^^^&{OID}&ISO^"
    assert made["PID-6.1"] == "Vance"
    assert is_confidential(made.segments, ()) is None


def test_the_resource_stays_in_the_message_and_is_taken_out_to_be_worked_on():
    content = orjson.dumps(resource(photo=[], maritalStatus={}, Mohr=1))
    made = parse(fed(content).message)
    held = made.all("ZFR")[0].text(3, 5)

    opened(made)

    assert base64.b64decode(held) == content
    assert made.all("ZFR") == []
    [finding] = [one for one in made.findings if one.code == "patient-rest"]
    assert finding.text.endswith(": Patient.maritalStatus, Patient.photo, others")


def test_the_same_patient_in_xml_says_the_same():
    told = resource(maritalStatus={"text": "M"}, multipleBirthInteger=2)
    content = in_xml(told)

    by_json, by_xml = message(told), parse(fed(content, form=Form.XML).message)

    carrier = by_xml.all("ZFR")[0]
    assert (carrier.text(3, 3), base64.b64decode(carrier.text(3, 5))) == (
        *("fhir+xml", content),
    )
    both = [opened(by_json), opened(by_xml)]
    assert both[0].text == both[1].text
    assert both[0].findings == both[1].findings != []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"<Patient>", "it is not well-formed XML"),
        (b'<Patient xmlns="http://hl7.org/fhir">Mohr</Patient>', "an attribute"),
        (b'<!DOCTYPE x><Patient xmlns="http://hl7.org/fhir"/>', "a document type"),
        (b'<Person xmlns="http://hl7.org/fhir"/>', "the resource is no Patient"),
        (in_xml(resource()).replace(b"female", b"Mohr"), "a code FHIR does not have"),
    ],
)
def test_xml_that_cannot_be_read_is_kept_and_the_reason_repeats_no_value(content, why):
    made = fed(content, form=Form.XML)

    kept = parse(made.message)
    with pytest.raises(TransformError) as caught:
        opened(kept)
    assert caught.value.code == "patient-unreadable"
    assert made.refusal == str(caught.value)
    assert why in made.refusal
    assert PHI not in made.refusal


def test_a_segment_of_the_same_name_that_is_the_sites_own_is_left_alone():
    made = parse(adt_patient(about=("ZFR|1|x|y",)))

    assert len(opened(made).all("ZFR")) == 1


def test_other_numbers_come_after_the_one_that_was_asked_for():
    told = resource(
        identifier=[
            {"system": "http://a.example/id", "value": "7",
             "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/"
                                  "v2-0203", "code": "PI"}]}},
            {"assigner": {"display": "CLINIC"}, "value": "8"},
            {"system": "http://old.example", "value": "9", "use": "old"},
            {"value": "10"},
            {"system": "http://empty.example"},
        ]
    )  # fmt: skip

    repetitions = message(told).all("PID")[0].raw(3).split("~")

    assert repetitions == [
        f"994^^^&{OID}&ISO^",
        "7^^^&http://a.example/id&URI^PI",
        "8^^^CLINIC^",
    ]


def test_one_that_is_replaced_becomes_a_merge_into_the_survivor():
    made = message(replaced("m94", "994"), "m94")

    assert (made.trigger_event, made.structure) == ("A40", "ADT_A39")
    assert made.all("PID")[0].raw(3) == f"994^^^&{OID}&ISO^"
    assert made.all("MRG")[0].raw(1) == f"m94^^^&{OID}&ISO^"
    assert made["PID-5"] == ""


@pytest.mark.parametrize(
    ("other", "wanted"),
    [
        ({"reference": f"Patient?identifier={SYSTEM}|994"}, f"994^^^&{OID}&ISO^"),
        ({"identifier": {"system": "http://b.example", "value": "1"}},
         "1^^^&http://b.example&URI^"),
        ({"reference": "Patient/994"}, None),
        ({"identifier": {"value": "994"}}, None),
    ],
)  # fmt: skip
def test_a_survivor_is_named_by_a_number(other, wanted):
    link = [{"other": other, "type": "replaced-by"}]
    made = fed(resource("m94", link=link), "m94")

    assert parse(made.message)["PID-3"] == (wanted or "").partition("^")[0]
    assert bool(made.refusal) == (wanted is None)


def test_a_label_protects_and_its_absence_says_nothing():
    label = {"code": "R"}

    made = message(resource(meta={"security": [label]}))

    assert is_confidential(made.segments, ()) is True


def test_a_version_that_is_sent_again_has_the_same_name_and_others_have_not():
    dated = resource(meta={"lastUpdated": "2029-12-31T23:00:00Z"})
    newer = resource(meta={"lastUpdated": "2029-12-31T23:00:01Z"})

    first, again = (message(dated, name=name) for name in ("C1", "C2"))

    assert first.control_id == again.control_id
    assert message(newer).control_id != first.control_id
    assert message(dated, "994")["EVN-2"] == "20291231230000+0000"
    assert [message(resource(), name=name).control_id for name in ("C1", "C2")] == [
        *("C1", "C2")
    ]
    undated = resource(meta={"lastUpdated": "2029-12-31T23:00:00"})
    assert message(undated).control_id == "C1"


@pytest.mark.parametrize(
    ("patient", "code"),
    [
        (b"{", "patient-unreadable"),
        (b"[]", "patient-unreadable"),
        ({"resourceType": "Person"}, "patient-unreadable"),
        (resource(name={"family": PHI}), "patient-unreadable"),
        (resource(name=[PHI]), "patient-unreadable"),
        (resource(gender="F"), "patient-unreadable"),
        (resource(gender=["female"]), "patient-unreadable"),
        (resource(birthDate="30.1.1958"), "patient-unreadable"),
        (resource(birthDate="1958-02-30"), "patient-unreadable"),
        (resource("7"), "patient-other-number"),
        (resource(modifierExtension=[{"url": "x"}]), "patient-modified"),
        (resource(active=True, link=replaced("1", "2")["link"]), "patient-link"),
        (resource(link=replaced("1", "2")["link"] * 2), "patient-link"),
    ],
)
def test_what_cannot_be_read_is_kept_and_the_reason_repeats_no_value(patient, code):
    made = fed(patient)

    kept = parse(made.message)
    with pytest.raises(TransformError) as caught:
        opened(kept)
    assert made.refusal == str(caught.value)
    assert caught.value.code == code
    assert PHI not in made.refusal
    assert kept.all("PID") == []


def test_a_refused_one_that_somebody_mended_by_hand_goes_on():
    kept = parse(fed(b"{").message.replace(b"ZFR|", b"PID|1||7^^^A\rZFR|"))
    broken = parse(fed(b"{").message.replace(b"Base64^", b"Base64^x"))

    assert opened(kept).all("ZFR") == []
    with pytest.raises(TransformError, match="not a JSON object"):
        opened(broken)


@pytest.mark.parametrize("month", ["1958", "1958-02"])
def test_a_birth_date_may_be_a_year_or_a_month(month):
    assert message(resource(birthDate=month))["PID-7"] == month.replace("-", "")


def test_a_time_of_birth_of_another_day_is_not_believed():
    url = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"

    def born(time):
        beside = {"extension": [{"url": url, "valueDateTime": time}]}
        return message(resource(_birthDate=beside))["PID-7"]

    assert born("1958-01-30T04:12:00+01:00") == "195801300412"
    assert born("1958-01-31T04:12:00+01:00") == "19580130"


@pytest.mark.parametrize("query", ["", "7", "|7", "urn:oid:1.2|", "GEN|7"])
def test_a_number_without_its_system_is_none(query):
    assert asked_for(query) is None


_WORDS = st.text(max_size=5) | st.sampled_from(["replaced-by", SYSTEM, "994", "old"])
_TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | _WORDS,
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(
        st.sampled_from(["identifier", "name", "family", "system", "value", "link",
                         "other", "type", "coding", "meta", "security", "use", ""]),
        inner,
        max_size=3,
    ),
    max_leaves=8,
)  # fmt: skip


@given(
    elements=st.dictionaries(
        st.sampled_from(["identifier", "name", "link", "meta", "birthDate", "gender",
                         "address", "telecom", "extension", "_birthDate", ""]),
        _TREES,
        max_size=4,
    )
)  # fmt: skip
def test_whatever_is_sent_is_one_message_that_says_something_or_why_not(elements):
    made = fed({"resourceType": "Patient", **elements})

    kept = parse(made.message)
    assert kept.message_type == "ADT"
    assert bool(made.refusal) == (kept.first("PID") is None)
    assert {one.id for one in kept.segments} <= {
        "MSH",
        "EVN",
        "PID",
        "PD1",
        "MRG",
        "ZFR",
    }


@pytest.mark.parametrize(
    "element", [{"name": [{PHI: 1}]}, {"address": [{"period": {f"x {PHI}": 2}}]}]
)
def test_a_refusal_repeats_no_name_that_the_sender_made_up(element):
    refusal = fed(resource(**element)).refusal

    assert "no such element" in refusal
    assert PHI not in refusal
