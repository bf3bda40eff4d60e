"""S12: the five rules that suit most sites, each with one button."""

from dataclasses import replace
from datetime import timedelta

import pytest

from engine.channels.alerts.suggested import SUGGESTED
from engine.channels.format.load import load_site
from engine.console.permissions import Permission
from engine.store import audit, traffic
from engine.store.traffic import Key
from tests.databases import empty_database
from tests.stored import NOON, ask
from tests.web import SITE, Web

SEE, DEPLOY = Permission.VIEW_METADATA, Permission.DEPLOY
ADT = """\
channel: adt
tags: [adt]
source: {mllp: {port: 2999}}  # the ward's port
destinations:
  - name: his
    mllp: {host: 127.0.0.1, port: 9}
"""
LAB = ADT.replace("adt", "lab").replace("2999", "2998")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "channels").mkdir()
    (tmp_path / "channels" / "adt.yaml").write_text(ADT)
    (tmp_path / "channels" / "lab.yaml").write_text(LAB)
    (tmp_path / "interop.toml").write_text(
        '[contacts.oncall]\nemail = "a@example.org"\n'
    )
    return tmp_path


@pytest.fixture
def web(folder):
    site = load_site(folder, None, {})
    settings = replace(SITE, folder=folder, contacts=site.settings.contacts)
    return Web(empty_database("sqlite", folder), settings, site=site)


def add(web, **fields):
    return web.submit("/alerts/rules", **{"channel": "adt", **fields})


def test_a_rule_is_offered_with_its_text_and_how_often_it_would_have_fired(web):
    failures = {Key("error", "adt", "map", "x"): 6}
    with web.database.engine() as connection:
        traffic.write(connection, failures, NOON - timedelta(hours=3))
    page = web.signed_in(SEE).browse("/alerts", "kind=rules").text

    assert "No rules. These five suit most sites" in page
    assert page.count("  - ") >= len(SUGGESTED)
    assert "would have fired 1 time" in page
    assert "not known: nothing is noted yet" in page
    assert "/alerts/rules" not in page


@pytest.mark.parametrize("rule", [each.key for each in SUGGESTED])
def test_one_button_writes_a_rule_with_its_meaning_and_keeps_every_line(
    web, folder, rule
):
    known = web.signed_in(SEE, DEPLOY)
    done = add(known, rule=rule, contact="oncall")
    text = (folder / "channels" / "adt.yaml").read_text()
    [alert] = load_site(folder, None, {}).channel("adt").alerts
    [act] = [
        row.act
        for row in ask(web.database, audit.rows, web.database.sealer)
        if row.act.action == "alerts.add"
    ]
    [wanted] = [each for each in SUGGESTED if each.key == rule]

    assert done.headers["location"] == "/alerts?kind=rules&channel=adt"
    assert text.startswith(ADT)
    assert f"  # {wanted.meaning}\n  - {rule}: {wanted.value}\n" in text
    assert alert == replace(wanted.rule, notify=("oncall",))
    assert (act.subject, act.detail) == ("channel adt", rule)
    page = known.browse("/alerts", "kind=rules&channel=adt").text
    assert f"- {rule}:" not in page  # though what runs does not have it yet


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"rule": "none"}, "there is no rule"),
        ({"rule": "parked-over", "contact": "nobody"}, "there is no contact"),
        ({"rule": "silent-for", "channel": "other"}, "no channel named"),
    ],
)
def test_what_cannot_be_added_changes_nothing_and_says_why(web, folder, fields, why):
    page = add(web.signed_in(SEE, DEPLOY), **fields).text

    assert "Nothing was changed" in page
    assert why in page
    assert (folder / "channels" / "adt.yaml").read_text() == ADT


def test_a_rule_of_a_kind_the_channel_has_is_not_added_again(web):
    known = web.signed_in(SEE, DEPLOY)
    for key in ("parked-over", "oldest-over"):
        add(known, rule=key)
    again = add(known, rule="parked-over").text

    assert "adt has a rule parked-over already" in again


def test_rules_of_a_shared_part_are_not_replaced_by_one(web, folder):
    (folder / "channels" / "_shared.yaml").write_text("alerts: [{parked-over: 9}]\n")
    file = folder / "channels" / "adt.yaml"
    file.write_text(ADT + "defaults: _shared.yaml\n")
    page = add(web.signed_in(SEE, DEPLOY), rule="oldest-over").text

    assert "stand in a shared part" in page
    assert "alerts" not in file.read_text()


def test_who_may_not_deploy_or_see_a_channel_adds_nothing(web, folder):
    tagged = replace(web, tags={"adt": ["adt"], "lab": ["lab"]})
    lee = tagged.signed_in(SEE, DEPLOY, tags=("lab",), name="lee")

    assert add(web.signed_in(SEE, name="sam"), rule="parked-over").status == 403
    assert add(lee, rule="parked-over").status == 404
    assert (folder / "channels" / "adt.yaml").read_text() == ADT


def test_a_channel_whose_file_went_away_still_has_its_offers(web, folder):
    (folder / "channels" / "adt.yaml").unlink()

    assert "- parked-over: 5" in web.signed_in(SEE).browse("/alerts", "kind=rules").text
