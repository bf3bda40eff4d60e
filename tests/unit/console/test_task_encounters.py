"""S6: what the sources told of visits stands below a doubt, on one line of time."""

import pytest

from engine.console.permissions import Permission
from tests.builders import adt_patient
from tests.wards import Ward
from tests.web import Web

DECIDES = (Permission.VIEW_METADATA, Permission.WORK_IDENTITY, Permission.VIEW_PHI)
CHANNEL = """
channel: adt
source:
  mllp: {port: 2575}
destinations:
  - name: registry
    fhir: {url: "https://fhir.example.org/r4"}
"""


def stay(visit, place, begin, end=""):
    fields = ["PV1", "1", "I", place, *[""] * 15, visit, *[""] * 24, begin, end]
    return "|".join(fields)


def admitted(number, birth, visit, place, *more, begin="20291230", end=""):
    told = stay(visit, place, begin, end)
    return adt_patient(number, trigger="A01", birth=birth, about=[told, *more])


@pytest.fixture
def page(tmp_path):
    """Return how the one doubt of a ward looks to somebody, after some messages."""
    ward = Ward(tmp_path, CHANNEL)

    def shown(*messages, may=DECIDES):
        ward.send(*messages)
        return Web(ward.store).signed_in(*may).browse("/work/mismatch/1").text

    return shown


def test_two_beds_at_once_are_drawn_marked_and_told_in_a_sentence(page):
    text = page(
        admitted("1", "19800229", "V1", "WEST^101^1^HOSP", end="20300103"),
        admitted("2", "19800301", "V2", "ICU^1^2^HOSP", begin="20300101"),
    )

    assert "In two places at once: inpatient in HOSP WEST 101 1 (record 1" in text
    assert "one of them has no discharge yet" in text
    assert text.count('class="clash"') == 2
    assert "2 encounters of 2 records on one line of time" in text
    assert '<td class="mono">V2</td>' in text
    assert '<td class="nowrap">2030-01-03</td>' in text
    assert 'data-key="v"' in text


def test_programs_hear_of_the_encounters_too_and_keep_no_task_open(tmp_path):
    ward = Ward(tmp_path, CHANNEL)
    ward.send(
        admitted("1", "19800229", "V1", "WEST^101^1^HOSP", end="20300103"),
        admitted("2", "19800301", "V2", "ICU^1^2^HOSP", begin="20300101"),
    )
    web = Web(ward.store)

    told = web.signed_in(*DECIDES).browse("/api/v1/tasks/1").json()["encounters"]
    page = web.signed_in(*DECIDES, name="ben").browse("/work/mismatch/1").text

    assert [(each["place"], each["clashes"]) for each in told] == [
        ("HOSP/WEST/101/1", True),
        ("HOSP/ICU/1/2", True),
    ]
    assert "Take over" not in page


def test_one_stay_after_the_other_argues_for_nothing(page):
    text = page(
        admitted("1", "19800229", "V1", "WEST^101^1^HOSP", end="20291231"),
        admitted("2", "19800301", "V2", "ICU^1^2^HOSP", begin="20300101"),
    )

    assert "In two places at once" not in text
    assert text.count('class="stay"') == 2


def test_M20_a_visit_that_its_source_protects_is_for_those_who_may_see_it(page):
    protected = "|".join(["PV2", *[""] * 21, "Y"])
    messages = (
        admitted("1", "19800229", "V1", "WEST^101^1^HOSP"),
        admitted("2", "19800301", "V2", "ICU^1^2^HOSP", protected),
    )

    few = page(*messages)
    everything = page(may=())

    assert "V1" in few
    assert "V2" not in few
    assert "left out for your role" in few
    assert "In two places at once" in everything


def test_without_encounters_the_page_says_where_they_come_from(page):
    text = page(
        adt_patient("1", trigger="A28", birth="19800229"),
        adt_patient("2", trigger="A28", birth="19800301"),
    )

    assert "No encounter of these records is kept" in text
    assert 'data-key="v"' not in text
