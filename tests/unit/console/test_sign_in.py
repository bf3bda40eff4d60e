"""Sign in, stay signed in, sign out; whose forms count."""

import re
from copy import copy
from dataclasses import replace
from datetime import timedelta
from importlib import reload

import argon2
import pyotp
import pytest

from engine.console import entry, passwords, throttle, totp
from engine.console.permissions import Permission
from engine.console.session import COOKIE
from engine.store import accounts, audit, factors, invitations
from engine.store.access_tables import session
from tests.databases import empty_database
from tests.stored import NOON, OPERATOR
from tests.unit.console.conftest import CHEAP
from tests.web import Web, door

SEE = Permission.VIEW_METADATA


GOOD = "tulip gravel anvil comet"
WRONG = "wrong"


@pytest.fixture
def web(tmp_path):
    return Web(empty_database("sqlite", tmp_path))


def acts(web):
    with web.database.reading() as connection:
        found = audit.rows(connection, web.database.sealer)
    return [row.act.action for row in found]


def invited(web, name="ana", grants=("operator",), until=timedelta(hours=1)):
    """Return the code of a new account."""
    with web.database.engine() as connection:
        sealer = web.database.sealer
        accounts.create(connection, sealer, name, grants, ["*"], OPERATOR)
        ends = web.now + until
        return invitations.invite(connection, sealer, name, ends, OPERATOR)


def person(web, name="ana", grants=("operator",), password=GOOD):
    """Make an account with a password."""
    invited(web, name, grants)
    with web.database.engine() as connection:
        kept = passwords.hashed(password)
        sealer = web.database.sealer
        accounts.set_password(connection, sealer, name, kept, OPERATOR)


def with_totp(web, name="ana", grants=("operator",)):
    """Make an account with a password and an authenticator app; return its key."""
    person(web, name, grants)
    key = totp.new_key()
    with web.database.engine() as connection:
        whose = accounts.expect(connection, name)
        sealer = web.database.sealer
        factors.add_totp(connection, sealer, whose, key.encode(), OPERATOR)
    return key


def half_way(web, answer):
    """Return a browser that holds the ceremony of an answer."""
    name = entry.COOKIE
    return replace_in(web, cookie=f"{name}={answer.cookies[name]}")


def replace_in(web, **changed):
    """Return the same console, asked by another browser."""
    other = copy(web)
    for name, value in changed.items():
        setattr(other, name, value)
    return other


def now_of(web, key, steps=0):
    at = web.now + timedelta(seconds=30 * steps)
    return pyotp.TOTP(key).at(int(at.timestamp()))


def test_S03_there_is_no_default_account(web):
    with web.database.reading() as connection:
        assert accounts.accounts(connection) == []
    assert web.submit("/sign-in", name="admin", password=WRONG).status == 401


def test_S03_the_first_link_leads_to_a_password_and_closes_behind_one(web):
    code = invited(web)
    shown = web.browse("/welcome", f"code={code}")
    weak = web.submit("/welcome", code=code, password=WRONG, again=WRONG)
    unlike = web.submit("/welcome", code=code, password=GOOD, again=GOOD + "x")
    first = web.submit("/welcome", code=code, password=GOOD, again=GOOD)
    second = web.submit("/welcome", code=code, password=GOOD, again=GOOD)
    again = web.browse("/welcome", f"code={code}")

    assert "Welcome, ana" in shown.text
    assert (weak.status, unlike.status) == (422, 422)
    assert (first.status, first.headers["location"]) == (303, "/")
    assert web.holding(first).browse("/").status == 200
    assert (second.status, again.status) == (401, 401)


def test_S03_a_code_that_signs_in_works_once(web):
    code = door(web.database, NOON, grants=["operator"])

    first, second = (web.submit("/sign-in", code=code) for _ in range(2))

    assert (first.status, second.status) == (303, 401)
    assert "not right" in second.text
    assert acts(web) == ["sign-in.failed", "sign-in", "user.code", "user.create"]


def test_S03_a_typed_link_code_opens_the_same_page_as_the_link(web):
    assert "Welcome, ana" in web.submit("/sign-in", code=invited(web)).text


def test_S03_a_code_ends_with_its_time(web):
    code = invited(web, until=timedelta())

    assert web.submit("/sign-in", code=code).status == 401
    assert web.browse("/welcome", f"code={code}").status == 401
    assert web.submit("/welcome", code=code, password=GOOD, again=GOOD).status == 401


def test_S04_a_password_is_kept_as_argon2id_of_64_mib():
    kept = reload(passwords).hashed(GOOD)

    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert passwords.fits(GOOD, kept)
    assert not passwords.fits(GOOD + "x", kept)


@pytest.mark.parametrize(
    "weak",
    [
        "short",
        "password1234",
        "qwertyuiop12",
        "aaaaaaaaaaaa",
        "x" * 129,
        "ana ana ana ana",
    ],
)
def test_S04_a_password_that_is_guessed_soon_is_refused(weak):
    assert passwords.complaint(weak, ["ana"])


@pytest.mark.parametrize("good", [GOOD, "tulipgravelanvil", "kqjxwvzpmtrh"])
def test_S04_letters_alone_are_enough(good):
    assert passwords.complaint(good, ["ana"]) == ""


def test_S04_a_hash_of_weaker_parameters_is_made_anew_at_sign_in(web, monkeypatch):
    person(web)
    stronger = argon2.PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    monkeypatch.setattr(passwords, "HASHER", stronger)

    assert web.submit("/sign-in", name="ana", password=GOOD).status == 303

    with web.database.reading() as connection:
        assert "t=2" in accounts.expect(connection, "ana").password


def test_S05_who_administers_signs_in_with_a_second_factor(web):
    person(web, grants=["administrator"])

    first = web.submit("/sign-in", name="Ana", password=GOOD)
    assert first.headers["location"] == "/sign-in/enrol"
    browser = half_way(web, first)
    asked = browser.browse("/sign-in/enrol")
    [key] = re.findall("<code>([A-Z2-7]{32})</code>", asked.text)
    browser = half_way(web, asked)
    wrong = browser.submit("/sign-in/enrol", code="000000x")
    right = browser.submit("/sign-in/enrol", code=now_of(web, key))
    later = browser.submit("/sign-in/enrol", code=now_of(web, key, 1))

    assert wrong.status == 422
    assert right.text.count("<li>") == 10
    assert web.holding(right).browse("/").status == 200
    assert later.headers["location"] == "/sign-in/enrol"


def test_S05_a_code_of_the_app_works_once_and_90_seconds(web):
    key = with_totp(web)

    def tried(code):
        first = web.submit("/sign-in", name="ana", password=GOOD)
        assert first.headers["location"] == "/sign-in/second"
        assert COOKIE not in first.cookies
        return half_way(web, first).submit("/sign-in/second", code=code).status

    late, present = now_of(web, key, -1), now_of(web, key)
    assert tried(now_of(web, key, -2)) == 401
    assert tried(late) == 303
    assert tried(late) == 401
    assert tried(present) == 303
    assert tried(late) == 401


def test_S05_a_second_step_belongs_to_the_browser_that_did_the_first(web):
    key = with_totp(web)
    first = half_way(web, web.submit("/sign-in", name="ana", password=GOOD))

    strange = web.submit("/sign-in/second", code=now_of(web, key))
    assert "authenticator" in first.browse("/sign-in/second").text
    done = first.submit("/sign-in/second", code=now_of(web, key))
    again = first.submit("/sign-in/second", code=now_of(web, key, 1))

    assert strange.headers["location"] == "/sign-in"
    assert done.headers["location"] == "/"
    assert again.headers["location"] == "/sign-in"
    assert web.browse("/sign-in/second").headers["location"] == "/sign-in"
    assert web.browse("/sign-in/enrol").headers["location"] == "/sign-in"


def test_S05_a_recovery_code_works_once_and_is_kept_as_a_hash(web):
    with_totp(web)
    with web.database.engine() as connection:
        whose = accounts.expect(connection, "ana")
        sealer = web.database.sealer
        codes = factors.new_recovery_codes(connection, sealer, whose, OPERATOR)
        kept = repr(factors.factors(connection, sealer, whose.id))

    def tried(code):
        first = web.submit("/sign-in", name="ana", password=GOOD)
        return half_way(web, first).submit("/sign-in/second", code=code).status

    assert not any(code in kept for code in codes)
    assert len(set(codes)) == 10
    assert (tried(codes[0].upper()), tried(codes[0])) == (303, 401)


def test_S06_after_five_wrong_tries_even_a_right_one_has_to_wait(web):
    person(web)

    def tried(password, name="ana"):
        return web.submit("/sign-in", name=name, password=password).status

    assert [tried("wrong") for _ in range(6)] == [401] * 5 + [429]
    assert tried(GOOD) == 429
    assert web.submit("/sign-in", code="wrong").status == 429
    assert web.browse("/welcome", "code=wrong").status == 429
    assert web.submit("/welcome", code="wrong").status == 429
    web.now = NOON + timedelta(minutes=16)
    assert tried(GOOD) == 303
    assert acts(web).count("sign-in.failed") == 5


def test_S06_an_account_is_throttled_from_every_address(web):
    person(web)
    for number in range(5):
        web.peer = f"10.0.0.{number}"
        assert web.submit("/sign-in", name="ana", password=WRONG).status == 401
    web.peer = "10.0.0.9"

    assert web.submit("/sign-in", name="ana", password=GOOD).status == 429


def test_S06_the_second_step_is_throttled_too(web):
    key = with_totp(web)
    browser = half_way(web, web.submit("/sign-in", name="ana", password=GOOD))

    wrong = [browser.submit("/sign-in/second", code="000").status for _ in range(6)]

    assert wrong == [401] * 5 + [429]
    assert browser.submit("/sign-in/second", code=now_of(web, key)).status == 429


def test_S06_a_name_that_there_is_not_costs_and_tells_as_much(web, monkeypatch):
    person(web)
    asked = []

    class Counting:
        def verify(self, kept, password):
            asked.append(kept)
            return CHEAP.verify(kept, password)

        hash = staticmethod(CHEAP.hash)

    monkeypatch.setattr(passwords, "HASHER", Counting())

    answers = [
        web.submit("/sign-in", name=name, password=WRONG) for name in ("ana", "nobody")
    ]

    assert len(asked) == 2
    assert all(each.startswith("$argon2id$") for each in asked)
    shown = [each.text.replace("nobody", "ana") for each in answers]
    assert shown[0] == shown[1]
    assert [each.status for each in answers] == [401, 401]


def test_S06_a_wrong_name_is_not_written_down_for_it_may_be_a_password(web):
    web.submit("/sign-in", name="MySecretPassword", password=WRONG)

    with web.database.reading() as connection:
        [row] = audit.rows(connection, web.database.sealer)
    assert "mysecret" not in repr(row).casefold()


def test_S08_a_disabled_account_is_out_at_once(web):
    person(web)
    person(web, "eve", ["administrator"])
    known = web.holding(web.submit("/sign-in", name="ana", password=GOOD))
    assert known.browse("/").status == 200

    with web.database.engine() as connection:
        accounts.disable(connection, web.database.sealer, "ana", OPERATOR)

    assert known.browse("/").headers["location"] == "/sign-in"
    assert web.submit("/sign-in", name="ana", password=GOOD).status == 401


def test_S08_a_change_of_role_ends_the_sessions(web):
    person(web, grants=["operator"])
    known = web.holding(web.submit("/sign-in", name="ana", password=GOOD))

    with web.database.engine() as connection:
        sealer = web.database.sealer
        accounts.regrant(connection, sealer, "ana", ["auditor"], ["*"], OPERATOR)

    assert known.browse("/").headers["location"] == "/sign-in"


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
    known.now = NOON + timedelta(minutes=15)

    assert known.browse("/").headers["location"] == "/sign-in"


def test_S08_a_session_in_use_ends_after_twelve_hours(web):
    known = web.signed_in(SEE)

    def at(**later):
        known.now = NOON + timedelta(**later)
        return known.browse("/").status

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


def test_the_sign_in_page_says_how_one_gets_in(web):
    assert "interop user create" in web.browse("/sign-in").text
