"""Values of options: what is taken, and what is wrong usage."""

import click
import pytest

from engine.cli.kinds import address, duration, rate, share


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (address, "host.example:2575", ("host.example", 2575)),
        (address, ":2575", ("127.0.0.1", 2575)),
        (address, "2575", ("127.0.0.1", 2575)),
        (address, "[::1]:2575", ("::1", 2575)),
        (rate, "50/s", 50.0),
        (rate, "90/m", 1.5),
        (duration, "500ms", 0.5),
        (duration, "2", 2.0),
        (share, "8%", 0.08),
    ],
)
def test_a_value_is_read(kind, text, value):
    assert kind(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (address, "host"),
        (address, "host:0"),
        (address, "host:65536"),
        (rate, "0"),
        (rate, "fast"),
        (duration, "-1s"),
        (share, "101%"),
    ],
)
def test_a_wrong_value_says_what_it_should_be(kind, text):
    with pytest.raises(click.BadParameter, match=text):
        kind(text)
