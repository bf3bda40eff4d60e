"""Testing a connection: what is said of a receiver, and that it is sent nothing."""

import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from engine.channels import connection_trial
from engine.channels.certificates import Profile
from engine.channels.connection_trial import Node, try_connection
from engine.channels.dial import Place
from engine.channels.format.channel import Destination
from engine.channels.format.endpoints import (
    FhirDestination,
    FileDestination,
    MllpDestination,
)
from tests.certificates import Authority


@pytest.fixture(autouse=True)
def near(monkeypatch):
    monkeypatch.setattr(connection_trial, "REFUSAL_SECONDS", 0.05)
    monkeypatch.setattr(connection_trial, "addresses_of", lambda *_: ["127.0.0.1"])


@contextmanager
def receiver(context=None):
    """Give the port of a receiver that takes one connection, and what it heard."""
    heard: list[bytes] = []

    def serve():
        with suppress(OSError):
            line, _ = server.accept()
            with line:
                line.settimeout(10)
                taken = context.wrap_socket(line, server_side=True) if context else line
                with taken:
                    heard.append(taken.recv(100))

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1], heard
        thread.join()


def server_context(authority, name="localhost", *, asks=False, **dates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue(name, **dates)[0])
    if asks:
        context.load_verify_locations(authority.file)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def mllp(port, tls="none", host="localhost"):
    return Destination(name="his", mllp=MllpDestination(host=host, port=port, tls=tls))


def node(port, profiles=(), roots=()):
    schemes = ("mllp", "http", "https")
    places = {Place(scheme, "localhost", port) for scheme in schemes}
    return Node(places, {each.name: each for each in profiles}, roots)


def test_a_receiver_that_listens_is_reached_and_sent_nothing():
    with receiver() as (port, heard):
        reached = try_connection(mllp(port), node(port))

    assert reached.ok
    assert reached.says == (
        f"localhost:{port} takes connections; they are not encrypted"
    )
    assert heard == [b""]


def test_nobody_there_is_said_in_a_sentence():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # and does not listen
        port = silent.getsockname()[1]
        reached = try_connection(mllp(port), node(port))

    assert not reached.ok
    assert reached.says == f"localhost:{port} refused the connection"


def test_a_certificate_that_is_good_is_told_with_its_end(tmp_path):
    authority = Authority(tmp_path)
    own = Profile("his", ca=str(authority.file))
    with receiver(server_context(authority)) as (port, heard):
        way = FhirDestination(url=f"https://localhost:{port}/fhir", tls="his")
        reached = try_connection(Destination(name="fhir", fhir=way), node(port, [own]))

    assert reached.ok, reached.says
    assert "TLSv1.3; its certificate is good until 21" in reached.says
    assert heard == [b""]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"until": datetime(2021, 1, 1, tzinfo=UTC)}, "certificate has expired"),
        ({"name": "other.test"}, "Hostname mismatch"),
    ],
)
def test_why_a_certificate_is_not_accepted_is_told(tmp_path, wrong, said):
    authority = Authority(tmp_path)
    own = Profile("his", ca=str(authority.file))
    with receiver(server_context(authority, **wrong)) as (port, heard):
        reached = try_connection(mllp(port, "his"), node(port, [own]))

    assert not reached.ok
    assert reached.says.startswith("the certificate of localhost is not accepted: ")
    assert said in reached.says
    assert heard == []


def test_a_receiver_that_wants_a_certificate_of_ours_is_not_taken_for_reached(tmp_path):
    authority = Authority(tmp_path)
    own = Profile("his", ca=str(authority.file))
    with receiver(server_context(authority, asks=True)) as (port, _):
        reached = try_connection(mllp(port, "his"), node(port, [own]))

    assert not reached.ok
    assert reached.says.startswith(f"localhost:{port} ")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TimeoutError(), "does not answer"),
        (ConnectionResetError(), "closed the connection"),
        (OSError(), "cannot be reached"),
    ],
)
def test_each_way_to_fail_has_its_words(monkeypatch, error, said):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(socket, "create_connection", fail)

    assert try_connection(mllp(1), node(1)).says == f"localhost:1 {said}"


def test_only_places_the_site_allows_are_connected_to(monkeypatch):
    def unknown(*_):
        raise OSError

    listed = try_connection(mllp(2), node(1))
    profile = try_connection(mllp(1, "none-such"), node(1))
    monkeypatch.setattr(connection_trial, "addresses_of", unknown)
    nowhere = try_connection(mllp(1), node(1))

    assert listed.says == "localhost:2 is not in the outbound allow list"
    assert profile.says == "there is no tls profile none-such"
    assert nowhere.says == "localhost:1 has no known address"


def test_a_simulated_destination_is_not_connected_to():
    reached = try_connection(replace(mllp(1), simulate=True), node(1))

    assert reached.ok
    assert "simulated" in reached.says


def test_a_folder_is_looked_at_and_nothing_written(tmp_path):
    def said(begin, *roots):
        way = FileDestination(path=f"{begin}/{{message.id}}.hl7")
        return try_connection(Destination(name="out", file=way), node(1, (), roots))

    out, gone = tmp_path / "out", tmp_path / "no" / "such"
    plain = tmp_path / "plain"
    plain.write_text("a file, no folder")

    assert said(out, "/elsewhere", str(out)).ok
    assert said(out, "/elsewhere").says.startswith("the file would lie outside")
    assert "no folder this user may write to" in said(gone, str(gone)).says
    assert "no folder this user may write to" in said(plain, str(plain)).says
    assert list(tmp_path.iterdir()) == [plain]
