"""F08: a network that resets, cuts, delays: nothing lost, nothing merged."""

import hashlib
import socket
from contextlib import suppress

import pytest

from tests.edge_ledger import EdgeProcess, code_of, exchange, receive
from tests.faults.toxic_proxy import Proxy, Toxic

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    edge = EdgeProcess(tmp_path_factory.mktemp("network")).start()
    edge.sent = {}
    yield edge
    edge.stop()


@pytest.fixture
def proxy(edge):
    proxy = Proxy(edge.address)
    yield proxy
    proxy.close()


def message(name):
    head = f"MSH|^~\\&|NET|GEN|ENG|HOSP|2030||ADT^A01|{name}|P|2.5.1"
    return f"{head}\rPID|1||{name}^^^GEN^MR\r".encode()


def send(port, body):
    """Send one message; return whether it was answered, and how."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as line:
        line.sendall(b"\x0b" + body + b"\x1c\r")
        for heard in receive(line, 1):
            return code_of(heard)[0]
    return None


def judge(edge):
    """Every message is journalled once, unchanged; what else is there was cut off."""
    rows, sent = edge.journal(), edge.sent
    names = [name for _, name, verdict in rows if verdict == "accepted"]
    whole = {name: hashlib.sha256(body).digest() for name, body in sent.items()}
    held = {name: bytes(sha) for sha, name, verdict in rows if verdict == "accepted"}
    assert {name: held.get(name) for name in sent} == whole
    assert all(names.count(name) == 1 for name in sent)
    starts = {
        hashlib.sha256(body[:length]).digest()
        for body in sent.values()
        for length in range(len(body) + 1)
    }
    cut = [bytes(sha) for sha, _, verdict in rows if verdict == "quarantined"]
    assert set(cut) <= starts


def sweep(edge, proxy, toxics):
    """Send a message through each toxic, then again whatever was not answered."""
    answered = 0
    for number, toxic in enumerate(toxics):
        proxy.toxic = toxic
        name = f"R{proxy.port}N{number:04d}"
        body = edge.sent[name] = message(name)
        code = send(proxy.port, body)
        assert code in {None, b"AA"}
        answered += code is not None
        if code is None:
            [again] = exchange(edge.address, body)
            assert code_of(again) == (b"AA", name.encode())
    judge(edge)
    return answered


def test_F08_a_reset_at_any_byte_of_a_request_loses_and_merges_nothing(edge, proxy):
    length = len(message(f"R{proxy.port}N0000")) + 3

    answered = sweep(edge, proxy, [Toxic(request_bytes=n) for n in range(length)])

    assert answered <= 2  # with everything but the last byte, EB may stand for the end


def test_F08_a_reset_at_any_byte_of_an_answer_has_it_given_again(edge, proxy):
    body = edge.sent["LENGTH"] = message("LENGTH")
    [answer] = exchange(edge.address, body)
    cuts = range(len(answer) + 3)

    answered = sweep(edge, proxy, [Toxic(answer_bytes=n) for n in cuts])

    assert answered <= 2


@pytest.mark.parametrize(
    "toxic",
    [
        Toxic(segment=1),
        Toxic(segment=1, delay=0.001),
        Toxic(segment=7, delay=0.003),
        Toxic(delay=0.3),
    ],
    ids=["single bytes", "slow single bytes", "odd pieces", "late"],
)
def test_F08_small_and_late_segments_change_nothing(edge, proxy, toxic):
    assert sweep(edge, proxy, [toxic] * 3) == 3


def test_F08_a_sender_that_vanishes_half_way_is_quarantined_and_starts_anew(
    edge, proxy
):
    name = f"R{proxy.port}HALF"
    body = edge.sent[name] = message(name)
    with socket.create_connection(("127.0.0.1", proxy.port)) as line:
        line.sendall(b"\x0b" + body[:40])

    [answer] = exchange(edge.address, body)

    assert code_of(answer)[0] == b"AA"
    judge(edge)
