"""S16 and the pace of S1: how the installation is, and how fast it goes."""

from dataclasses import replace
from datetime import timedelta

import orjson
import pytest
from sqlalchemy import update

from engine.console.ages import seconds
from engine.console.pace import PaceReader
from engine.console.permissions import Permission
from engine.console.queries.system import Growth
from engine.settings import load_settings, origins
from engine.store import audit, key_use, reports, traffic
from engine.store.audit import Order
from engine.store.key_tables import key_use as key_rows
from engine.store.reports import Report
from engine.store.traffic import Counts, Measure
from tests.sites import busy_site
from tests.stored import NOON, ask
from tests.web import Web

SEE = Permission.VIEW_METADATA
TABS = ("health", "nodes", "log", "store", "certificates", "settings")
ENDS = (NOON + timedelta(days=9)).isoformat()


@pytest.fixture
def site(tmp_path):
    return busy_site(tmp_path)


@pytest.fixture
def web(site):
    settings = replace(load_settings(site.config, variables={}), node_name="here")
    return Web(site.database("console"), settings)


def tell(web, role="edge", **detail):
    sent = Report("here", role, role, 7, NOON, NOON, orjson.dumps(detail).decode())
    with web.database.engine() as connection:
        reports.report(connection, sent)


def count(web, at, number=1, channel="adt", wait=0.0):
    counts = Counts()
    counts.add(Measure.RECEIVED, channel, count=number)
    if wait:
        counts.observe(Measure.LATENCY, wait, channel, "fhir")
    with web.database.engine() as connection:
        traffic.write(connection, counts.take(), at)


def test_every_part_of_the_system_has_an_address_and_needs_an_administrator(web):
    known = web.signed_in()

    assert {known.browse("/system", f"tab={tab}").status for tab in TABS} == {200}
    assert web.signed_in(SEE, name="ben").browse("/system").status == 403


def test_the_latest_warnings_of_every_process_stand_in_one_list_newest_first(web):
    known = web.signed_in()
    before = known.browse("/system", "tab=log").text
    line = {"ts": "2030-01-01T12:00:01Z", "level": "warning", "event": "disk_filling"}
    later = {"ts": "2030-01-01T12:00:02Z", "level": "error", "event": "store_away"}
    tell(web, log=[line | {"percent": "<91>"}])
    tell(web, "worker", log=[later])
    tell(web, "console")
    page = known.browse("/system", "tab=log").text

    assert "No process has warned" in before
    assert page.index("store_away") < page.index("disk_filling")
    assert "here worker worker" in page
    assert '<span class="muted">percent</span> &lt;91&gt;' in page


def test_the_key_that_seals_is_told_with_its_age_and_the_command_that_changes_it(web):
    known = web.signed_in()
    database = web.database
    health = known.browse("/system").text
    with database.engine() as connection:
        database.keys.add()
        order = Order("kim", NOON, "a new year")
        key_use.rotate(connection, database.sealer, database.keys, order)
    store = known.browse("/system", "tab=store").text
    with database.engine() as connection:
        connection.execute(update(key_rows).values(since=b"\x03damaged"))
    missing = known.browse("/system").text

    assert "key 1 of the key file seals since the store was made" in health
    assert f"key 2 of the key file seals since {NOON:%Y-%m-%d}" in store
    assert "interop keys rotate" in store
    assert "does not hold key 2" in missing
    assert "interop keys list" in missing


def test_each_failed_check_carries_the_command_that_shows_more(web):
    known = web.signed_in()
    alone = known.browse("/system").text
    tell(
        web,
        disk={"percent": 91.0, "full": False},
        problems={"adt": "port 2575 is taken"},
        certificates={"his": ENDS},
    )
    page = known.browse("/system").text

    assert "interop health --ready" in alone
    assert "91 % full" in page
    assert "port 2575 is taken" in page
    assert "his: 9 days left" in page
    assert page.count("<code>interop doctor</code>") == 3
    assert ">9<" in known.browse("/system", "tab=certificates").text


def test_a_healthy_node_says_so(web):
    for role in ("edge", "worker", "console"):
        tell(web, role)
    known = web.signed_in()

    assert "edge, worker and console report" in known.browse("/system").text
    assert "running" in known.browse("/system", "tab=nodes").text


def test_settings_tell_where_they_are_from_and_no_secret(site, web):
    folder = site.config
    path = folder / "interop.toml"
    path.write_text(path.read_text("utf-8") + "[credentials.his]\npassword='hush'\n")
    settings = load_settings(folder, variables={})
    known = replace(web, settings=replace(settings, node_name="here")).signed_in()
    page = known.browse("/system", "tab=settings").text

    assert "hush" not in page
    assert "interop.toml" in page
    found = origins(folder, {"INTEROP_LOG__LEVEL": "debug"})
    assert (found["log.level"], found["site"]) == ("environment", "interop.toml")
    assert found["console.bind"] == "default"


def test_a_support_bundle_names_no_patient_and_is_audited(web):
    known = web.signed_in()
    bundle = known.submit("/system/bundle")
    content = bundle.json()
    with web.database.reading() as connection:
        rows = audit.rows(connection, web.database.sealer, subject="support bundle")

    assert content["versions"]["Store"].startswith("sqlite 3.")
    assert content["store"]["size"] > 0
    assert not [each for each in ("Doe", "Ann", "100482") if each in bundle.text]
    assert [row.act.action for row in rows] == ["export"]


def test_days_left_are_told_when_growth_is_known():
    assert Growth(100, 10, 95).days_left == 9
    assert Growth(None, None, None).days_left is None


def test_a_store_on_a_server_or_out_of_sight_has_no_free_space_to_tell(web):
    gone = replace(web.settings, store_url="sqlite:////no/such/folder")
    page = replace(web, settings=gone).signed_in().browse("/system", "tab=store").text

    assert "not known" in page


def test_the_pace_is_the_last_hour_against_the_same_hour_of_other_weeks(web):
    count(web, NOON - timedelta(minutes=2), 3, wait=2.0)
    for weeks, number in ((1, 10), (2, 20), (3, 60)):
        count(web, NOON - timedelta(weeks=weeks) + timedelta(minutes=5), number)
    found = ask(web.database, PaceReader().read, NOON)

    assert found.hour("adt") == 3
    assert found.usual == {"adt": 20}
    assert 1.0 < found.p95 <= 2.5
    page = web.signed_in(SEE).browse("/").text
    assert "usual 20" in page
    assert "60 minutes: at most 3 a minute, 3 in all" in page


def test_minutes_that_are_over_are_read_once_and_the_last_ones_again(web):
    paces = PaceReader()
    count(web, NOON - timedelta(minutes=50), 4, wait=2.0)
    count(web, NOON, 1)
    first = ask(web.database, paces.read, NOON)

    count(web, NOON - timedelta(minutes=50), 100)
    count(web, NOON - timedelta(minutes=1), 2)
    count(web, NOON + timedelta(minutes=11), 7)
    again = ask(web.database, paces.read, NOON)
    later = ask(web.database, paces.read, NOON + timedelta(minutes=11))

    assert first.minutes == {"adt": [*[0] * 9, 4, *[0] * 49, 1]}
    assert again.minutes == {"adt": [*[0] * 9, 4, *[0] * 48, 2, 1]}
    assert later.minutes == {"adt": [*[0] * 47, 2, 1, *[0] * 10, 7]}
    assert (again.hour("adt"), again.hour("lab")) == (7, 0)
    assert 1.0 < first.p95 <= 2.5


def test_nothing_is_usual_before_there_are_weeks_to_tell(web):
    count(web, NOON - timedelta(weeks=1))

    assert ask(web.database, PaceReader().read, NOON).usual == {}
    assert "usual not known" in web.signed_in(SEE).browse("/").text
    assert seconds(None) == "-"


@pytest.mark.parametrize(
    ("show", "seen"),
    [("all", True), ("attention", True), ("silent", True), ("mine", False)],
)
def test_quick_filters_keep_what_they_say(web, show, seen):
    page = web.signed_in(SEE).browse("/", f"show={show}").text

    assert ('href="/channels/adt"' in page) == seen
    assert ("No channel is among these" in page) != seen


def test_a_channel_that_takes_messages_is_not_silent(web):
    count(web, NOON - timedelta(minutes=2))

    page = web.signed_in(SEE).browse("/", "show=silent").text
    assert 'href="/channels/adt"' not in page


def test_a_wall_display_shows_the_figures_alone(web):
    page = web.signed_in(SEE).browse("/", "tv=1").text

    assert '<body class="tv"' in page
    assert "Leave the wall display" in page


def test_a_backup_is_made_and_opened_from_the_page(web):
    known = web.signed_in()

    made = known.submit("/system/backup")
    again = known.submit("/system/backup")
    shown = known.browse("/system", "tab=store").text
    looked = known.submit("/system/backup/20300101T120000Z/verify")
    after = known.browse("/system", "tab=store").text

    assert (made.status, again.status, looked.status) == (303, 409, 303)
    assert "20300101T120000Z" in shown
    assert "never" in shown
    assert "never" not in after
    assert known.submit("/system/backup/other/verify").status == 404
    file = web.settings.backups / "20300101T120000Z" / "journal.db"
    file.write_bytes(b"")
    broken = known.submit("/system/backup/20300101T120000Z/verify")
    assert broken.status == 409
    assert "journal.db is not as it was written" in broken.text


def test_the_configuration_is_checked_before_anybody_reloads_it(web):
    known = web.signed_in()
    tell(web, pid=0)
    assert known.submit("/system/reload").status == 303

    (web.settings.folder / "channels").mkdir(exist_ok=True)
    (web.settings.folder / "channels" / "bad.yaml").write_text("name: [")
    refused = known.submit("/system/reload")

    assert refused.status == 409
    assert "Nothing was changed" in refused.text
