"""Several messages at once: from the list, and by a program."""

import pytest

from engine.console.permissions import Permission
from engine.store import audit, search
from tests.sites import busy_site
from tests.stored import ask
from tests.web import Web

SEE, REPLAY = Permission.VIEW_METADATA, Permission.REPLAY
JSON = "application/json"


@pytest.fixture
def web(tmp_path):
    return Web(busy_site(tmp_path).database("console"), tags={"adt": ["a"]})


def acts(web, action):
    rows = ask(web.database, audit.rows, web.database.sealer)
    return sorted(row.act.subject for row in rows if row.act.action == action)


def chosen(*rows, what="hold", **fields):
    return {"what": what, "chosen": list(rows), "reason": "the ward asks", **fields}


def test_messages_that_were_ticked_are_held_together(web):
    known = web.signed_in()
    page = known.browse("/messages", "state=error").text
    back = "/messages?state=error"

    done = known.submit("/messages/move", **chosen("2 error 1", back=back))

    assert 'value="2 error 1"' in page
    assert (done.status, done.headers["location"]) == (303, back)
    assert acts(web, "message.hold") == ["message 2"]


def test_where_one_cannot_be_moved_none_is(web):
    known = web.signed_in()
    rows = "1 processed 1", "2 error 1"

    answer = known.submit("/messages/move", **chosen(*rows))

    assert answer.status == 409
    assert "Nothing was changed: message 1 was sent to fhir" in answer.text
    assert acts(web, "message.hold") == []


def test_several_are_discarded_with_a_row_of_the_trail_each(web):
    known = web.signed_in()
    known.submit("/messages/move", **chosen("1 processed 1", "3 processed 1"))

    again = chosen("1 processed 1", "3 processed 1", what="reprocess")
    done = known.submit("/messages/move", **again)
    late = known.submit("/messages/move", **again)

    assert (done.status, late.status) == (303, 409)
    assert acts(web, "message.reprocess") == ["message 1", "message 3"]
    assert "when it was shown" in late.text


def test_many_are_moved_only_when_their_number_was_typed(web, monkeypatch):
    monkeypatch.setattr("engine.console.pages.message_moves.MANY", 0)
    known = web.signed_in()

    unsure = known.submit("/messages/move", **chosen("2 error 1", what="discard"))
    sure = known.submit(
        "/messages/move", **chosen("2 error 1", what="discard", typed=1)
    )

    assert (unsure.status, sure.status) == (422, 303)
    assert "type 1 to confirm" in unsure.text


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (chosen(), 422),
        (chosen("2"), 422),
        (chosen("2 error 1", "9" * 30 + " error 1"), 422),
        (chosen("99 error 1"), 404),
        (chosen("2 error 1", what="burn"), 404),
    ],
)
def test_what_was_not_chosen_from_the_list_moves_nothing(web, fields, status):
    answer = web.signed_in().submit("/messages/move", **fields)

    assert answer.status == status
    assert ask(web.database, search.message, 2).state == "error"


def test_messages_of_channels_that_one_may_not_see_are_not_there(web):
    own = web.signed_in(SEE, REPLAY, name="own", tags=("a",))
    other = web.signed_in(SEE, REPLAY, name="other", tags=("b",))
    program = web.allowed(SEE, REPLAY, tags=("b",))
    asked = {"what": "discard", "ids": [2], "reason": "x"}

    refused = other.submit("/messages/move", **chosen("2 error 1", what="discard"))
    unseen = program.post("/api/v1/messages/move", asked, JSON)
    done = own.submit("/messages/move", **chosen("2 error 1", what="discard"))

    assert (refused.status, unseen.status, done.status) == (404, 404, 303)
    assert "here is no message 2" in refused.text
    assert acts(web, "message.discard") == ["message 2"]


def test_who_may_not_act_finds_no_boxes(web):
    page = web.signed_in(SEE).browse("/messages").text

    assert 'name="chosen"' not in page
    assert web.signed_in(SEE).submit("/messages/move", **chosen("2")).status == 403


def test_a_program_moves_several_by_their_number(web, monkeypatch):
    monkeypatch.setattr("engine.console.api.orders.MANY", 1)
    known, path = web.allowed(), "/api/v1/messages/move"
    asked = {"what": "reprocess", "ids": [3, 1, 1], "reason": "row added"}

    unsure = known.post(path, asked, JSON)
    other = known.post(path, asked | {"expected": 3}, JSON)
    done = known.post(path, asked | {"expected": 2}, JSON)
    none = known.post(path, asked | {"ids": []}, JSON)

    assert unsure.json()["detail"] == "send expected: 2 to confirm; nothing was changed"
    assert [each.status for each in (unsure, other, none)] == [422] * 3
    assert done.json() == {"what": "reprocess", "count": 2}
    assert acts(web, "message.reprocess") == ["message 1", "message 3"]
