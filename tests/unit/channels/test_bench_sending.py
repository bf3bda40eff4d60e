"""One message from the bench to one receiver: what may go, and what is said of it."""

import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest

from engine.channels import bench_sending
from engine.channels.bench_sending import bytes_for, reachable, send_now
from engine.channels.connection_trial import Node
from engine.channels.dial import Place
from engine.channels.format.load import load_site
from engine.errors import ConfigurationError
from engine.hl7.framing import enclose
from engine.store.reports import Wanted
from engine.store.words import RunState
from tests.stored import NOON

CHANNEL = """
channel: adt
source: {{mllp: {{port: 2999}}}}
destinations:
  - name: his
    mllp: {{host: 127.0.0.1, port: {port}}}
  - name: stamped
    mllp: {{host: 127.0.0.1, port: {port}}}
    edit:
      - set: ZPI-1
        to: identity.enterprise_id
  - name: pretended
    simulate: true
    mllp: {{host: 127.0.0.1, port: {port}}}
  - name: fhir
    fhir: {{url: "http://127.0.0.1:1/fhir"}}
"""
MESSAGE = b"MSH|^~\\&|A|B|C|D|20300101||ADT^A01|M1|P|2.5\rPID|1\r"
ACK = b"MSH|^~\\&|C|D|A|B|20300101||ACK|9|P|2.5\rMSA|%s|M1\r"
FLOW = {
    "outputs": [
        {"form": "HL7", "destination": "his", "text": "MSH|x\rPID|1\r"},
        {"form": "HL7", "destination": "(as edited)", "text": "MSH|y"},
    ]
}


def channel(tmp_path, port=9):
    (tmp_path / "channels").mkdir(exist_ok=True)
    (tmp_path / "channels" / "adt.yaml").write_text(CHANNEL.format(port=port))
    return load_site(tmp_path, None, {}).channels[0]


@contextmanager
def receiver(answer):
    """Give the port of a receiver that answers once, and what it heard."""
    heard: list[bytes] = []

    def serve():
        with suppress(OSError):
            line, _ = server.accept()
            with line:
                line.settimeout(10)
                while piece := line.recv(65_536):
                    heard.append(piece)
                    if piece.endswith(b"\x1c\r"):
                        break
                line.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1], heard
        thread.join()


def sent(tmp_path, port, *, allowed=True):
    place = Place("mllp", "127.0.0.1", port)
    node = Node({place} if allowed else set(), {}, ())
    return send_now(channel(tmp_path, port), "his", node, MESSAGE)


def test_only_what_takes_the_message_as_it_is_can_be_sent_to(tmp_path):
    assert [each.name for each in reachable(channel(tmp_path))] == ["his"]
    assert reachable(None) == []


@pytest.mark.parametrize(
    ("code", "ok", "said"),
    [
        (b"AA", True, "his answered AA"),
        (b"AE", False, "his: answered AE"),
    ],
)
def test_the_message_goes_as_one_block_and_the_answer_is_told(tmp_path, code, ok, said):
    with receiver(enclose(ACK % code)) as (port, heard):
        found = sent(tmp_path, port)

    assert (found.ok, found.says) == (ok, said)
    assert b"".join(heard) == enclose(MESSAGE)


@pytest.mark.parametrize("answer", [b"", b"\x0bMSH|half", b"x" * 300])
def test_without_a_whole_answer_nobody_knows_whether_it_was_taken(
    tmp_path, answer, monkeypatch
):
    monkeypatch.setattr(bench_sending, "MAX_ANSWER_BYTES", 200)
    with receiver(answer) as (port, _):
        found = sent(tmp_path, port)

    assert not found.ok
    assert "whether it was taken is not known" in found.says


def test_a_place_the_node_does_not_allow_is_not_connected_to(tmp_path):
    found = sent(tmp_path, 9, allowed=False)

    assert not found.ok
    assert "127.0.0.1" in found.says


def test_what_a_message_became_goes_in_segments_ended_by_cr(tmp_path):
    flow = {"outputs": [dict(FLOW["outputs"][0], text="MSH|é\nPID|1\n")]}

    assert bytes_for(channel(tmp_path), "his", flow, {}) == "MSH|é\rPID|1\r".encode()


@pytest.mark.parametrize(
    ("destination", "flow", "why"),
    [
        ("stamped", FLOW, "takes no HL7"),
        ("fhir", FLOW, "takes no HL7"),
        ("nowhere", FLOW, "takes no HL7"),
        ("his", {"outputs": []}, "becomes 0 messages"),
        ("his", {"refused": "wrong"}, "becomes 0 messages"),
        (
            "his",
            {"outputs": [{"form": "HL7", "destination": "his", "text": "\ufffd"}]},
            "not ASCII or UTF-8",
        ),
    ],
)
def test_what_cannot_be_sent_as_it_is_is_not_sent(tmp_path, destination, flow, why):
    with pytest.raises(ConfigurationError, match=why):
        bytes_for(channel(tmp_path), destination, flow, {})


def test_what_a_person_stopped_or_paused_gets_nothing_from_the_bench_either(tmp_path):
    found = channel(tmp_path)
    paused = Wanted("adt", "his", RunState.PAUSED, "", "kim", NOON)
    running = replace(paused, state=RunState.RUNNING)

    assert bytes_for(found, "his", FLOW, {("adt", "his"): running})
    with pytest.raises(ConfigurationError, match="adt/his is paused by kim"):
        bytes_for(found, "his", FLOW, {("adt", "his"): paused})
    with pytest.raises(ConfigurationError, match="adt is paused by kim"):
        bytes_for(found, "his", FLOW, {("adt", ""): paused})
