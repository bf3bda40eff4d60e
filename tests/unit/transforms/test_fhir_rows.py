"""Rows of ``map``: what they change in the resources of a message."""

from decimal import Decimal
from pathlib import Path

import pytest

from engine.errors import TransformError
from engine.hl7 import parse
from engine.transforms.expressions import compile_expression
from engine.transforms.fhir import MapContext, map_message
from engine.transforms.fhir.bundle import references_in
from engine.transforms.fhir.paths import FhirPath, parse_fhir_path
from engine.transforms.fhir_rows import (
    add_row,
    append_row,
    choose_row,
    for_each_row,
    misfit,
    remove_row,
    run_rows,
    set_row,
)
from engine.transforms.scope import EditContext, Loop, Scope, Type
from tests.builders import adt_a01
from tests.channel_files import NOON

LINE = "channels/adt.yaml:9"
SAMPLES = Path(__file__).parents[3] / "samples"
MESSAGE = adt_a01("ZAL|1|Y|7.50", "ZAL|2|N|x", "AL1|1||^Peanut", "AL1|2||^Latex")


def folder(sample):
    return sample.parent.name


def path(text):
    found = parse_fhir_path(text)
    assert isinstance(found, FhirPath), found
    return found


def expression(text, *loops):
    scope = Scope(place="map", loops=tuple(map(Loop, loops)))
    found, faults = compile_expression(text, scope)
    assert found is not None, faults
    return found


def mapped(*rows, message=None):
    message = message or parse(MESSAGE)
    found = map_message(message, MapContext())
    run_rows(rows, found, EditContext(message, NOON, {}, {}))
    return found


def patient(*rows):
    return mapped(*rows).all("Patient")[0].resource


def test_a_row_writes_what_its_expression_gives():
    row = set_row(LINE, path("Patient.maritalStatus.text"), expression("PID-5.1"))

    assert patient(row)["maritalStatus"] == {"text": "Doe"}


def test_a_row_writes_a_plain_value():
    row = set_row(LINE, path("Patient.active"), "true")

    assert patient(row)["active"] is True


def test_a_missing_value_writes_nothing():
    row = set_row(LINE, path("Patient.maritalStatus.text"), expression("PID-16"))

    assert "maritalStatus" not in patient(row)


def test_a_comparison_becomes_a_boolean():
    row = set_row(LINE, path("Patient.active"), expression('ZAL-2 == "Y"'))

    assert patient(row)["active"] is True


def test_numbers_keep_their_digits_and_whole_ones_are_whole():
    rate = path('Patient.extension["u"].valueDecimal')
    order = path("Patient.multipleBirthInteger")

    found = patient(set_row(LINE, rate, expression("ZAL-3")), set_row(LINE, order, "2"))

    assert str(found["extension"][-1]["valueDecimal"]) == "7.50"
    assert found["multipleBirthInteger"] == 2


def test_text_where_a_number_belongs_stops_the_message():
    row = set_row(LINE, path("Patient.multipleBirthInteger"), "many")

    with pytest.raises(TransformError, match="needs a number") as caught:
        patient(row)

    assert caught.value.code == "row-not-a-number"


def test_times_are_written_as_precisely_as_they_are_known():
    row = set_row(LINE, path("Patient.birthDate"), expression('date("198002")'))

    assert patient(row)["birthDate"] == "1980-02"


def test_appending_adds_to_what_the_map_wrote():
    row = append_row(LINE, path("Patient.name[0].given"), "Maria")

    assert patient(row)["name"][0]["given"] == ["Ann", "Maria"]


def test_removing_takes_an_element_or_every_resource_of_a_type():
    assert "gender" not in patient(remove_row(LINE, path("Patient.gender")))
    assert (
        mapped(remove_row(LINE, path("AllergyIntolerance"))).all("AllergyIntolerance")
        == []
    )


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*/message.hl7")), ids=folder)
def test_with_every_resource_of_a_type_goes_what_refers_to_it(sample):
    message = parse(sample.read_bytes())
    whole = map_message(message, MapContext())
    for kind in {each.kind for each in whole.entries}:
        gone = {each.full_url for each in whole.all(kind)}

        left = mapped(remove_row(LINE, path(kind)), message=message)

        assert targets(left.entries).isdisjoint(gone)
        assert len(left.entries) == len(whole.entries) - len(whole.all(kind))


def targets(entries):
    found = (references_in(each.resource) for each in entries)
    return {each["reference"] for some in found for each in some}


def test_what_else_an_element_says_stays_when_a_reference_goes():
    message = parse(adt_a01("DG1|1||I10^Hypertension^I10|||A"))
    [before] = mapped(message=message).all("Condition")
    assert "encounter" in before.resource

    [after] = mapped(remove_row(LINE, path("Encounter")), message=message).all(
        "Condition"
    )

    assert after.resource == {
        k: v for k, v in before.resource.items() if k != "encounter"
    }


def test_in_a_loop_the_type_means_the_resource_of_the_segment():
    target = path("AllergyIntolerance.note[+].text")
    inner = set_row(LINE, target, expression("concat(AL1-3.2, index)", "AL1"))

    found = mapped(for_each_row(LINE, "AL1", [inner])).all("AllergyIntolerance")

    notes = [entry.resource["note"][0]["text"] for entry in found]
    assert notes == ["Peanut1", "Latex2"]


def test_an_added_resource_has_an_identity_of_its_own_and_a_name():
    fields = [
        (path("Flag.status"), "active"),
        (path("Flag.code.text"), expression("ZAL-1", "ZAL")),
        (path("Flag.subject"), expression('reference("Patient")', "ZAL")),
    ]
    added = add_row(LINE, "Flag", fields, "site", "alarm")

    first, second = mapped(for_each_row(LINE, "ZAL", [added])).all("Flag")

    assert first.full_url != second.full_url
    assert (first.resource["code"], second.resource["code"]) == (
        {"text": "1"},
        {"text": "2"},
    )
    assert first.resource["subject"]["reference"].startswith("urn:uuid:")


@pytest.mark.parametrize("name", ["", "alarm"])
def test_an_added_resource_stays_the_same_when_its_row_moves_in_the_file(name):
    fields = [(path("Flag.status"), "active")]
    before = add_row("channels/adt.yaml:9", "Flag", fields, "site", name)
    after = add_row("channels/adt.yaml:30", "Flag", fields, "site", name)

    one, two = (
        mapped(for_each_row(LINE, "ZAL", [r])).all("Flag") for r in (before, after)
    )

    assert [each.full_url for each in one] == [each.full_url for each in two]


def test_the_first_true_branch_runs_and_no_other():
    def note(text):
        return [set_row(LINE, path("Patient.maritalStatus.text"), text)]

    row = choose_row(
        LINE,
        [
            (expression('ZAL-2 == "N"'), note("first")),
            (expression('ZAL-2 == "Y"'), note("second")),
            (None, note("third")),
        ],
    )

    assert patient(row)["maritalStatus"] == {"text": "second"}


@pytest.mark.parametrize(
    ("text", "given", "words"),
    [
        ("Patient.active", Type.TEXT, "needs true or false"),
        ("Encounter.subject", Type.TEXT, "needs reference"),
        ("Patient.multipleBirthInteger", Type.BOOLEAN, "needs a number"),
        ("Patient.maritalStatus", Type.TEXT, "write one of its elements"),
        ("Patient.gender", Type.TEXT, ""),
    ],
)
def test_an_expression_that_cannot_fit_is_told_when_it_is_loaded(text, given, words):
    assert words in misfit(path(text), given)
    assert bool(misfit(path(text), given)) is bool(words)


def test_a_decimal_from_an_expression_is_text_where_text_belongs():
    row = set_row(LINE, path("Patient.maritalStatus.text"), expression("number(ZAL-3)"))

    assert Decimal(patient(row)["maritalStatus"]["text"]) == Decimal("7.50")


def test_a_row_never_writes_a_code_that_fhir_does_not_have():
    row = set_row(LINE, path("Patient.gender"), expression("PID-8"))

    with pytest.raises(TransformError, match=r"adt.yaml:9.*female, male") as caught:
        mapped(row)

    assert caught.value.code == "row-not-in-binding"
