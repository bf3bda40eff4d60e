"""protocol.md E90: two nodes, one lane, and one of them stopped past its lease."""

import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from engine.store.database import open_database
from engine.store.deliveries import enqueue
from tests.databases import BOTH, KEY, empty_url
from tests.edge_ledger import receive
from tests.stored import ask, document

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

ROOT = Path(__file__).parents[2]


def message(name):
    return f"MSH|^~\\&|E|H|R|G|2030||ADT^A01|{name}|P|2.5.1\rPID|1\r".encode()


class Holding:
    """A receiver that keeps its first two answers back until it is told to give them.

    Bob's message is refused when it comes for the second time.
    """

    def __init__(self):
        self.got, self.release = [], threading.Event()
        self.listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with suppress(OSError):
            while True:
                connection, _ = self.listening.accept()
                threading.Thread(
                    target=self._converse, args=(connection,), daemon=True
                ).start()

    def _converse(self, connection):
        with connection, suppress(OSError):
            while blocks := receive(connection, 1):
                name = blocks[0].split(b"|")[9].decode()
                self.got.append(name)
                again = self.got.count(name) > 1
                if not again and name in {"A1", "B1"}:
                    self.release.wait(30)
                code = "AE" if again and name == "B1" else "AA"
                answer = f"MSH|^~\\&|R|G|E|H|2030||ACK|1|P|2.5.1\rMSA|{code}|{name}\r"
                connection.sendall(b"\x0b" + answer.encode() + b"\x1c\r")


def put(store, name):
    new = document(name[0], message(name))
    with store.engine() as connection:
        enqueue(connection, store.sealer, [(1, 1, 1, new)], LONG_AGO)


@contextmanager
def node(url, name, receiver):
    port = receiver.listening.getsockname()[1]
    words = [sys.executable, "-m", "tests.sender_process", url, name, str(port)]
    process = subprocess.Popen(words, cwd=ROOT)  # noqa: S603 - our own module
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(condition, limit=30.0):
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("kind", BOTH)
def test_E90_a_node_stopped_past_its_lease_can_neither_mark_nor_send_the_next(
    kind, tmp_path
):
    url, receiver = empty_url(kind, tmp_path), Holding()
    with (
        closing(open_database(url, KEY)) as store,
        node(url, "node-1", receiver) as stopped,
    ):
        for name in ("A1", "A2", "A3", "B1", "B2"):
            put(store, name)
        until(lambda: len(receiver.got) == 2)
        put(store, "C1")
        until(lambda: states(store)[-1] == "leased")  # it waits for a line
        stopped.send_signal(signal.SIGSTOP)
        with node(url, "node-2", receiver):
            until(lambda: len(receiver.got) == 7)
            until(lambda: states(store).count("delivered") == 4)
            before = list(receiver.got)

            receiver.release.set()  # both answers wait in the stopped node's sockets
            stopped.send_signal(signal.SIGCONT)
            time.sleep(1.5)

            assert receiver.got == before
            *anns, bobs, waiting, third = states(store)

    assert lane(before, "A") == ["A1", "A1", "A2", "A3"]
    assert lane(before, "B") == ["B1", "B1"]
    assert lane(before, "C") == ["C1"]
    assert {*anns, third} == {"delivered"}
    assert (bobs, waiting) == ("failed", "queued")


def lane(got, letter):
    return [name for name in got if name.startswith(letter)]


def states(store):
    statement = text("SELECT state FROM engine.delivery ORDER BY id")
    return ask(store, lambda connection: list(connection.execute(statement).scalars()))
