"""Switches of the map that need to know what came before, or where it goes."""

import base64
from itertools import permutations

import pytest

from engine.channels.processing.validation import bundle_faults
from engine.transforms.fhir.binaries import LARGEST_INLINE
from engine.transforms.fhir.bundle import write_json
from engine.transforms.fhir.checks import check
from tests.builders import er7
from tests.fhir_messages import msh, obx, oru, pid, pv1, segment
from tests.processing import bundles, latest


def told(minute, *segments, event="A08", who=None):
    when = f"2024010203{minute:02}00-0500"
    head = msh(f"ADT^{event}", control=f"C{minute}").replace(
        "20240102030405-0500", when
    )
    return er7(head, f"EVN|{event}|{when}", *(who or (pid(), pv1())), *segments)


def allergy(code):
    return f"AL1|1|DA|{code}^Allergy {code}^L|SV"


def diagnosis(code, action=""):
    return segment("DG1", f1="1", f3=f"{code}^Diagnosis {code}^I10", f6="W", f21=action)


def procedure(code):
    return segment("PR1", f1="1", f3=f"{code}^Procedure^C4", f5="20240102")


def cover(plan):
    return segment("IN1", f1="1", f2=plan, f3="7", f36=f"P{plan}")


def relative(name):
    return segment("NK1", f1="1", f2=f"{name}^Ann", f3="MTH^Mother^HL70063")


def word(resource):
    """Return what an allergy or diagnosis is about, and how it stands."""
    states = {
        name: resource[name]["coding"][0]["code"]
        for name in ("clinicalStatus", "verificationStatus")
        if name in resource
    }
    return resource["code"]["coding"][0]["code"], states


ACTIVE = {"clinicalStatus": "active"}
IN_ERROR = {"verificationStatus": "entered-in-error"}
ALLERGIES = [
    told(1, allergy("P"), allergy("Q")),
    told(2, allergy("P"), allergy("Q"), allergy("R")),
    told(3, allergy("P")),
]


def test_an_allergy_that_is_no_longer_on_the_list_is_ended(tmp_path):
    found = bundles(tmp_path, ALLERGIES, "snapshot: [AL1]")

    held = dict(map(word, latest(found, "AllergyIntolerance")))

    assert held == {"P": ACTIVE, "Q": IN_ERROR, "R": IN_ERROR}
    faults = [check(each) + bundle_faults(write_json(each)) for each in found]
    assert faults == [[], [], []]


def test_without_the_switch_a_list_says_nothing_of_what_is_not_on_it(tmp_path):
    found = bundles(tmp_path, ALLERGIES)

    held = dict(map(word, latest(found, "AllergyIntolerance")))

    assert held == {"P": ACTIVE, "Q": ACTIVE, "R": ACTIVE}


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_T31_lists_in_any_order_leave_one_state(  # noqa: N802 - the rule
    tmp_path, order
):
    found = bundles(tmp_path, [ALLERGIES[at] for at in order], "snapshot: [AL1]")

    held = dict(map(word, latest(found, "AllergyIntolerance")))

    assert held == {"P": ACTIVE, "Q": IN_ERROR, "R": IN_ERROR}


def test_what_comes_back_on_the_list_is_active_again(tmp_path):
    story = [*ALLERGIES, told(4, allergy("P"), allergy("R"))]

    found = bundles(tmp_path, story, "snapshot: [AL1]", match="true")

    held = dict(map(word, latest(found, "AllergyIntolerance")))
    assert held == {"P": ACTIVE, "Q": IN_ERROR, "R": ACTIVE}


@pytest.mark.parametrize(
    ("segments", "states"),
    [
        ((), ACTIVE),  # an absent list says nothing
        (('AL1|1|""|""',), IN_ERROR),  # one of nulls is empty
        (("AL1|1||^^|",), ACTIVE),  # one that cannot be read is none
    ],
    ids=["absent", "null", "unreadable"],
)
def test_a_list_is_empty_only_where_it_says_so(tmp_path, segments, states):
    found = bundles(tmp_path, [ALLERGIES[0], told(2, *segments)], "snapshot: [AL1]")

    assert dict(map(word, latest(found, "AllergyIntolerance"))) == {
        "P": states, "Q": states
    }  # fmt: skip


def test_diagnoses_are_a_list_of_their_visit(tmp_path):
    other = "V7^^^HOSP&1.2.3&ISO^VN"
    story = [
        told(1, diagnosis("A1"), diagnosis("B2")),
        told(2, diagnosis("C3"), who=(pid(), pv1(f19=other))),
        told(3, diagnosis("B2")),
        told(2, diagnosis("A1"), diagnosis("D4")),  # late
    ]

    found = bundles(tmp_path, story, "snapshot: [DG1]")

    conditions = latest(found, "Condition")
    assert dict(map(word, conditions)) == {
        "A1": IN_ERROR, "B2": {}, "C3": {}, "D4": IN_ERROR
    }  # fmt: skip
    urls = {word(each)[0]: each["identifier"][0]["value"] for each in conditions}
    visit = next(
        each for each in latest(found, "Encounter") if len(each["diagnosis"]) == 1
        and urls["C3"] not in each["diagnosis"][0]["condition"]["reference"]
    )  # fmt: skip
    assert urls["B2"] in visit["diagnosis"][0]["condition"]["reference"]


def test_diagnoses_with_action_codes_are_no_whole_list(tmp_path):
    story = [told(1, diagnosis("A1"), diagnosis("B2")), told(2, diagnosis("C3", "A"))]

    found = bundles(tmp_path, story, "snapshot: [DG1]")

    assert [states for _, states in map(word, latest(found, "Condition"))] == [{}] * 3


@pytest.mark.parametrize(
    ("make", "kind", "element", "ended", "on_the_list"),
    [
        (cover, "Coverage", "status", "cancelled", "active"),
        (relative, "RelatedPerson", "active", False, None),
        (procedure, "Procedure", "status", "entered-in-error", "completed"),
    ],
    ids=["IN1", "NK1", "PR1"],
)
def test_each_list_ends_what_it_no_longer_has(
    tmp_path, make, kind, element, ended, on_the_list
):
    name = make("1")[:3]
    story = [told(1, make("1"), make("2")), told(2, make("2")), told(3, make("1"))]

    found = bundles(tmp_path, story, f"snapshot: [{name}]")

    states = [
        [each.get(element) for each in latest(found[at : at + 1], kind)]
        for at in (1, 2)
    ]
    assert [sorted(map(str, each)) for each in states] == [
        sorted(map(str, (on_the_list, ended)))
    ] * 2


def test_what_a_list_ends_is_named_by_its_provenance(tmp_path):
    found = bundles(tmp_path, ALLERGIES[1:], "snapshot: [AL1]")

    rows = found[-1]["entry"]
    ended = {
        row["fullUrl"] for row in rows if row["resource"].get("verificationStatus")
    }
    named = {
        target["reference"]
        for row in rows
        if row["resource"]["resourceType"] == "Provenance"
        for target in row["resource"]["target"]
    }
    assert len(ended) == 2
    assert ended <= named


def test_t20_a_deleted_allergy_has_no_clinical_status_until_it_is_added_again(tmp_path):
    def iam(action):
        return segment("IAM", f1="1", f2="DA", f3="P^Penicillin^L", f6=action)

    story = [told(at, iam(action)) for at, action in enumerate("ADA", start=1)]

    found = bundles(tmp_path, story)

    states = [word(latest([each], "AllergyIntolerance")[0])[1] for each in found]
    assert states == [ACTIVE, IN_ERROR, ACTIVE]


def test_t20_a_deleted_diagnosis_that_is_added_again_is_no_error(tmp_path):
    story = [told(at, diagnosis("A1", action)) for at, action in enumerate("ADA", 1)]

    found = bundles(tmp_path, story)

    states = [word(latest([each], "Condition")[0])[1] for each in found]
    assert states == [{}, IN_ERROR, {}]


# ---- new numbers


VISITS = [f"V{at}^^^HOSP&1.2.3&ISO^VN" for at in range(4)]
ACCOUNTS = [f"A{at}^^^HOSP&1.2.3&ISO^AN" for at in range(4)]


def numbered(resources):
    """Return the numbers of a resource and what each is used for."""
    return {(one["value"], one.get("use", "")) for one in resources[-1]["identifier"]}


def test_t28_a_visit_with_a_new_number_stays_the_same_visit(tmp_path):
    def renamed(minute, old, new):
        mrg = segment("MRG", f1="100482^^^HOSP&1.2.3&ISO^MR", f5=VISITS[old])
        who = pid(), pv1(f3="", f44="", f19=VISITS[new])
        return told(minute, mrg, event="A50", who=who)

    story = [
        told(1, event="A01", who=(pid(), pv1(f19=VISITS[1], f10="MED"))),
        renamed(2, 1, 2),
        renamed(3, 2, 3),
        told(4, who=(pid(), segment("PV1", f2="I", f14="7", f19=VISITS[3]))),
    ]

    found = bundles(tmp_path, story)

    [visit] = latest(found, "Encounter")
    assert numbered([visit]) == {("V3", ""), ("V2", "old"), ("V1", "old")}
    assert visit["serviceType"]["coding"][0]["code"] == "MED"
    assert visit["hospitalization"]["admitSource"]["coding"][0]["code"] == "7"
    asked = {
        row["request"]["url"]
        for each in found
        for row in each["entry"]
        if row["resource"]["resourceType"] == "Encounter"
    }
    assert [url.rpartition("|")[2] for url in asked] == ["V1"]


def test_t28_diagnoses_of_a_visit_with_a_new_number_stay_the_same(tmp_path):
    def moved(minute, event, *more, number, f5=""):
        mrg = segment("MRG", f1="100482^^^HOSP&1.2.3&ISO^MR", f5=f5)
        who = pid(), pv1(f3="", f19=VISITS[number])
        return told(minute, *([mrg] if f5 else []), *more, event=event, who=who)

    story = [
        moved(1, "A01", diagnosis("A1"), procedure("P1"), number=1),
        moved(2, "A50", diagnosis("A1"), number=2, f5=VISITS[1]),
        moved(3, "A50", number=3, f5=VISITS[2]),
        moved(4, "A08", diagnosis("A1"), procedure("P1"), number=3),
    ]

    found = bundles(tmp_path, story)

    assert len(latest(found, "Condition")) == len(latest(found, "Procedure")) == 1
    [visit] = latest(found, "Encounter")
    [of_visit] = visit["diagnosis"]
    [condition] = latest(found, "Condition")
    number = condition["identifier"][0]["value"]
    assert of_visit["condition"]["reference"].endswith(number)


@pytest.mark.parametrize("match", ["false", "true"])
def test_t28_a_person_with_a_new_number_stays_the_same_with_all_that_is_known(
    tmp_path, match
):
    def about(number, minute, *more, event="A08", prior=""):
        mrg = [f"MRG|{prior}^^^HOSP&1.2.3&ISO^MR"] if prior else []
        who = pid(f3=f"{number}^^^HOSP&1.2.3&ISO^MR"), *mrg
        visit = () if prior else (pv1(),)
        return told(minute, *more, event=event, who=(*who, *visit))

    story = [
        about("7", 1, allergy("P"), relative("Doe"), event="A01"),
        about("8", 2, event="A47", prior="7"),
        about("9", 3, event="A47", prior="8"),
        about("9", 4, allergy("P"), relative("Doe")),
    ]

    found = bundles(tmp_path, story, match=match)

    assert len(latest(found, "AllergyIntolerance")) == 1
    assert len(latest(found, "RelatedPerson")) == 1
    [patient] = latest(found, "Patient")
    values = {one["value"] for one in patient["identifier"]}
    assert {"7", "8", "9"} <= values


def test_t28_an_account_with_a_new_number_stays_the_same_account(tmp_path):
    mrg = segment("MRG", f1="100482^^^HOSP&1.2.3&ISO^MR", f3=ACCOUNTS[1])
    story = [
        told(1, event="A01", who=(pid(f18=ACCOUNTS[1]), pv1())),
        told(2, mrg, event="A49", who=(pid(f18=ACCOUNTS[2]),)),
        told(3, who=(pid(f18=ACCOUNTS[2]), pv1())),
    ]

    [account] = latest(bundles(tmp_path, story), "Account")

    assert numbered([account]) == {("A2", ""), ("A1", "old")}


def test_t28_a_visit_known_by_its_alternate_number_keeps_it_as_old(tmp_path):
    mrg = segment("MRG", f1="100482^^^HOSP&1.2.3&ISO^MR", f6=VISITS[1])
    story = [
        told(1, event="A01", who=(pid(), pv1(f19="", f50=VISITS[1]))),
        told(2, mrg, event="A51", who=(pid(), pv1(f19="", f50=VISITS[2]))),
        told(3, who=(pid(), pv1(f19="", f50=VISITS[2]))),
    ]

    [visit] = latest(bundles(tmp_path, story), "Encounter")

    assert numbered([visit]) == {("V2", ""), ("V1", "old")}


# ---- documents


PAGE = base64.b64encode(b"%PDF" + b"x" * LARGEST_INLINE).decode()


def report(data=PAGE):
    return oru(obx("ED", f"LAB^application^pdf^Base64^{data}"))


def attachments(found):
    return [
        each["valueAttachment"]
        for one in latest(found, "Observation")
        for each in one["extension"]
        if "valueAttachment" in each
    ]


def test_t09_a_large_document_lies_in_a_binary_beside_its_resource(tmp_path):
    found = bundles(tmp_path, [report()], "documents: binary")

    [form], [binary] = attachments(found), latest(found, "Binary")
    assert form["url"] == f"Binary/{binary['id']}"
    assert "data" not in form
    assert (binary["contentType"], binary["data"]) == ("application/pdf", PAGE)
    assert form["size"] == LARGEST_INLINE + len("%PDF")
    urls = {row["fullUrl"]: row for row in found[0]["entry"]}
    owner = urls[binary["securityContext"]["reference"]]["resource"]
    assert owner["resourceType"] == "Observation"
    request = urls["urn:uuid:" + binary["id"]]["request"]
    assert request == {"method": "PUT", "url": form["url"]}
    assert bundle_faults(write_json(found[0])) == []


@pytest.mark.parametrize(
    ("switches", "more", "data"),
    [
        ("documents: inline", "", PAGE),
        ("documents: binary", "", PAGE[:400]),
        ("documents: binary", ", mode: message", PAGE),
    ],
    ids=["inline", "small", "message"],
)
def test_t09_other_documents_stay_in_their_resource(tmp_path, switches, more, data):
    found = bundles(tmp_path, [report(data)], switches, more=more)

    assert [form["data"] for form in attachments(found)] == [data]
    assert latest(found, "Binary") == []
