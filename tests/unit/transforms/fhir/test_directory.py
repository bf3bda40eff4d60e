"""MFN and ACK: staff, places, answers (D16, D17)."""

import pytest

from engine.transforms.fhir.plan import plan_for
from tests.builders import er7
from tests.fhir_messages import codes, losses, mapped, msh, resource
from tests.fhir_messages import segment as line

STF = line("STF", f1="7^^HR", f2="77^^^&2.999.1&ISO^EI", f3="Ames^Anna^^^Dr", f5="F",
           f6="19700101", f7="A", f10="^WPN^PH^^1^555^5550150", f11="1 Way^^Town",
           f15="anna@example.org")  # fmt: skip
PRA = line("PRA", f1="7", f2="G1^Group^L", f3="I^Institution^L", f5="Cardiology^ABIM",
           f6="L1^LN^OH^20300101")  # fmt: skip


def mfn(event="MAD", *segments, kind="M02"):
    mfe = f"MFE|{event}|C1|20240101|7^^HR|CWE"
    return er7(msh(f"MFN^{kind}^MFN_{kind}"), "MFI|STF||UPD|||NE", mfe, *segments)


def test_d16_staff_is_a_practitioner_and_his_practice_a_role():
    found = mapped(mfn("MAD", STF, PRA))

    [person], [role] = found.all("Practitioner"), found.all("PractitionerRole")
    written = person.resource
    assert [one["value"] for one in written["identifier"]] == ["77", "7"]
    assert (written["active"], written["gender"]) == (True, "female")
    assert written["birthDate"] == "1970-01-01"
    assert [one["system"] for one in written["telecom"]] == ["phone", "email"]
    assert person.method == role.method == "PUT"
    assert role.resource["practitioner"] == person.reference
    assert role.resource["specialty"] == [{"text": "Cardiology"}]
    assert role.resource["identifier"][0]["period"] == {"end": "2030-01-01"}
    assert "organization" in role.resource


@pytest.mark.parametrize(
    ("event", "active"), [("MAD", True), ("MUP", True), ("MDC", False), ("MDL", False),
                          ("MAC", True)],
)  # fmt: skip
def test_d16_a_record_is_deactivated_and_never_deleted(event, active):
    found = mapped(mfn(event, STF, PRA))

    for kind in ("Practitioner", "PractitionerRole"):
        assert found.all(kind)[0].resource["active"] is active
    assert {entry.method for entry in found.entries} <= {"PUT", "POST"}


def test_an_inactive_person_says_so():
    assert resource(mfn("MUP", STF.replace("|A|", "|I|")), "Practitioner")[
        "active"
    ] is (False)  # fmt: skip


def test_staff_without_a_number_is_known_by_name():
    [person] = mapped(mfn("MAD", "STF|||Ames^Anna")).all("Practitioner")

    assert "active" not in person.resource
    assert person.criteria.startswith("identifier=urn:id:north:key")


@pytest.mark.parametrize(
    ("event", "status"), [("MAD", "active"), ("MDL", "inactive"), ("MAC", "active")]
)
def test_d16_a_place_of_a_master_file(event, status):
    loc = line("LOC", f1="W^1^2^HOSP", f2="By the window", f3="B",
               f4="Clinic^^^^^X^XX^^^C1", f5="1 Way^^Town", f6="^WPN^PH")  # fmt: skip
    found = mapped(mfn(event, loc, kind="M05"))

    [bed] = [one for one in found.all("Location") if one.method == "PUT"]
    assert bed.resource["status"] == status
    assert bed.resource["description"] == "By the window"
    assert bed.resource["type"][0]["coding"][0]["code"] == "B"
    assert {"managingOrganization", "address"} <= bed.resource.keys()


def test_a_place_without_a_name_is_listed():
    assert losses(mfn("MAD", "LOC||Somewhere", kind="M05"))["LOC-2"] == "unreadable"


def test_what_the_file_says_of_itself_is_context():
    assert losses(mfn("MAD", STF))["MFI-1"] == "context"


def ack(code, *errors, number="C77", words="", kind="ACK^A01^ACK"):
    msa = line("MSA", f1=code, f2=number, f3=words)
    return er7(msh(kind), msa, *errors)


@pytest.mark.parametrize(
    ("sent", "code"),
    [("AA", "ok"), ("CA", "ok"), ("AE", "transient-error"), ("CE", "transient-error"),
     ("AR", "fatal-error"), ("CR", "fatal-error"), ("??", "fatal-error")],
)  # fmt: skip
def test_d17_an_answer_says_how_it_went(sent, code):
    header = resource(ack(sent), "MessageHeader")

    assert header["response"] == {"identifier": "C77", "code": code}


def test_d17_an_error_says_where_what_and_how_bad():
    err = line("ERR", f2="PID^1^3^2^1~OBX^2^5", f3="101^Required field missing^HL70357",
               f4="W", f7="No number", f8="Send a number")  # fmt: skip

    header = resource(ack("AE", err, words="Sorry"), "MessageHeader")

    [outcome] = header["contained"]
    assert header["response"]["details"] == {"reference": "#outcome"}
    first, second = outcome["issue"]
    assert (first["severity"], first["code"]) == ("warning", "required")
    assert codes(first["details"])[0][1] == "101"
    assert first["expression"] == ["PID[1]-3[2].1", "OBX[2]-5"]
    assert first["diagnostics"] == "No number\nSend a number"
    assert second["diagnostics"] == "Sorry"


@pytest.mark.parametrize("number", ["", "a number with blanks"])
def test_a_control_id_that_is_no_fhir_id_is_kept_as_text(number):
    response = resource(ack("AA", number=number), "MessageHeader")["response"]

    assert "identifier" not in response
    assert response["_identifier"]["extension"][0]["valueString"]


@pytest.mark.parametrize("event", ["", "A01", "Q99"])
def test_an_answer_is_an_answer_whatever_the_event(event):
    assert plan_for("ACK", event).structure == "ACK"
