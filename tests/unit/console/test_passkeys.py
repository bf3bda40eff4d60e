"""Passkeys: made by oneself, answered once, for this console alone."""

from copy import copy

import orjson
import pytest

from engine.console import entry
from engine.store import accounts
from tests.databases import empty_database
from tests.soft_passkey import PRESENT, SoftPasskey
from tests.stored import OPERATOR
from tests.web import Web

JSON = "application/json"


@pytest.fixture
def web(tmp_path):
    return Web(empty_database("sqlite", tmp_path))


def post(browser, path, body, **headers):
    """Send JSON as the script does; the cookie of a ceremony is kept."""
    named = [(b"sec-fetch-site", b"same-origin")]
    named += [
        (name.replace("_", "-").encode(), v.encode()) for name, v in headers.items()
    ]
    if browser.csrf:
        named.append((b"x-csrf-token", browser.csrf.encode()))
    answer = browser.ask("POST", path, "", orjson.dumps(body), JSON, named)
    if entry.COOKIE in answer.cookies:
        kept = [each for each in browser.cookie.split("; ") if "session" in each]
        held = f"{entry.COOKIE}={answer.cookies[entry.COOKIE]}"
        browser.cookie = "; ".join([*kept, held])
    return answer


def with_passkey(web, **fields):
    """Return a passkey that ana has made."""
    ana, passkey = web.signed_in("operator"), SoftPasskey(**fields)
    options = post(ana, "/account/passkeys/ask", {}).json()
    made = post(ana, "/account/passkeys", passkey.made(options), x_label="my%20laptop")
    return passkey, made


def asked(web):
    """Return a browser that has been given a challenge, and the challenge."""
    browser = copy(web)
    return browser, post(browser, "/sign-in/passkey/ask", {}).json()


def test_S05_a_passkey_lets_its_holder_in_without_a_password(web):
    passkey, made = with_passkey(web)
    assert made.json() == {"go": "/account"}
    browser, options = asked(web)

    answer = post(browser, "/sign-in/passkey", passkey.signed(options))

    assert answer.json() == {"go": "/"}
    known = web.holding(answer)
    assert "my laptop" in known.browse("/account").text
    assert known.browse("/").status == 200


def test_S05_an_answer_of_a_passkey_works_once(web):
    passkey, _ = with_passkey(web)
    browser, options = asked(web)
    answer = passkey.signed(options)

    assert post(browser, "/sign-in/passkey", answer).status == 200
    assert post(browser, "/sign-in/passkey", answer).status == 401


@pytest.mark.parametrize(
    "fields",
    [
        {"origin": "https://evil.example"},
        {"host": "evil.example"},
        {"flags": PRESENT},
        {"handle": b"of somebody else"},
        {"key": SoftPasskey().key},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_S05_a_passkey_for_another_place_or_of_another_key_is_refused(web, fields):
    passkey, _ = with_passkey(web)
    for name, value in fields.items():
        setattr(passkey, name, value)
    browser, options = asked(web)

    assert post(browser, "/sign-in/passkey", passkey.signed(options)).status == 401


def test_S05_an_answer_to_another_challenge_is_refused(web):
    passkey, _ = with_passkey(web)
    browser, options = asked(web)
    _, other = asked(web)

    assert post(browser, "/sign-in/passkey", passkey.signed(other)).status == 401
    assert post(copy(web), "/sign-in/passkey", passkey.signed(options)).status == 401


def test_S05_a_passkey_without_its_user_is_not_kept(web):
    _, made = with_passkey(web, flags=PRESENT)
    _, elsewhere = with_passkey(web, origin="https://evil.example")

    assert (made.status, elsewhere.status) == (422, 422)


def test_S05_a_passkey_that_was_not_asked_for_is_not_kept(web):
    ana = web.signed_in("operator")

    made = post(ana, "/account/passkeys", SoftPasskey().made({"challenge": "AAAA"}))

    assert made.status == 409


def test_S05_the_passkey_of_a_disabled_account_opens_nothing(web):
    passkey, _ = with_passkey(web)
    with web.database.engine() as connection:
        sealer = web.database.sealer
        accounts.disable(connection, sealer, "ana", OPERATOR)
    browser, options = asked(web)

    assert post(browser, "/sign-in/passkey", passkey.signed(options)).status == 401


def test_S06_wrong_passkeys_are_counted(web):
    tries = [post(web, "/sign-in/passkey", {"id": "x"}).status for _ in range(6)]

    assert tries == [401] * 5 + [429]
