"""A whole node under its supervisor: a message in, a message out, and what survives."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import pytest

from tests.databases import Server
from tests.edge_ledger import adt, code_of, exchange, free_port
from tests.receiver import Receiver

ROOT = Path(__file__).parent.parent.parent
START = """
import sys
from pathlib import Path
from engine.channels.logs import configure_logs
from engine.channels.supervise import supervise
configure_logs("info", "json")
sys.exit(supervise(Path(sys.argv[1]), workers=1))
"""


def write_site(folder, port, receiver, store="sqlite:///store"):
    (folder / "channels").mkdir(parents=True, exist_ok=True)
    (folder / "interop.toml").write_text(
        f'site = "test"\n[store]\nurl = "{store}"\nkey = "site.key"\n'
    )
    (folder / "channels" / "relay.yaml").write_text(
        f"channel: relay\nsource:\n  mllp:\n    port: {port}\n"
        "identity:\n  match: false\n"
        "destinations:\n  - name: his\n    mllp:\n"
        f"      host: 127.0.0.1\n      port: {receiver.port}\n"
    )


class Node:
    """A supervisor in a process of its own, with its children."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-c", START, str(folder)], cwd=ROOT, stderr=log
            )

    @property
    def address(self):
        return "127.0.0.1", self.port

    def log(self):
        return (self.folder / "log").read_text()

    def child(self, name):
        """Return the process id of the latest life of a child."""
        lines = [
            line
            for line in self.log().splitlines()
            if f'"process": "{name}"' in line and "process_started" in line
        ]
        return int(lines[-1].split('"pid": ')[1].split(",")[0])

    def send(self, *bodies, limit=40.0):
        """Send until it is answered; a node that is starting is waited for."""
        end = time.monotonic() + limit
        while True:
            try:
                answers = exchange(self.address, *bodies)
            except OSError:
                answers = []
            if len(answers) == len(bodies) or time.monotonic() > end:
                return [code_of(answer)[0] for answer in answers]
            time.sleep(0.2)


@contextmanager
def running(folder, port):
    node = Node(folder, port)
    try:
        yield node
    finally:
        if node.process.poll() is None:
            node.process.send_signal(signal.SIGTERM)
            node.process.wait(20)


def until(condition, limit=40.0):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.mark.slow
def test_a_message_goes_through_a_node_that_is_killed_piece_by_piece(
    tmp_path, receiver
):
    port = free_port()
    write_site(tmp_path, port, receiver)

    with running(tmp_path, port) as node:
        assert node.send(adt(1)[1]) == [b"AA"], node.log()
        assert until(lambda: receiver.got == [adt(1)[0]]), node.log()

        os.kill(node.child("worker-0"), signal.SIGKILL)
        assert node.send(adt(2)[1]) == [b"AA"]
        assert until(lambda: adt(2)[0] in receiver.got), node.log()

        os.kill(node.child("edge"), signal.SIGKILL)
        assert node.send(adt(3)[1]) == [b"AA"]
        assert until(lambda: adt(3)[0] in receiver.got), node.log()

        node.process.send_signal(signal.SIGTERM)
        assert node.process.wait(15) == 0

    # Killed before it had noted an answer, the edge sends that one again, at once.
    in_order = [each for each, _ in groupby(receiver.got)]
    assert in_order == [adt(number)[0] for number in (1, 2, 3)]


@pytest.mark.slow
def test_a_changed_port_is_taken_over_on_reload(tmp_path, receiver):
    first, second = free_port(), free_port()
    write_site(tmp_path, first, receiver)

    with running(tmp_path, first) as node:
        assert node.send(adt(1)[1]) == [b"AA"], node.log()
        write_site(tmp_path, second, receiver)
        node.process.send_signal(signal.SIGHUP)
        node.port = second

        assert node.send(adt(2)[1]) == [b"AA"], node.log()


@pytest.mark.slow
def test_a_faulty_configuration_never_replaces_a_running_one(tmp_path, receiver):
    port = free_port()
    write_site(tmp_path, port, receiver)

    with running(tmp_path, port) as node:
        assert node.send(adt(1)[1]) == [b"AA"], node.log()
        (tmp_path / "channels" / "relay.yaml").write_text("channel: [")
        node.process.send_signal(signal.SIGHUP)
        assert until(lambda: "reload_refused" in node.log())

        assert node.send(adt(2)[1]) == [b"AA"]


@pytest.mark.slow
def test_a_node_that_cannot_start_says_so_and_ends_with_3(tmp_path):
    (tmp_path / "interop.toml").write_text("store.urx = 1\n")

    node = Node(tmp_path, 0)

    assert node.process.wait(40) == 3
    assert "store.urx" in node.log()


@pytest.fixture
def database_server():
    server = Server()
    yield server
    server.remove()


def count(node, event):
    return node.log().count(f'"event": "{event}"')


@pytest.mark.slow
@pytest.mark.postgres
def test_a_node_waits_for_a_database_server_that_is_down(
    tmp_path, receiver, database_server
):
    port = free_port()
    write_site(tmp_path, port, receiver, database_server.address.format("postgres"))

    with running(tmp_path, port) as node:
        assert until(lambda: count(node, "store_away") == 2), node.log()  # edge, worker
        database_server.start()
        assert node.send(adt(1)[1]) == [b"AA"], node.log()
        assert until(lambda: receiver.got == [adt(1)[0]]), node.log()

        database_server.stop()
        assert node.send(adt(2)[1], limit=0.0) == []
        assert until(lambda: count(node, "store_away") > 2), node.log()
        database_server.start()
        assert node.send(adt(2)[1]) == [b"AA"], node.log()
        assert until(lambda: adt(2)[0] in receiver.got), node.log()

    assert "process_ended" not in node.log()
