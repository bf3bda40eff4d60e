"""The edge process with real sockets, a real store and real kills."""

import hashlib
import json
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import select
from typing_extensions import override

from engine.store import edited_copies
from engine.store.audit import Order
from engine.store.database import open_database
from engine.store.deliveries import NewDelivery, enqueue
from engine.store.reports import set_run_state
from engine.store.sequences import Numbered
from engine.store.tables import link_sequence
from engine.store.words import RunState
from tests.edge_ledger import (
    EdgeProcess,
    Load,
    adt,
    code_of,
    compare,
    exchange,
    free_port,
    kill_cycle,
    receive,
    seeded,
)
from tests.edge_process import KEY
from tests.receiver import Receiver
from tests.stored import accept, arrival

QUEUED_AT = datetime(2020, 1, 1, tzinfo=UTC)
ORDER = Order("kim", QUEUED_AT, "the sex was wrong")


@contextmanager
def running(folder, *options):
    edge = EdgeProcess(folder, options=options).start()
    try:
        yield edge
    finally:
        edge.stop()


@pytest.fixture
def edge(tmp_path):
    with running(tmp_path) as edge:
        yield edge


def test_an_answered_message_is_in_the_journal_as_it_came(edge):
    name, body = adt(1)

    [answer] = exchange(edge.address, body)

    assert code_of(answer) == (b"AA", name.encode())
    [(sha256, control_id, verdict)] = edge.journal()
    assert (bytes(sha256), control_id) == (hashlib.sha256(body).digest(), name)
    assert verdict == "accepted"


def test_an_edited_copy_that_somebody_ordered_is_journaled(edge, tmp_path):
    _, body = adt(1)
    edited = body.replace(b"ADT^A01", b"ADT^A08")
    exchange(edge.address, body)
    console = open_database(f"sqlite:///{tmp_path}/store", KEY, role="console")
    with console.engine() as connection:
        edited_copies.ask(connection, console.sealer, 1, edited, ORDER)

    deadline = time.monotonic() + 20
    while len(edge.journal()) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    console.close()

    assert bytes(edge.journal()[1][0]) == hashlib.sha256(edited).digest()


def test_a_resend_is_answered_again_and_journalled_once_even_across_a_crash(edge):
    _, body = adt(1)
    exchange(edge.address, body)
    [again] = exchange(edge.address, body)
    edge.kill()
    edge.start()

    [after_crash] = exchange(edge.address, body)

    assert code_of(again)[0] == code_of(after_crash)[0] == b"AA"
    assert len(edge.journal()) == 1


def test_unreadable_bytes_are_quarantined_and_refused(edge):
    [answer] = exchange(edge.address, b"not HL7 at all")

    assert code_of(answer) == (b"AR", b"")
    [(_, control_id, verdict)] = edge.journal()
    assert (control_id, verdict) == ("", "quarantined")


def test_many_messages_in_one_write_are_answered_in_order(edge):
    messages = [adt(number) for number in range(200)]

    answers = exchange(edge.address, *[body for _, body in messages])

    named = [code_of(answer)[1].decode() for answer in answers]
    assert named == [name for name, _ in messages]
    assert [row[1] for row in edge.journal()] == named


def test_a_peer_that_closes_its_side_is_still_answered(edge):
    _, body = adt(1)
    with socket.create_connection(edge.address, 10) as connection:
        connection.sendall(b"\x0b" + body + b"\x1c\r")
        connection.shutdown(socket.SHUT_WR)

        [answer] = receive(connection, 1)
        rest = connection.recv(10)

    assert (code_of(answer)[0], rest) == (b"AA", b"")


def test_a_large_message_is_taken_whole(edge):
    _, body = adt(1)
    body += b"OBX|1|ED|||" + b"QUJD" * 1_000_000 + b"\r"

    [answer] = exchange(edge.address, body)

    assert code_of(answer)[0] == b"AA"
    assert bytes(edge.journal()[0][0]) == hashlib.sha256(body).digest()


def test_killing_loses_no_acknowledged_message(tmp_path):
    edge, load, chance = EdgeProcess(tmp_path), Load(64), seeded(7)

    for _ in range(4):
        kill_cycle(edge, load, chance)
    edge.start()
    edge.stop()

    verdict = compare(load, edge.journal())
    assert verdict.clean, verdict
    assert verdict.answered >= 4
    assert load.wrong == 0


def test_E28_the_port_is_bound_again_right_after_a_crash(edge):  # noqa: N802
    exchange(edge.address, adt(1)[1])
    edge.kill()

    edge.start()

    [answer] = exchange(edge.address, adt(2)[1])
    assert code_of(answer)[0] == b"AA"


def test_a_stop_ends_with_nothing_in_doubt(edge):
    _, body = adt(1)
    exchange(edge.address, body)

    assert edge.stop() == 0


# ---- deliveries


class FhirStub:
    """An HTTP server that remembers what was posted and answers with statuses."""

    def __init__(self, *statuses):
        self.statuses = list(statuses)
        self.got: list[tuple[str, str, bytes]] = []
        stub = self

        class Answers(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                length = int(self.headers["Content-Length"])
                kind = self.headers["Content-Type"]
                stub.got.append((self.path, kind, self.rfile.read(length)))
                status = stub.statuses.pop(0) if stub.statuses else 200
                outcome = {"issue": [{"code": "invalid", "diagnostics": "Ann Doe"}]}
                body = json.dumps(outcome if status >= 400 else {}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            @override
            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/fhir"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def put(folder, destination, *documents, kind="x-application/hl7-v2+er7"):
    """Queue (order key, content, name) as a worker would."""
    database = open_database(f"sqlite:///{folder}/store", KEY, role="worker")
    rows = [
        (number, 1, 1, NewDelivery("adt", destination, key, content, kind, name=name))
        for number, (key, content, name) in enumerate(documents, start=1)
    ]
    with database.engine() as connection:
        enqueue(connection, database.sealer, rows, QUEUED_AT)
    database.close()


def states(folder):
    database = open_database(f"sqlite:///{folder}/store", KEY, role="cli")
    try:
        with database.reading() as connection:
            rows = connection.exec_driver_sql(
                "SELECT state, class, code, sentence FROM engine.delivery ORDER BY id"
            )
            return [tuple(row) for row in rows]
    finally:
        database.close()


def until(condition, limit=15.0):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def settled(folder, count):
    ended = {"delivered", "failed"}
    return until(lambda: sum(row[0] in ended for row in states(folder)) == count)


def test_deliveries_reach_the_receiver_in_order_although_one_needs_a_retry(tmp_path):
    receiver = Receiver("AA", "drop")
    documents = [("ann", adt(number)[1], "") for number in range(1, 5)]

    with running(tmp_path, "--mllp", receiver.place):
        put(tmp_path, "his", *documents)
        assert settled(tmp_path, 4)

    names = [adt(number)[0] for number in (1, 2, 2, 3, 4)]
    assert receiver.got == names
    assert {row[0] for row in states(tmp_path)} == {"delivered"}
    receiver.close()


def test_a_refused_delivery_is_parked_and_its_lane_waits(tmp_path):
    receiver = Receiver("AE")
    documents = [("ann", adt(1)[1], ""), ("ann", adt(2)[1], ""), ("bob", adt(3)[1], "")]

    with running(tmp_path, "--mllp", receiver.place):
        put(tmp_path, "his", *documents)
        assert settled(tmp_path, 2)

    assert [row[0] for row in states(tmp_path)] == ["failed", "queued", "delivered"]
    assert states(tmp_path)[0][1:3] == ("permanent", "answered-ae")
    receiver.close()


def test_a_receiver_that_is_away_gets_everything_when_it_is_back(tmp_path):
    port = free_port()

    with running(tmp_path, "--mllp", f"127.0.0.1:{port}"):
        put(tmp_path, "his", ("ann", adt(1)[1], ""), ("bob", adt(2)[1], ""))
        assert until(lambda: any(row[1] == "transient" for row in states(tmp_path)))
        receiver = Receiver(port=port)
        assert settled(tmp_path, 2)

    assert sorted(receiver.got) == [adt(1)[0], adt(2)[0]]
    receiver.close()


def test_a_bundle_is_posted_to_the_fhir_server(tmp_path):
    stub = FhirStub(200, 503, 200, 422)
    bundle = b'{"resourceType": "Bundle", "type": "transaction"}'

    with running(tmp_path, "--fhir", stub.url):
        put(tmp_path, "fhir", ("a", bundle, ""), ("a", bundle, ""), ("a", bundle, ""))
        assert settled(tmp_path, 3)

    assert stub.got[0] == ("/fhir", "application/fhir+json", bundle)
    assert len(stub.got) == 4
    *taken, refused = states(tmp_path)
    assert [row[0] for row in taken] == ["delivered", "delivered"]
    assert refused == ("failed", "permanent", "http-422", "HTTP 422: invalid")
    stub.close()


def test_wrong_credentials_pause_the_destination(tmp_path):
    stub = FhirStub(401)

    with running(tmp_path, "--fhir", stub.url):
        put(tmp_path, "fhir", ("a", b"{}", ""), ("b", b"{}", ""))
        assert until(lambda: any(row[1] == "credentials" for row in states(tmp_path)))
        time.sleep(1.5)

    assert len(stub.got) <= 2
    assert {row[0] for row in states(tmp_path)} <= {"queued", "delivered"}
    stub.close()


def test_files_are_written_below_the_allowed_folder_and_nowhere_else(tmp_path):
    out, inside, outside = tmp_path / "data", "out/a/1.hl7", tmp_path / "evil.hl7"
    (out / "in").mkdir(parents=True)

    with running(tmp_path, "--files", str(out)):
        put(
            tmp_path,
            "archive",
            ("a", b"one", f"{out}/{inside}"),
            ("b", b"two", str(outside)),
        )
        assert settled(tmp_path, 2)

    assert (out / inside).read_bytes() == b"one"
    assert not outside.exists()
    assert [row[2] for row in states(tmp_path)] == ["", "not-allowed"]


def test_a_file_put_into_a_folder_is_journalled_and_put_away(tmp_path):
    incoming = tmp_path / "data" / "in"
    incoming.mkdir(parents=True)
    (incoming / "one.hl7").write_bytes(adt(1)[1] + adt(2)[1])

    with running(tmp_path, "--files", str(tmp_path / "data")) as edge:
        done = incoming / "done" / "one.hl7"
        assert until(done.exists, 20)
        names = [row[1] for row in edge.journal()]

    assert names == [adt(1)[0], adt(2)[0]]
    assert not (incoming / "one.hl7").exists()


def test_S24_no_error_path_tells_who_the_patient_is(  # noqa: N802 - the row it proves
    tmp_path,
):
    canary = b"CANARYDOE"
    receiver = Receiver("AE", "ZZ", "ZZ", "ZZ", "ZZ")
    body = adt(1)[1].replace(b"TEST1", canary)
    documents = [("ann", body, ""), ("bob", body, "")]

    with running(tmp_path, "--mllp", receiver.place) as edge:
        exchange(edge.address, b"no header " + canary)
        exchange(edge.address, body.replace(b"|P|", b"|T|"))
        exchange(edge.address, body + b"\x0b" + body)
        with socket.create_connection(edge.address, 10) as connection:
            connection.sendall(canary * 10_000)
        with socket.create_connection(edge.address, 10) as connection:
            connection.sendall(b"\x0b" + body[:90])
        put(tmp_path, "his", *documents)
        assert until(lambda: any(row[0] == "failed" for row in states(tmp_path)))

    assert canary not in (tmp_path / "edge.log").read_bytes()
    assert canary.decode() not in str(states(tmp_path))
    receiver.close()


def test_E68_stopping_a_channel_lets_its_frozen_links_go_on(  # noqa: N802 - the row
    tmp_path,
):
    (tmp_path / "store").mkdir()
    store = open_database(f"sqlite:///{tmp_path}/store", KEY, role="edge")
    lost = replace(arrival(), numbered=Numbered("adt", "ward", "x"))
    accept(store, lost)
    store.close()

    with running(tmp_path):
        store = open_database(f"sqlite:///{tmp_path}/store", KEY, role="cli")
        assert frozen(store) == [1]
        order = Order("kim", QUEUED_AT, "the ward was called")
        with store.engine() as connection:
            place = ("adt", "")
            set_run_state(connection, store.sealer, place, RunState.STOPPED, order)
        assert until(lambda: frozen(store) == [0])
        store.close()


def frozen(store):
    with store.reading() as connection:
        return list(connection.execute(select(link_sequence.c.frozen)).scalars())
