"""OMP, RDE, RDS and RAS: medicines ordered, dispensed and given (D13, T20)."""

import pytest

from tests.builders import er7
from tests.fhir_messages import codes, losses, mapped, msh, obx, pid, pv1, resource
from tests.fhir_messages import segment as line

ORC = line("ORC", f1="NW", f2="P1^EHR", f3="F1^RX", f9="20240102", f12="8^Doc^Dora")
DRUG = "197806^Ibuprofen 600 MG^RXNORM"


def rx(kind, *segments, orc=ORC):
    return er7(msh(kind), pid(), pv1(), orc, *segments)


def rxo(**fields):
    return line("RXO", **{"f1": DRUG, "f2": "1", "f3": "2", "f4": "tab", **fields})


def rxe(**fields):
    return line("RXE", **{"f2": DRUG, "f3": "1", "f5": "tab", **fields})


def ordered(segment, *below, kind="OMP^O09^OMP_O09", **more):
    return resource(rx(kind, segment, *below, **more), "MedicationRequest")


@pytest.mark.parametrize(
    ("kind", "segment", "intent"),
    [
        ("ORM^O01^ORM_O01", rxo(), "original-order"),
        ("OMP^O09^OMP_O09", rxo(), "original-order"),
        ("RDE^O11^RDE_O11", rxe(), "order"),
        ("RDE^O25^RDE_O11", rxe(), "order"),
        ("RDE^O01", rxe(), "order"),
    ],
)
def test_d13_an_order_for_a_medicine_is_a_medication_request(kind, segment, intent):
    found = ordered(segment, kind=kind)

    assert found["intent"] == intent
    assert codes(found["medicationCodeableConcept"])[0][1] == "197806"
    assert found["authoredOn"] == "2024-01-02"


def test_t06_a_dose_keeps_its_digits():
    found = mapped(rx("OMP^O09", rxo(f2="0.50"))).all("MedicationRequest")[0]

    [dose] = found.resource["dosageInstruction"][0]["doseAndRate"]
    assert str(dose["doseRange"]["low"]["value"]) == "0.50"


def test_form_strength_and_components_make_a_medication():
    mix = line("RXC", f1="A", f2="1^Saline^L", f3="100", f4="mL^mL^UCUM")
    found = ordered(rxo(f5="TAB^Tablet^L", f18="600", f19="mg^mg^UCUM"), mix)

    [medicine] = found["contained"]
    assert found["medicationReference"] == {"reference": "#medication"}
    assert medicine["form"]["text"] == "Tablet"
    strengths = [one["strength"]["numerator"]["value"] for one in
                 medicine["ingredient"]]  # fmt: skip
    assert strengths == [600, 100]


def test_a_strength_is_per_volume():
    found = ordered(rxo(f18="40", f19="mg", f25="200", f26="mL"))

    [item] = found["contained"][0]["ingredient"]
    assert item["strength"]["denominator"]["value"] == 200


def test_a_dosage_says_how_much_how_and_when():
    found = ordered(
        rxo(f7="^With food", f21="5", f22="mg/h", f23="4^g"),
        "TQ1|1|1^tab|BID|||3^d|||A|if in pain|slowly",
        "TQ1|2|2^tab|QHS",
        "RXR|PO^Oral^HL70162|^Mouth||CH^Chew^HL70165|IVP^Push^HL70621",
    )

    first, second = found["dosageInstruction"]
    assert first["text"] == "With food\nslowly"
    assert [one["text"] for one in first["additionalInstruction"]] == [
        "if in pain", "Push",
    ]  # fmt: skip
    assert first["maxDosePerPeriod"]["numerator"]["value"] == 4
    assert first["doseAndRate"][0]["rateQuantity"]["value"] == 5
    assert first["doseAndRate"][1]["doseQuantity"]["value"] == 1
    assert codes(first["method"])[0] == ("http://snomed.info/sct", "419747000")
    assert codes(first["route"])[0][1] == "PO"
    assert second["timing"]["code"]["text"] == "QHS"
    assert found["priority"] == "asap"


def test_the_timing_of_older_versions():
    found = ordered(rxe(f1="1^BID^D4^20240101^^R^^with water"), kind="RDE^O11")

    [dosage] = found["dosageInstruction"]
    assert dosage["timing"]["code"]["text"] == "BID"
    assert dosage["text"] == "with water"
    assert found["priority"] == "routine"


def test_what_is_to_be_dispensed_where_and_how_often_again():
    found = ordered(
        rxe(f9="G", f10="30", f11="tab", f12="2", f15="RX7", f21="^Label well",
            f27="^Pain", f40="PH1^Corner Pharmacy^L"),
        kind="RDE^O11",
    )  # fmt: skip

    wanted = found["dispenseRequest"]
    assert (wanted["quantity"]["value"], wanted["numberOfRepeatsAllowed"]) == (30, 2)
    assert "performer" in wanted
    assert codes(found["substitution"]["allowedCodeableConcept"])[0][1] == "G"
    assert [one["value"] for one in found["identifier"]] == ["P1", "F1", "RX7"]
    assert found["reasonCode"][0]["text"] == "Pain"


@pytest.mark.parametrize(
    ("control", "state", "status"),
    [("CA", "CA", "cancelled"), ("DC", "", "stopped"), ("HD", "HD", "on-hold"),
     ("NW", "", "active")],
)  # fmt: skip
def test_what_became_of_the_order(control, state, status):
    orc = line("ORC", f1=control, f2="P1", f5=state)

    assert ordered(rxo(), orc=orc)["status"] == status


def test_d13_what_the_pharmacy_understood_wins_and_differences_are_listed():
    data = rx("RDE^O11", rxo(f2="1", f4="tab", f13="9"), rxe(f12="2"))

    assert len(mapped(data).all("MedicationRequest")) == 1
    assert resource(data, "MedicationRequest")["intent"] == "order"
    found = losses(data)
    assert found["RXO-13"] == "duplicate"
    assert "RXO-1" not in found


def test_unreadable_numbers_are_listed():
    found = losses(rx("OMP^O09", rxo(f2="one", f13="some")))

    assert found["RXO-2"] == "unreadable"
    assert found["RXO-13"] == "no-fhir-home"


def test_notes_reasons_and_observations_belong_to_the_order():
    weight = obx("NM", "70", f3="29463-7^Weight^LN")
    data = rx("OMP^O09", rxo(f6="^Crush it", f20="^Pain"), "NTE|1||Careful",
              "DG1|1||R52^Pain^I10", weight)  # fmt: skip

    found = resource(data, "MedicationRequest")

    assert [one["text"] for one in found["note"]] == ["Careful", "Crush it"]
    assert len(found["reasonReference"]) == len(found["supportingInformation"]) == 1


def dispensed(*before, orc=ORC, **fields):
    rxd = line("RXD", **{"f1": "1", "f2": DRUG, "f3": "20240103", "f4": "30",
                         "f5": "tab", "f7": "RX7", **fields})  # fmt: skip
    return rx("RDS^O13^RDS_O13", *before, rxd, "RXR|PO^Oral^HL70162", orc=orc)


def test_d13_a_dispense_says_what_was_handed_over_when_and_by_whom():
    found = resource(
        dispensed(f9="Keep cold", f10="5^Pharm^Phil", f11="G", f13="W^1",
                  f15="^Shake", f18="LOT", f19="20250101"),
        "MedicationDispense",
    )  # fmt: skip

    assert (found["status"], found["whenHandedOver"]) == ("completed", "2024-01-03")
    assert found["quantity"]["value"] == 30
    assert found["contained"][0]["batch"]["lotNumber"] == "LOT"
    assert found["substitution"]["wasSubstituted"] is True
    assert found["note"] == [{"text": "Keep cold"}]
    assert {"performer", "destination", "dosageInstruction"} <= found.keys()


def test_a_dispense_names_its_prescription():
    found = mapped(dispensed(rxe()))
    [made], [wanted] = found.all("MedicationDispense"), found.all("MedicationRequest")

    assert made.resource["authorizingPrescription"] == [wanted.reference]
    [alone] = resource(dispensed(), "MedicationDispense")["authorizingPrescription"]
    assert alone["identifier"]["value"] == "P1"


@pytest.mark.parametrize(
    ("control", "status"), [("CA", "cancelled"), ("HD", "on-hold"), ("RE", "completed")]
)
def test_a_dispense_may_be_called_off(control, status):
    data = dispensed(orc=line("ORC", f1=control, f2="P1"))

    assert resource(data, "MedicationDispense")["status"] == status


def test_t29_each_dispense_of_a_prescription_stands_alone():
    first, again = (
        mapped(dispensed(f1=number)).all("MedicationDispense")[0].full_url
        for number in "12"
    )

    assert first != again


def given(*below, before=(), **fields):
    rxa = line("RXA", **{"f1": "0", "f2": "1", "f3": "20240103", "f5": DRUG, "f6": "1",
                         "f7": "tab", **fields})  # fmt: skip
    return rx("RAS^O17^RAS_O17", *before, rxa, *below)


def administration(*arguments, **more):
    return resource(given(*arguments, **more), "MedicationAdministration")


@pytest.mark.parametrize(
    ("done", "action", "status"),
    [
        ("CP", "A", "completed"),
        ("PA", "", "completed"),
        ("RE", "", "not-done"),
        ("NA", "", "not-done"),
        ("", "", "completed"),
        ("CP", "D", "entered-in-error"),
    ],
)
def test_t20_what_became_of_a_dose(done, action, status):
    assert administration(f20=done, f21=action)["status"] == status


def test_a_dose_says_how_much_was_given_how_and_by_whom():
    found = administration(
        "RXR|PO^Oral^HL70162||||IVP^Push^HL70621", obx("ST", "well"),
        f4="20240104", f9="^Slept after", f10="7^Nurse^Nora", f18="^None", f19="^Pain",
    )  # fmt: skip

    assert found["effectivePeriod"] == {"start": "2024-01-03", "end": "2024-01-04"}
    assert found["dosage"]["dose"]["value"] == 1
    assert [codes(one["function"])[0][1] for one in found["performer"]] == ["AP", "OP"]
    assert found["note"] == [{"text": "Slept after"}]
    assert found["request"]["identifier"]["value"] == "P1"


def test_a_dose_names_its_order():
    found = mapped(given(before=(rxo(),)))
    [made], [wanted] = (
        found.all("MedicationAdministration"), found.all("MedicationRequest")
    )  # fmt: skip

    assert made.resource["request"] == wanted.reference


def test_a_dose_without_a_time_says_that_it_is_unknown():
    found = administration(f3="", f20="ZZ")

    assert "extension" in found["_effectiveDateTime"]
    assert losses(given(f20="ZZ"))["RXA-20"] == "vocabulary-miss"


def test_a_medicine_without_an_order_still_stands():
    data = er7(msh("RAS^O17"), line("RXA", f3="20240103", f5=DRUG))

    found = resource(data, "MedicationAdministration")

    assert found["subject"] == {"display": "unknown"}
    assert "request" not in found
