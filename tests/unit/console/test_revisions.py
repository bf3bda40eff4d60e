"""S2, history: what a channel said, two configurations compared, and the way back."""

import zipfile
from dataclasses import replace
from io import BytesIO

import pytest

from engine.channels.format.load import load_site
from engine.channels.live_files import keep, read
from engine.console.permissions import Permission
from engine.store.audit import Order
from tests.sites import site_with_doubt
from tests.stored import NOON
from tests.web import SITE, Web

SEE, DEPLOY = Permission.VIEW_METADATA, Permission.DEPLOY
PLACE = "/channels/hospital-adt"


@pytest.fixture
def web(tmp_path):
    site = site_with_doubt(tmp_path)
    settings = replace(SITE, folder=site.config)
    found = load_site(site.config, None, {})
    return Web(site.database("console"), settings, site=found)


@pytest.fixture
def file(web):
    return web.settings.folder / "channels" / "hospital-adt.yaml"


def go_live(web, reason="reload"):
    found = read(web.settings.folder, None)
    found = replace(found, site=replace(found.site, settings=web.settings))
    return keep(web.database, found, Order("kim", NOON, reason))


def add(file, text="# <b>note</b>\n"):
    file.write_text(file.read_text() + text)


def seen_on(page):
    return page.partition('name="seen" value="')[2].partition('"')[0]


def test_the_history_lists_what_went_live_and_leads_to_comparisons(web, file):
    known = web.signed_in(SEE)
    before = known.browse(PLACE, "tab=history").text
    go_live(web)
    add(file)
    go_live(web, "a better note")
    page = known.browse(PLACE, "tab=history").text

    assert "No configuration was kept yet" in before
    assert "a better note" in page
    assert "/compare?old=1&amp;new=2" in page


def test_a_comparison_shows_lines_and_offers_no_order_to_who_may_not_give_it(web, file):
    known = web.signed_in(SEE)
    go_live(web)
    add(file)
    page = known.browse(f"{PLACE}/compare", "old=1")

    assert page.status == 200
    assert "<ins>+ # &lt;b&gt;note&lt;/b&gt;</ins>" in page.text
    assert "Roll back channels" not in page.text
    assert known.submit(f"{PLACE}/rollback", number=1).status == 403
    assert known.browse(f"{PLACE}/compare", "old=9").status == 404
    assert known.browse("/channels/nothing/compare", "old=1").status == 404


def test_a_channel_says_everywhere_that_its_files_wait_for_a_reload(web, file):
    known = web.signed_in(SEE)
    go_live(web)
    before = known.browse(PLACE).text
    add(file)
    page = known.browse(PLACE, "tab=messages").text
    keeper = web.signed_in(SEE, Permission.ADMINISTER, name="ann")
    offered = keeper.browse(PLACE).text

    assert "newer than what runs" not in before
    assert "newer than what runs: 1 file of this channel changed" in page
    assert "/compare?old=1" in page
    assert "/system/reload" not in page
    assert "<button>Reload, 1 change</button>" in offered


def test_a_channel_is_taken_away_with_all_that_its_file_uses(web, file):
    (file.parent.parent / "tables" / "unheard.csv").write_text("from,to\n")
    known = web.signed_in(SEE)

    pages = known.browse(PLACE, "tab=config").text
    answer = known.browse(f"{PLACE}/export.zip")
    by_api = known.browse("/api/v1/channels/hospital-adt/export")
    unknown = known.browse("/channels/nothing/export.zip")

    assert f"{PLACE}/export.zip" in pages
    assert answer.headers["content-type"] == "application/zip"
    assert by_api.body == answer.body
    with zipfile.ZipFile(BytesIO(answer.body)) as archive:
        assert archive.read("channels/hospital-adt.yaml") == file.read_bytes()
        names = archive.namelist()
    assert "tables/unheard.csv" not in names
    assert not any(name.startswith(("interop", "identity")) for name in names)
    assert unknown.status == 404


def test_a_roll_back_from_the_page_is_done_once(web, file):
    known = web.signed_in(SEE, DEPLOY)
    old = file.read_text()
    go_live(web)
    add(file)
    seen = seen_on(known.browse(f"{PLACE}/compare", "old=1").text)
    done = known.submit(f"{PLACE}/rollback", number=1, seen=seen, reason="worse")
    again = known.submit(f"{PLACE}/rollback", number=1, seen=seen, reason="worse")
    past = known.browse(PLACE, "tab=history").text

    assert (done.status, again.status) == (303, 409)
    assert file.read_text() == old
    assert "changed meanwhile" in again.text
    assert "config.rollback" in past
    assert "never live" in past
    assert "Nothing that this channel uses differs" in (
        known.browse(f"{PLACE}/compare", "old=1").text
    )


def test_a_refused_roll_back_says_every_fault_there_would_be(web, file):
    known = web.signed_in(SEE, DEPLOY)
    go_live(web)
    add(file)
    seen = seen_on(known.browse(f"{PLACE}/compare", "old=1").text)
    (file.parent / "laboratory.yaml").write_text("channel: other\n")
    refused = known.submit(f"{PLACE}/rollback", number=1, seen=seen, reason="worse")

    assert refused.status == 409
    assert "Nothing was changed" in refused.text
    assert "laboratory.yaml" in refused.text


def test_who_sees_channels_of_some_tags_compares_these_alone(web):
    go_live(web)
    tagged = replace(web, tags={"hospital-adt": ["adt"], "laboratory": ["lab"]})
    lab = tagged.signed_in(SEE, tags=("lab",), name="lee")

    assert lab.browse("/channels/laboratory/compare", "old=1").status == 200
    assert lab.browse(f"{PLACE}/compare", "old=1").status == 403
