"""Python rows of ``map``: what a site's function may do to the resources."""

import copy

import pytest

from engine.errors import TransformError
from engine.hl7 import parse
from engine.transforms.fhir import MapContext, map_message, transaction
from engine.transforms.fhir.bundle import stamp_person
from engine.transforms.fhir.checks import check
from engine.transforms.fhir.digits import Digits
from engine.transforms.fhir_rows import python_row, run_rows
from engine.transforms.map_steps import offered
from engine.transforms.scope import EditContext, PythonCall
from tests.channel_files import NOON
from tests.fhir_messages import obx, oru

LINE = "channels/adt.yaml:9"
MESSAGE = oru(obx(value="7.50", f6="mg/dL"), obx(value="8.0", f4="2"))


def after(step, message=MESSAGE):
    """Return the mapping of a message after a step, as if a process had run it."""
    received = parse(message)
    made = map_message(received, MapContext(site="north"))
    context = EditContext(received, NOON, {}, {})

    def run(call, around, resources):
        changed = copy.deepcopy(resources)
        return step(changed) or changed

    context.run_map = run
    run_rows([python_row(LINE, PythonCall("notes", "step"))], made, context)
    return made


def of(resources, kind):
    return next(each for each in resources if each["resourceType"] == kind)


def test_a_step_sees_plain_json_with_an_id_that_others_refer_to():
    made = map_message(parse(MESSAGE), MapContext(site="north"))

    resources = offered(made)

    patient, observation = of(resources, "Patient"), of(resources, "Observation")
    assert observation["valueQuantity"]["value"] == 7.5
    assert observation["subject"]["reference"] == f"urn:uuid:{patient['id']}"


def test_what_a_step_leaves_alone_stays_the_same_object():
    before = map_message(parse(MESSAGE), MapContext(site="north"))

    made = after(lambda resources: None)

    assert [each.resource for each in made.entries] == [
        each.resource for each in before.entries
    ]
    assert not any(each.owned for each in made.entries)


def test_a_changed_resource_keeps_its_digits_and_its_references():
    def step(resources):
        for each in resources:
            if each["resourceType"] == "Observation":
                each["note"] = [{"text": "by the site"}]
                each["valueQuantity"]["unit"] = "g/L"

    made = after(step)
    stamp_person(made, "urn:id:x:person", "P1")

    first = min(made.all("Observation"), key=lambda each: each.segment)
    value = first.resource["valueQuantity"]
    assert isinstance(value, dict)
    assert (value["value"], type(value["value"]), value["unit"]) == (
        "7.50", Digits, "g/L",
    )  # fmt: skip
    assert first.resource["subject"] is made.all("Patient")[0].reference
    assert check(transaction(made.entries)) == []


def test_numbers_a_step_makes_are_written_as_it_wrote_them():
    def step(resources):
        of(resources, "Observation")["valueQuantity"]["value"] = 9.25
        of(resources, "Patient")["multipleBirthInteger"] = 2

    made = after(step)

    values = [each.resource["valueQuantity"] for each in made.all("Observation")]
    assert Digits("9.25") in [each["value"] for each in values]
    assert made.all("Patient")[0].resource["multipleBirthInteger"] == 2


def test_a_step_may_drop_and_add_resources():
    def step(resources):
        kept = [each for each in resources if each["resourceType"] != "Observation"]
        patient = of(resources, "Patient")["id"]
        flag = {
            "resourceType": "Flag",
            "status": "active",
            "code": {"text": "x"},
            "subject": {"reference": f"urn:uuid:{patient}"},
            "identifier": [{"system": "urn:id:x:flags", "value": "1"}],
        }
        basic = {"resourceType": "Basic", "code": {"text": "y"}}
        for each in kept:
            each.pop("result", None)
        return [*kept, flag, basic]

    made, again = after(step), after(step)

    assert made.all("Observation") == []
    (flag,) = made.all("Flag")
    assert flag.resource["subject"] is made.all("Patient")[0].reference
    assert [each.full_url for each in made.entries] == [
        each.full_url for each in again.entries
    ]
    assert "id" not in flag.resource
    assert len(made.all("Basic")[0].resource["identifier"]) == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda patient: patient.update(gender="F"), "a code FHIR does not have"),
        (lambda patient: patient.update(species="x"), "R4 has no such element"),
        (lambda patient: patient.update(resourceType="Person"), "made a Patient"),
    ],
)
def test_what_is_not_r4_is_refused_by_the_row_that_made_it(change, sentence):
    with pytest.raises(TransformError, match=rf"adt.yaml:9.*{sentence}") as caught:
        after(lambda resources: change(of(resources, "Patient")))

    assert caught.value.code == "step-not-r4"


def test_without_a_process_for_steps_the_row_says_so():
    message = parse(MESSAGE)
    row = python_row(LINE, PythonCall("notes", "step"))

    with pytest.raises(TransformError, match="cannot run here"):
        run_rows(
            [row],
            map_message(message, MapContext()),
            EditContext(message, NOON, {}, {}),
        )
