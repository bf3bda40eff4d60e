"""Sign-in at an identity provider: what counts, and what opens nothing."""

import base64
import hmac
from copy import copy
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import orjson
import pytest
from joserfc.jwk import RSAKey

from engine.console import oidc
from engine.console.oidc import Refused
from engine.console.pages import provider as page
from engine.errors import ConfigurationError
from engine.store import accounts, audit, incidents
from tests.databases import empty_database
from tests.identity_provider import CLIENT, KEY, identity_provider, signed
from tests.stored import NOON, OPERATOR
from tests.unit.console.test_sign_in import GOOD, person
from tests.web import SITE, Web

KEYS = {"keys": [KEY.as_dict(private=False)]}
AT = int(NOON.timestamp())
OTHER = RSAKey.generate_key(2048, {"kid": "one"})


def settings(address, **more):
    told = {"issuer": address, "client-id": CLIENT, "client-secret": "s",
            "roles": {"ops": "operator", "boss": "administrator"}, **more}  # fmt: skip
    return replace(SITE, oidc=told)


@pytest.fixture(scope="module")
def provider():
    with identity_provider() as running:
        yield running


@pytest.fixture
def web(tmp_path, provider):
    provider.claims = {"sub": "4711", "preferred_username": "Eve", "groups": ["ops"]}
    return Web(empty_database("sqlite", tmp_path), settings(provider.address))


def gone(web):
    """Return a browser that was sent to the provider, and where."""
    answer = web.browse("/sign-in/provider")
    browser = copy(web)
    browser.cookie = f"{page.COOKIE}={answer.cookies[page.COOKIE]}"
    return browser, answer.headers["location"]


def came_back(web, provider, **changed):
    browser, place = gone(web)
    query = provider.visit(place, web.now) | changed
    return browser.browse(page.BACK, "&".join(f"{k}={v}" for k, v in query.items()))


def test_S07_who_the_provider_knows_is_let_in_with_the_roles_of_their_groups(
    web, provider
):
    answer = came_back(web, provider)

    known = web.holding(answer)
    assert 'http-equiv="refresh"' in answer.text
    assert "operator" in known.browse("/account").text
    with web.database.reading() as connection:
        [eve] = accounts.accounts(connection)
    assert (eve.name, *eve.grants, *eve.tags) == ("eve", "operator", "*")
    assert eve.external == f"{provider.address} 4711"


def test_S07_groups_that_changed_change_the_roles_at_the_next_sign_in(web, provider):
    first = web.holding(came_back(web, provider))
    provider.claims["groups"] = "boss"

    second = web.holding(came_back(web, provider))

    assert first.browse("/").headers["location"] == "/sign-in"
    assert second.browse("/users").status == 200


def test_S07_what_the_browser_asked_must_come_back(web, provider):
    strange, place = copy(web), gone(web)[1]
    query = provider.visit(place, web.now)

    assert came_back(web, provider, state="other").status == 401
    assert came_back(web, provider, code="").status == 401
    assert came_back(web, provider, code="stolen").status == 502
    assert strange.browse(page.BACK, f"code=code&state={query['state']}").status == 401


def test_S07_a_way_back_works_once(web, provider):
    browser, place = gone(web)
    query = "&".join(f"{k}={v}" for k, v in provider.visit(place, web.now).items())

    assert browser.browse(page.BACK, query).status == 200
    assert browser.browse(page.BACK, query).status == 401


def test_S07_the_way_there_carries_state_nonce_and_a_challenge(web, provider):
    _, place = gone(web)

    query = urlsplit(place).query
    assert place.startswith(f"{provider.address}/authorize?")
    assert {"state", "nonce", "code_challenge", "redirect_uri"} <= {
        each.partition("=")[0] for each in query.split("&")
    }
    assert "code_challenge_method=S256" in query


@pytest.mark.parametrize(
    "claims", [{"groups": ["kitchen"]}, {"groups": []}, {"preferred_username": "a b"}]
)
def test_S07_who_has_no_role_or_name_here_is_told_so(web, provider, claims):
    provider.claims |= claims

    assert came_back(web, provider).status == 502


def test_S07_a_local_account_is_not_taken_over_by_its_name(web, provider):
    person(web, "eve", ["administrator"])

    assert came_back(web, provider).status == 502


def test_S07_a_disabled_account_stays_out(web, provider):
    came_back(web, provider)
    with web.database.engine() as connection:
        accounts.disable(connection, web.database.sealer, "eve", OPERATOR)

    assert "disabled" in came_back(web, provider).text


def test_S49_with_the_provider_down_a_local_account_opens_and_that_is_told(tmp_path):
    web = Web(empty_database("sqlite", tmp_path), settings("http://127.0.0.1:9"))
    person(web)

    down = web.browse("/sign-in/provider")
    opened = web.submit("/sign-in", name="ana", password=GOOD)

    assert down.status == 502
    assert "local account" in down.text
    assert opened.status == 303
    with web.database.reading() as connection:
        rows = audit.rows(connection, web.database.sealer)
        [told] = incidents.open_incidents(connection)
    assert rows[0].act.action == "sign-in.emergency"
    assert (told.kind, told.place) == ("emergency", "sign-in of ana")


def test_without_a_provider_there_is_no_way_to_it(tmp_path):
    web = Web(empty_database("sqlite", tmp_path))

    assert web.browse("/sign-in/provider").status == 404
    assert "/sign-in/provider" not in web.browse("/sign-in").text


def claims(**changed):
    told = {"iss": "https://id.example", "aud": CLIENT, "sub": "1", "iat": AT,
            "exp": AT + 300, "nonce": "n", **changed}  # fmt: skip
    return {name: value for name, value in told.items() if value is not None}


def unsigned(told):
    parts = ({"alg": "none"}, told)
    encoded = [base64.urlsafe_b64encode(orjson.dumps(p)).rstrip(b"=") for p in parts]
    return b".".join([*encoded, b""]).decode()


def by_secret(told):
    """Return a token whose secret everybody knows: the provider's public key."""
    parts = ({"alg": "HS256", "kid": "one"}, told)
    encoded = [base64.urlsafe_b64encode(orjson.dumps(p)).rstrip(b"=") for p in parts]
    signature = hmac.digest(KEY.as_pem(private=False), b".".join(encoded), "sha256")
    ending = base64.urlsafe_b64encode(signature).rstrip(b"=")
    return b".".join([*encoded, ending]).decode()


ATTACKS = {
    "unsigned": unsigned(claims()),
    "signed by another": signed(claims(), OTHER),
    "signed with the public key as a secret": by_secret(claims()),
    "not a token": "x.y.z",
    "empty": "",
    "cut": signed(claims())[:-8],
    "changed": signed(claims()).replace(".", ".e", 1),
    "another issuer": signed(claims(iss="https://evil.example")),
    "issuer in a list": signed(claims(iss=["https://id.example"])),
    "no issuer": signed(claims(iss=None)),
    "another audience": signed(claims(aud="other")),
    "two audiences": signed(claims(aud=[CLIENT, "other"])),
    "no audience": signed(claims(aud=None)),
    "another party": signed(claims(azp="other")),
    "over": signed(claims(exp=AT - 61)),
    "without an end": signed(claims(exp=None)),
    "of the future": signed(claims(iat=AT + 61)),
    "not valid yet": signed(claims(nbf=AT + 61)),
    "another nonce": signed(claims(nonce="other")),
    "no nonce": signed(claims(nonce=None)),
    "nobody": signed(claims(sub=None)),
    "without a birth": signed(claims(iat=None)),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_S07_a_token_that_does_not_count_opens_nothing(attack):
    provider = oidc.provider_of(settings("https://id.example"))
    assert provider is not None
    assert oidc.claims_of(provider, signed(claims()), KEYS, "n", NOON)["sub"] == "1"

    with pytest.raises(Refused):
        oidc.claims_of(provider, ATTACKS[attack], KEYS, "n", NOON)


def test_S07_a_token_counts_with_a_minute_of_leeway():
    provider = oidc.provider_of(settings("https://id.example"))
    assert provider is not None
    late = NOON + timedelta(seconds=359)

    assert oidc.claims_of(provider, signed(claims()), KEYS, "n", late)


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"issuer": "http://id.example"}, "https"),
        ({"roles": {"ops": "boss"}}, "no role"),
        ({"roles": "operator"}, "tables"),
    ],
)
def test_a_provider_that_cannot_be_used_says_why(more, word):
    wrong = settings("https://id.example", **more)

    with pytest.raises(ConfigurationError, match=word):
        oidc.provider_of(wrong)
    with pytest.raises(ConfigurationError, match="client-id"):
        oidc.provider_of(replace(SITE, oidc={"issuer": "https://id.example"}))


def test_tags_of_groups_narrow_the_channels():
    provider = oidc.provider_of(settings("https://id.example", tags={"lab": "lab"}))
    assert provider is not None

    told = {"sub": "1", "groups": ["ops", "lab"]}
    assert oidc.identity_of(provider, told).tags == ("lab",)
    assert oidc.identity_of(provider, {"sub": "1", "groups": ["ops"]}).tags == ()
