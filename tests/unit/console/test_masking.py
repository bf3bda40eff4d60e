"""Masking profiles: who sees some fields of a message, and who sees none more."""

from dataclasses import replace
from itertools import count

import pytest

from engine.console.exposure import BY_PROFILE
from engine.console.masking import profiles_of
from engine.console.permissions import Permission, Role
from engine.errors import ConfigurationError
from engine.store import audit, journal
from engine.store.journal import Arrival
from tests.builders import er7, msh
from tests.sites import NOON, busy_site
from tests.stored import OPERATOR
from tests.web import SITE, Web

SEE, PHI = Permission.VIEW_METADATA, Permission.VIEW_PHI
RESEARCH = {"show": ["PV1-3"], "years": ["PID-7"], "roles": ["analyst"]}
PROFILES = {"research": RESEARCH, "names": {"show": ["PID-5"]}}
COVERED = "PID|1||******^^^HOSP^MR||***^***^^^^^L||1980****|F"
NUMBERS = count()


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    database = busy_site(tmp_path_factory.mktemp("masking")).database("console")
    data = er7(
        msh(f18="8859/1"), "PID|1||||Größe^\xe9||1980", "PV1||I|Süd", encoding="latin-1"
    )
    odd = msh(f18="UNICODE UTF-8").encode() + b"\rPID|1||||M\xffller||1980\r"
    latin = [
        Arrival("adt", "mllp", "peer", NOON, each, control_id=f"L{at}",
                message_type="ADT", trigger_event="A01")
        for at, each in enumerate((data, odd))
    ]  # fmt: skip
    with database.journal() as connection:
        journal.append(connection, database.sealer, latin)
    yield Web(database, replace(SITE, masking=PROFILES))
    database.close()


def person(web, *grants):
    return web.signed_in(*grants, name=f"p{next(NUMBERS)}")


def shown(known, number=1):
    return known.get(f"/api/v1/messages/{number}").json()


def line(known, number=1, name="PID"):
    lines = shown(known, number)["content"].split("\r")
    return next(each for each in lines if each.startswith(name))


def openings(web, number=1):
    with web.database.reading() as connection:
        subject = f"message {number}"
        rows = audit.rows(connection, web.database.sealer, subject=subject)
    return [row.act for row in rows if row.act.action == "view"]


def test_S11_a_role_sees_the_fields_of_its_profile_and_that_is_written_down(web):
    analyst, operator = person(web, Role.ANALYST), person(web, Role.OPERATOR)

    page = analyst.browse("/messages/1", "tab=received")
    api = shown(analyst)

    assert COVERED in page.text
    assert "PV1|1|I|WARD^101^1^HOSP" in page.text
    assert "Opening it was written down" in page.text
    assert (api["masked"], COVERED in api["content"]) == (True, True)
    assert [act.detail for act in openings(web)[:2]] == [BY_PROFILE] * 2
    before = len(openings(web))
    assert "1980" not in shown(operator)["content"]
    assert "1980" not in operator.browse("/messages/1", "tab=received").text
    assert len(openings(web)) == before


@pytest.mark.parametrize("tab", ["fhir", "sent", "edited", "linked", "why", "cda"])
def test_S11_a_profile_opens_nothing_but_the_fields_of_the_message(web, tab):
    known = person(web, Role.ANALYST, Role.OPERATOR)

    text = known.browse("/messages/1", f"tab={tab}").text

    assert "Doe" not in text
    assert "100482^" not in text
    assert known.browse("/messages/1/edit").status == 403
    assert known.get("/api/v1/deliveries/1/document").status == 403


def test_S11_a_token_and_an_account_are_given_profiles_by_name(web):
    token = web.allowed(SEE, "profile:research")
    both = person(web, "read-only", "profile:research", "profile:names")

    assert line(token) == COVERED
    assert line(both) == COVERED.replace("***^***", "Doe^Ann")
    assert line(web.allowed(SEE, "profile:gone")) == COVERED.replace("1980", "****")


def test_S11_who_sees_patients_sees_all_and_who_masks_them_sees_none(web):
    every = person(web, Role.ANALYST, PHI)
    analyst = person(web, Role.ANALYST)

    assert "19800229" in shown(every)["content"]
    analyst.submit("/account/mask", on="true")
    assert "1980" not in shown(analyst)["content"]


@pytest.mark.parametrize(("own", "seen"), [((PHI,), True), ((), False)])
def test_S11_the_view_of_a_role_shows_its_profile_to_those_who_see_more(web, own, seen):
    known = person(web, SEE, Permission.ADMINISTER, *own)
    known.submit("/account/view-as", role="analyst")

    assert (line(known) == COVERED) is seen


def test_a_profile_shows_letters_of_the_messages_own_character_set(web):
    names = web.allowed(SEE, "profile:names", "profile:research")

    assert line(names, 4) == "PID|1||||Größe^é||1980"
    assert line(names, 4, "PV1") == "PV1||I|Süd"
    assert line(names, 5) == "PID|1||||Mÿller||1980"


def test_profiles_are_offered_where_accounts_and_tokens_are_made(web):
    known = person(web)
    form = known.browse("/users").text

    account = known.submit("/users", name="rae", roles="profile:research")
    token = known.submit("/tokens", name="t", permissions="profile:research")
    strange = known.submit("/tokens", name="t", permissions="profile:none")

    assert form.count('value="profile:names"') == 2
    assert 'value="profile:research"' in known.browse("/users/rae").text
    assert (account.status, token.status, strange.status) == (200, 200, 422)
    assert "profile:research" in strange.text


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"A b": {}}, "masking.A b: a name has small letters, digits and -"),
        ({"a": "PID-5"}, "masking.a: a section is expected"),
        ({"a": {"shows": []}}, "shows is unknown; there are roles, show, years"),
        ({"a": {"show": "PID-5"}}, "'PID-5' is no list of words"),
        ({"a": {"show": [5]}}, "[5] is no list of words"),
        ({"a": {"years": ["PID"]}}, "'PID' is no field: write it like PID-7"),
        ({"a": {"roles": ["chief"]}}, "chief is no role; there are operator"),
    ],
)
def test_a_profile_that_cannot_be_read_is_named(told, sentence):
    with pytest.raises(ConfigurationError) as caught:
        profiles_of(replace(SITE, masking=told | {"fine": RESEARCH}))

    [fault] = caught.value.faults
    assert fault.startswith("interop.toml: error: masking.")
    assert sentence in fault


def test_a_command_shows_what_a_profile_shows(tmp_path):
    site = busy_site(tmp_path)
    with (site.config / "interop.toml").open("a") as file:
        file.write('[masking.research]\nshow = ["PV1-3"]\nyears = ["PID-7"]\n')

    seen = site.run("messages", "show", 1, "--profile", "research")
    strange = site.run("messages", "show", 1, "--profile", "other")
    token = site.run("token", "create", "t", "--permission", "profile:research")
    unknown = site.run("token", "create", "t", "--permission", "profile:other")

    assert COVERED in seen.stdout.replace("\\r", "\n")
    assert "there are research" in strange.stderr
    assert (token.exit_code, unknown.exit_code) == (0, 2)
    database = site.database("cli")
    with database.reading() as connection:
        rows = audit.rows(connection, database.sealer, subject="message 1", limit=1)
    database.close()
    assert (rows[0].act.action, rows[0].act.detail) == ("reveal", "profile research")
    assert rows[0].act.actor != OPERATOR.actor
