"""One peer at a listener: the real deframer, accept loop and timers in memory."""

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from engine.channels.arriving import Intake
from engine.channels.clock import Ulids
from engine.channels.format.channel import Channel, Duplicates, Hl7Options, Source
from engine.channels.format.endpoints import MllpSource
from engine.channels.listeners import MllpFactory, Places
from engine.hl7.framing import enclose
from engine.store.journal import append
from tests.fakes import NOON, FakeJournal, Notes, Wire

USUAL = {3: "REG", 4: "GEN", 7: "2030", 9: "ADT^A01", 10: "M1", 11: "P", 12: "2.5.1"}


ADMISSION = "EVN||2030\rPID|1||1^^^GEN^MR||Doe\rPV1|1|I\r"
"""The rest of a message that a strict channel takes too."""


def adt(name="M1", *, encoding="^~\\&", body="PID|1|\r", **fields):
    """One message; ``f15="AL"`` sets MSH-15."""
    values = {**USUAL, 10: name} | {int(key[1:]): text for key, text in fields.items()}
    named = [values.get(number, "") for number in range(3, max(values) + 1)]
    return ("|".join(["MSH", encoding, *named]) + "\r" + body).encode()


def answers(sent):
    """Return what was answered, without the frames."""
    blocks = [part.lstrip(b"\x0b") for part in sent.split(b"\x1c\r")[:-1]]
    return [block for block in blocks if block not in {b"\x06", b"\x15"}]


def codes(sent):
    """Return MSA-1 and MSA-2 of every answer."""
    found = []
    for answer in answers(sent):
        mark = answer[3:4]
        fields = answer.split(b"\rMSA" + mark, 1)[1].split(b"\r", 1)[0].split(mark)
        name = fields[1].decode("latin-1") if len(fields) > 1 else ""
        found.append((fields[0].decode(), name))
    return found


class StoreJournal:
    """A real journal: each arrival is a transaction of its own, committed at once."""

    def __init__(self, store):
        self.store, self.arrivals = store, []

    def append(self, arrival):
        return self.append_all([arrival]).addCallback(lambda appended: appended[0])

    def append_all(self, arrivals):
        self.arrivals += arrivals
        with self.store.journal() as connection:
            return succeed(append(connection, self.store.sealer, arrivals))


class KnownEnd:
    """Tells how messages ended; ``known`` is what it says, at once."""

    def __init__(self, known=None):
        self.known, self.asked = known, []

    def wait(self, message_id, seconds, *, delivered):
        self.asked.append((message_id, delivered))
        return succeed(self.known)


class Peer:
    """A connected peer; ``strict`` takes the strict profile and frame end.

    With a ``store`` its messages are journalled there.
    """

    def __init__(self, *, strict=False, at_once=True, places=100, mllp=None, **options):
        store, outcomes = options.pop("store", None), options.pop("outcomes", None)
        host = options.pop("host", "10.0.0.1")
        mllp = {"frame_end": "strict" if strict else "lenient"} | (mllp or {})
        hl7 = {"profile": "strict" if strict else "lenient"} | options.pop("hl7", {})
        source = Source(
            mllp=MllpSource(port=2575, **mllp),
            hl7=Hl7Options(**hl7),
            duplicate=Duplicates(**options.pop("duplicate", {})),
        )
        self.clock, self.notes = Clock(), Notes()
        self.journal: Any = FakeJournal(at_once=at_once)
        if store:
            self.journal = StoreJournal(store)
        self.intake = Intake(
            Channel(name="adt", source=source),
            "adt",
            self.journal,
            lambda: NOON,
            Ulids(lambda: NOON),
            self.notes,
            outcomes,
        )
        self.factory = MllpFactory(self.intake, self.clock, Places(places))
        self.heard = 0
        self.wire = Wire()
        self.listener = self.connect_another(self.wire, host)

    def connect_another(self, wire=None, host="10.0.0.1"):
        listener = self.factory.buildProtocol(IPv4Address("TCP", host, 40_000))
        if listener is not None:
            listener.makeConnection(wire or Wire())
        return listener

    def hear(self, data):
        self.heard += len(data)
        self.listener.dataReceived(data)

    def lose(self):
        self.listener.connectionLost(Failure(ConnectionDone()))

    @property
    def sent(self):
        return self.wire.value()

    @property
    def closed(self):
        return self.wire.disconnecting

    @property
    def journalled(self):
        return [arrival.data for arrival in self.journal.arrivals]

    @property
    def verdicts(self):
        return [arrival.verdict for arrival in self.journal.arrivals]


def heard(body, *, strict=False, **options):
    """Return a peer that has sent one block."""
    peer = Peer(strict=strict, **options)
    peer.hear(enclose(body))
    return peer


def fault(peer):
    """ERR-3 and ERR-2 of the first answer."""
    err = answers(peer.sent)[0].split(b"\rERR|", 1)[1].split(b"|")
    return err[2].split(b"^")[0].decode(), err[1].decode()


def header(peer):
    """MSH of the first answer, as a list in which MSH-n stands at n - 1."""
    msh = answers(peer.sent)[0].split(b"\r", 1)[0]
    return ["|", *msh.decode().split("|")[1:]]
