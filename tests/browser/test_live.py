"""Pages that change by themselves, in a real browser: nobody is disturbed."""

import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from engine.console import live
from engine.console.queries.overview import ChannelFigures
from tests.browser.conftest import Watched, served
from tests.sites import busy_site
from tests.stored import accept_some

HIDE = """hidden => {
  Object.defineProperty(document, "hidden", {get: () => hidden, configurable: true});
  document.dispatchEvent(new Event("visibilitychange"));
}"""
MANY = 200


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(live, "BEAT_SECONDS", 0.1)


@contextmanager
def page_of(chromium, folder, path="/"):
    site = busy_site(folder)
    with served(site.database("console")) as here:
        context = chromium.new_context()
        watched = Watched(context.new_page(), here.address)
        watched.sign_in(here.code())
        watched.visit(path)
        yield site, here, watched
        assert watched.complaints == []
        context.close()


def until(holds, seconds=20.0):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def growing(figures):
    """Return a read whose channels have one message more each time."""
    count = 0

    def read():
        nonlocal count
        count += 1
        rows = [
            ChannelFigures(f"c{number:03}", "running", received=count)
            for number in range(MANY)
        ]
        return replace(figures, channels=rows, last_hour=count)

    return read


def test_values_change_and_nobody_who_types_or_reads_is_disturbed(chromium, tmp_path):
    with page_of(chromium, tmp_path) as (_, here, watched):
        page = watched.page
        here.pulse.read = growing(here.pulse.read())
        with page.expect_response("**/live/overview"):
            watched.visit("/")
        page.fill("#find", "patient:10")
        page.evaluate("document.body.style.minHeight = '4000px'; scrollTo(0, 300)")
        before = page.inner_text("#last-hour")
        until(lambda: page.inner_text("#last-hour") != before)

        assert page.input_value("#find") == "patient:10"
        assert page.evaluate("document.activeElement.id") == "find"
        assert page.evaluate("scrollY") == 300
        page.wait_for_selector("text=Live")


def test_a_hidden_tab_listens_to_nothing_and_a_paused_one_neither(chromium, tmp_path):
    with page_of(chromium, tmp_path) as (_, here, watched):
        page, open_now = watched.page, here.pulse._listeners
        until(lambda: len(open_now) == 1)
        page.evaluate(HIDE, True)
        until(lambda: not open_now)
        page.evaluate(HIDE, False)
        until(lambda: len(open_now) == 1)
        page.click("text=Pause updates")
        until(lambda: not open_now)

        assert page.inner_text("#live-note") == "Updates are paused"
        assert page.get_attribute("#live-pause", "aria-pressed") == "true"


def test_new_rows_are_announced_and_rows_do_not_move(chromium, tmp_path):
    with page_of(chromium, tmp_path, "/messages?channel=adt") as (site, here, watched):
        page = watched.page
        until(lambda: len(here.pulse._listeners) == 1)
        accept_some(site.database("edge"), 3)
        page.wait_for_selector("text=3 new. Show them")
        count = page.locator("tbody tr").count()
        page.click("text=3 new")
        page.wait_for_load_state()

        assert count == 3
        assert page.locator("tbody tr").count() == 6


def test_a_stream_that_ended_is_opened_again(chromium, tmp_path, monkeypatch):
    monkeypatch.setattr(live, "BEATS", 2)
    with page_of(chromium, tmp_path) as (_, here, watched):
        asked = []
        watched.page.on("request", lambda sent: asked.append(sent.url))
        until(lambda: not watched.page.wait_for_timeout(50) and len(asked) >= 2)

        assert set(asked) == {f"{here.address}/live/overview"}


def test_without_a_stream_the_page_asks_and_says_how_old_it_is(chromium, tmp_path):
    with page_of(chromium, tmp_path) as (_, here, watched):
        page = watched.page
        page.clock.install()
        page.route("**/live/overview", lambda route: route.fulfill(status=503))
        watched.visit("/")
        here.pulse.read = growing(here.pulse.read())
        page.clock.run_for(3_000)
        age = page.inner_text("#live-note")
        with page.expect_response("**/live/overview.json"):
            page.clock.run_for(9_000)

        assert age.startswith("Last update ")
        watched.complaints.clear()  # the browser tells of the 503 itself
