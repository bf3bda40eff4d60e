"""Pages: what they show to whom, what they move, and what never stands in them."""

import csv
import io
import re

import pytest

from engine.console.permissions import Permission
from engine.errors import EngineError
from engine.store import audit, error_queue, queues
from engine.store.message_state import MessageState
from engine.store.results import Failure, Outcome
from tests.sites import busy_site
from tests.stored import accept_some, ask, claim, end, lease, record
from tests.web import Web

SEE = Permission.VIEW_METADATA
PAGES = (
    *("/", "/messages", "/messages/1", "/work", "/work?kind=mismatch"),
    *("/work?kind=parked", "/work?kind=waiting", "/messages/1?tab=received"),
    *("/messages/1?tab=sent", "/messages/1?tab=history", "/messages/2"),
)
PATIENT = ("Doe", "Ann", "19800229")


@pytest.fixture
def web(tmp_path):
    return Web(busy_site(tmp_path).database("console"))


def group_of(web, code):
    with web.database.reading() as connection:
        return next(g.key for g in error_queue.groups(connection) if g.code == code)


def acts(web, action):
    with web.database.reading() as connection:
        rows = audit.rows(connection, web.database.sealer)
    return [row.act for row in rows if row.act.action == action]


@pytest.mark.parametrize("address", PAGES)
def test_S11_a_role_without_patients_sees_no_patient_anywhere(web, address):
    path, _, query = address.partition("?")
    answer = web.signed_in(SEE, Permission.REPLAY).browse(path, query)

    assert answer.status == 200
    assert not [value for value in PATIENT if value in answer.text]


def test_S11_opening_a_message_is_written_down_before_it_is_shown(web):
    answer = web.signed_in().browse("/messages/1", "tab=received")

    assert all(value in answer.text for value in PATIENT)
    [act] = acts(web, "view")
    assert (act.actor, act.subject) == ("ana", "message 1")


def test_S11_what_cannot_be_written_down_is_not_shown(web, monkeypatch):
    known = web.signed_in()

    def refuse(*_):
        raise EngineError("the audit trail cannot be written")

    monkeypatch.setattr("engine.store.audit.write", refuse)
    answer = known.browse("/messages/1", "tab=received")

    assert answer.status == 500
    assert not [value for value in PATIENT if value in answer.text]


def test_a_search_for_a_patient_stands_in_no_address(web):
    known = web.signed_in()

    kept = known.submit("/messages", query="patient:100482 channel:adt")
    place = kept.headers["location"]
    found = known.browse(*place.split("?"))

    assert kept.status == 303
    assert re.fullmatch(r"/messages\?q=[\w-]{12}", place)
    assert 'href="/messages/1"' in found.text
    assert 'href="/messages/3"' not in found.text


def test_a_search_for_a_patient_needs_the_right_to_see_patients(web):
    place = web.signed_in().submit("/messages", query="patient:100482")
    other = web.signed_in(SEE, name="ben")

    assert other.browse(*place.headers["location"].split("?")).status == 403
    assert other.submit("/messages", query="patient:100482").status == 403


def test_a_search_that_names_nobody_is_its_own_address(web):
    asked = web.signed_in(SEE).submit("/messages", query="state:error channel:adt")

    assert asked.headers["location"] == "/messages?state=error&channel=adt"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("stat:error", "did you mean state: ?"),
        ("state:eror", "states: received"),
        ("since:soon", "write 2h"),
        ("Doe", "qualifiers:"),
    ],
)
def test_a_query_that_cannot_be_understood_says_where_and_what_would_be(
    web, query, said
):
    answer = web.signed_in(SEE).submit("/messages", query=query)

    assert answer.status == 422
    assert said in answer.text
    assert "^" in answer.text


def test_a_list_is_also_json_and_csv(web):
    known = web.signed_in(SEE)

    items = known.get("/messages.json", state="error").json()["items"]
    [head, row] = csv.reader(
        io.StringIO(known.get("/messages.csv", state="error").text)
    )

    assert [item["id"] for item in items] == [2]
    assert dict(zip(head, row, strict=True))["reason"] == "no row for GLU"
    assert known.get("/messages.xml").status == 404


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_S27_no_cell_of_an_export_is_a_formula(web, text):
    known = web.signed_in()
    known.submit(f"/work/errors/{group_of(web, 'table-miss')}/assign", assignee=text)

    rows = list(csv.DictReader(io.StringIO(known.get("/work.csv").text)))

    assert [row["assignee"] for row in rows if row["code"] == "table-miss"] == [
        f"'{text}"
    ]


def test_what_a_group_needs_is_done_from_its_page(web):
    known = web.signed_in()
    key = group_of(web, "table-miss")

    known.submit(f"/work/errors/{key}/assign", assignee="lab team")
    known.submit(f"/work/errors/{key}/comment", text="asked the lab")
    page = known.browse(f"/work/errors/{key}").text
    done = known.submit(f"/work/errors/{key}/retry", reason="row added")
    again = known.submit(f"/work/errors/{key}/retry", reason="row added")

    assert "lab team" in page
    assert "asked the lab" in page
    assert (done.status, done.headers["location"]) == (303, "/work")
    assert [act.detail for act in acts(web, "message.reprocess")] == ["row added"]
    assert again.status == 303
    assert known.browse(f"/work/errors/{key}").status == 404


def test_many_entries_move_only_when_their_number_was_typed(web, monkeypatch):
    monkeypatch.setattr("engine.console.pages.work.MANY", 0)
    known = web.signed_in()
    key = group_of(web, "table-miss")

    refused = known.submit(f"/work/errors/{key}/discard", reason="x", typed="7")
    done = known.submit(f"/work/errors/{key}/discard", reason="x", typed="1")

    assert (refused.status, done.status) == (422, 303)
    assert len(acts(web, "message.discard")) == 1


def fail_more(web, count):
    """Let more messages fail for the cause that the second one has."""
    failure = Failure("edit", "permanent", "table-miss", "no row for GLU", "no row")
    numbers = accept_some(web.database, count)
    claim(web.database)
    outcomes = [Outcome(n, MessageState.ERROR, failure=failure) for n in numbers]
    record(web.database, *outcomes)


def last_shown(page):
    [shown] = re.findall(r'name="until" value="(\d+)"', page)
    return shown


@pytest.mark.parametrize("address", ["/work/errors/{key}", "/"])
def test_what_failed_after_a_page_was_shown_is_not_moved_with_it(web, address):
    known = web.signed_in()
    key = group_of(web, "table-miss")
    forms = known.browse(address.format(key=key)).text.split("<form")
    shown = next(last_shown(form) for form in forms if f"{key}/retry" in form)
    fail_more(web, 2)

    known.submit(f"/work/errors/{key}/discard", reason="a test", until=shown)

    left = ask(web.database, error_queue.entries, group=key)
    assert len(acts(web, "message.discard")) == 1
    assert [each.message_id for each in left] == [4, 5]


def test_the_number_that_was_shown_confirms_what_is_left_of_it(web, monkeypatch):
    monkeypatch.setattr("engine.console.pages.work.MANY", 0)
    known = web.signed_in()
    key = group_of(web, "table-miss")
    fail_more(web, 2)
    shown = last_shown(known.browse(f"/work/errors/{key}").text)
    known.submit("/messages/4/discard", reason="by somebody else")

    few = known.submit(f"/work/errors/{key}/retry", reason="x", typed=1, until=shown)
    done = known.submit(f"/work/errors/{key}/retry", reason="x", typed=3, until=shown)

    assert (few.status, done.status) == (422, 303)
    assert len(acts(web, "message.reprocess")) == 2


@pytest.mark.parametrize("field", ["sample", "until"])
@pytest.mark.parametrize("number", ["-1", "9" * 30])
def test_a_number_that_chooses_nothing_moves_nothing(web, field, number):
    known = web.signed_in()
    key = group_of(web, "table-miss")

    answer = known.submit(f"/work/errors/{key}/discard", **{field: number})

    assert answer.status == 422
    assert acts(web, "message.discard") == []


def test_who_comes_second_is_told_and_changes_nothing(web):
    known = web.signed_in()

    first = known.submit("/messages/2/discard", reason="twice sent")
    second = known.submit("/messages/2/discard", reason="twice sent")

    assert (first.status, second.status) == (303, 409)
    assert "Nothing was changed" in second.text
    assert len(acts(web, "message.discard")) == 1


def test_a_delivery_is_sent_again_from_its_message(web):
    with web.database.reading() as connection:
        [failed] = queues.deliveries(connection, queues.DeliveryFilter(message_id=3))

    done = web.signed_in().submit(f"/messages/3/deliveries/{failed.id}/resend")

    assert (done.status, done.headers["location"]) == (303, "/messages/3")
    assert ask(web.database, queues.delivery, failed.id).state == "queued"


def test_what_somebody_else_has_done_again_is_not_done_twice(web):
    kim, ana = web.signed_in(name="kim"), web.signed_in(name="ana")
    seen = re.findall(r'name="seen" value="([^"]+)"', kim.browse("/messages/3").text)
    again, resend = "/messages/3/reprocess", "/messages/3/deliveries/2/resend"

    first = ana.submit(resend, seen="failed 1")
    [leased] = lease(web.database, destination="fhir")
    end(web.database, leased)
    late = kim.submit(resend, seen="failed 1")
    meant = kim.submit(resend, seen="delivered 2")
    done = [ana.submit(again, seen="processed 1"), kim.submit(again, seen="error 1")]

    assert seen == ["processed 1", "failed 1"]
    assert [each.status for each in (first, late, meant)] == [303, 409, 303]
    assert "it was failed when it was shown" in late.text
    assert "it is delivered" in late.text
    assert [each.status for each in done] == [303, 409]
    assert len(acts(web, "delivery.resend")) == 2


def test_what_there_is_not_is_a_page_that_says_so(web):
    known = web.signed_in()

    for path in ("/messages/999", "/work/errors/none", "/no/such/page"):
        answer = known.browse(path)
        assert answer.status == 404
        assert "<h1>Not Found</h1>" in answer.text
    assert known.submit("/messages/1/burn").status == 404
    assert known.submit("/work/errors/none/burn").status == 404


def test_a_theme_is_remembered_and_leads_back_to_the_page_only(web):
    known = web.signed_in(SEE)

    kept = known.submit("/preferences", theme="dark", back="/work?kind=parked")
    abroad = known.submit("/preferences", theme="dark", back="//evil.example")

    assert kept.headers["location"] == "/work?kind=parked"
    assert abroad.headers["location"] == "/evil.example"
    assert "theme=dark" in kept.headers["set-cookie"]
    assert "set-cookie" not in known.submit("/preferences", theme="pink").headers
