"""Live updates: one read for everybody, what changed, what is new."""

import asyncio
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from engine.console import live
from engine.console.cells import PAGES
from engine.console.live import News, Pulse, events
from engine.console.permissions import Permission
from engine.console.queries.overview import figures
from engine.errors import StoreError
from engine.store.search import MessageFilter
from tests.sites import busy_site
from tests.stored import NOON, accept, accept_some, arrival, ask
from tests.web import Web

SEE = Permission.VIEW_METADATA


@pytest.fixture
def site(tmp_path):
    return busy_site(tmp_path)


@pytest.fixture
def web(site):
    return Web(site.database("console"))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(live, "BEAT_SECONDS", 0.01)


def read_events(pulse, name="overview", news=None, most=3):
    async def run():
        found = []
        async with aclosing(events(pulse, PAGES[name], news)) as sent:
            assert await anext(sent) == b"retry: 1000\n\n"
            async for each in sent:
                head, data = each.decode().strip().split("\ndata: ")
                found.append((head.removeprefix("event: "), orjson.loads(data)))
                if len(found) == most:
                    break
        return found

    return asyncio.run(run())


def in_turn(*values):
    """Return a read that gives these values one after another, the last for ever."""
    left = list(values)

    def read():
        found = left.pop(0) if len(left) > 1 else left[0]
        if found is None:
            raise StoreError("away")
        return found

    return read


def test_a_stream_begins_with_every_cell_and_goes_on_with_what_changed(web):
    before = ask(web.database, figures, NOON)
    after = replace(before, last_hour=before.last_hour + 1)

    (_, first), (name, second) = read_events(Pulse(in_turn(before, after)), most=2)

    assert first["channel-adt-error"] == "1"
    assert "state ok" in first["channel-adt-state"]
    assert (name, second) == ("cells", {"last-hour": "4"})


def test_a_quiet_stream_says_now_and_then_that_it_lives(web):
    same = ask(web.database, figures, NOON)

    told = read_events(Pulse(in_turn(same)), most=2)

    assert [content for _, content in told[1:]] == [{}]


def test_a_store_that_does_not_answer_is_told_and_the_stream_goes_on(web):
    found = ask(web.database, figures, NOON)

    told = read_events(Pulse(in_turn(None, found)), most=2)

    assert [name for name, _ in told] == ["failed", "cells"]


def test_a_stream_ends_by_itself_and_with_the_server(web, monkeypatch):
    found = ask(web.database, figures, NOON)
    monkeypatch.setattr(live, "BEATS", 2)

    assert len(read_events(Pulse(in_turn(found)), most=9)) == 1
    assert read_events(Pulse(in_turn(found), ending=lambda: True)) == []


def test_the_store_is_read_once_for_all_tabs_and_not_at_all_for_none(web):
    found, reads = ask(web.database, figures, NOON), []

    def read():
        reads.append(1)
        return found

    async def run():
        pulse = Pulse(read)
        async with pulse.listening() as one, pulse.listening() as other:
            for _ in range(4):
                assert await one.get() is found
            assert await other.get() is found
        count = len(reads)
        await asyncio.sleep(0.05)
        return count

    assert asyncio.run(run()) <= 6
    assert len(reads) <= 6


def test_a_list_hears_how_many_rows_of_its_kind_are_new(site, web):
    here, edge = web.app.state.surroundings, site.database("edge")
    news = News(here, MessageFilter(channel="lab"), after=3)
    accept_some(edge, 2, "lab")
    accept(edge, arrival("X", channel="adt"))

    told = read_events(web.app.state.pulse, "messages", news, most=1)

    assert told == [("news", 2)]
    assert news.look() == 2


def test_what_a_stream_would_send_is_also_there_to_be_asked_for(web):
    known = web.signed_in(SEE)

    shown = known.get("/live/messages.json", after="1", channel="adt").json()
    cells = known.get("/live/work.json").json()["cells"]

    assert shown == {"cells": {}, "news": 2}
    assert cells["work-errors"] == "2"
    assert known.get("/live/nothing.json").status == 404
    assert known.get("/live/nothing").status == 404


@pytest.mark.parametrize(
    "query",
    [
        {"after": "1", "state": "held"},
        *({"after": each} for each in ("x", "²", "9" * 30)),
        {},
    ],
)
def test_a_list_of_what_cannot_be_known_on_arrival_hears_of_nothing_new(web, query):
    known = web.signed_in(SEE)

    assert known.get("/live/messages.json", **query).json()["news"] == 0


def test_a_store_away_is_no_answer_to_who_asks(web, monkeypatch):
    known = web.signed_in(SEE)
    monkeypatch.setattr(known.app.state.pulse, "read", in_turn(None))

    assert known.get("/live/work.json").status == 503


def test_S08_what_a_page_asks_by_itself_keeps_no_session_awake(web):
    known = web.signed_in(SEE)
    later = replace(known, now=NOON + timedelta(minutes=10))
    after = replace(known, now=NOON + timedelta(minutes=16))

    assert later.get("/live/work.json").status == 200
    assert after.get("/work.json").status == 401


def test_a_stream_is_events_that_nobody_keeps(web):
    known = web.signed_in(SEE)
    known.app.state.pulse.ending = lambda: True

    with suppress(AssertionError):
        answer = known.get("/live/overview")

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
