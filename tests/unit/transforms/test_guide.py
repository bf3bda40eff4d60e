"""Any engine's Bundle against the guide's tables: small ones of our own, and HL7's."""

import copy
from collections import Counter
from pathlib import Path

import pytest

from engine.hl7 import parse
from engine.transforms.guide.choices import CHOICES, Choice
from engine.transforms.guide.conditions import holds
from engine.transforms.guide.images import decoded, is_image
from engine.transforms.guide.places import Place
from engine.transforms.guide.tables import plain, read_guide
from engine.transforms.guide.verdicts import (
    COMPLAINTS,
    Verdict,
    check_transform,
    judge,
    share_placed,
    yardstick,
)
from tests.fhir_messages import adt, pid, pv1
from tests.guide_damage import (
    DAMAGES,
    STRUCTURES,
    complaints,
    guide_in,
    mapped,
    own_bundle,
    untold,
)
from tests.shared_data import shared
from tests.small_guide import files

SMALL = read_guide(files())
MESSAGE = adt(
    "A01",
    pid(f3="77^^^HOSP^MR~88^^^&1.2.3&ISO^PI", f24="Y", f30="Y", f33="20240101"),
    pv1(f7="4711^Attend"),
)
PATIENT = {
    "resourceType": "Patient",
    "identifier": [
        {
            "system": "urn:id:mrn",
            "value": "77",
            "type": {"coding": [{"system": "urn:id:t", "code": "MR"}]},
        },
        {
            "system": "urn:oid:1.2.3",
            "value": "88",
            "type": {"coding": [{"system": "urn:id:t", "code": "PI"}]},
        },
    ],
    "name": [{"family": "Doe", "given": ["Ann"]}],
    "birthDate": "1980-02-29",
    "gender": "female",
    "deceasedBoolean": True,
}
PRACTITIONER = {
    "resourceType": "Practitioner",
    "identifier": [{"value": "4711"}],
    "name": [{"family": "Attend"}],
}


def bundle(*resources):
    rows = [{"fullUrl": f"urn:uuid:{at}", "resource": one}
            for at, one in enumerate(resources)]  # fmt: skip
    return {"resourceType": "Bundle", "type": "collection", "entry": rows}


def verdicts(*resources, message=MESSAGE, choices=()):
    """Return path or place to verdict, without what the guide does not map."""
    results = check_transform(
        SMALL, parse(message), "ADT_A01", bundle(*resources), choices
    )
    return {
        each.path or each.found[0]: each
        for each in results
        if each.verdict is not Verdict.NOT_MAPPED
    }


def test_a_good_bundle_is_placed_in_every_value_and_explained():
    found = verdicts(PATIENT, PRACTITIONER)

    assert {each.verdict for each in found.values()} == {Verdict.PLACED}
    assert {"PID-3.1", "PID-3[2].4.2", "PID-5.1", "PV1-7.2"} <= set(found)


def changed(**elements):
    return {**copy.deepcopy(PATIENT), **elements}


def test_a_missing_value_is_told_with_its_place_and_row():
    found = verdicts(changed(name=[{"family": "Doe"}]), PRACTITIONER)["PID-5.2"]

    assert (found.verdict, found.wanted) == (Verdict.MISSING, ("Patient.name.given",))
    assert "PID[Patient] line 4" in found.row
    assert "XPN[HumanName] line 4" in found.row


def test_a_misplaced_value_is_told_with_where_it_is():
    patient = changed(name=[{"family": "Doe", "suffix": ["Ann"]}])

    found = verdicts(patient, PRACTITIONER)["PID-5.2"]

    assert (found.verdict, found.found) == (
        Verdict.ELSEWHERE, ("Patient.name[0].suffix[0]",),
    )  # fmt: skip


def test_an_extension_beside_an_element_does_not_stand_for_it():
    patient = changed(_birthDate={"extension": [{"valueDateTime": "1980-02-29"}]})
    del patient["birthDate"]

    assert verdicts(patient, PRACTITIONER)["PID-7.1"].verdict is Verdict.ELSEWHERE


def test_a_note_without_its_text_is_told():
    whole, torn = {"text": "Seen twice"}, {"time": "2024-01-02"}

    found = verdicts({**PATIENT, "note": [torn, whole]}, PRACTITIONER)[
        "Patient.note[0]"
    ]

    assert (found.verdict, found.wanted) == (
        Verdict.MISSING, ("Patient.note[0].text",),
    )  # fmt: skip
    assert "Patient.note[1]" not in verdicts({**PATIENT, "note": [torn, whole]})


def test_a_resource_without_what_r4_wants_once_is_told():
    bare = {"resourceType": "Observation", "code": {"text": "x"}}
    whole = {**bare, "_status": {"extension": [{"url": "https://x.example"}]}}

    found = verdicts(PATIENT, PRACTITIONER, bare)["Observation"]

    assert (found.verdict, found.wanted) == (
        Verdict.MISSING, ("Observation.status",),
    )  # fmt: skip
    assert "Observation" not in verdicts(PATIENT, PRACTITIONER, whole)


def test_a_value_in_the_wrong_instance_is_misplaced():
    two = [
        {**PRACTITIONER, "name": [{"family": "Other"}]},
        {"resourceType": "Practitioner", "name": [{"family": "Attend"}]},
    ]
    message = MESSAGE.replace(b"4711^Attend", b"4711^Attend^A")

    found = verdicts(PATIENT, *two, message=message)

    split = {found["PV1-7.1"].verdict, found["PV1-7.2"].verdict}
    assert Verdict.PLACED in split


TWICE = MESSAGE.replace(b"4711^Attend", b"4711^Attend~4711^Attend")


def test_a_doctor_who_is_there_twice_is_held_against_what_is_said_of_each():
    nameless = {"resourceType": "Practitioner", "identifier": [{"value": "4711"}]}

    whole = verdicts(PATIENT, PRACTITIONER, PRACTITIONER, message=TWICE)
    once = verdicts(PATIENT, PRACTITIONER, message=TWICE)
    damaged = verdicts(PATIENT, PRACTITIONER, nameless, message=TWICE)

    for found in (whole, once):
        assert {each.verdict for each in found.values()} == {Verdict.PLACED}
    assert damaged["PV1-7.2"].verdict is Verdict.ELSEWHERE


def test_a_doctor_who_is_there_twice_may_say_less_where_the_message_does():
    nameless = {"resourceType": "Practitioner", "identifier": [{"value": "4711"}]}
    message = MESSAGE.replace(b"4711^Attend", b"4711^Attend~4711")

    found = verdicts(PATIENT, PRACTITIONER, nameless, message=message)

    assert {each.verdict for each in found.values()} == {Verdict.PLACED}


def visit(**period):
    return {"resourceType": "Encounter", "period": period}


def test_segments_that_tell_of_one_thing_belong_in_one_resource():
    message = adt("A01", pid(), pv1(f25="20240101"), "PV2|||||||||20240301",
                  pv1(f25="20240105"), "PV2|||||||||20240301")  # fmt: skip
    first = visit(start="2024-01-01", end="2024-03-01")
    second = visit(start="2024-01-05", end="2024-03-01")

    good = verdicts(PATIENT, first, second, message=message)
    damaged = verdicts(PATIENT, first, visit(start="2024-01-05"), message=message)

    assert good["PV2[2]-9.1"].verdict is Verdict.PLACED
    assert damaged["PV2-9.1"].verdict is Verdict.PLACED
    assert damaged["PV2[2]-9.1"].verdict is Verdict.ELSEWHERE


def test_an_element_there_is_once_can_say_one_of_two_fields_only():
    message = adt("A01", pid(), pv1(f25="20240101", f28="20240105"))

    good = verdicts(PATIENT, visit(start="2024-01-01"), message=message)
    empty = verdicts(PATIENT, visit(), message=message)

    assert good["PV1-25.1"].verdict is Verdict.PLACED
    assert good["PV1-28.1"].verdict is Verdict.UNFIT
    assert empty["PV1-25.1"].verdict is empty["PV1-28.1"].verdict is Verdict.MISSING


@pytest.mark.parametrize(
    ("sent", "wanted"), [("M^^^^^^2.5", True), ("^^^^^^2.5", False)]
)
def test_a_version_is_wanted_where_there_is_a_code_to_say_it_of(sent, wanted):
    found = verdicts(PATIENT, message=adt("A01", pid(f16=sent)))

    assert ("PID-16.7" in found) == wanted


def test_a_value_that_nothing_explains_is_told_with_its_place():
    found = verdicts(changed(maritalStatus={"text": "Zebra"}), PRACTITIONER)

    assert found["Patient.maritalStatus.text"].verdict is Verdict.UNEXPLAINED


def test_a_name_of_the_message_without_its_structure_is_explained():
    header = {
        "resourceType": "MessageHeader",
        "eventCoding": {"system": "urn:id:t", "code": "A01", "display": "ADT^A01"},
    }
    message = MESSAGE.replace(b"ADT^A01^ADT_A01", b"ADT^A01")

    found = verdicts(PATIENT, PRACTITIONER, header, message=message)

    assert "MessageHeader.eventCoding.display" not in found


@pytest.mark.parametrize(("told", "verdict"), [("2", "missing"), ("0", "unfit")])
def test_the_place_among_children_counts_from_one(told, verdict):
    message = MESSAGE.replace(b"|Y||||||Y", f"|Y|{told}|||||Y".encode())

    found = verdicts(PATIENT, PRACTITIONER, message=message)

    assert found["PID-25.1"].verdict == getattr(Verdict, verdict.upper())


def test_a_letter_of_another_field_explains_no_code_beside_the_right_one():
    message = MESSAGE.replace(b"|F", b"|F||||||||M", 1)
    codes = [{"system": "urn:id:a", "code": each} for each in "MF"]

    found = verdicts(
        changed(maritalStatus={"coding": codes}), PRACTITIONER, message=message
    )

    assert found["PID-16.1"].verdict is Verdict.PLACED
    place = "Patient.maritalStatus.coding[1].code"
    assert found[place].verdict is Verdict.UNEXPLAINED


def test_a_copy_of_the_message_explains_nothing():
    attachment = {"contentType": "x-application/hl7-v2+er7", "title": "Doe 77 Ann"}
    copy_ = {
        "resourceType": "DocumentReference",
        "content": [{"attachment": attachment}],
    }

    assert verdicts(copy_)["PID-5.2"].verdict is Verdict.MISSING


def test_a_condition_that_is_false_expects_nothing_and_one_unread_only_allows():
    none = adt("A01", pid(f29="20240101", f30="Y"), pv1(f2="N", f7="4711^Attend"))

    found = verdicts(PATIENT, message=none)

    assert "PID-30.1" in verdicts(PATIENT)
    assert not {"PID-30.1", "PV1-7.1", "PID-24.1"} & set(found)


def test_what_the_guide_does_not_map_is_listed():
    results = check_transform(
        SMALL, parse(MESSAGE), "ADT_A01", bundle(PATIENT, PRACTITIONER)
    )
    left = {each.path for each in results if each.verdict is Verdict.NOT_MAPPED}

    assert "PV1-19.1" in left
    assert "EVN-1.1" in left
    assert not left & {"PID-5.1", "PID-3.1"}


def test_a_decision_counts_only_where_it_is_asked_for():
    patient = changed(name=[{"family": "Doe", "suffix": ["Ann"]}])
    suffix = Choice(r"PID-5 (Patient\.name)\.given", r"@\.suffix", "ours")
    nowhere = Choice(r"PID-\d+ Patient\.name\.given", "", "ours")

    def verdict(*choices):
        return verdicts(patient, choices=choices)["PID-5.2"].verdict

    assert verdict() is Verdict.ELSEWHERE
    assert verdict(suffix) is verdict(nowhere) is Verdict.PLACED


def test_the_share_counts_what_the_guide_maps():
    patient = changed(name=[{"family": "Doe"}])
    results = check_transform(SMALL, parse(MESSAGE), "ADT_A01", bundle(patient))

    counted = Counter(each.verdict for each in results)
    mapped = counted[Verdict.PLACED] + counted[Verdict.MISSING]
    assert share_placed(results) == pytest.approx(counted[Verdict.PLACED] / mapped)
    assert share_placed([]) == 1.0


VALUES = {"AA-1": ["x"], "AA-2": [], "AA-3": ["1", "2"], "AA-4": ["DT"], "PV": []}


@pytest.mark.parametrize(
    ("condition", "answer"),
    [
        ("", True),
        ("IF AA-1 VALUED", True),
        ("IF AA-2 NOT VALUED", True),
        ("IF AA-2 IS VALUED OR AA-1 VALUED", True),
        ("IF AA-1 VALUED AND IF AA-2 IS NOT VALUED", True),
        ("IF (AA-2 VALUED OR AA-1 VALUED) AND AA-4 VALUED", True),
        ('IF AA-4 EQUALS "DT"', True),
        ('IF AA-4 IS NOT "DT"', False),
        ('IF AA-4 IN ("TS", "DT")', True),
        ('IF AA-4 NOT IN ("TS", "DT")', False),
        ("IF AA-3 LST.COUNT GREATER THAN 1", True),
        ("IF AA-3 COUNT=1", False),
        ("IF AA-1 LENGTH GREATER THAN 8", False),
        ("IF AA-2 LENGTH LESS THAN OR EQUALS 0", True),
        ("IF AA-2 IS EMPTY", True),
        ("IF AA-1 DOES NOT EXIST", False),
        ("IF AA-2 OR AA-1 VALUED", True),
        ('IF (AA-4 EQUALS "DT"', True),
        ("IF the sender says so", None),
        ("IF AA-1 IN list", None),
        ("IF AA-1 EQUALS AA-4", None),
        ('IF AA-1 "x" "y"', None),
        ("IF AA-9 VALUED", None),
        ("IF AA-1 VALUED %", None),
    ],
)
def test_conditions_are_read(condition, answer):
    assert holds(condition, VALUES.__getitem__) is answer


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ("name[1]", "Patient.name"),
        ("location.location(Location.mode)", "Location.mode"),
        ("note(Annotation.text)", "Patient.note.text"),
        ("agent[2].who(Organization|Device)", "Organization"),
        ("performer(PractitionerRole.practitioner(Practitioner))", "Practitioner"),
        ('status="finished"', "Patient.status"),
        ("$this", "Patient"),
        ("extension:other.valuestring", "Patient.extension.valuestring"),
    ],
)
def test_targets_lead_to_places(target, place):
    assert Place("Patient", "").below(target).text == place


def test_a_path_behind_a_reference_leads_to_the_resource():
    place = Place("PractitionerRole", "").below("practitioner.name")

    assert place == Place("Practitioner", "name")
    assert Place("Patient", "nothing.here").followed() == Place(
        "Patient", "nothing.here"
    )


@pytest.mark.parametrize(
    ("value", "found", "same"),
    [
        ("Doe", "DOE", True),
        ("19800229", "1980-02-29", True),
        ("20240102030405-0500", "2024-01-02T03:04:05-05:00", True),
        ("1980", "1980-02-29", False),
        ("7.50", "7.5", True),
        ("0700", "07:00:00", True),
        ("0700", "08:00:00", False),
        ("LN", "http://loinc.org", True),
        ("1.2.3", "urn:oid:1.2.3", True),
        ("Doe", "Roe", False),
        ("...", "x", False),
        ("4711", "1980-02-29", False),
    ],
)
def test_values_are_known_by_their_images(value, found, same):
    assert is_image(value, found) is same


def test_base64_is_read_where_it_is_text():
    assert decoded("VGhlIHBhdGllbnQgaXMgd2VsbA==") == "The patient is well"
    assert decoded("AAAAAAAAAAAAAAAAAP8=") == "AAAAAAAAAAAAAAAAAP8="
    assert decoded("short") == "short"


# ---- HL7's own tables ----


@pytest.fixture(scope="module")
def guide():
    return guide_in(shared("ig"))


def benchmark(guide, structure):
    """Return what the guide wants of a benchmark message, and our Bundle of it."""
    message = parse(shared("ig", "benchmark", f"IG_{structure}.hl7").read_bytes())
    return yardstick(guide, message, structure), own_bundle(message)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_f2_nothing_is_said_against_our_bundle_of_a_benchmark_message(guide, structure):
    by, made = benchmark(guide, structure)

    results = judge(by, made, CHOICES)

    assert [each for each in results if each.verdict in COMPLAINTS] == []
    assert share_placed(results) == 1.0


SAMPLES = Path(__file__).parents[3] / "samples"
EXPLAINED = {
    "adt-a01-admit": ["NK1-5.2"],
    "adt-a08-update": ["PID-13.2"],
    "adt-a11-cancel-admit": ["PV1-2.1"],
    "oru-r01-lab": ["OBR-15.4"],
}
"""What docs/how-to/explain-a-value.md says of our own samples."""


def test_f2_what_is_said_against_our_own_samples_is_explained(guide):
    said: dict[str, list[str]] = {}
    for file in sorted(SAMPLES.glob("*/message.hl7")):
        message = parse(file.read_bytes().replace(b"\n", b"\r"))
        structure = message.segments[0].text(9, 3)
        if structure in guide.messages:
            by = yardstick(guide, message, structure)
            found = [one.path for one in complaints(by, own_bundle(message))]
            said |= {file.parent.name: found} if found else {}

    assert said == EXPLAINED


def test_f2_a_damaged_element_is_told(guide):
    by, made = benchmark(guide, "ADT_A01")
    leaves = mapped(by, made)[::12]

    missed = list(untold(by, made, leaves))

    assert len(missed) <= 0.04 * len(leaves) * len(DAMAGES), missed


def test_nearly_every_condition_of_the_guide_is_read(guide):
    maps = [guide.messages, guide.segments, guide.datatypes]
    conditions = {
        row.condition
        for map_ in maps
        for rows in map_.values()
        for row in rows
        if row.condition
    }

    unread = [each for each in conditions if holds(each, lambda _: ["x"]) is None]

    assert len(unread) <= 16


# ---- T36: the guide's own defects


def test_T36_every_map_that_a_row_names_is_found(guide):
    rows = [
        row
        for maps in (guide.segments, guide.datatypes)
        for map_ in maps.values()
        for row in map_
    ]
    named = {row.datatype for row in rows if row.datatype}
    words = {row.vocabulary for row in rows if row.vocabulary}
    uses = {row.datatype for map_ in guide.messages.values() for row in map_}
    assert len(named) > 90
    assert len(words) > 40

    assert {each for each in named if plain(each) not in guide.datatypes} == set()
    assert {each for each in words if plain(each) not in guide.vocabularies} == set()
    assert {each for each in uses if plain(each) not in guide.segments} == set()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("PL[location]", "PL[Location]"),
        ("CWE[Code]", "CWE[code]"),
        ("Yes/NoIndicator", "Yes No Indicator"),
        ("Contact Role", "ContactRole"),
    ],
)
def test_T36_names_that_differ_in_case_blanks_and_slashes_are_one(one, other):
    assert plain(one) == plain(other)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("type.coding.value", "Patient.type.coding.code"),
        ("content.data", "Patient.content.attachment.data"),
        ("occurneceTiming.repeat", "Patient.occurrenceTiming.repeat"),
        ("$value", "Patient"),
        ("/", "Patient"),
    ],
)
def test_T36_misspelt_targets_and_pseudo_assignments_lead_where_they_are_meant(
    written, meant
):
    assert Place("Patient", "").below(written).text == meant


def test_T36_a_value_on_the_wrong_row_takes_no_field_away():
    [wrong] = [each for each in SMALL.segments[plain("PV1[Encounter]")]
               if each.source == "PV1-42"]  # fmt: skip

    assert (wrong.target, wrong.constant) == ("location[4].location(Location)", "")


def test_T36_an_unbalanced_condition_is_read():
    assert holds('IF (OBX-2 EQUALS "SN"', {"OBX-2": ["SN"]}.__getitem__) is True
