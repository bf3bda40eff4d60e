"""S4: stages on one line of time, who sees to a message, and what belongs to what."""

from dataclasses import replace
from datetime import timedelta

import pytest

from engine.channels.format.load import load_site
from engine.channels.processing import why
from engine.console.permissions import Permission
from engine.console.timeline import timeline
from engine.store import audit, error_queue, journal, queues, search
from engine.store.claims import Claimed
from tests.builders import adt_a01
from tests.sites import busy_site, site_with_doubt
from tests.stored import NOON, accept, arrival
from tests.web import Web

SECOND = timedelta(seconds=1)


@pytest.fixture
def web(tmp_path):
    return Web(busy_site(tmp_path).database("console"))


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Return a signed-in browser of a site that runs messages again."""
    own = site_with_doubt(tmp_path_factory.mktemp("linked"))
    web = Web(own.database("console"), site=load_site(own.config, None, {}))
    return web.signed_in()


def acts(web, action):
    with web.database.reading() as connection:
        rows = audit.rows(connection, web.database.sealer)
    return [row.act for row in rows if row.act.action == action]


def facts(web, number):
    with web.database.reading() as connection:
        sealer = web.database.sealer
        found = search.message(connection, number)
        past = search.attempts(connection, sealer, number)
        wanted = queues.DeliveryFilter(message_id=number)
        return found, past, queues.deliveries(connection, wanted)


def test_a_message_is_held_from_its_page_until_it_is_released(web):
    known = web.signed_in()

    offered = known.browse("/messages/2").text
    done = known.submit("/messages/2/hold", reason="the ward asks")
    again = known.submit("/messages/2/hold", reason="the ward asks")
    page = known.browse("/messages/2").text

    assert 'formaction="/messages/2/hold"' in offered
    assert (done.status, again.status) == (303, 409)
    assert "Is held for" in page
    assert 'formaction="/messages/2/hold"' not in page
    assert [each.detail for each in acts(web, "message.hold")] == ["the ward asks"]


def test_no_hold_is_offered_for_what_has_gone_out(web):
    page = web.signed_in().browse("/messages/1").text

    assert "delivered to 1 of 1" in page
    assert 'formaction="/messages/1/hold"' not in page


def test_a_message_is_given_to_somebody_and_talked_about_from_its_page(web):
    known = web.signed_in()

    known.submit("/messages/2/assign", assignee="lab team")
    known.submit("/messages/2/comment", text="asked the lab")
    page = known.browse("/messages/2").text

    assert "seen to by lab team" in page
    assert "asked the lab" in page
    assert [each.detail for each in acts(web, "error.assign")] == ["lab team"]
    assert [each.detail for each in acts(web, "error.comment")] == [""]
    assert [each.subject for each in acts(web, "error.comment")] == ["message 2"]


def test_S11_what_others_said_is_covered_for_who_may_not_see_the_patient(web):
    with web.database.reading() as connection:
        [key] = {each.group_key for each in error_queue.entries(connection, message=2)}
    every, ana = web.signed_in(), web.signed_in("operator", name="ana")

    every.submit("/messages/2/comment", text="Doe is waiting")
    ana.submit("/messages/2/comment", text="I asked the lab")

    for path in ("/messages/2", f"/work/errors/{key}"):
        hers, all_of_it = ana.browse(path).text, every.browse(path).text
        assert "I asked the lab" in hers
        assert "Doe" not in hers
        assert "1 comment of others, covered" in hers
        assert "Doe is waiting" in all_of_it
        assert "of others, covered" not in all_of_it


def test_a_comment_whose_message_is_gone_is_covered(web, monkeypatch):
    known = web.signed_in()
    known.submit("/messages/2/comment", text="Doe is waiting")
    with web.database.reading() as connection:
        [key] = {each.group_key for each in error_queue.entries(connection, message=2)}

    monkeypatch.setattr(search, "message", lambda *_: None)
    other = web.signed_in(name="bob")

    assert "Doe" not in other.browse(f"/work/errors/{key}").text


def test_a_group_is_given_to_somebody_and_the_audit_trail_says_so(web):
    with web.database.reading() as connection:
        [key] = {each.group_key for each in error_queue.entries(connection, message=2)}

    web.signed_in().submit(f"/work/errors/{key}/assign", assignee="ben")

    assert [each.subject for each in acts(web, "error.assign")] == ["message 2"]


def test_a_program_gives_a_message_to_somebody_and_says_why(web):
    known, path = web.allowed(), "/api/v1/messages/2/"
    json = "application/json"

    given = known.post(path + "assign", {"assignee": "ann"}, json)
    said = known.post(path + "comment", {"text": "asked"}, json)
    nothing = known.post("/api/v1/messages/1/assign", {"assignee": "ann"}, json)

    assert (given.json()["count"], said.json()["count"]) == (1, 1)
    assert nothing.status == 404
    with web.database.reading() as connection:
        [entry] = error_queue.entries(connection, message=2)
        sealer = web.database.sealer
        [comment] = error_queue.comments(connection, sealer, entry.id)
    assert (entry.assignee, comment.text) == ("ann", "asked")


def test_the_stages_of_a_message_are_drawn_to_one_scale(web):
    found, past, sent = facts(web, 1)
    late = [replace(each, settled_at=NOON + 4 * SECOND, attempts=3) for each in sent]
    past = [replace(each, processed_at=NOON + SECOND) for each in past]

    bars = timeline(found, past, late, NOON)

    assert [bar.name.split()[0] for bar in bars] == ["waited", "delivery", "attempt"]
    by_name = {bar.name.split()[0]: bar for bar in bars}
    assert by_name["delivery"].milliseconds(NOON) == 4000
    assert 'width="240' in by_name["delivery"].drawing
    assert "3 tries" in by_name["delivery"].note


def test_what_is_not_over_is_drawn_until_now(web):
    accept(web.database, arrival(data=adt_a01()))
    found, past, sent = facts(web, 4)

    [bar] = timeline(found, past, sent, NOON + 2 * SECOND)

    assert (bar.name, bar.until) == ("waits for a worker", None)
    assert bar.milliseconds(NOON + 2 * SECOND) == 2000
    assert "so far" in web.signed_in().browse("/messages/4", "tab=history").text


def test_a_field_and_the_values_made_of_it_are_marked_together(told):
    page = told.browse("/messages/1", "tab=linked&at=PID-5").text

    rows = [
        row
        for row in page.split("<tr")
        if row.startswith((' data-link="', " data-links"))
    ]
    marked = [row for row in rows if 'class="marked"' in row]
    assert len(rows) > len(marked) == 2
    assert "PID-5.1" in marked[0]
    assert "Patient.name[0].family" in marked[1]


def test_a_message_of_many_parts_is_not_linked_whole(told, monkeypatch):
    monkeypatch.setattr(why, "MOST_PARTS", 3)

    page = told.browse("/messages/1", "tab=linked").text

    assert "more than 3 parts" in page


def test_what_makes_no_resource_has_nothing_to_link(told):
    page = replace(told, site=None).signed_in().browse("/messages/1", "tab=linked")

    assert "not here any more" in page.text


def test_a_message_that_stops_before_the_map_has_nothing_to_link(told):
    channel = next(c for c in told.site.channels if c.name == "hospital-adt")
    data = b"MSH|^~\\&|HIS|GENERAL|INTEROP|GENERAL|2026||ZZZ^Z99|1|P|2.5.1\r"
    with told.database.reading() as connection:
        row = journal.row(connection, 1)
    assert row is not None

    assert why.linked(told.site, channel, Claimed(row, data)) == []


def test_a_role_without_patients_sees_no_linked_value(told):
    page = told.signed_in(Permission.VIEW_METADATA, name="op")

    assert "Covered" in page.browse("/messages/1", "tab=linked").text
