"""Role x route x channel tag: every cell is allowed or refused, as the tables say."""

import re
from dataclasses import replace
from functools import cache

import pytest

from engine.console.permissions import (
    ROLES,
    Permission,
    Role,
    as_role,
    channels_of,
    in_this_light,
    permitted,
)
from engine.console.reach import REACH
from engine.console.routes import ROUTES
from engine.store import error_queue, incidents, journal
from engine.store.incidents import Incident
from engine.store.journal import Arrival
from tests.builders import adt_a01
from tests.sites import NOON, busy_site
from tests.web import Web

TAGS = {"adt": ("emergency",), "oru": ("lab",)}
"""Channel adt has messages and errors, oru one message."""

GUARDED = [each for each in ROUTES if each.permission]
REFUSAL = re.compile("this needs the permission|spans all channels|belongs to a ch")
"""What the gate says; pages may have reasons of their own."""

REVEALING = {Permission.VIEW_PHI, Permission.VIEW_CONFIDENTIAL}


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    database = busy_site(tmp_path_factory.mktemp("access")).database("console")
    other = Arrival("oru", "mllp", "peer", NOON, adt_a01(), control_id="LAB-4",
                    message_type="ORU", trigger_event="R01")  # fmt: skip
    with database.journal() as connection:
        journal.append(connection, database.sealer, [other])
    trouble = Incident(
        *("silent|adt|", "silent", "adt", "", "warning", "adt: nothing arrived", ()),
        *(1, 120, NOON, NOON, NOON),
    )
    with database.engine() as connection:
        incidents.keep(connection, [trouble])
    yield Web(database, tags=TAGS)
    database.close()


@pytest.fixture(scope="module")
def callers(web):
    """Return the browser of each role and tag, made once."""

    @cache
    def of(role, tag):
        return web.signed_in(role, name=f"{role}-{tag}".replace("*", "all"), tags=[tag])

    return of


def address(web, route):
    """Return the path of a route with numbers and keys that there are, of adt."""
    with web.database.reading() as connection:
        group = error_queue.groups(connection)[0].key
    given = {"message_id": "1", "delivery_id": "1", "key": group, "form": "json"}
    given["name"] = "adt"
    return re.sub(r"{(\w+)}", lambda hit: given.get(hit[1], "1"), route.path)


def is_within(route, tag):
    """Tell whether the tables let somebody of this tag reach what is of adt."""
    if tag == "*" or route.path.startswith("/account"):
        return True
    question = REACH.get(route.path)
    if question is None:
        return False
    return tag == "emergency" or not question.__name__.startswith("_of_")


@pytest.mark.parametrize("role", Role)
def test_S10_every_route_is_open_to_exactly_the_roles_and_tags_of_the_tables(
    web, callers, role
):
    wrong = []
    for route in GUARDED:
        path = address(web, route)
        for tag in ("*", "emergency", "lab"):
            browser = callers(role, tag)
            answer = browser.ask(route.method, path)  # without the form's token
            refused = answer.status == 403 and REFUSAL.search(answer.text)
            may = route.permission in ROLES[role] and is_within(route, tag)
            if bool(refused) is may:
                wrong.append((route.method, path, tag, answer.status))
            assert answer.status < 500, path

    assert wrong == []


def test_S10_a_route_that_is_not_listed_is_for_those_who_see_every_channel():
    assert REACH.keys() <= {each.path for each in ROUTES}
    assert "/work/mismatch/{number}" not in REACH
    assert "/fhir/Patient" not in REACH


LISTS = [path for path, question in REACH.items() if question.__name__ == "_leaves_out"]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("form", ["json", "csv"])
def test_S10_a_list_holds_nothing_of_another_channel(web, callers, path, form):
    browser = callers(Role.OPERATOR, "lab")

    answer = browser.browse(path.replace("{form}", form))

    assert answer.status == 200
    words = re.sub(r"(placeholder|<option)[^>]*>", "", answer.text)
    assert not re.search(r"\badt\b|\bM[123]\b|table-miss", words)


def test_S10_a_list_holds_what_is_of_ones_own_channels(callers):
    lab = callers(Role.OPERATOR, "lab").get("/messages.json").json()["items"]
    everything = callers(Role.OPERATOR, "*").get("/messages.json").json()["items"]

    assert [each["control_id"] for each in lab] == ["LAB-4"]
    assert len(everything) == 4


def test_S10_who_sees_some_channels_is_led_to_nothing_that_spans_all(callers):
    lab = callers(Role.OPERATOR, "lab")
    every = callers(Role.STEWARD, "*")

    page = lab.browse("/").text

    assert 'href="/messages"' in page
    assert 'href="/work"' in page
    assert 'href="/patients"' not in page
    assert 'href="/work/mismatch"' in every.browse("/").text
    assert every.browse("/work/mismatch").status == 200


def test_S10_the_figures_of_who_sees_some_channels_count_these_alone(callers):
    lab, emergency = callers(Role.OPERATOR, "lab"), callers(Role.OPERATOR, "emergency")

    mine = lab.get("/live/overview.json").json()["cells"]
    theirs = emergency.get("/live/overview.json").json()["cells"]

    assert (mine["error-queue"], theirs["error-queue"]) == ("0", "2")
    assert not [name for name in mine if "adt" in name]
    assert "mismatch-queue" not in mine | theirs
    assert lab.get("/live/work.json").json()["cells"]["work-parked"] == "0"
    assert emergency.get("/live/work.json").json()["cells"]["work-parked"] == "1"
    assert "Nothing needs you" in lab.browse("/work", "kind=mismatch").text
    assert "p95" not in lab.browse("/").text
    assert len(emergency.get("/work.json").json()["items"]) == 2


def test_S10_a_delivery_is_not_reached_through_a_message_of_ones_own(callers):
    lab = callers(Role.OPERATOR, "lab")

    stolen = lab.submit("/messages/4/deliveries/2/resend")
    own = lab.browse("/messages/4")
    odd = lab.browse("/messages/nobody")

    assert (stolen.status, own.status, odd.status) == (403, 200, 422)


def test_S10_a_token_reaches_the_channels_of_its_tags(web):
    program = web.allowed(Permission.VIEW_METADATA, tags=["lab"])

    assert program.get("/messages/1").status == 403
    assert program.get("/messages/4").status == 200


def test_S10_tags_of_a_configuration_that_was_read_anew_count_at_once(web):
    program = web.allowed(Permission.VIEW_METADATA, tags=["lab"])
    here = program.app.state.surroundings
    before = program.get("/messages/1").status, program.get("/messages/4").status

    program.app.state.surroundings = replace(here, tags={"adt": ("lab",), "oru": ()})
    after = program.get("/messages/1").status, program.get("/messages/4").status

    assert (before, after) == ((403, 200), (200, 403))


def test_a_channel_that_is_configured_no_more_is_seen_by_those_who_see_all():
    assert channels_of(["lab"], {"oru": ["lab"], "adt": []}) == frozenset({"oru"})
    assert channels_of([], {"oru": []}) == frozenset()
    assert channels_of(["lab", "*"], {}) is None


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("own", Role)
def test_the_view_of_a_role_shows_no_patient_that_one_may_not_see(own, role):
    mine = permitted([own])

    seen = as_role(mine, role)

    assert seen <= ROLES[role]
    assert seen & (REVEALING | {Permission.READ_AUDIT}) <= mine
    assert as_role(mine, None) == mine


@pytest.mark.parametrize("role", Role)
def test_S12_masking_outweighs_everything_and_glass_adds_patients_alone(role):
    mine = permitted([role])

    for glass in (True, False):
        assert not in_this_light(mine, glass=glass, masked=True) & REVEALING
    assert in_this_light(mine, glass=True, masked=False) == mine | REVEALING
    assert in_this_light(mine, glass=False, masked=False) == mine
