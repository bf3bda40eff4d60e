"""S6, decisions together: staged in the address, then carried out or not at all."""

import re

import pytest

from engine.console.permissions import Permission
from engine.store import worklist
from engine.store.patient_tables import TaskState
from engine.store.patients import SqlPatientIndex
from tests.databases import empty_database
from tests.hospital import Hospital
from tests.stored import ask
from tests.web import Web

DECIDES = (Permission.VIEW_METADATA, Permission.WORK_IDENTITY, Permission.VIEW_PHI)
REVIEW = "/work/mismatch/staged"


@pytest.fixture
def web(tmp_path):
    """Return a browser that decides, and two doubts about two people each."""
    database = empty_database("sqlite", tmp_path, role="worker")
    hospital = Hospital(database)
    for number, birth in (("1", "19800229"), ("2", "19800301")):
        hospital.send(number, birth=birth)
        hospital.send("9" + number, birth=birth, family="Vance", given="Ottilie")
    return Web(database).signed_in(*DECIDES)


@pytest.fixture
def numbers(web):
    found = [each.id for each in ask(web.database, worklist.listed)]
    assert len(found) == 2
    return found


def states(web, numbers):
    with web.database.reading() as connection:
        index = SqlPatientIndex(connection, web.database.sealer)
        return [worklist.shown(index, each).state for each in numbers]


def test_decisions_are_staged_from_task_to_task_and_seen_together(web, numbers):
    first = web.browse(f"/work/mismatch/{numbers[0]}").text
    [onward] = re.findall(r'href="([^"]*)">Stage different', first)
    path, _, query = onward.partition("?")
    second = web.browse(path, query).text
    [together] = re.findall(r'href="([^"]*)">Look at them', second)
    path, _, query = together.partition("?")

    shown = web.browse(path, query).text

    assert query == f"staged={numbers[0]}.different"
    assert "1 decision staged" in second
    assert "different people" in shown
    assert states(web, numbers) == [TaskState.OPEN] * len(numbers)


def test_who_goes_on_is_staged_with_the_decision(web, numbers):
    [first, _] = ask(web.database, worklist.listed)
    staged = f"{first.id}.same.{first.person}"

    shown = web.browse(REVIEW, f"staged={staged}").text
    done = web.submit(REVIEW, staged=staged, reason="seen")

    assert f"same person, {first.person} stays" in shown
    assert done.status == 303
    with web.database.reading() as connection:
        index = SqlPatientIndex(connection, web.database.sealer)
        assert {each.person for each in worklist.shown(index, first.id).candidates} == {
            first.person
        }


def test_what_is_staged_is_carried_out_at_once(web, numbers):
    staged = ",".join(f"{each}.same" for each in numbers)

    shown = web.browse(REVIEW, f"staged={staged}").text
    done = web.submit(REVIEW, staged=staged, reason="one passport")

    assert "holds" in shown
    assert done.status == 303
    assert states(web, numbers) == [TaskState.DECIDED] * len(numbers)


def test_one_decision_that_is_not_possible_stops_all(web, numbers):
    web.submit(f"/work/mismatch/{numbers[-1]}/different", reason="seen")
    staged = f"{numbers[-1]}.same,{numbers[0]}.same"

    shown = web.browse(REVIEW, f"staged={staged}").text
    refused = web.submit(REVIEW, staged=staged, reason="one passport")

    assert "not possible any more" in shown
    assert refused.status == 409
    assert states(web, numbers[:1]) == [TaskState.OPEN]


def test_what_is_staged_is_carried_out_as_it_was_shown_or_not_at_all(web, numbers):
    staged = f"{numbers[0]}.different"
    [seen] = re.findall(
        r'name="seen" value="([^"]+)"', web.browse(REVIEW, f"staged={staged}").text
    )
    web.submit(f"/work/mismatch/{numbers[1]}/same", reason="one passport")
    other = web.submit(REVIEW, staged=f"{numbers[1]}.same", reason="x", seen=seen)

    done = web.submit(REVIEW, staged=staged, reason="two passports", seen=seen)

    assert (other.status, done.status) == (409, 303)
    assert "look at what is staged again" in other.text


def test_a_decision_on_its_own_leaves_what_is_staged(web, numbers):
    first, *_, last = numbers
    staged = f"{first}.same,{last}.same"

    done = web.submit(f"/work/mismatch/{first}/comment", reason="x", staged=staged)

    assert done.headers["location"].endswith(f"?staged={last}.same")


@pytest.mark.parametrize(
    ("staged", "reason", "said"),
    [
        ("", "seen", "Nothing is staged"),
        ("1.same", " ", "needs a reason"),
        ("1.perhaps", "seen", "is written 12.same"),
        ("x.same", "seen", "is written 12.same"),
        (",".join(f"{n}.same" for n in range(1, 52)), "seen", "At most 50"),
    ],
)
def test_what_cannot_be_carried_out_is_said(web, staged, reason, said):
    answer = web.submit(REVIEW, staged=staged, reason=reason)

    assert answer.status == 422
    assert said in answer.text


def test_nothing_staged_is_a_page_that_says_how_and_needs_the_right(web):
    assert "Nothing is staged" in web.browse(REVIEW).text
    assert web.browse(REVIEW, "staged=99.same").status == 404
    blind = web.signed_in(Permission.WORK_IDENTITY, Permission.VIEW_METADATA)
    assert blind.browse(REVIEW).status == 403
