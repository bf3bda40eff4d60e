"""T10, T12, T14, T15 and D05 to D10: orders, reports, specimens."""

import pytest

from tests.builders import er7
from tests.fhir_messages import (
    codes,
    extensions,
    losses,
    mapped,
    msh,
    obr,
    observation,
    obx,
    oru,
    pid,
    resource,
    resources,
    segment,
)

STATUSES = {
    "A": "amended", "B": "amended", "C": "corrected", "D": "entered-in-error",
    "F": "final", "I": "registered", "N": "registered", "O": "registered",
    "P": "preliminary", "R": "preliminary", "S": "preliminary", "U": "final",
    "V": "final", "W": "entered-in-error", "X": "cancelled", "?": "unknown",
}  # fmt: skip
REPORTS = {
    "A": "partial", "C": "corrected", "F": "final", "I": "registered",
    "M": "preliminary", "N": "unknown", "O": "registered", "P": "preliminary",
    "R": "partial", "S": "registered", "X": "cancelled", "Y": "unknown", "": "unknown",
}  # fmt: skip
SPM = segment("SPM", f1="1", f2="SP1&ADT1^SP2&LAB", f4="119297000^Blood^SCT", f30="AC7")


@pytest.mark.parametrize(("sent", "expected"), STATUSES.items())
def test_t10_status_of_a_result(sent, expected):
    assert observation(obx(f11=sent))["status"] == expected


@pytest.mark.parametrize("sent", "BDINORSUVWX")
def test_t10_a_code_with_a_coarser_image_is_kept_beside_it(sent):
    [kept] = observation(obx(f11=sent))["_status"]["extension"]

    assert codes(kept["valueCodeableConcept"])[0][1] == sent


def test_t10_a_result_not_asked_for_says_so():
    reason = observation(obx("NM", "", f11="N"))["dataAbsentReason"]

    assert codes(reason)[0][1] == "not-asked"


def test_t10_an_empty_status_is_that_of_the_report():
    assert observation(oru(obx(f11=""), order=obr(f25="P")))["status"] == "preliminary"


@pytest.mark.parametrize(("sent", "expected"), REPORTS.items())
def test_t12_status_of_a_report(sent, expected):
    report = resource(oru(obx(), order=obr(f25=sent)), "DiagnosticReport")

    assert report["status"] == expected


def test_t12_an_empty_status_is_a_warning():
    found = mapped(oru(obx(), order=obr(f25=""))).findings

    assert [one.path for one in found] == ["OBR-25"]


def test_t14_a_child_result_is_derived_from_its_parent():
    data = er7(
        msh("ORU^R01^ORU_R01"),
        pid(),
        obr(f4="600-7^Culture^LN"),
        obx("CWE", "112283007^E coli^SCT", f3="600-7^Cult^LN", f4="1"),
        obr(
            f1="2",
            f2="P2^ADT1",
            f3="F2^LAB",
            f26="600-7&Cult&LN^1",
            f29="P1&ADT1^F1&LAB",
        ),
        obx("ST", "S", f3="18864-9^Ampicillin^LN"),
    )

    entries = {
        e.resource["code"]["coding"][0]["code"]: e
        for e in mapped(data).all("Observation")
    }
    parent, child = entries["600-7"], entries["18864-9"]

    assert child.resource["derivedFrom"] == [parent.reference]
    assert parent.resource["hasMember"] == [child.reference]
    orders = mapped(data).all("ServiceRequest")
    assert orders[1].resource["basedOn"] == [orders[0].reference]


def test_t14_a_parent_of_an_earlier_message_is_known_by_its_number():
    data = oru(obx(), order=obr(f29="P0&ADT1^F0&LAB"))

    [placer, filler] = resource(data, "ServiceRequest")["basedOn"]

    assert (placer["identifier"]["value"], filler["identifier"]["value"]) == (
        "P0",
        "F0",
    )


def test_t15_a_specimen_has_both_numbers_and_is_referred_to():
    found = mapped(oru(obx(), SPM))
    [specimen] = found.all("Specimen")
    numbers = [one["value"] for one in specimen.resource["identifier"]]

    assert numbers == ["SP1", "SP2"]
    assert specimen.resource["accessionIdentifier"]["value"] == "AC7"
    assert found.all("Observation")[0].resource["specimen"] == specimen.reference
    assert found.all("DiagnosticReport")[0].resource["specimen"] == [specimen.reference]


def test_t15_obx_33_chooses_among_several_specimens():
    other = segment("SPM", f1="2", f2="SP3^SP4", f4="BLD")
    found = mapped(oru(obx(f33="SP3^SP4"), SPM, other))

    assert (
        found.all("Observation")[0].resource["specimen"]
        == found.all("Specimen")[1].reference
    )


def test_t15_obr_15_makes_a_specimen_only_without_an_spm():
    old = obr(f15="BLD&Blood&HL70487^EDTA^kept cool^LA^^")

    assert len(resources(oru(obx(), order=old), "Specimen")) == 1
    assert (
        resource(oru(obx(), SPM, order=old), "Specimen")["identifier"][0]["value"]
        == "SP1"
    )
    assert losses(oru(obx(), SPM, order=old))["OBR-15"] == "no-fhir-home"


def test_observations_below_a_specimen_are_results_too():
    data = oru(obx(), SPM, obx("ST", "haemolysed", f3="1-8^State^LN"))

    assert len(resource(data, "DiagnosticReport")["result"]) == 2


@pytest.mark.parametrize(
    ("control", "state", "status"),
    [
        ("NW", "", "active"), ("CA", "", "active"), ("OC", "", "revoked"),
        ("RE", "", "completed"), ("UX", "", "active"), ("", "", "unknown"),
        ("RE", "HD", "on-hold"), ("NW", "CM", "completed"), ("NW", "??", "active"),
    ],
)  # fmt: skip
def test_d05_status_of_an_order(control, state, status):
    data = er7(
        msh("ORU^R01^ORU_R01"),
        pid(),
        segment("ORC", f1=control, f5=state),
        obr(),
        obx(),
    )

    assert resource(data, "ServiceRequest")["status"] == status


def test_d07_report_and_order_are_linked_and_carry_both_numbers():
    found = mapped(oru(obx()))
    [report], [order] = found.all("DiagnosticReport"), found.all("ServiceRequest")

    assert report.resource["basedOn"] == [order.reference]
    for entry in (report, order):
        kinds = [
            one["type"]["coding"][0]["code"] for one in entry.resource["identifier"]
        ]
        assert kinds == ["PLAC", "FILL"]


@pytest.mark.parametrize(
    ("section", "kind"), [("HM", "laboratory"), ("RAD", "imaging")]
)
def test_d08_the_section_gives_the_category(section, kind):
    data = oru(obx(), order=obr(f24=section))

    assert codes(observation(data)["category"][0])[0][1] == kind


def test_d09_recipients_are_listed_not_mapped():
    assert (
        losses(oru(obx(), order=obr(f28="1^Copy")))["OBR-28"] == "not-mapped-by-choice"
    )


def test_d09_who_performed_is_a_practitioner_and_a_laboratory():
    data = oru(
        obx(f16="T1^Tech^Tina", f23="Central Lab^^^^^CLIA^XX^^^99D", f24="1 Road^^Town")
    )
    performers = observation(data)["performer"]

    assert len(performers) == 2
    assert resource(data, "Organization")["resourceType"] == "Organization"


def test_d09_a_laboratory_may_be_known_by_its_address_alone():
    data = oru(obx(f24="1 Road^^Town"), obx(f1="2", f24="^^^^^^Z"))

    [firm] = [one for one in resources(data, "Organization") if "address" in one]

    assert firm["address"][0]["city"] == "Town"
    assert [each.path for each in mapped(data).losses if "OBX" in each.path] == [
        "OBX[2]-24"
    ]
    performed = [each.get("performer", []) for each in resources(data, "Observation")]
    assert sorted(map(len, performed)) == [0, 1]


def test_d09_a_medical_director_stands_for_the_laboratory():
    data = oru(obx(f23="Central Lab", f25="D1^Head^Hana"))

    role = resource(data, "PractitionerRole")

    assert codes(role["code"][0])[0][1] == "MDIR"
    assert observation(data)["performer"] != []


def test_d10_consecutive_notes_are_one_note_of_what_they_follow():
    data = oru(obx(), "NTE|1||first", "NTE|2||second", "NTE|3||third|RE^Remark^HL70364")

    notes = observation(data)["note"]

    assert [note["text"] for note in notes] == ["first\nsecond", "third"]
    assert extensions(notes[1], "annotationType")


def test_an_order_says_who_entered_and_verified_it():
    data = er7(
        msh("ORU^R01^ORU_R01"),
        pid(),
        segment(
            "ORC",
            f1="NW",
            f9="20240102030405-0500",
            f10="7^Enter^E",
            f11="8^Verify^V",
            f17="W^Ward",
        ),
        segment("TQ1", f2="3", f7="20240103", f9="S", f11="with care"),
        obr(),
    )

    order = resource(data, "ServiceRequest")
    [history] = [p for p in resources(data, "Provenance") if "enterer" in str(p)]

    assert (order["priority"], order["quantityQuantity"]) == ("stat", {"value": 3})
    assert history["activity"]["coding"][0]["code"] == "CREATE"
    assert [codes(a["type"])[0][1] for a in history["agent"]] == ["enterer", "verifier"]


def test_two_orders_of_one_orc_both_make_a_report():
    data = oru(obx(), obr(f1="2", f3="F2^LAB"), obx())

    reports = resources(data, "DiagnosticReport")

    assert [len(report["result"]) for report in reports] == [1, 1]


def test_two_reports_of_one_number_stay_apart():
    data = oru(obx(), obr(f1="2", f4="1-8^Other^LN"), obx())

    assert len(resources(data, "DiagnosticReport")) == 2
    assert len(resources(data, "ServiceRequest")) == 2
