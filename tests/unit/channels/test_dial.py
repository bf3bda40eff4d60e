"""Where connections may lead, with a reactor in memory and a resolver of our own."""

import pytest
from twisted.internet import error
from twisted.internet.defer import fail, succeed
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from engine.channels.dial import Dialer, Place
from engine.errors import PermanentError, TransientError
from tests.fakes import ends_of

HIS = Place("mllp", "his.test", 6661)


def dial(place=HIS, *, addresses=("10.1.2.3",), allowed=None):
    """Return (reactor, how it ended)."""
    reactor = MemoryReactorClock()
    found = fail(OSError()) if addresses is None else succeed(list(addresses))
    allowed = {place} if allowed is None else allowed
    dialer = Dialer(reactor, lambda host, port: found, allowed)
    return reactor, ends_of(dialer.connect(Factory.forProtocol(Protocol), place))


def test_the_address_that_was_checked_is_the_one_connected_to():
    reactor, ends = dial()

    assert reactor.tcpClients[0][:2] == ("10.1.2.3", 6661)
    assert ends == []


def test_a_place_nobody_listed_is_refused_before_its_name_is_asked():
    reactor, ends = dial(allowed=set())

    assert (ends[0].type, ends[0].value.code) == (PermanentError, "not-allowed")
    assert reactor.tcpClients == []


@pytest.mark.parametrize(
    "inside", ["127.0.0.1", "169.254.169.254", "::1", "fe80::1%eth0", "::"]
)
def test_a_name_that_leads_inside_is_refused(inside):
    reactor, ends = dial(addresses=["10.1.2.3", inside])

    assert ends[0].type is PermanentError
    assert reactor.tcpClients == []


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.5"])
def test_an_address_that_was_written_down_is_taken_at_its_word(host):
    reactor, _ = dial(Place("http", host, 80), addresses=None)

    assert reactor.tcpClients[0][:2] == (host, 80)


def test_localhost_may_be_written_down_too():
    reactor, _ = dial(Place("http", "localhost", 80), addresses=["127.0.0.1"])

    assert reactor.tcpClients[0][0] == "127.0.0.1"


@pytest.mark.parametrize("addresses", [None, ()])
def test_a_name_without_an_address_is_tried_again_later(addresses):
    _, ends = dial(addresses=addresses)

    assert (ends[0].type, ends[0].value.code) == (TransientError, "dns")


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (error.ConnectionRefusedError(), "connection-refused"),
        (error.TimeoutError(), "connect-timeout"),
        (error.ConnectError(), "unreachable"),
    ],
)
def test_a_receiver_that_cannot_be_reached_is_tried_again_later(reason, code):
    reactor, ends = dial()

    reactor.tcpClients[0][2].clientConnectionFailed(None, Failure(reason))

    assert (ends[0].type, ends[0].value.code) == (TransientError, code)


@pytest.mark.parametrize(
    "listed",
    ["his.test", "his.test:6661", "mllp://his.test:6661", "mllp://his.test"],
)
def test_a_site_lists_places_by_host_port_and_scheme(listed):
    assert HIS.is_listed({listed})
    assert not Place("mllp", "other.test", 6661).is_listed({listed})


def test_another_port_or_scheme_is_another_place():
    assert not HIS.is_listed({"his.test:1", "http://his.test:6661"})
