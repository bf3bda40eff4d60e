"""Ways in that follow their channels, with a reactor in memory."""

import dataclasses
from typing import cast

import pytest
from twisted.internet.base import ReactorBase
from twisted.internet.defer import execute, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from typing_extensions import override

from engine.channels.awaiting import Outcomes
from engine.channels.certificates import Profile
from engine.channels.clock import Ulids
from engine.channels.format.channel import Channel, Hl7Options, Source
from engine.channels.format.endpoints import FileSource, HttpSource, MllpSource
from engine.channels.intakes import Intakes
from engine.channels.listeners import Places
from engine.channels.sources.http import Web
from engine.channels.tls import Identities
from engine.hl7.framing import enclose
from tests.fakes import NOON, FakeJournal, Notes, Wire
from tests.listening import adt, codes


class Reactor(MemoryReactorClock):
    """Listens in memory; ports in ``taken`` are somebody else's."""

    taken: frozenset[int] = frozenset()

    @override
    def listenTCP(self, port, factory, *rest):
        if port in self.taken:
            raise CannotListenError("", port, OSError("in use"))
        listening = super().listenTCP(port, factory, *rest)
        listening.getHost = lambda: type("Host", (), {"port": port})
        return listening


def channel(name="adt", port=2575, hl7=None, **mllp):
    source = Source(mllp=MllpSource(port=port, **mllp), hl7=hl7 or Hl7Options())
    return Channel(name=name, source=source)


CREDENTIALS = {
    "feed": {"kind": "bearer", "token": "t"},
    "other": {"kind": "bearer", "token": "u"},
    "empty": {"kind": "bearer"},
}


class Bench:
    def __init__(self, roots=()):
        self.reactor, self.journal = Reactor(), FakeJournal()
        self.notes = Notes()
        self.intakes = Intakes(
            self.journal,
            cast("ReactorBase", self.reactor),
            lambda: NOON,
            Ulids(lambda: NOON),
            lambda name, event, count: self.notes(f"{name}/{event}", count),
            execute,
            Places(100),
            Identities({"his": Profile("his")}),
            Outcomes(lambda asked: succeed({}), self.reactor),
            lambda answer: False,
            Web("127.0.0.1:8088", CREDENTIALS, self.reactor),
            tuple(map(str, roots)),
        )

    def follow(self, *channels):
        self.intakes.follow(channels)
        return self

    def connect(self, place=-1):
        factory = self.reactor.tcpServers[place][1]
        listener, wire = factory.buildProtocol(None), Wire()
        listener.makeConnection(wire)
        return listener, wire


def test_every_channel_listens_on_its_port():
    bench = Bench().follow(channel("adt", 2575), channel("oru", 2576))

    assert bench.intakes.ports() == {"adt": 2575, "oru": 2576}


def test_a_port_in_use_is_a_loud_problem_and_is_tried_again():
    bench = Bench()
    bench.reactor.taken = frozenset({2575})

    bench.follow(channel("adt", 2575), channel("oru", 2576))
    assert list(bench.intakes.problems) == ["adt"]
    assert bench.intakes.ports() == {"oru": 2576}
    bench.reactor.taken = frozenset()
    bench.follow(channel("adt", 2575), channel("oru", 2576))

    assert bench.intakes.problems == {}
    assert bench.intakes.ports() == {"adt": 2575, "oru": 2576}


def test_an_unchanged_listener_keeps_its_connections_under_new_rules():
    bench = Bench().follow(channel())
    listener, wire = bench.connect()
    listener.dataReceived(enclose(adt()))

    bench.follow(channel(hl7=Hl7Options(types=("ORU",))))
    listener.dataReceived(enclose(adt("M2")))

    assert len(bench.reactor.tcpServers) == 1
    assert codes(wire.value()) == [("AA", "M1"), ("AR", "M2")]


def test_a_changed_port_is_bound_before_the_old_one_is_given_up():
    bench = Bench().follow(channel(port=2575))
    _, wire = bench.connect()

    bench.follow(channel(port=2599))

    assert [server[0] for server in bench.reactor.tcpServers] == [2575, 2599]
    assert bench.intakes.ports() == {"adt": 2599}
    assert wire.disconnecting


def test_a_channel_that_is_gone_takes_nothing_more():
    bench = Bench().follow(channel())
    _, wire = bench.connect()
    assert bench.intakes.connections() == {"adt": 1}

    bench.follow()

    assert bench.intakes.ports() == {}
    assert wire.disconnecting


def test_stopping_answers_what_was_taken_first():
    bench = Bench()
    bench.journal.at_once = False
    bench.follow(channel())
    listener, wire = bench.connect()
    listener.dataReceived(enclose(adt()))

    bench.intakes.stop()
    assert not wire.disconnecting
    bench.journal.commit(0)

    assert codes(wire.value()) == [("AA", "M1")]
    assert wire.disconnecting


@pytest.mark.parametrize(
    "source",
    [
        Source(http=HttpSource(path="/x", credential="y")),
        Source(file=FileSource(path="/etc")),
        Source(mllp=MllpSource(port=1, tls="unknown")),
        Source(mllp=MllpSource(port=1, tls="his")),
    ],
)
def test_a_source_that_cannot_be_opened_is_a_problem_in_words(source):
    bench = Bench().follow(dataclasses.replace(channel(), source=source))

    assert bench.intakes.problems["adt"]
    assert bench.intakes.ports() == {}


def test_a_path_that_changes_its_credential_goes_on_under_the_new_one():
    old = Source(http=HttpSource(path="/x", credential="feed"))
    new = Source(http=HttpSource(path="/x", credential="other"))
    bench = Bench().follow(dataclasses.replace(channel(), source=old))

    bench.follow(dataclasses.replace(channel(), source=new))
    assert bench.intakes.web.port is not None

    bench.follow()
    assert bench.intakes.web.port is None


def test_a_folder_is_read_when_the_site_allows_it(tmp_path):
    source = Source(file=FileSource(path=str(tmp_path)))
    bench = Bench([tmp_path]).follow(dataclasses.replace(channel(), source=source))
    (tmp_path / "1.hl7").write_bytes(adt())

    for _ in range(3):
        bench.reactor.advance(5)
    bench.intakes.stop()

    assert [arrival.data for arrival in bench.journal.arrivals] == [adt()]
    assert bench.notes["adt/files_taken"] == 1
