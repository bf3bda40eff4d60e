"""The tour of a demo: offered where it is asked for, until somebody closes it."""

import re
from dataclasses import replace

import pytest

from engine.cli.project import write_project
from engine.console.pages.tour import STEPS
from tests.databases import empty_database
from tests.web import SITE, Web

OFFER = "Take the tour in five steps"


@pytest.fixture
def web(tmp_path):
    write_project(tmp_path)
    settings = replace(SITE, folder=tmp_path / "config", console_tour=True)
    return Web(empty_database("sqlite", tmp_path), settings)


def test_the_tour_is_offered_in_a_demo_only(web):
    elsewhere = replace(web, settings=replace(web.settings, console_tour=False))

    assert OFFER in web.signed_in().browse("/").text
    assert OFFER not in elsewhere.signed_in().browse("/").text


def test_every_step_leads_to_a_page(web):
    known = web.signed_in()

    shown = known.browse("/tour")

    places = re.findall(r'<h2><a href="([^"]+)"', shown.text)
    assert len(places) == len(STEPS) == 5
    for place in places[:4]:
        path, _, query = place.replace("&amp;", "&").partition("?")
        assert known.browse(path, query).status == 200, place


def test_a_closed_tour_stays_closed(web):
    known = web.signed_in()

    closed = known.submit("/tour")
    cookie = closed.headers["set-cookie"].partition(";")[0]
    later = replace(known, cookie=f"{known.cookie}; {cookie}")

    assert closed.status == 303
    assert OFFER not in later.browse("/").text
    assert later.browse("/tour").status == 200
