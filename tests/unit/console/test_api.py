"""The REST API: described truly, carried out once, refused in one form."""

import re
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from engine.channels import live_files, revisions
from engine.channels.format.load import load_site
from engine.console.api.description import changes, document
from engine.console.api.models import Problem
from engine.console.api.orders import KEY, REPLAYED
from engine.console.api.routes import API
from engine.console.gate import STALE
from engine.console.permissions import Permission
from engine.console.problems import PROBLEM
from engine.console.queries.samples import INVENTED
from engine.console.site import built
from engine.errors import StoreError
from engine.settings import load_settings
from engine.store import audit, edited_copies, incidents, kept_answers, second_looks
from engine.store.incidents import Incident
from tests.builders import adt_a01
from tests.databases import empty_database
from tests.json_schema import faults
from tests.sites import site_with_doubt, with_messages
from tests.stored import NOON, OPERATOR, accept_some, ask, claim, failed, record
from tests.web import SITE, Web

SEE, PHI, REPLAY = Permission.VIEW_METADATA, Permission.VIEW_PHI, Permission.REPLAY
DESCRIBED = document(built(API))
SCHEMAS = DESCRIBED["components"]["schemas"]
ROUTES = [each for each in API if each.model]
WHY = {"reason": "asked for by the ward"}
TROUBLE = Incident(
    *("disk||", "disk", "", "", "critical", "the disk is 91 % full", ("oncall",)),
    *(1, 120, NOON, NOON, NOON),
)


@contextmanager
def served(folder):
    """Give a caller who may do everything, on a site with something in every queue.

    Messages 1 and 2 are of one doubtful person; of 3, 4 and 5 one is delivered, one
    in error, and one has a failed delivery.
    """
    site = site_with_doubt(folder)
    with_messages(site)
    database = site.database("console")
    with database.engine() as connection:
        incidents.keep(connection, [TROUBLE])
    loaded = load_site(site.config, None, {})
    contacts = {"oncall": {"email": "oncall@example.org"}}
    key = load_settings(site.config, variables={}).store_key
    settings = replace(SITE, folder=site.config, store_key=key, contacts=contacts)
    made = Web(database, settings, site=loaded).allowed()
    yield made
    made.app.state.surroundings.trials.close()
    database.close()


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    """Return the caller of tests that leave everything as it is."""
    with served(tmp_path_factory.mktemp("api")) as made:
        yield made


@pytest.fixture
def own(tmp_path):
    """Return a caller whose site is nobody else's."""
    with served(tmp_path) as made:
        yield made


def send(web, path, body=None, method="POST", key="", **headers):
    """Send an order as a program does."""
    more = [
        (name.replace("_", "-").encode(), v.encode()) for name, v in headers.items()
    ]
    if key:
        more.append((KEY.lower().encode(), key.encode()))
    content = orjson.dumps(WHY if body is None else body)
    return web.ask(method, f"/api/v1/{path}", "", content, "application/json", more)


def get(web, path, query=""):
    return web.ask("GET", f"/api/v1/{path}", query)


def acts(web, action, subject=""):
    with web.database.reading() as connection:
        rows = audit.rows(connection, web.database.sealer, subject=subject, limit=1000)
    return [row.act for row in rows if row.act.action == action]


def sent(web, channel="adt", state=""):
    query = f"channel={channel}" + (f"&state={state}" if state else "")
    return get(web, "deliveries", query).json()["items"]


# ---- what is described


@pytest.mark.parametrize("route", ROUTES, ids=lambda each: f"{each.method} {each.path}")
def test_a_route_is_described_with_its_permission_its_answer_and_its_refusals(route):
    told = DESCRIBED["paths"][route.path][route.method.lower()]

    answer = told["responses"]["200"]["content"]["application/json"]["schema"]
    refusals = {s: r for s, r in told["responses"].items() if s != "200"}
    assert told["summary"]
    assert told["x-permission"] == route.permission
    assert told["security"] == [{"token": []}]
    assert answer["$ref"].rpartition("/")[2] in SCHEMAS
    assert refusals.keys() >= {"401", "403", "422", "429", "503"}
    assert {tuple(each["content"]) for each in refusals.values()} == {(PROBLEM,)}
    assert ("404" in refusals) == ("{" in route.path)
    headers = [
        one["name"] for one in told.get("parameters", ()) if one["in"] == "header"
    ]
    wanted = {"POST": [KEY], "PUT": ["If-Match"]}.get(route.method, [])
    assert headers == (wanted if changes(route) else [])


def test_the_description_is_whole_and_names_each_operation_once():
    operations = [
        each for path in DESCRIBED["paths"].values() for each in path.values()
    ]
    names = [each["operationId"] for each in operations]
    referred = set(
        re.findall(r'"#/components/schemas/(\w+)"', str(orjson.dumps(DESCRIBED)))
    )

    assert DESCRIBED["openapi"].startswith("3.1")
    assert len(names) == len(set(names)) == len(ROUTES)
    assert referred <= SCHEMAS.keys()
    assert "HTTPValidationError" not in SCHEMAS


def test_the_description_is_served_to_whoever_is_known(web):
    answer = get(web, "openapi.json")

    assert answer.json()["paths"].keys() == DESCRIBED["paths"].keys()
    assert get(replace(web, token=""), "openapi.json").status == 401


# ---- every route, once

EDITED = adt_a01(family="Edited").decode()
HOUR = timedelta(hours=1)
BODIES = {
    "channels/{name}/try": {"message": INVENTED["Admit"]},
    "messages/search": {"query": "patient:100482 channel:adt"},
    "messages/move": WHY | {"what": "reprocess", "ids": [5]},
    "messages/{message_id}/assign": {"assignee": "interfaces"},
    "messages/{message_id}/comment": {"text": "the laboratory is told"},
    "errors/{key}/assign": {"assignee": "interfaces"},
    "errors/{key}/comment": {"text": "the laboratory is told"},
    "errors/{key}/{what}": WHY | {"sample": 1},
    "persons/search": {"number": "100482"},
    "tables/{name}/rows/{code}": WHY | {"to": "other"},
    "alerts/{number}/acknowledge": {},
    "alerts/{number}/snooze": {"minutes": 30},
    "alerts/{number}/escalate": {"contact": "oncall"},
    "channels/{name}/connect": {"destination": "fhir"},
    "messages/{message_id}/edit": WHY | {"text": EDITED},
    "messages/{message_id}/edit/try": {"text": EDITED},
    "users": {"name": "ben", "roles": ["operator"]},
    "users/{name}/roles": WHY | {"roles": ["analyst"], "tags": ["lab"]},
    "tokens": {"name": "portal", "permissions": ["view-metadata"]},
}
WHAT = {
    "channels": "pause", "messages": "reprocess", "tasks": "undo",
    "users": "disable",
}  # fmt: skip
NAMES = {"tables": "sex", "users": "ben", "backups": "20300101T120000Z"}


def went_live(web, text="# a note\n"):
    """Keep what runs as configuration 1, change a file; return the file's version."""
    folder = web.settings.folder
    found = live_files.read(folder, None)
    found = replace(found, site=replace(found.site, settings=web.settings))
    live_files.keep(web.database, found, OPERATOR)
    file = folder / "channels" / "hospital-adt.yaml"
    file.write_text(file.read_text() + text)
    return revisions.version_of(folder, "hospital-adt")


def test_a_channel_is_compared_and_rolled_back_once(own):
    seen, place = went_live(own), "channels/hospital-adt/history"
    [known] = get(own, place).json()["items"]
    found = get(own, f"{place}/1").json()
    order = WHY | {"seen": found["seen"]}

    done = send(own, f"{place}/1/rollback", order, key="b")
    again = send(own, f"{place}/1/rollback", order, key="b")
    late = send(own, f"{place}/1/rollback", order)

    assert (known["number"], known["state"]) == (1, "live")
    assert found["seen"] == seen
    assert "+# a note" in found["files"][0]["lines"]
    assert (done.status, again.body, late.status) == (200, done.body, 409)
    assert "changed meanwhile" in late.json()["detail"]
    assert get(own, f"{place}/1").json()["files"] == []
    assert get(own, f"{place}/99").status == 404
    assert send(own.allowed(SEE), f"{place}/1/rollback", order).status == 403
    assert len(acts(own, "config.rollback")) == 1


def test_every_route_answers_as_it_is_described(own):
    group = next(e for e in get(own, "errors").json()["items"] if not e["destination"])
    waiting = sent(own, "hospital-adt", "queued")[0]
    values = {
        "name": "hospital-adt", "message_id": 3, "delivery_id": waiting["id"],
        "key": group["key"], "number": 1, "code": "Y",
    }  # fmt: skip
    person = get(own, "messages/1").json()["message"]["person"]
    refused, wrong, doubt = {}, {}, get(own, "tasks/1").json()
    target = doubt["candidates"][0]["person"]
    moved = WHY | {"records": [doubt["task"]["record"]], "target": target}
    bodies = BODIES | {"tasks/{number}/move": moved}
    before = went_live(own)
    bodies["channels/{name}/history/{number}/rollback"] = WHY | {"seen": before}
    bodies["persons/{eid}/ask"] = WHY | {"other": doubt["task"]["person"]}

    for route in ROUTES:
        template = route.path.removeprefix("/api/v1/")
        kind = template.partition("/")[0]
        eid = "P3" if kind == "parked" else person
        more = {"what": WHAT.get(kind, "discard"), "eid": eid}
        more |= {"name": NAMES[kind]} if kind in NAMES else {}
        more |= {"number": 2} if kind == "tokens" else {}
        more |= {"message_id": 4} if template in BODIES else {}
        path = template.format(**values | more)
        body = None if route.method == "GET" else bodies.get(template)
        answer = send(own, path, body, route.method)
        told = DESCRIBED["paths"][route.path][route.method.lower()]["responses"]
        schema = told["200"]["content"]["application/json"]["schema"]
        if answer.status != 200:
            refused[path] = answer.text
        elif found := faults(schema, answer.json(), {"$defs": SCHEMAS}):
            wrong[path] = found

    assert refused == {}
    assert wrong == {}


# ---- once, or not at all


@pytest.fixture
def queue(tmp_path):
    """Return a caller on a store with 21 messages in error, of one cause."""
    database = empty_database("sqlite", tmp_path)
    accept_some(database, 21)
    record(database, *(failed(each.row.id) for each in claim(database)))
    yield Web(database).allowed()
    database.close()


def test_the_same_key_gets_the_same_answer_and_nothing_is_done_again(queue):
    first = send(queue, "messages/1/discard", key="a")
    again = send(queue, "messages/1/discard", key="a")
    without = send(queue, "messages/1/discard")

    assert (first.status, first.json()) == (200, {"what": "discard", "count": 1})
    assert (again.status, again.body) == (200, first.body)
    assert (REPLAYED.lower() in first.headers, again.headers[REPLAYED.lower()]) == (
        *(False, "true"),
    )
    assert without.status == 409
    assert len(acts(queue, "message.discard", "message 1")) == 1


def test_a_key_is_for_one_order_of_one_caller(queue):
    send(queue, "messages/1/discard", key="a")

    other_body = send(queue, "messages/1/discard", {"reason": "another"}, key="a")
    other_path = send(queue, "messages/2/discard", key="a")
    somebody = send(queue.allowed(REPLAY), "messages/2/discard", key="a")

    assert (other_body.status, other_path.status) == (422, 422)
    assert "sent with another order" in other_path.json()["detail"]
    assert (somebody.status, somebody.json()["count"]) == (200, 1)


def test_a_refused_order_leaves_its_key_free(queue):
    refused = send(queue, "messages/1/release", key="a")

    assert refused.status == 409
    assert "nothing was changed" in refused.json()["detail"]
    assert send(queue, "messages/1/discard", key="a").status == 200


def test_a_key_is_forgotten_after_a_day(queue):
    def late(hours, key):
        later = replace(queue, now=NOON + timedelta(hours=hours))
        return send(later, "messages/1/discard", key=key).status

    send(queue, "messages/1/discard", key="a")
    within, after = late(23.9, "a"), late(23.99, "b")

    assert (within, after) == (200, 409)
    with queue.database.engine() as connection:
        day = NOON + kept_answers.LASTS
        assert (
            kept_answers.take(connection, queue.database.sealer, b"k", b"", day) is None
        )
        key = kept_answers.key_of("token 1 portal", "a")
        assert (
            kept_answers.take(connection, queue.database.sealer, key, b"", day) is None
        )


@pytest.mark.parametrize("key", [" ", "a b", "x" * 256, "é"])
def test_a_key_is_short_and_visible(queue, key):
    more = [(KEY.lower().encode(), key.encode("latin-1"))]

    answer = queue.ask(
        "POST",
        "/api/v1/messages/1/discard",
        "",
        orjson.dumps(WHY),
        "application/json",
        more,
    )

    assert answer.status == 422
    assert KEY in answer.json()["detail"]


def test_few_entries_are_moved_only_as_many_as_were_expected(queue):
    [group] = get(queue, "errors").json()["items"]
    path = f"errors/{group['key']}/discard"

    fewer = send(queue, path, WHY | {"sample": 2, "expected": 1})
    same = send(queue, path, WHY | {"sample": 2, "expected": 2})

    assert (fewer.status, same.status) == (422, 200)


def test_more_than_twenty_entries_are_moved_by_their_number(queue):
    [group] = get(queue, "errors").json()["items"]
    path = f"errors/{group['key']}/discard"

    unsure = send(queue, path)
    some = send(queue, path, WHY | {"sample": 2})
    other = send(queue, path, WHY | {"expected": 3})
    rest = send(queue, path, WHY | {"expected": 19})
    gone = send(queue, path, WHY)

    assert (unsure.status, unsure.json()["detail"]) == (
        *(422, "send expected: 21 to confirm; nothing was changed"),
    )
    assert (other.status, other.json()["detail"]) == (
        *(422, "send expected: 19 to confirm; nothing was changed"),
    )
    assert (some.json()["count"], rest.json()["count"]) == (2, 19)
    assert gone.status == 404


def test_an_order_needs_a_reason_and_takes_nothing_it_does_not_know(queue):
    blank = send(queue, "messages/1/discard", {"reason": " "})
    none = send(queue, "messages/1/discard", {})
    strange = send(queue, "messages/1/discard", WHY | {"Doe^Ann": 1})

    assert {blank.status, none.status, strange.status} == {422}
    assert blank.json()["detail"] == "not as expected: body.reason"
    assert "Doe" not in strange.text
    assert acts(queue, "message.discard") == []


# ---- pages of lists


def test_a_list_leads_on_until_its_end(queue):
    first = get(queue, "messages", "limit=20").json()
    rest = get(queue, "messages", f"limit=20&cursor={first['next']}").json()

    numbers = [each["id"] for each in (*first["items"], *rest["items"])]
    assert numbers == list(range(21, 0, -1))
    assert rest["next"] is None
    assert get(queue, "messages", "limit=1001").status == 422
    assert get(queue, "messages", "patient=100482").status == 422


# ---- refusals


def test_every_refusal_is_a_problem(web):
    stranger, reader = replace(web, token=""), web.allowed(SEE)
    page = [(b"accept", b"text/html")]
    answers = {
        401: stranger.ask("GET", "/api/v1/messages", headers=page),
        403: send(reader, "messages/4/discard"),
        404: web.ask("GET", "/api/v1/messages/999", headers=page),
        405: web.ask("DELETE", "/api/v1/messages"),
        409: send(web, "messages/3/release"),
        413: send(web, "messages/4/discard", {"reason": "x" * (1 << 21)}),
        422: send(web, "messages/4/burn"),
    }

    for status, answer in answers.items():
        assert answer.status == status
        assert answer.headers["content-type"] == PROBLEM
        assert Problem.model_validate(answer.json()).status == status
    assert answers[401].headers["www-authenticate"] == "Bearer"


def test_a_store_that_is_away_is_said_to_be(web):
    def away():
        raise StoreError("The store could not be read: it is locked")

    here = web.app.state.surroundings
    web.app.state.surroundings = replace(here, now=away)
    answer = get(web, "status")
    web.app.state.surroundings = here

    assert (answer.status, answer.headers["content-type"]) == (503, PROBLEM)
    assert "try again" in answer.json()["detail"]


# ---- who may see what


def test_S11_content_is_masked_and_unwritten_without_the_right_to_see_patients(web):
    plain, opened = (
        get(web.allowed(SEE), "messages/3").json(),
        get(web, "messages/3").json(),
    )

    assert plain["masked"]
    assert "DOE" not in plain["content"].upper()
    assert "DOE" in opened["content"].upper()
    assert plain["content"].count("|") == opened["content"].count("|")
    seen = acts(web, "view", "message 3")
    assert {each.actor for each in seen} == {"token 1 portal"}


def test_a_search_for_a_patient_needs_the_right_and_is_written_down(web):
    asked = {"query": "patient:100482"}
    refused = send(web.allowed(SEE), "messages/search", asked)
    found = send(web, "messages/search", asked)

    assert refused.status == 403
    assert [each["control_id"] for each in found.json()["items"]] == ["M1"]
    assert acts(web, "search", "messages")[0].detail == "patient:100482"
    broken = send(web, "messages/search", {"query": "patient:1 Doe:2"})
    assert broken.status == 422
    assert "Doe" not in broken.text


# ---- as it was read


def test_a_decision_about_what_changed_since_is_refused(own):
    version = get(own, "tasks/1").headers["etag"]
    old = send(own, "tasks/1/unsure", if_match='"0"')
    done = send(own, "tasks/1/unsure", if_match=version)
    late = send(own, "tasks/1/same", if_match=version)

    assert (old.status, done.status, late.status) == (412, 200, 412)
    assert done.json()["asked"] == "unsure"


def test_a_task_is_decided_and_taken_back(own):
    decided = send(own, "tasks/1/same", key="t").json()
    undone = send(own, "tasks/1/undo").json()

    assert (decided["state"], decided["decided_by"]) == ("decided", "token 1 portal")
    assert undone["state"] == "undone"
    assert send(own, "tasks/99/same").status == 404
    assert get(own.allowed(Permission.WORK_IDENTITY), "tasks/1").status == 403


def test_a_second_reader_is_told_neither_score_nor_decision(own, monkeypatch):
    monkeypatch.setattr(second_looks, "_is_drawn", lambda *_: True)
    other = own.allowed()
    send(own, "tasks/1/same")

    open_book, blind = (get(each, "tasks/1").json() for each in (own, other))
    read = send(other, "tasks/1/different")

    assert (open_book["task"]["state"], blind["task"]["state"]) == ("decided", "open")
    assert open_book["candidates"]
    assert (blind["candidates"], blind["comments"]) == ([], [])
    assert {each["person"] for each in blind["records"]} == {""}
    assert (read.status, read.json()["decision"]) == (200, "same")


def test_a_table_is_changed_as_it_was_read(own):
    version = get(own, "tables/sex").headers["etag"]
    first = send(
        own, "tables/sex/rows/Z", WHY | {"to": "unknown"}, "PUT", if_match=version
    )
    second = send(
        own, "tables/sex/rows/Z", WHY | {"to": "other"}, "PUT", if_match=version
    )
    strange = send(
        own, "tables/sex/rows/Z", WHY | {"to": "x", "more": {"n": ""}}, "PUT"
    )

    assert (first.status, second.status, strange.status) == (200, 412, 422)
    rows = get(own, "tables/sex").json()["rows"]
    assert [row["to"] for row in rows if row["from"] == "Z"] == ["unknown"]
    assert get(own, "tables/none").status == 404


def test_a_channel_that_is_not_configured_hears_nothing(web):
    assert send(web, "channels/adt/pause").status == 404
    assert (
        send(web, "channels/hospital-adt/pause", WHY | {"destination": "x"}).status
        == 404
    )
    assert get(web, "channels/nothing").status == 404
    assert get(web, "channels/adt").json()["revision"] == ""


# ---- who may come in, and what is kept of the store


def test_S13_a_secret_is_shown_once_however_often_its_order_is_sent(own):
    person = {"name": "Eve", "roles": ["read-only"]}
    program = {"name": "lab", "permissions": [SEE], "tags": ["lab"], "days": 1}

    invited = [send(own, "users", person, key="u").json() for _ in range(2)]
    issued = [send(own, "tokens", program, key="t").json() for _ in range(2)]
    later = get(own, "tokens").text + get(own, "users").text + str(acts(own, "view"))
    token = issued[0]["secret"]

    assert "/welcome?code=" in invited[0]["secret"]
    assert get(replace(own, token=token), "openapi.json").status == 200
    assert [each["secret"] for each in (invited[1], issued[1])] == ["", ""]
    assert token not in later
    known = {each["name"]: each for each in get(own, "tokens").json()["items"]}
    assert (known["lab"]["tags"], known["lab"]["state"]) == (["lab"], "in use")
    assert [each["name"] for each in get(own, "users").json()["items"]] == ["eve"]
    again = send(own, "users/eve/invite").json()["secret"]
    assert again not in {invited[0]["secret"], ""}
    assert send(own, f"tokens/{known['lab']['id']}/revoke").status == 200
    assert get(replace(own, token=token), "openapi.json").status == 401


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("users", {"name": "eve", "roles": ["emperor"]}, 422),
        ("users", {"name": "eve", "roles": []}, 422),
        ("users", {"name": "?", "roles": ["operator"]}, 422),
        ("users", {"name": "eve", "roles": ["operator"], "tags": ["a b"]}, 422),
        ("tokens", {"name": "t", "permissions": []}, 422),
        ("tokens", {"name": "t", "permissions": ["fly"]}, 422),
        ("tokens/99/revoke", WHY, 409),
        ("users/nobody/disable", WHY, 409),
        ("users/nobody/invite", WHY, 409),
        ("backups/none/verify", {}, 404),
        ("alerts/1/escalate", {"contact": "nobody"}, 404),
        ("channels/hospital-adt/connect", {"destination": ""}, 404),
        ("channels/adt/connect", {"destination": "x"}, 404),
    ],
)
def test_what_cannot_be_done_to_accounts_and_contacts_is_refused(
    web, path, body, status
):
    answer = send(web, path, body)

    assert (answer.status, answer.headers["content-type"]) == (status, PROBLEM)


def test_somebody_at_a_browser_proves_it_again_before_accounts_change(web):
    old = web.signed_in(Permission.VIEW_METADATA, Permission.ADMINISTER, name="old")
    late = replace(old, token="", now=NOON + timedelta(minutes=14, seconds=59))
    later = replace(late, now=NOON + timedelta(minutes=16))
    header, person = {"x_csrf_token": old.csrf}, {"name": "eva", "roles": ["read-only"]}

    done = send(late, "users", person, **header)
    refused = send(later, "users", person | {"name": "eli"}, **header)

    assert (done.status, refused.status) == (200, 403)
    assert refused.json()["detail"] == STALE


def test_a_backup_under_a_key_is_made_once(own):
    first = send(own, "backups", key="b")
    again = send(replace(own, now=NOON + timedelta(minutes=1)), "backups", key="b")
    other = send(own, "backups", {"reason": "another"}, key="b")
    without = send(own, "backups")

    assert (first.status, again.body) == (200, first.body)
    assert again.headers[REPLAYED.lower()] == "true"
    assert (other.status, without.status) == (422, 409)
    assert [each["name"] for each in get(own, "backups").json()["items"]] == [
        first.json()["name"]
    ]
    assert send(own, f"backups/{first.json()['name']}/verify").json()["faults"] == []
    assert get(own, "backups").json()["items"][0]["verified_at"] is not None


def test_an_edited_copy_is_ordered_as_it_was_looked_at(own):
    def order(text, **more):
        body = WHY | {"text": text}
        return send(own, "messages/3/edit", body, **more)

    before = get(own, "messages/3").json()["content"]
    same = send(own, "messages/3/edit/try", {"text": before}).json()
    seen = send(own, "messages/3/edit/try", {"text": EDITED}).json()
    version = seen["version"]
    other = order(EDITED.replace("Edited", "Other"), if_match=version)
    nothing = order(before)
    done = [order(EDITED, if_match=version, key="e") for _ in range(2)]
    sees = own.allowed(SEE, REPLAY)

    assert same["complaint"] == "Nothing is changed yet."
    assert [one["after"] for one in seen["changes"] if one["path"].startswith("PID-5")]
    assert (other.status, nothing.status) == (412, 422)
    assert [each.status for each in done] == [200, 200]
    [copy] = ask(own.database, edited_copies.copies, own.database.sealer, 3)
    assert (copy.origin, copy.reason) == (3, WHY["reason"])
    assert send(sees, "messages/3/edit", WHY | {"text": EDITED}).status == 403


def test_a_time_without_a_zone_is_in_utc_wherever_the_console_runs(web, monkeypatch):
    every = get(web, "messages").json()["items"]
    at, later = (f"since={each:%Y-%m-%dT%H:%M}" for each in (NOON, NOON + HOUR))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        found = [get(web, "messages", each).json()["items"] for each in (at, later)]
        told = get(web, "audit", later).json()["items"]
    finally:
        monkeypatch.undo()
        time.tzset()

    assert found == [every, []]
    assert told == []
    assert get(web, "messages", "since=0001-01-01").status == 200
