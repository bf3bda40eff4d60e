"""DFT and BAR: charges, accounts and who pays (D14)."""

import pytest

from tests.builders import er7
from tests.fhir_messages import codes, losses, mapped, msh, pid, pv1, resource
from tests.fhir_messages import segment as line

ACCOUNT = "A1^^^HOSP^AN"
FT1 = {
    "f1": "1",
    "f2": "T1",
    "f4": "20240102",
    "f6": "CG",
    "f7": "71045^X-ray^C4",
    "f10": "2",
    "f11": "100.50&USD",
    "f19": "R07.9^Chest pain^I10",
    "f20": "7^Doc^Dora",
}


def dft(*more, **fields):
    segments = (pid(f18=ACCOUNT), pv1(), line("FT1", **{**FT1, **fields}))
    return er7(msh("DFT^P03^DFT_P03"), *segments, *more)


def charge(*more, **fields):
    return resource(dft(*more, **fields), "ChargeItem")


def test_d14_a_charge_says_what_for_when_how_many_and_how_much():
    found = charge(f13="RAD^Radiology^L", f24="9^Clerk^Clea", f29="0182^Drug^NDC")

    assert (found["status"], found["occurrenceDateTime"]) == ("billable", "2024-01-02")
    assert codes(found["code"])[0] == ("http://www.ama-assn.org/go/cpt", "71045")
    assert found["quantity"]["value"] == 2
    assert found["priceOverride"] == {"value": 100.5, "currency": "USD"}
    assert {"performer", "performingOrganization", "enterer", "context", "account",
            "productCodeableConcept", "reason"} <= found.keys()  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "status"),
    [("CG", "billable"), ("CD", "aborted"), ("CO", "not-billable"), ("", "unknown")],
)
def test_d14_the_kind_of_transaction_is_the_status(kind, status):
    assert charge(f6=kind)["status"] == status


@pytest.mark.parametrize("kind", ["PY", "AJ"])
def test_d14_a_payment_is_no_charge(kind):
    data = dft(f6=kind)

    assert not mapped(data).all("ChargeItem")
    assert losses(data)["FT1-11"] == "no-fhir-home"


@pytest.mark.parametrize(
    ("fields", "price"),
    [
        ({"f11": "150.00^USD"}, {"value": 150, "currency": "USD"}),
        ({"f11": "", "f12": "75"}, {"value": 75}),
        ({"f11": "free", "f12": "75"}, {"value": 75}),
    ],
)
def test_the_price_is_the_extended_amount_else_the_unit_price(fields, price):
    assert charge(**fields)["priceOverride"] == price


def test_what_is_not_used_of_the_amounts_is_listed():
    found = losses(dft(f10="some", f11="free", f12="75"))

    assert found["FT1-10"] == found["FT1-11"] == "no-fhir-home"
    assert losses(dft(f12="50"))["FT1-12"] == "no-fhir-home"


@pytest.mark.parametrize(
    ("fields", "name"),
    [({"f4": "20240102^20240105"}, "occurrencePeriod"),
     ({"f4": "^20240105"}, "occurrencePeriod")],
)  # fmt: skip
def test_a_charge_may_take_days(fields, name):
    assert charge(**fields)[name]["end"] == "2024-01-05"


def test_an_unreadable_day_is_listed():
    assert losses(dft(f4="soon"))["FT1-4"] == "unreadable"


def test_the_procedure_stands_in_for_the_charge_code():
    assert codes(charge(f7="", f25="99213^Visit^C4")["code"])[0][1] == "99213"
    both = charge(f25="99213^Visit^C4", f8="Chest film")["code"]
    assert [code for _, code in codes(both)] == ["71045", "99213"]
    assert both["text"] == "Chest film"
    assert codes(charge(f7="")["code"])[0][1] == "unknown"


def test_t29_two_charges_with_one_number_stay_two():
    found = mapped(dft(line("FT1", **FT1))).all("ChargeItem")

    assert len({entry.full_url for entry in found}) == 2


def test_a_charge_without_a_patient_still_stands():
    data = er7(msh("DFT^P11^DFT_P11"), line("FT1", **FT1))

    assert resource(data, "ChargeItem")["subject"] == {"display": "unknown"}


def bar(event, *more):
    return er7(msh(f"BAR^{event}"), pid(f18=ACCOUNT), pv1(), *more)


@pytest.mark.parametrize(
    ("event", "status"),
    [("P01", "active"), ("P05", "active"), ("P12", "active"), ("P02", "inactive"),
     ("P06", "inactive")],
)  # fmt: skip
def test_what_the_event_means_for_the_account(event, status):
    assert resource(bar(event), "Account")["status"] == status


def test_an_account_names_its_insurances():
    in1 = "IN1|1|PPO^Plan|INS1^^^HOSP|Good Co" + "|" * 18 + "1"
    found = mapped(bar("P01", in1))

    [account], [coverage] = found.all("Account"), found.all("Coverage")
    assert account.resource["coverage"] == [
        {"coverage": coverage.reference, "priority": 1}
    ]


def test_diagnoses_and_procedures_of_an_account_are_mapped():
    data = bar("P12", "DG1|1||R07.9^Pain^I10", "PR1|1||71045^X-ray^C4||20240102")

    assert mapped(data).all("Condition")
    assert mapped(data).all("Procedure")
