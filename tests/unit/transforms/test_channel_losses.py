"""What steps and rows of a channel take out of a message is in the loss report."""

from collections import OrderedDict
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import TransformError
from engine.hl7 import parse
from engine.transforms import overruled
from engine.transforms.carrying import field_of
from engine.transforms.edits import run_steps
from engine.transforms.erased import list_erased, received
from engine.transforms.fhir import MapContext, map_message
from engine.transforms.fhir.mapped import MapOptions
from engine.transforms.fhir.sources import (
    Part,
    another,
    field_path,
    leaves_of,
    parts_of,
)
from engine.transforms.fhir_rows import remove_row, run_rows, set_row
from tests.builders import er7
from tests.channel_files import context, steps
from tests.unit.transforms.test_carrying import LINE, carrying, path

KNOWN = MapContext()
PERSON = (
    "PID|1||7^^^H^MR~8^^^H^PI||Doe^Ann^B^Jr||19800229|F|||Elm St^^Town||"
    "555-1^PRN~555-2^WPN"
)
MESSAGE = er7(
    "MSH|^~\\&|LAB|HOSP|||20300101120000||ADT^A01^ADT_A01|M1|P|2.5.1",
    "EVN|A01|20300101120000",
    PERSON,
    "PV1|1|I|WARD^101^1^HOSP|||||||SUR||||||||||V1",
    "NTE|1||one",
    "NTE|2||two",
    "ZPV|1|Y|A^B",
)


def processed(data, text="[]", rows=(), known=KNOWN):
    """Return a message and its resources after steps, map and rows."""
    passing = context(data, traced=False)
    before = received(passing.message)
    run_steps(steps(text), passing)
    found = map_message(passing.message, known)
    make = lambda twin: map_message(twin, known)  # noqa: E731 - a test's map
    run_rows(rows, found, passing, make)
    list_erased(before, passing, found)
    return found


def by_rule(text="[]", *rows, data=MESSAGE, known=KNOWN):
    """Return the paths that are lost by a rule of the channel."""
    found = processed(data, text, rows, known)
    return [loss.path for loss in found.losses if loss.reason == "channel-rule"]


def removal(text):
    return remove_row(LINE, path(text))


def test_what_a_row_removes_is_lost_by_the_field_it_came_from():
    assert by_rule() == []
    assert by_rule("[]", removal("Patient.birthDate")) == ["PID-7"]
    assert by_rule("[]", removal("Patient.name")) == ["PID-5"]
    assert by_rule("[]", removal("Patient.name[0].family")) == ["PID-5.1"]
    assert by_rule("[]", removal("Patient.photo")) == []
    assert by_rule("[]", removal("Encounter.serviceType")) == ["PV1-10"]


def test_of_a_field_that_repeats_the_repetition_that_is_removed_is_lost():
    second = removal("Patient.telecom[1].value")

    assert by_rule("[]", second) == ["PID-13[2].1"]
    assert by_rule("[]", removal("Patient.telecom")) == ["PID-13"]


def test_what_else_tells_the_field_keeps_it_out_of_the_report():
    assert "PID-3" not in by_rule("[]", removal("Encounter"))
    assert "PV1-3" not in by_rule("[]", removal("Encounter"))  # in the Locations
    assert {"PV1-2", "PV1-10"} <= set(by_rule("[]", removal("Encounter")))


def test_what_a_row_writes_over_is_lost_unless_it_writes_the_same():
    gender = path("Patient.gender")

    assert by_rule("[]", set_row(LINE, gender, "unknown")) == ["PID-8"]
    assert by_rule("[]", set_row(LINE, gender, "female")) == []


def test_what_a_row_removes_and_another_carries_is_not_lost():
    row = carrying("PID-13[2].1")

    assert by_rule("[]", removal("Patient.birthDate"), carrying("PID-7")) == []
    assert by_rule("[]", removal("Patient.telecom[1].value"), row) == []


def test_a_field_that_is_listed_for_another_reason_is_listed_once():
    row = removal("Patient.birthDate")
    data = MESSAGE.replace(b"19800229", b"198002291030")

    paths = [loss.path for loss in processed(data, rows=[row]).losses]

    assert len(paths) == len(set(paths))


def test_a_message_of_the_same_shape_is_held_against_what_was_found_before():
    row = removal("Patient.telecom[1].value")
    same = MESSAGE.replace(b"555-2", b"555-3")
    other = MESSAGE.replace(b"|555-1^PRN~", b"|555-2^PRN~")

    assert by_rule("[]", row) == by_rule("[]", row, data=same) == ["PID-13[2].1"]
    assert by_rule("[]", row, data=other) == ["PID-13[2].1"]


def test_what_was_found_for_one_feed_is_looked_for_anew_where_it_does_not_hold():
    row = removal("Patient.extension")
    segments = ("PV2||x", "ZPV|Y|N")
    rule = {"url": "https://site.example/z", "type": "code"}
    one, two = (
        MapContext(options=MapOptions(z={place: rule})) for place in ("ZPV-1", "ZPV-2")
    )

    def lost(known):
        found = by_rule("[]", row, data=er7(*HEAD, *segments), known=known)
        return [each for each in found if each.startswith("Z")]

    assert (lost(one), lost(two), lost(one)) == (["ZPV-1"], ["ZPV-2"], ["ZPV-1"])


HEAD = (
    "MSH|^~\\&|LAB|HOSP|||20300101120000||ADT^A31^ADT_A05|M1|P|2.5.1",
    "EVN|A31|20300101120000",
    PERSON,
)


def test_of_many_segments_those_are_lost_whose_values_are_gone():
    results = [f"OBX|{at}|ST|K{at}^N{at}^L||v{at}||||||F" for at in range(1, 9)]
    lab = er7(
        HEAD[0].replace("ADT^A31^ADT_A05", "ORU^R01^ORU_R01"),
        PERSON,
        "OBR|1|P1|F1|A^B^L",
        *results,
    )

    every = by_rule("[]", removal("Observation.valueString"), data=lab)
    few = by_rule("[]", set_row(LINE, path("Observation.valueString"), "v3"), data=lab)

    paths = ["OBX-5", *(f"OBX[{at}]-5" for at in range(2, 9))]
    assert every == paths
    assert few == [each for each in paths if each != "OBX[3]-5"]


@pytest.mark.parametrize(
    ("step", "lost"),
    [
        ("{clear: PID-8}", ["PID-8"]),
        ("{set-null: PID-8}", ["PID-8"]),
        ("{clear: PID-5.2}", ["PID-5.2"]),
        ("{set: PID-5.1, value: X}", ["PID-5.1"]),
        ("{clear: 'PID-13[2]'}", ["PID-13[2].1", "PID-13[2].2"]),
        ("{remove-segment: ZPV}", ["ZPV-1", "ZPV-2", "ZPV-3"]),
        ("{truncate: PID-7, length: 4}", ["PID-7"]),
        ("{redact: [PID-5], with: mask}", ["PID-5"]),
        ("{keep-repetitions: PID-3, when: index == 1}", ["PID-3[2].1", "PID-3[2].5"]),
        ("{move: PID-8, to: PV1-30}", ["PID-8"]),
    ],
)
def test_what_a_step_takes_out_of_the_message_is_lost(step, lost):
    assert by_rule(f"[{step}]") == lost


@pytest.mark.parametrize(
    "step",
    [
        "{set: PID-5.1, to: upper(trim(PID-5.1))}",
        "{set: PID-5.1, to: 'concat(PID-5.1, \" Jr\")'}",
        "{case: [PID-5, PID-11], to: upper}",
        "{translate: PID-8, table: sex, on-missing: keep}",
        "{format-date: PID-7, to: '%d.%m.%Y'}",
        "{pad: ZPV-1, width: 4}",
        "{renumber: NTE}",
        "{keep-repetitions: PID-3, when: exists(PID-3)}",
        "{move: PID-8, to: PID-16}",
        "{clear: PID-30}",
        "{move-segment: ZPV, after: PID}",
        "{add-segment: ZZZ, after: PID, fields: {1: PID-8}}",
        "{append: PID-3, components: {1: PID-2, 5: PID-8}}",
    ],
)
def test_what_goes_on_in_another_form_or_place_is_not_lost_by_rule(step):
    assert by_rule(f"[{step}]") == []


def test_a_translated_code_is_told_by_what_a_later_step_makes_of_it():
    into = "{translate: PID-1, table: sex}"

    assert by_rule(f"[{into}, {{case: [PID-1], to: lower}}]") == []
    assert by_rule(f"[{into}, {{set: PID-1, value: X}}]") == ["PID-1"]


def test_what_a_step_removes_and_another_carried_is_lost_only_where_no_row_keeps_it():
    moved = "[{move: PID-8, to: PID-16}]"

    assert by_rule(moved) == []
    lost = by_rule(moved, removal("Patient.maritalStatus"))
    assert set(lost) == {"PID-16", "PID-8"}


def test_a_python_step_gives_back_another_message_that_is_compared_by_kind():
    passing = context(MESSAGE)
    before = received(passing.message)
    changed = MESSAGE.replace(b"NTE|1||one\rNTE|2||two", b"NTE|1||one two")
    passing.message = parse(changed.replace(b"|SUR|", b"||"))
    found = map_message(passing.message, KNOWN)

    list_erased(before, passing, found)

    rule = "channel-rule"
    lost = [loss.path for loss in found.losses if loss.reason == rule]
    assert lost == ["PV1-10", "NTE[2]-1"]


def test_where_many_are_alike_more_is_listed_rather_than_less(monkeypatch):
    row = removal("Patient.telecom[1].value")
    monkeypatch.setattr(overruled, "_PATIENCE", 0)
    monkeypatch.setattr(overruled, "_REMEMBERED", OrderedDict())

    assert by_rule("[]", row) == ["PID-13[1].1", "PID-13[2].1"]


def test_losses_have_the_numbers_of_the_message_as_it_was_received():
    step = '[{remove-segment: NTE, when: NTE-1 == "1"}]'

    notes = [each for each in processed(MESSAGE, step).losses if "NTE" in each.path]

    assert [(each.path, each.reason) for each in notes] == [
        ("NTE[2]-1", "no-fhir-home"),
        ("NTE[2]-3", "no-fhir-home"),
        ("NTE-1", "channel-rule"),
        ("NTE-3", "channel-rule"),
    ]


def test_what_is_remembered_has_an_end(monkeypatch):
    remembered: OrderedDict[object, object] = OrderedDict()
    monkeypatch.setattr(overruled, "_MOST", 1)
    monkeypatch.setattr(overruled, "_REMEMBERED", remembered)

    by_rule("[]", removal("Patient.name"))
    by_rule("[]", removal("Patient.gender"))

    assert len(remembered) == 1


STEPS = st.sampled_from(
    [
        "{clear: PID-8}",
        "{clear: PID-5.1}",
        "{set: PID-7, value: '1980'}",
        "{set: PID-5.2, to: upper(PID-5.1)}",
        "{move: PID-8, to: PID-16}",
        "{copy: ZPV-2, to: PV1-10}",
        "{set: PV1-10, to: PID-8}",
        "{move: PV1-10, to: PV1-30}",
        "{case: [PID-5], to: lower}",
        "{translate: PID-8, table: sex, on-missing: empty}",
        '{keep-repetitions: PID-13, when: PID-13.2 == "WPN"}',
        '{remove-segment: NTE, when: NTE-1 == "1"}',
        "{remove-segment: PV1}",
        "{replace: PID-11, find: St, with: ''}",
        "{split: PID-11.1, separator: ' ', into: [PID-11.1, PID-11.2]}",
        "{join: [PID-5.1, PID-5.2], separator: ' ', into: PID-5.1}",
        "{redact: [PID-13], with: remove}",
    ]
)
REMOVALS = [
    removal(text)
    for text in (
        "Patient.name",
        "Patient.name[0].given",
        "Patient.gender",
        "Patient.telecom[1]",
        "Patient.telecom[0].value",
        "Patient.address[0].city",
        "Patient.identifier",
        "Encounter",
        "Encounter.serviceType",
        "Location",
        "Patient",
    )
]
ROWS = st.sampled_from(
    [
        *REMOVALS,
        set_row(LINE, path("Patient.gender"), "unknown"),
        set_row(LINE, path("Patient.name[0].family"), "X"),
        carrying("PID-13[2].1", name="a"),
        carrying("ZPV-3", name="b"),
        carrying('ZPV-2 == "Y"', "Boolean", name="c"),
        carrying("PID-5.2", name="d"),
    ]
)


def fields_of(data):
    """Return the parts of a message by the field they are in."""
    found: dict[str, list[Part]] = {}
    for part in parts_of(parse(data)):
        found.setdefault(field_path(part.path), []).append(part)
    return found


def shown(data, text="[]", rows=()):
    """Return every value of the resources, None where the map has none."""
    try:
        entries = processed(data, text, rows).entries
    except TransformError:
        return None
    return [leaves_of(entry.resource) for entry in entries]


def is_named(parts, text="[]", rows=()):
    """Whether exchanging or clearing a field changes any value of the resources."""
    for change in (another, lambda _: ""):
        twin = parse(MESSAGE).copy()
        for part in parts:
            part.write(twin, change(part.value))
        if shown(twin.encode(), text, rows) != shown(MESSAGE, text, rows):
            return True
    return False


FIELDS = fields_of(MESSAGE)


@cache
def accounted():
    """Return the fields that the map by itself carries or lists."""
    listed = {field_of(loss.path) for loss in processed(MESSAGE).losses}
    return {field for field in FIELDS if field in listed or is_named(FIELDS[field])}


@given(
    chosen=st.lists(STEPS, max_size=4),
    rows=st.lists(ROWS, max_size=4),
    field=st.sampled_from(sorted(FIELDS)),
)
@settings(deadline=None, max_examples=60)
def test_every_field_is_carried_or_listed_whatever_steps_and_rows_do(
    chosen, rows, field
):
    text = f"[{', '.join(chosen)}]"

    found = processed(MESSAGE, text, rows)

    listed = {field_of(loss.path) for loss in found.losses}
    if field in accounted():  # a set id is neither
        assert field in listed or is_named(FIELDS[field], text, rows)
