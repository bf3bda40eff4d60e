"""The console's foundation: gate, headers, errors, health, tokens."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from engine.console import exchange
from engine.console.exchange import POLICY
from engine.console.permissions import Caller, Permission
from engine.console.route import Route
from engine.console.routes import ROUTES
from engine.console.surroundings import caller
from engine.errors import IllegalTransitionError
from engine.store import audit, tokens
from engine.store.reports import Report, report
from tests.databases import empty_database
from tests.stored import NOON, OPERATOR
from tests.web import Lines, Web


async def echo(request: Request) -> Response:
    await request.body()
    return PlainTextResponse(caller(request).name)


def broken() -> Response:
    raise ValueError("Doe^Ann was born on 19800101")


def large() -> Response:
    raise OverflowError("Python int too large to convert to SQLite INTEGER")


def counted(count: int) -> Response:
    return PlainTextResponse(str(count))


TRIAL = (
    *ROUTES,
    Route("POST", "/echo", echo, Permission.EDIT),
    Route("GET", "/broken", broken, None),
    Route("GET", "/counted", counted, None),
    Route("GET", "/large", large, None),
)


@pytest.fixture
def web(tmp_path):
    return Web(empty_database("sqlite", tmp_path), routes=TRIAL)


@pytest.fixture(scope="module")
def lacking(tmp_path_factory):
    """Return a stranger, and by permission somebody who has every other one."""
    folder = tmp_path_factory.mktemp("lacking")
    stranger = Web(empty_database("sqlite", folder))
    others = {p: stranger.allowed(*(set(Permission) - {p})) for p in Permission}
    yield stranger, others
    stranger.database.close()


@pytest.mark.parametrize(
    "route", [r for r in ROUTES if r.permission], ids=lambda r: f"{r.method} {r.path}"
)
def test_S01_no_route_reads_a_byte_before_it_knows_who_asks(lacking, route):
    somebody, others = lacking
    path = re.sub(r"{\w+}", "1", route.path)

    stranger = somebody.ask(route.method, path, "", b"{}")
    refused = others[route.permission].ask(route.method, path, "", b"{}")

    assert (stranger.status, stranger.read) == (401, 0)
    assert (refused.status, refused.read) == (403, 0)


def test_S01_only_health_answers_strangers(web):
    open_to_all = {each.path for each in ROUTES if each.permission is None}
    assert open_to_all == {
        *("/livez", "/startupz", "/readyz"),
        *("/static/{name}", "/sign-in", "/sign-in/second", "/sign-in/enrol"),
        *("/sign-in/provider", "/sign-in/provider/back"),
        *("/welcome", "/sign-in/passkey", "/sign-in/passkey/ask"),
    }
    assert web.get("/livez").status == 200
    assert web.get("/no/such/page").status == 401


def test_a_caller_with_the_permission_is_answered_and_named(web):
    known = web.allowed(Permission.EDIT)

    assert known.post("/echo", b"x").body == b"token 1 portal"
    assert known.get("/no/such/page").status == 404
    assert known.get("/echo").status == 405


def test_S13_a_token_ends_by_itself_and_by_revocation(web):
    known = web.allowed(Permission.EDIT)
    later = Web(web.database, token=known.token, now=NOON + timedelta(days=2))
    assert known.get("/x").status == 404
    assert later.get("/x").status == 401

    with web.database.engine() as connection:
        tokens.revoke(connection, web.database.sealer, 1, OPERATOR)

    assert known.get("/x").status == 401
    with web.database.engine() as connection, pytest.raises(IllegalTransitionError):
        tokens.revoke(connection, web.database.sealer, 1, OPERATOR)


def test_S13_a_token_is_kept_as_a_hash_and_its_making_is_audited(web):
    secret = web.allowed(Permission.VIEW_PHI).token

    with web.database.reading() as connection:
        [kept] = tokens.tokens(connection)
        acts = [each.act.action for each in audit.rows(connection, web.database.sealer)]
    assert secret not in repr(kept)
    assert kept.permissions == {"view-phi"}
    assert acts == ["token.issue"]


@pytest.mark.parametrize(
    "value", [b"", b"Basic abc", b"Bearer", b"Bearer interop_no", b"Bearer \xff"]
)
def test_other_words_than_a_token_open_nothing(web, value):
    assert web.ask("GET", "/x", headers=[(b"authorization", value)]).status == 401


def test_S06_who_guesses_tokens_waits_and_who_has_one_does_not(web):
    secret = web.allowed(Permission.EDIT).token
    guess = replace(web, token="interop_" + "x")

    statuses = [guess.get("/x").status for _ in range(7)]
    told = guess.get("/x")
    guess.token = secret

    assert statuses == [401] * 5 + [429] * 2
    assert told.headers["retry-after"] == "900"
    assert guess.get("/x").status == 404


def test_S40_every_answer_has_the_strict_headers(web):
    for answer in (web.get("/livez"), web.get("/none"), web.get("/broken")):
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert len(answer.headers["x-request-id"]) == 26


def test_S24_a_failure_is_told_and_logged_without_its_words(web, monkeypatch):
    monkeypatch.setattr(exchange, "_log", logs := Lines())

    answer = web.get("/broken", name="Doe")

    assert answer.status == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["instance"].startswith("urn:request:")
    assert "Doe" not in answer.body.decode() + str(logs.kept)
    assert logs.events == ["request_failed", "request"]


def test_S24_a_wrong_parameter_is_named_and_not_repeated(web):
    answer = web.get("/counted", count="Doe")

    assert answer.status == 422
    assert answer.json()["detail"] == "not as expected: query.count"
    assert web.get("/counted", count=3).body == b"3"


@pytest.mark.parametrize(
    "path",
    ["/messages/{}", "/api/v1/messages/{}", "/work/mismatch/{}", "/api/v1/tasks/{}"],
)
def test_a_number_that_no_store_has_is_not_found(web, path):
    everybody, few = web.allowed(), web.signed_in(tags=("lab",), name="lee")

    for number in (2**63, 10**30, "0" * 40 + "9" * 19):
        assert everybody.ask("GET", path.format(number)).status == 404
        assert few.browse(path.format(number)).status in {403, 404}
    assert everybody.ask("GET", "/channels/adt/compare", f"old={10**30}").status == 404


def test_a_number_that_the_store_refuses_as_too_large_is_no_error_of_the_server(web):
    told = web.allowed().ask("GET", "/large")

    assert told.status == 422
    assert "a number in it is too large" in told.json()["detail"]


def test_a_long_body_is_refused(web):
    assert web.allowed().post("/echo", b"x" * (1 << 21)).status == 413


def test_health_names_who_is_silent(web):
    def say(role, detail="{}"):
        with web.database.engine() as connection:
            report(connection, Report("here", role, role, 1, NOON, NOON, detail))

    assert web.get("/startupz").body == b"not ready: edge"
    say("edge")
    assert web.get("/startupz").status == 200
    assert web.get("/readyz").body == b"not ready: worker, console"
    say("worker")
    say("console")
    assert web.get("/readyz").status == 200
    say("edge", '{"problems": {"adt": "the port is taken"}}')
    assert web.get("/readyz").body == b"not ready: listeners"


def test_nobody_may_do_what_was_not_granted():
    assert not any(map(Caller("nobody", frozenset()).may, Permission))
