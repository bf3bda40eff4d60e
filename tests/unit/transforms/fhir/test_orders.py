"""ORM, OML, OMG, OMI and OUL: orders, specimens, reasons, timing (D05, D06)."""

import pytest

from tests.builders import er7
from tests.fhir_messages import (
    codes,
    extensions,
    losses,
    mapped,
    msh,
    obr,
    obx,
    oru,
    pid,
    pv1,
    resource,
    resources,
    segment,
)

ORC = segment("ORC", f1="NW", f2="P1^ADT1", f9="20240102030405-0500", f12="8^Doc^Dora")
SPM = segment("SPM", f1="1", f2="S1&ADT1^S2&LAB", f4="SER^Serum^HL70487")
DG1 = segment("DG1", f1="1", f3="E11^Diabetes^I10", f6="W")


def order(*below, kind="OML^O21^OML_O21", orc=ORC, **fields):
    return er7(msh(kind), pid(), pv1(), orc, obr(f7="", f22="", f25="", **fields),
               *below)  # fmt: skip


def request(*arguments, **fields):
    return resource(order(*arguments, **fields), "ServiceRequest")


@pytest.mark.parametrize(
    "kind",
    ["ORM^O01^ORM_O01", "OML^O21^OML_O21", "OML^O33^OML_O33", "OML^O35^OML_O35",
     "OMG^O19^OMG_O19", "OMI^O23^OMI_O23"],
)  # fmt: skip
def test_an_order_is_a_request_and_no_report(kind):
    found = mapped(order(obx(), SPM, kind=kind))

    assert len(found.all("ServiceRequest")) == 1
    assert not found.all("DiagnosticReport")


def test_specimens_reasons_and_observations_support_an_order():
    found = mapped(order(DG1, obx("ST", "fasting"), SPM))

    [made] = found.all("ServiceRequest")
    for kind, element in (
        ("Specimen", "specimen"),
        ("Condition", "reasonReference"),
        ("Observation", "supportingInfo"),
    ):
        assert made.resource[element] == [found.all(kind)[0].reference]
    [visit] = found.all("Encounter")
    assert "diagnosis" not in visit.resource


def test_a_diagnosis_beside_a_result_is_the_visits():
    found = mapped(er7(msh("ORU^R01^ORU_R01"), pid(), pv1(), ORC, obr(), DG1))

    assert "diagnosis" in found.all("Encounter")[0].resource


@pytest.mark.parametrize(
    ("control", "state", "status"),
    [
        ("NW", "", "active"),
        ("CA", "CA", "revoked"),
        ("DC", "", "revoked"),
        ("HD", "HD", "on-hold"),
        ("SC", "CM", "completed"),
        ("SC", "ER", "entered-in-error"),
        ("RE", "", "active"),
        ("", "", "unknown"),
    ],
)
def test_orc_5_wins_over_orc_1(control, state, status):
    assert request(orc=segment("ORC", f1=control, f5=state, f2="P1"))["status"] == (
        status
    )


def test_a_participant_may_be_the_orderer():
    prt = "PRT|1|AD||OP^Ordering provider^HL70443|9^Order^Olga"
    data = order(prt, orc="ORC|NW|P1^ADT1")

    wanted = resource(data, "ServiceRequest")["requester"]["reference"]

    assert wanted in {entry.full_url for entry in mapped(data).all("Practitioner")}


def test_an_order_says_who_may_see_it():
    found = request(orc=segment("ORC", f1="NW", f2="P1", f28="V^Very^HL70177"))

    assert found["meta"]["security"][0]["code"] == "V"


def test_both_parents_of_an_order_are_named():
    found = request(f29="PA^^|".rstrip("|"), f50="PB")

    assert [one["identifier"]["value"] for one in found["basedOn"]] == ["PB", "PA"]


@pytest.mark.parametrize(
    ("message", "segments"),
    [
        ("OUL^R22^OUL_R22", (SPM, obx(), obr(), "ORC|RE|P1^ADT1|F1^LAB", obx())),
        ("OUL^R23^OUL_R23", (SPM, "SAC|||C1", obr(), "ORC|RE|P1^ADT1|F1^LAB", obx())),
        ("OUL^R22^OUL_R22", ("ORC|RE|P1^ADT1|F1^LAB", obr(), obx(), SPM)),
        ("OML^O33^OML_O33", (SPM, "ORC|NW|P1^ADT1", obr())),
    ],
)
def test_t15_the_specimen_of_the_group_is_every_observations_specimen(
    message, segments
):
    found = mapped(er7(msh(message), pid(), *segments))

    [specimen] = found.all("Specimen")
    for entry in found.all("Observation") + found.all("DiagnosticReport"):
        named = entry.resource["specimen"]
        assert named in (specimen.reference, [specimen.reference])
    [order] = found.all("ServiceRequest")
    assert order.resource["identifier"][0]["value"] == "P1"


def test_a_specimen_without_an_order_is_kept():
    found = mapped(er7(msh("OUL^R22^OUL_R22"), pid(), SPM, obx()))

    [specimen], [seen] = found.all("Specimen"), found.all("Observation")
    assert seen.resource["specimen"] == specimen.reference


@pytest.mark.parametrize("event", ["R30", "R31", "R32", "R40"])
def test_point_of_care_results_are_results(event):
    assert resources(er7(msh(f"ORU^{event}"), pid(), obr(), obx()), "DiagnosticReport")


def test_a_supply_order_is_listed():
    data = er7(msh("ORM^O01^ORM_O01"), pid(), "ORC|NW|P1", "RQD|1|I1^Gauze^L")

    assert losses(data)["RQD-2"] == "no-fhir-home"


def when(*tq1, **fields):
    return request(segment("TQ1", **{"f1": "1", **fields}), *tq1)["occurrenceTiming"]


def test_a_repeat_pattern_has_its_standard_code():
    assert codes(when(f3="BID")["code"]) == [
        ("http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation", "BID")
    ]
    assert codes(when(f3="QAM")["code"])[0][0].endswith("v2-0335")
    assert codes(when(f3="NOW")["code"])[0][0].startswith("urn:id:north")
    assert when(f3="&as you like")["code"] == {"text": "as you like"}


def test_a_repeat_pattern_is_read_to_its_parts():
    found = when(f3="Q4H^DW^1^5^4^h^^PC^30^min")["repeat"]

    assert found == {
        "dayOfWeek": ["mon", "fri"],
        "period": 4,
        "periodUnit": "h",
        "when": ["PC"],
        "offset": 30,
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"f4": "0800~2000"}, {"timeOfDay": ["08:00:00", "20:00:00"]}),
        ({"f6": "3^d"}, {"boundsDuration": {"value": 3, "unit": "d", "code": "d",
                                            "system": "http://unitsofmeasure.org"}}),
        ({"f13": "15^min"}, {"duration": 15, "durationUnit": "min"}),
        ({"f14": "6"}, {"count": 6}),
        ({"f3": "^^^^^^^HS", "f5": "1^h"}, {"when": ["HS"], "offset": 60}),
        ({"f3": "^^^^^^^C", "f5": "1^h"}, {"when": ["C"]}),
        ({"f3": "^^^^^^^HS", "f5": "1^mo"}, {"when": ["HS"]}),
        ({"f7": "20240102030405-0500", "f6": "90^min"},
         {"boundsPeriod": {"start": "2024-01-02T03:04:05-05:00",
                           "end": "2024-01-02T04:34:05-05:00"}}),
        ({"f7": "20240102", "f8": "20240105", "f6": "9^d"},
         {"boundsPeriod": {"start": "2024-01-02", "end": "2024-01-05"}}),
        ({"f7": "20240102", "f6": "1^mo"}, {"boundsPeriod": {"start": "2024-01-02"}}),
    ],
)  # fmt: skip
def test_when_and_how_long(fields, expected):
    assert when(**fields)["repeat"] == expected


@pytest.mark.parametrize(
    ("fields", "place"),
    [({"f6": "3^moons"}, "TQ1-6"), ({"f14": "many"}, "TQ1-14"),
     ({"f3": "^^^^^^^HS", "f4": "0800"}, "TQ1-4"), ({"f4": "noon"}, "TQ1-4"),
     ({"f7": "20240102", "f6": "9^d"}, "TQ1-6")],
)  # fmt: skip
def test_a_timing_that_fhir_does_not_allow_is_listed(fields, place):
    assert losses(order(segment("TQ1", f1="1", **fields)))[place] == "no-fhir-home"


def test_a_requested_moment_is_an_event_of_the_timing():
    found = request("TQ1|1||BID", f6="20240105")

    assert "occurrenceDateTime" not in found
    assert found["occurrenceTiming"]["event"] == ["2024-01-05"]


@pytest.mark.parametrize(
    ("tq", "expected"),
    [
        ("^Q6H&0600^D5^^^R", {"timeOfDay": ["06:00:00"],
                              "boundsDuration": {"value": 5, "unit": "d", "code": "d",
                                                 "system": "http://unitsofmeasure.org"}}),
        ("^BID^X3", {"count": 3}),
        ("^BID^^20240101^20240103^^^^^^^4",
         {"count": 4, "boundsPeriod": {"start": "2024-01-01", "end": "2024-01-03"}}),
    ],
)  # fmt: skip
def test_the_timing_of_older_versions(tq, expected):
    found = request(orc=segment("ORC", f1="NW", f2="P1", f7=tq))

    assert found["occurrenceTiming"]["repeat"] == expected


def test_what_was_observed_with_which_device_where_and_by_whom():
    prt = segment(
        "PRT", f2="AD", f4="EQUIP^Equipment^HL70912", f8="Clinic", f9="W^1", f10="D1^X",
        f16="UDI1", f17="20200101", f18="20300101", f19="LOT", f20="SER", f21="DON",
    )  # fmt: skip
    found = mapped(er7(msh("ORU^R01"), pid(), obr(), obx(), prt))

    [seen], [device] = found.all("Observation"), [
        one for one in found.all("Device") if "lotNumber" in one.resource
    ]  # fmt: skip
    assert seen.resource["device"] == device.reference
    assert device.resource["udiCarrier"] == [{"deviceIdentifier": "UDI1"}]
    assert extensions(seen.resource, "event-location")
    assert len(seen.resource["performer"]) == 1


@pytest.mark.parametrize("fields", [{"f14": "1 Lane^^Town"}, {"f19": "LOT"}])
def test_an_observer_needs_no_name(fields):
    prt = segment("PRT", f2="AD", f4="PPT", **fields)
    found = mapped(er7(msh("ORU^R01"), pid(), obr(), obx(), prt))

    [seen] = found.all("Observation")
    assert {"device", "extension"} & seen.resource.keys()


def test_an_order_control_without_detail_reaches_the_order_it_is_about():
    [made] = mapped(order(kind="ORM^O01^ORM_O01")).all("ServiceRequest")
    cancel = segment("ORC", f1="CR", f2="P1^ADT1", f12="8^Doc^Dora")

    found = mapped(er7(msh("ORM^O01^ORM_O01"), pid(), pv1(), cancel, "NTE|1||Sorry"))

    [told] = found.all("ServiceRequest")
    assert (told.criteria, told.resource["status"]) == (made.criteria, "revoked")
    assert told.resource["note"] == [{"text": "Sorry"}]
    assert "ORC-1" not in {loss.path for loss in found.losses}


@pytest.mark.parametrize(
    ("kind", "control"),
    [
        ("ORM^O01^ORM_O01", segment("ORC", f1="CA")),
        ("RDE^O11^RDE_O11", segment("ORC", f1="CA", f2="P1^ADT1")),
    ],
)
def test_an_order_control_that_names_no_order_or_no_medicine_is_listed(kind, control):
    lost = losses(er7(msh(kind), pid(), control))

    assert lost["ORC-1"] == "no-fhir-home"


def test_a_unit_whose_value_has_no_place_for_it_is_listed():
    words = oru(obx("ST", "5.0", f6="mg/dL^mg/dL^UCUM"))
    number = oru(obx("NM", "5.0", f6="mg/dL^mg/dL^UCUM"))

    assert losses(words)["OBX-6"] == "no-fhir-home"
    assert "OBX-6" not in losses(number)


@pytest.mark.parametrize(
    ("fields", "is_lost"),
    [
        ({"f5": ""}, True),  # no value at all
        ({"f5": "", "f7": "70-99"}, False),  # the normal range has it
        ({"f2": "ST", "f5": "high", "f7": "70-99"}, False),
        ({"f2": "SN", "f5": "^1^-^2"}, False),
        ({"f2": "ST", "f5": "a~b"}, True),
        ({"f2": "NM", "f5": "1~2"}, False),  # each component has it
        ({"f6": "^^UCUM"}, True),  # nothing that could be read as one
    ],
)
def test_a_unit_is_in_the_resource_or_listed(fields, is_lost):
    found = losses(
        oru(obx(**{"kind": fields.pop("f2", "NM"), "f6": "mg/dL", **fields}))
    )

    assert ("OBX-6" in found) is is_lost


def test_what_a_further_line_of_text_says_otherwise_is_listed():
    lines = oru(
        obx("TX", "one", f14="20240101", f8="A"),
        obx("TX", "two", f14="20240102", f8="A", f6="mg/dL", f1="2"),
    )

    found = losses(lines)

    assert found["OBX[2]-14"] == "not-mapped-by-choice"
    assert found["OBX[2]-6"] == "no-fhir-home"
    assert "OBX[2]-8" not in found


def test_what_several_resources_leave_out_is_listed_once():
    order = obr(f7="202401020304", f22="202401020304")
    found = mapped(oru(obx(), SPM, order=order, zone="")).losses

    assert len(found) == len(set(found))
    assert "OBR-7" in {each.path for each in found}


def test_a_device_nobody_can_name_is_listed():
    assert losses(oru(obx(f18="^^MNI")))["OBX-18"] == "no-fhir-home"


@pytest.mark.parametrize(
    ("timing", "is_lost"), [("^^^^^ROUTINE", True), ("^^^^^S", False), ("1", False)]
)
def test_an_old_timing_of_which_nothing_came_is_listed(timing, is_lost):
    found = losses(oru(obx(), order=obr(f27=timing)))

    assert ("OBR-27" in found) is is_lost
