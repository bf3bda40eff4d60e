"""Validity: which of the values sent are of use."""

from engine.hl7 import parse
from engine.identity.validity import usable
from tests.builders import adt_patient


def of(**given):
    return usable(parse(adt_patient(**given)).all("PID")[0])


def test_a_value_is_valid_when_something_of_it_can_be_compared():
    found = of(ssn="000-00-0000", birth="19010101", sex="X", phone="5415550123",
               address="12 Elm St^^Salem^OR^97301")  # fmt: skip

    assert found == {
        "family": True,
        "given": True,
        "birth": False,
        "sex": False,
        "ssn": False,
        "street": True,
        "zip5": True,
        "phone": True,
    }


def test_what_was_not_sent_or_is_deleted_is_neither_valid_nor_invalid():
    assert set(of(birth='""', ssn="", sex="")) == {"family", "given"}


def test_the_last_four_digits_of_an_ssn_are_of_use():
    assert of(ssn="6780")["ssn"]
