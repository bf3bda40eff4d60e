"""S14 Users and roles, and one's own account."""

import re
from datetime import timedelta

import pytest

from engine.console.permissions import ROLES, Permission, Role
from engine.store import accounts, audit, factors, tokens
from tests.databases import empty_database
from tests.stored import OPERATOR
from tests.unit.console.test_sign_in import (
    GOOD,
    WRONG,
    half_way,
    now_of,
    person,
    with_totp,
)
from tests.web import Web

BOSS = "administrator"


@pytest.fixture
def web(tmp_path):
    return Web(empty_database("sqlite", tmp_path))


@pytest.fixture
def boss(web):
    return web.signed_in(BOSS, name="boss")


def acts(web):
    with web.database.reading() as connection:
        return [row.act for row in audit.rows(connection, web.database.sealer)]


def test_an_invited_person_gets_a_link_that_is_shown_once(web, boss):
    made = boss.submit("/users", name="Ana", roles="operator", tags="lab")

    [code] = re.findall(r"/welcome\?code=([\w-]+)", made.text)
    assert code not in boss.browse("/users").text
    done = web.submit("/welcome", code=code, password=GOOD, again=GOOD)
    assert done.headers["location"] == "/"
    assert acts(web)[-1].action == "user.create"
    [ana, _] = boss.get("/users.json").json()["items"]
    assert (ana["name"], ana["roles"], ana["tags"]) == ("ana", "operator", "lab")
    assert (ana["state"], ana["sessions"]) == ("enabled", 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "ana"},
        {"name": "ana", "roles": "boss"},
        {"name": "a b", "roles": "operator"},
    ],
)
def test_an_invitation_that_cannot_be_says_why(boss, fields):
    assert boss.submit("/users", **fields).status == 422


def test_nobody_is_invited_twice(boss):
    again = boss.submit("/users", name="boss", roles="operator")

    assert again.status == 409
    assert "already" in again.text


def test_roles_are_changed_and_the_sessions_end(web, boss):
    ana = web.signed_in("operator")

    done = boss.submit("/users/ana/roles", roles="auditor", reason="moved")

    assert done.headers["location"] == "/users/ana"
    assert ana.browse("/").headers["location"] == "/sign-in"
    assert "auditor" in boss.browse("/users/ana").text
    assert acts(web)[0].detail == "auditor for *; moved"


@pytest.mark.parametrize(
    ("path", "fields"),
    [("disable", {}), ("roles", {"roles": "operator"})],
)
def test_the_last_administrator_cannot_go(boss, path, fields):
    refused = boss.submit(f"/users/boss/{path}", **fields)

    assert refused.status == 409
    assert "last administrator" in refused.text
    assert "last administrator" in boss.browse("/users/boss").text


def test_a_role_that_was_taken_away_does_not_come_back_from_an_old_page(web, boss):
    web.signed_in("analyst", BOSS, name="ana")
    path, eve = "/users/ana/roles", web.signed_in(BOSS, name="eve")
    shown = re.search(r'name="seen" value="([^"]+)"', boss.browse("/users/ana").text)
    assert shown
    first = eve.submit(path, roles="analyst", seen=shown[1])

    late = boss.submit(path, roles=["analyst", BOSS], tags="lab", seen=shown[1])

    assert (first.status, late.status) == (303, 409)
    assert "was changed since it was shown" in late.text
    assert "administrator analyst for" not in boss.browse("/users/ana").text


def test_with_another_one_an_administrator_can_go(web, boss):
    web.signed_in(BOSS, name="eve")

    assert boss.submit("/users/eve/disable", reason="left").status == 303
    assert "disabled since" in boss.browse("/users/eve").text
    assert boss.submit("/users/eve/enable").status == 303
    assert boss.submit("/users/eve/shrink").status == 404
    assert boss.submit("/users/nobody/disable").status == 409
    assert boss.browse("/users/nobody").status == 404


def test_a_lost_phone_is_a_reset_and_a_lost_password_a_new_link(web, boss):
    with_totp(web)

    assert boss.submit("/users/ana/reset-factors", reason="phone lost").status == 303
    shown = boss.submit("/users/ana/code")

    with web.database.reading() as connection:
        assert factors.kinds(connection) == {}
    assert "/welcome?code=" in shown.text
    assert boss.submit("/users/ana/end-sessions").status == 303


def test_S13_a_token_is_shown_once_and_revoked(web, boss):
    made = boss.submit("/tokens", name="portal", permissions="view-metadata", tags="*")

    [secret] = re.findall("interop_[-_A-Za-z0-9]+", made.text)
    assert secret not in boss.browse("/users").text
    program = Web(web.database, token=secret)
    assert program.get("/messages").status == 200
    assert boss.submit("/tokens/1/revoke").status == 303
    assert program.get("/messages").status == 401
    assert boss.submit("/tokens/1/revoke").status == 409
    assert "revoked" in boss.browse("/users").text
    with web.database.reading() as connection:
        [kept] = tokens.tokens(connection)
    assert kept.tags == {"*"}


@pytest.mark.parametrize(
    "fields", [{"name": "x"}, {"name": "x", "permissions": "rule"}, {"name": " "}]
)
def test_S13_a_token_that_may_nothing_is_not_made(boss, fields):
    assert boss.submit("/tokens", **fields).status == 422


def test_S13_an_expired_token_says_so(web, boss):
    web.allowed(Permission.VIEW_METADATA)
    boss.now += timedelta(days=2)
    boss = boss.signed_in(BOSS, name="boss")

    assert "expired" in boss.browse("/users").text


def test_the_page_says_in_words_what_roles_may_do(boss):
    text = boss.browse("/users").text

    assert all(f'<th scope="col">{role}</th>' in text for role in Role)
    assert text.count("✓ yes") == sum(map(len, ROLES.values()))


def test_looking_as_a_role_shows_its_view_and_changes_nothing(web, boss):
    assert boss.submit("/account/view-as", role="steward").status == 303
    seen = boss.browse("/messages")
    assert "as the role <strong>steward" in seen.text
    assert "/users" not in seen.text
    assert boss.browse("/users").status == 403
    assert boss.submit("/messages", query="state:held").status == 403
    assert boss.submit("/account/view-as", role="").status == 303
    assert boss.browse("/users").status == 200
    assert [each.action for each in acts(web)[:2]] == [
        "view-as.oneself",
        "view-as.steward",
    ]


def test_only_administrators_look_as_a_role_that_there_is(web, boss):
    assert boss.submit("/account/view-as", role="boss").status == 422
    assert web.signed_in("operator").submit(
        "/account/view-as", role="steward"
    ).status == 403  # fmt: skip


def test_a_program_has_no_account(web):
    program = web.allowed()

    assert program.get("/account").status == 403
    assert program.post("/account/extend").status == 403


def test_what_changes_rights_asks_again_who_is_there(web, boss):
    with web.database.engine() as connection:
        whose = accounts.expect(connection, "boss")
        sealer = web.database.sealer
        key = "JBSWY3DPEHPK3PXP" * 2
        factors.add_totp(connection, sealer, whose, key.encode(), OPERATOR)
    boss.now += timedelta(minutes=14)
    assert boss.browse("/users").status == 200
    boss.now += timedelta(minutes=14)

    asked = boss.submit("/users", name="ana", roles="operator")
    assert asked.headers["location"] == "/account/confirm?back=/users"
    assert "authenticator" in boss.browse("/account/confirm", "back=/users").text
    wrong = boss.submit("/account/confirm", code="0", password=WRONG, back="/users")
    right = boss.submit("/account/confirm", code=now_of(boss, key), back="//evil.org")

    assert wrong.status == 403
    assert right.headers["location"] == "/evil.org"
    assert boss.submit("/users", name="ana", roles="operator").status == 200


def test_S06_proving_again_is_throttled(boss):
    tries = [boss.submit("/account/confirm", code="0").status for _ in range(6)]

    assert tries == [403] * 5 + [429]


def test_ones_own_password_is_changed_and_the_other_sessions_end(web):
    person(web)
    here, there = (
        web.holding(web.submit("/sign-in", name="ana", password=GOOD)) for _ in range(2)
    )
    other = "comet anvil gravel tulip"

    weak = here.submit("/account/password", password=WRONG, again=WRONG)
    done = here.submit("/account/password", password=other, again=other)

    assert (weak.status, done.status) == (422, 303)
    assert web.holding(done).browse("/account").status == 200
    assert there.browse("/").status == here.browse("/").status == 303
    assert web.submit("/sign-in", name="ana", password=other).status == 303


def test_an_authenticator_app_is_added_and_taken_away_by_oneself(web):
    ana = web.signed_in("operator")
    assert ana.submit("/account/totp", code="1").headers["location"] == "/account/totp"
    asked = ana.browse("/account/totp")
    [key] = re.findall("<code>([A-Z2-7]{32})</code>", asked.text)
    both = half_way(ana, asked).cookie
    ana.cookie = f"{ana.cookie}; {both}"

    wrong = ana.submit("/account/totp", code="1")
    right = ana.submit("/account/totp", code=now_of(web, key))

    assert wrong.status == 422
    assert right.text.count("<li><code>") == 10
    assert "authenticator app" in ana.browse("/account").text
    assert ana.submit("/account/factors/1/remove").status == 303
    assert "your password alone" in ana.browse("/account").text
    assert ana.submit("/account/recovery-codes").text.count("<li><code>") == 10


def test_S05_who_needs_a_second_factor_keeps_one(web):
    with_totp(web, "boss", [BOSS])
    boss = web.signed_in(BOSS, name="boss")

    assert boss.submit("/account/factors/1/remove").status == 409


def test_signing_out_elsewhere_leaves_this_session(web):
    here, there = web.signed_in("operator"), web.signed_in("operator")

    assert here.submit("/account/end-others").status == 303
    assert here.browse("/").status == 200
    assert there.browse("/").headers["location"] == "/sign-in"


def test_a_session_is_extended_by_a_click(web):
    ana = web.signed_in("operator")

    for _ in range(3):
        ana.now += timedelta(minutes=14)
        assert ana.submit("/account/extend").status == 204
    assert 'data-idle="900"' in ana.browse("/").text


def test_S08_a_page_that_asks_by_itself_keeps_nobody_signed_in(web):
    ana = web.signed_in("operator")

    for _ in range(2):
        ana.now += timedelta(minutes=8)
        ana.browse("/live/overview.json")
    assert ana.browse("/").headers["location"] == "/sign-in"
