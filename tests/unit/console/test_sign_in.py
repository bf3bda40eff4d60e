"""Sign in, stay signed in, sign out; whose forms count."""

from dataclasses import replace
from datetime import timedelta

import pytest

from engine.console import throttle
from engine.console.pages import sign_in
from engine.console.permissions import Permission
from engine.store import audit, sessions
from engine.store.access_tables import session
from engine.store.audit import Order
from tests.databases import empty_database
from tests.stored import NOON
from tests.web import Web

SEE = Permission.VIEW_METADATA


@pytest.fixture
def web(tmp_path, monkeypatch):
    monkeypatch.setattr(sign_in, "_FAILURES", throttle.Throttle())
    return Web(empty_database("sqlite", tmp_path))


def test_S03_a_code_works_once(web):
    with web.database.engine() as connection:
        until = NOON + timedelta(hours=1)
        order = Order("kim", NOON, "first run")
        code = sessions.invite(
            connection, web.database.sealer, "ana", [SEE], until, order
        )

    first, second = (web.submit("/sign-in", code=code) for _ in range(2))

    assert (first.status, second.status) == (303, 401)
    assert "not valid" in second.text
    with web.database.reading() as connection:
        acts = [row.act.action for row in audit.rows(connection, web.database.sealer)]
    assert acts == ["sign-in", "user.invite"]


def test_S03_a_code_ends_with_its_time(web):
    with web.database.engine() as connection:
        order = Order("kim", NOON, "")
        code = sessions.invite(connection, web.database.sealer, "ana", [], NOON, order)

    assert web.submit("/sign-in", code=code).status == 401


def test_S06_after_five_wrong_codes_even_a_right_one_has_to_wait(web):
    tries = [web.submit("/sign-in", code="wrong").status for _ in range(6)]
    later = replace(web, now=NOON + timedelta(minutes=16))

    assert tries == [401] * 5 + [429]
    assert later.submit("/sign-in", code="wrong").status == 401


def test_S06_the_count_of_failures_stays_small():
    counted = throttle.Throttle()
    for number in range(throttle._MOST_KNOWN + 10):
        counted.failed(str(number), NOON)

    assert len(counted._failures) == throttle._MOST_KNOWN


def test_S08_a_session_is_a_strict_cookie_whose_hash_alone_is_kept(web):
    answer = web.signed_in(SEE)
    held = answer.cookie.partition("=")[2]

    with web.database.reading() as connection:
        kept = [bytes(row.hash) for row in connection.execute(session.select())]

    assert answer.cookie.startswith("__Host-session=")
    assert held.encode() not in kept
    assert len(kept) == 1


def test_S08_a_session_ends_after_fifteen_minutes_without_use(web):
    known = web.signed_in(SEE)
    later = replace(known, now=NOON + timedelta(minutes=15))

    assert later.browse("/").headers["location"] == "/sign-in"


def test_S08_a_session_in_use_ends_after_twelve_hours(web):
    known = web.signed_in(SEE)

    def at(**later):
        return replace(known, now=NOON + timedelta(**later)).browse("/").status

    assert (at(minutes=14), at(minutes=28)) == (200, 200)
    answers = [at(minutes=14 * quarter) for quarter in range(3, 100)]
    assert (answers[0], answers[-1]) == (200, 303)


def test_S08_signing_out_ends_it(web):
    known = web.signed_in(SEE)

    assert known.submit("/sign-out").status == 303
    assert known.browse("/").headers["location"] == "/sign-in"


@pytest.mark.parametrize("cookie", ["__Host-session=x", "__Host-session", "a;b=\x7f"])
def test_S08_what_is_no_session_opens_nothing(web, cookie):
    assert replace(web, cookie=cookie).get("/").status == 401


def test_S09_a_form_of_another_page_changes_nothing(web):
    known = web.signed_in()
    kind = "application/x-www-form-urlencoded"
    right = f"csrf={known.csrf}".encode()

    def sent(body, *headers):
        return known.ask("POST", "/sign-out", "", body, kind, headers).status

    assert sent(b"") == 403
    assert sent(b"csrf=wrong") == 403
    assert sent(right, (b"sec-fetch-site", b"cross-site")) == 403
    assert sent(right, (b"origin", b"https://evil.example")) == 403
    assert sent(right, (b"origin", b"null")) == 403
    assert sent(b"", (b"x-csrf-token", known.csrf.encode())) == 303


def test_S09_a_browser_that_names_no_origin_says_where_a_form_was(web):
    known = web.signed_in()
    headers = ((b"sec-fetch-site", b"same-origin"), (b"origin", b"null"))
    body = f"csrf={known.csrf}".encode()
    kind = "application/x-www-form-urlencoded"

    assert known.ask("POST", "/sign-out", "", body, kind, headers).status == 303


def test_the_sign_in_page_says_how_one_gets_a_code(web):
    assert "interop user invite" in web.browse("/sign-in").text
