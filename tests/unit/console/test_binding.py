"""Where the console listens, and what is asked for beyond this machine."""

from dataclasses import replace

import pytest

from engine.console.binding import address
from engine.errors import ConfigurationError
from tests.web import SITE


@pytest.mark.parametrize(
    ("bind", "place"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("[::1]:80", ("::1", 80)),
        (":81", ("127.0.0.1", 81)),
        ("localhost:82", ("localhost", 82)),
        ("off", None),
    ],
)
def test_S16_this_machine_needs_nothing_more(bind, place):
    assert address(replace(SITE, console_bind=bind)) == place


def test_S16_beyond_this_machine_every_missing_thing_is_named():
    with pytest.raises(ConfigurationError, match="2 things are missing") as refused:
        address(replace(SITE, console_bind="0.0.0.0:8080"))

    assert [each.split(":")[2].strip() for each in refused.value.faults] == [
        "no certificate",
        "no encryption key",
    ]


def test_S16_with_a_proxy_and_a_key_it_may_be_reached():
    wide = replace(SITE, console_bind="ward.example:80", store_key="k")
    with pytest.raises(ConfigurationError, match="1 thing is missing"):
        address(wide)

    assert address(replace(wide, console_proxy="10.0.0.5")) == ("ward.example", 80)


def test_a_word_is_no_address():
    with pytest.raises(ConfigurationError, match="HOST:PORT"):
        address(replace(SITE, console_bind="everywhere"))
