"""REF: a referral, who sends it and to whom."""

import pytest

from tests.builders import er7
from tests.fhir_messages import codes, losses, mapped, msh, obr, obx, pid, resource
from tests.fhir_messages import segment as line

FROM = line("PRD", f1="RP^Referring^HL70286", f2="Ames^Anna^^^Dr", f3="1 Way^^Town",
            f4="W^1", f5="^WPN^PH^^1^555^5550150", f7="77^NPI^OH^20300101",
            f8="20200101", f9="20301231",
            f10="Ames Practice^^^^^X^XX^^^AP")  # fmt: skip
TO = line("PRD", f1="RT^Referred to^HL70286", f2="Berg^Bo")


def ref(*more, event="I12", **fields):
    base = {"f1": "P", "f2": "R", "f3": "Med", "f5": "O", "f6": "R1^EHR"}
    times = {"f7": "20240101", "f8": "20240301", "f9": "20240102", "f10": "S"}
    rf1 = line("RF1", **{**base, **times, **fields})
    return er7(msh(f"REF^{event}^REF_I12"), rf1, FROM, TO, pid(), *more)


def referral(*more, **fields):
    return resource(ref(*more, **fields), "ServiceRequest")


def test_a_referral_is_a_request_of_that_category():
    found = referral(f4="AM", f11="X9^PAYER")

    assert codes(found["category"][0]) == [("http://snomed.info/sct", "3457005")]
    assert codes(found["category"][1])[0][1] == "O"
    assert (found["priority"], found["authoredOn"]) == ("routine", "2024-01-02")
    assert found["occurrencePeriod"] == {"start": "2024-01-01", "end": "2024-03-01"}
    assert [one["value"] for one in found["identifier"]] == ["R1", "X9"]
    assert codes(found["orderDetail"][0])[0][1] == "AM"
    assert codes(found["reasonCode"][0])[0][1] == "S"


@pytest.mark.parametrize(
    ("event", "sent", "status"),
    [("I12", "A", "active"), ("I13", "P", "active"), ("I15", "R", "revoked"),
     ("I12", "E", "revoked"), ("I12", "", "active"), ("I14", "A", "revoked"),
     ("I12", "new", "active")],
)  # fmt: skip
def test_the_event_or_rf1_1_is_the_status(event, sent, status):
    assert referral(event=event, f1=sent)["status"] == status


def test_who_refers_and_who_is_referred_to():
    found = mapped(ref())
    roles = {entry.full_url: entry.resource for entry in found.all("PractitionerRole")}

    made = resource(ref(), "ServiceRequest")

    sender = roles[made["requester"]["reference"]]
    assert codes(sender["code"][0])[0][1] == "RP"
    assert {"organization", "location", "period"} <= sender.keys()
    [taker] = made["performer"]
    assert codes(roles[taker["reference"]]["code"][0])[0][1] == "RT"


def test_a_provider_has_the_licence_that_was_sent():
    people = [entry.resource for entry in mapped(ref()).all("Practitioner")]
    [licence] = next(one["identifier"] for one in people if "telecom" in one)

    assert licence["system"] == "http://hl7.org/fhir/sid/us-npi"
    assert licence["period"] == {"end": "2030-01-01"}


def test_a_provider_without_name_or_number_is_nobody():
    data = ref("PRD|CP^Consulting^HL70286|||||P")

    assert len(mapped(data).all("PractitionerRole")) == 2


def test_notes_after_the_patient_are_about_the_referral():
    assert referral("NTE|1||Needs a ramp")["note"] == [{"text": "Needs a ramp"}]


def test_results_sent_along_are_results():
    assert mapped(ref(obr(), obx())).all("DiagnosticReport")


def test_an_unknown_priority_is_listed():
    assert losses(ref(f2="soonish"))["RF1-2"] == "no-fhir-home"


def test_a_referral_without_number_or_patient_still_stands():
    data = er7(msh("REF^I12"), "RF1|A||Med")

    assert resource(data, "ServiceRequest")["subject"] == {"display": "unknown"}
