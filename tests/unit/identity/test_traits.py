"""Traits: what is read from PID, cleaned; what counts as missing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.hl7 import parse
from engine.identity.cleaning import (
    clean_birth,
    clean_email,
    clean_phone,
    clean_ssn,
    plain,
)
from engine.identity.traits import Kind, Traits, traits_of, unpacked, updated
from tests.builders import adt_patient


def read(**given):
    return traits_of(parse(adt_patient(**given)).all("PID")[0], "20300101120000")


def test_every_trait_of_pid_is_read_and_cleaned():
    found = read(
        family="O'Hara-Quist Jr.",
        given="Zoë",
        middle="M.",
        ssn="123-45-6780",
        address="12 North Maple Street Apt 4^^Springfield^OR^97477-1234",
        phone="(541)555-0123^PRN^PH~^NET^Internet^Zoe@Example.org",
    )

    assert (found.family, found.suffix) == ("ohara quist", "jr")
    assert (found.given, found.middle) == ("zoe", "m")
    assert (found.ssn, found.last_four) == ("123456780", "6780")
    assert (found.number, found.street, found.zip5) == ("12", "n maple st", "97477")
    assert (found.phone, found.email) == ("5415550123", "zoe@example.org")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Müller", "muller"),
        ("Weiß", "weiss"),
        ("Søren Łukasz", "soren lukasz"),
        ("Æbelø", "aebelo"),
        ("St. John-Smythe", "st john smythe"),
    ],
)
def test_names_lose_accents_and_punctuation(text, cleaned):
    assert plain(text) == cleaned


@pytest.mark.parametrize("text", ["19000101", "20300231", "1980", "", "ABCDEFGH"])
def test_a_birth_date_that_is_none_is_missing(text):
    assert clean_birth(text) == ""


@pytest.mark.parametrize("text", ["943 476 5919", "138.7001", "100200300400"])
def test_a_national_number_of_another_length_is_kept(text):
    digits = "".join(filter(str.isdigit, text))

    assert clean_ssn(text) == (digits, digits[-4:])


@pytest.mark.parametrize("text", ["123456", "1234567890123", "7777777"])
def test_a_number_too_short_too_long_or_of_one_digit_is_missing(text):
    assert clean_ssn(text) == ("", "")


@pytest.mark.parametrize(
    "text", ["000121234", "666121234", "111111111", "078-05-1120", "12345"]
)
def test_a_placeholder_ssn_is_missing(text):
    assert clean_ssn(text) == ("", "")


@pytest.mark.parametrize("text", ["9999999999", "123", "5555555556"[:6]])
def test_a_placeholder_phone_is_missing(text):
    assert clean_phone(text) == ""


@pytest.mark.parametrize(
    "text", ["none@none.com", "No-Email@clinic.example", "ann@noemail.org", "declined"]
)
def test_a_placeholder_email_is_missing(text):
    assert clean_email(text) == ""


@pytest.mark.parametrize(
    "given", ["BABY BOY", "BabyGirl A", "BB", "Judysgirl", "Boy A Maria", "NEWBORN"]
)
def test_M13_a_newborn_placeholder_is_a_missing_given_name(given):
    found = read(given=given, birth="20291220")

    assert (found.kind, found.given) == (Kind.UNNAMED, "")


@pytest.mark.parametrize(
    ("family", "given"), [("Doe", "Jane"), ("UNKNOWN", "TRAUMA"), ("Alpha", "Unknown")]
)
def test_M14_a_nobody_is_unidentified(family, given):
    found = read(family=family, given=given, birth="19000101")

    assert found.kind == Kind.UNIDENTIFIED
    assert found.isolated


@pytest.mark.parametrize(
    ("family", "given"),
    [
        ("Doe", "John"),
        ("Boy", "Anna"),
        ("Test", "Paula"),
        ("Null", "Greta"),
        ("Infante", "Luis"),
    ],
)
def test_M15_real_people_with_such_names_are_ordinary(family, given):
    found = read(
        family=family, given=given, ssn="123456780", address="1 Elm St^^Salem^OR^97301"
    )

    assert (found.kind, found.given) == (Kind.ORDINARY, given.lower())


def test_a_test_patient_is_set_apart_by_the_sites_list():
    assert read(family="ZZTest", given="Paula").kind == Kind.TEST


def test_a_missing_value_wipes_nothing():
    known = Traits(given="rosalind", family="abernethy", phone="5415550123")

    assert updated(known, Traits(family="abernethy", birth="19800229")) == (
        known._replace(birth="19800229")
    )


def test_a_new_address_replaces_the_old_one_as_a_whole():
    known = Traits(number="1", street="elm st", city="salem", zip5="97301")
    news = Traits(street="oak ave", city="bend")

    assert updated(known, news) == Traits(street="oak ave", city="bend")


def test_packed_traits_are_read_again():
    found = read(ssn="123456780", phone="5415550123")

    assert unpacked(found.packed()) == found


@pytest.mark.parametrize(
    ("birth", "minute"),
    [
        ("202912300412", "0412"),
        ("20291230041259", "0412"),
        ("20291230", ""),
        ("202912300000", ""),
        ("202912301200", ""),
        ("202912302560", ""),
        ("202912300460", ""),
        ("190001010412", ""),
    ],
)
def test_the_minute_of_birth_is_kept_where_somebody_looked_at_the_clock(birth, minute):
    assert read(birth=birth).minute == minute


@pytest.mark.parametrize(
    ("said", "kept"), [("Y", "Y"), ("n", "N"), ("U", ""), ("", "")]
)
def test_born_alone_is_told_from_nothing_being_said(said, kept):
    assert read(multiple=said).multiple == kept


def test_another_date_of_birth_ends_what_was_known_of_the_minute():
    known = Traits(birth="20291230", minute="0412")

    assert updated(known, Traits(birth="20291231")).minute == ""
    assert updated(known, Traits(birth="20291230")).minute == "0412"


def test_packed_traits_without_a_minute_are_read_by_the_release_before():
    found = Traits(given="ann", minute="0412")

    assert unpacked(found.packed()) == found
    assert len(found._replace(minute="").packed().split("\x1f")) == 20


@pytest.mark.parametrize(
    ("written", "respelled"),
    [
        ("Щербаков", "shcherbakov"),
        ("Παπάς", "papas"),
        ("李小龙", "lixiaolong"),
        ("Œuvrard", "oeuvrard"),
        ("Jose\u0301", "jose"),
        ("Strauß-Łucka", "strauss lucka"),
        ("O\u2019Brien", "obrien"),
    ],
)
def test_names_of_every_script_are_respelled_in_latin_letters(written, respelled):
    assert plain(written) == respelled


@given(st.text())
def test_a_cleaned_name_has_latin_letters_digits_and_single_blanks(text):
    cleaned = plain(text)

    assert cleaned.isascii()
    assert cleaned == cleaned.lower()
    assert all(word.isalnum() for word in cleaned.split(" ") if cleaned)
    assert plain(cleaned) == cleaned
