"""The watch on a real store, and what real mail and web servers hear of it."""

import hashlib
import hmac
import json
import socket
import threading
from contextlib import contextmanager
from datetime import UTC, timedelta
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from typing_extensions import override

from engine.channels.alerts import watch as watching
from engine.channels.alerts.gather import Gatherer, missing
from engine.channels.alerts.notify import MOST_TRIES
from engine.channels.alerts.settings import alert_settings
from engine.channels.alerts.watch import Watch
from engine.channels.format.load import load_site
from engine.errors import ConfigurationError
from engine.settings import load_settings
from engine.store import incidents, leases, traffic, watch_notes
from engine.store.delivery_state import Event
from engine.store.incidents import Window
from engine.store.reports import Report, report
from engine.store.traffic import Counts, Measure
from tests.databases import empty_database
from tests.stored import (
    NOON,
    OPERATOR,
    accept_some,
    ask,
    document,
    end,
    lease,
    queue,
)
from tests.web import Web

MINUTE = timedelta(minutes=1)
CHANNEL = """\
channel: adt
source:
  mllp: {port: 2575}
identity: {match: false}
destinations:
  - name: registry
    mllp: {host: his.example, port: 6661, tls: none}
alerts:
  - silent-for: 30m
    notify: [oncall]
  - oldest-over: 10m
    notify: [oncall]
  - rate-off: 50%
"""
SETTINGS = """\
site = "here"
[smtp]
server = "127.0.0.1:{mail}"
security = "none"
from = "engine@here.example"
[contacts.oncall]
webhook = "http://127.0.0.1:{web}/hook"
email = ["oncall@here.example", "second@here.example"]
credential = "pager"
[credentials.pager]
secret = "shared"
[alerts]
notify = ["oncall"]
disk-over = "90%"
"""


class Post:
    """A mail server that keeps what it takes."""

    def __init__(self, *, refuses=False):
        self.kept, self.refuses = [], refuses
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                peer, _ = self._listening.accept()
            except OSError:
                return
            with peer, peer.makefile("rwb") as wire:
                self._serve(wire)

    def _serve(self, wire):
        def say(text):
            wire.write(text + b"\r\n")
            wire.flush()

        say(b"220 here")
        for line in wire:
            word = line[:4].upper()
            if word == b"DATA":
                say(b"354 go on")
                text = b"".join(iter(wire.readline, b".\r\n"))
                self.kept.append(message_from_bytes(text))
                say(b"250 kept")
            elif word == b"QUIT":
                say(b"221 bye")
                return
            else:
                say(b"550 no" if self.refuses and word == b"RCPT" else b"250 fine")

    def close(self):
        self._listening.close()


@contextmanager
def hook(status=200):
    """Give a web server's port and what was posted to it."""
    kept = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.append((self.headers, body))
            self.send_response(status)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()

        @override
        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, kept
    server.shutdown()
    server.server_close()


class Scene:
    """A site, its store, and a clock that the test sets."""

    def __init__(self, folder, mail=1, web=1):
        (folder / "channels").mkdir()
        (folder / "channels" / "adt.yaml").write_text(CHANNEL)
        (folder / "interop.toml").write_text(SETTINGS.format(mail=mail, web=web))
        self.now = NOON
        self.store = empty_database("sqlite", folder)
        self.site = load_site(folder, variables={})
        self.watch = Watch(self.store, "here/console", lambda: self.now, self.site)
        self.hear()

    def hear(self):
        counts = Counts()
        counts.add(Measure.RECEIVED, "adt", label="ADT^A01")
        with self.store.engine() as connection:
            traffic.write(connection, counts.take(), self.now)

    def after(self, minutes):
        self.now += minutes * MINUTE
        self.watch.turn()
        return self

    def told(self):
        return [
            (each.told, each.state)
            for each in ask(self.store, incidents.recent_notices)
        ]


@pytest.fixture
def post():
    server = Post()
    yield server
    server.close()


def test_a_silent_feed_is_told_once_and_once_when_it_flows_again(tmp_path):
    with hook() as (port, kept):
        scene = Scene(tmp_path, web=port)
        scene.after(29).after(2).after(1).after(1).after(5)
        scene.hear()
        scene.after(0).after(2).after(5)

    said = [json.loads(body) for _, body in kept]
    assert [(each["event"], each["text"]) for each in said] == [
        ("begins", "adt: nothing arrived for 33 min"),
        ("ends", "Over: adt: nothing arrived for 38 min"),
    ]
    assert scene.told() == [("ends", "sent"), ("begins", "sent")]


def test_S12_emergency_access_is_told_at_once_and_when_it_is_over(tmp_path):
    with hook() as (port, kept):
        scene = Scene(tmp_path, web=port)
        ana = Web(scene.store, scene.site.settings).signed_in("operator")
        ana.submit("/account/emergency", reason="unconscious: Doe", minutes=30)
        scene.watch.tell()
        [trouble] = ask(scene.store, incidents.open_incidents)
        scene.after(5).after(20)
        still = [each.kind for each in ask(scene.store, incidents.open_incidents)]
        scene.after(6)

    said = [json.loads(body) for _, body in kept]
    assert (trouble.kind, trouble.severity, still) == (
        *("emergency", "critical", ["emergency"]),
    )
    assert [(each["event"], each["text"]) for each in said] == [
        ("begins", "ana has emergency access to patient data"),
        ("ends", "Over: ana has emergency access to patient data"),
    ]


def test_a_webhook_proves_who_it_comes_from(tmp_path):
    with hook() as (port, kept):
        Scene(tmp_path, web=port).after(31).after(2)

    [(headers, body)] = kept
    stamp, mark = (
        part.partition("=")[2] for part in headers["Interop-Signature"].split(",")
    )
    signed = f"{stamp}.".encode() + body
    assert hmac.new(b"shared", signed, hashlib.sha256).hexdigest() == mark


@pytest.mark.parametrize("status", [500, 302])
def test_where_one_target_refuses_the_next_is_tried(tmp_path, post, status):
    with hook(status) as (port, _):
        scene = Scene(tmp_path, mail=post.port, web=port)
        scene.after(31).after(2)

    [mail] = post.kept
    assert mail["To"] == "oncall@here.example"
    assert mail["From"] == "engine@here.example"
    assert mail["Subject"] == "[here] adt: nothing arrived for 33 min"
    [notice] = ask(scene.store, incidents.refused_notices) or [None]
    assert notice is None
    [sent] = ask(scene.store, incidents.recent_notices)
    assert sent.state == "sent"
    assert "webhook" in sent.trouble


def test_what_nobody_takes_is_tried_again_and_given_up_at_last(tmp_path):
    refusing = Post(refuses=True)
    scene = Scene(tmp_path, mail=refusing.port)
    scene.after(31).after(2)
    refusing.close()

    [waiting] = ask(scene.store, incidents.refused_notices)
    assert (waiting.state, waiting.tries) == ("queued", 1)
    assert "second@here.example" in waiting.trouble
    for _ in range(MOST_TRIES):
        scene.now += timedelta(hours=2)
        scene.watch.tell()
    [given_up] = ask(scene.store, incidents.refused_notices)
    assert (given_up.state, given_up.tries) == ("failed", MOST_TRIES)


def test_nothing_is_told_in_a_maintenance_window(tmp_path):
    scene = Scene(tmp_path)
    window = Window("adt", NOON, NOON + 60 * MINUTE, "ana")
    with scene.store.engine() as connection:
        incidents.add_window(connection, scene.store.sealer, window, NOON)

    scene.after(31).after(3)
    assert ask(scene.store, incidents.unfinished) == []
    scene.after(31).after(3)
    assert len(ask(scene.store, incidents.open_incidents)) == 1


def test_a_snoozed_incident_is_told_again_when_it_goes_on(tmp_path):
    with hook() as (port, kept):
        scene = Scene(tmp_path, web=port).after(31).after(2)
        [known] = ask(scene.store, incidents.open_incidents)
        with scene.store.engine() as connection:
            until = scene.now + 10 * MINUTE
            incidents.snooze(connection, scene.store.sealer, known.id, until, OPERATOR)
        scene.after(5).after(6)

    assert [json.loads(body)["event"] for _, body in kept] == ["begins", "goes on"]


def test_another_node_that_holds_the_lease_does_it(tmp_path):
    scene = Scene(tmp_path)
    with scene.store.engine() as connection:
        leases.acquire(connection, "alerts", "there", NOON, NOON + timedelta(hours=2))

    scene.after(31).after(3)

    assert ask(scene.store, incidents.unfinished) == []


def test_a_receiver_that_fails_is_one_incident_with_what_waits(tmp_path):
    scene = Scene(tmp_path)
    [number] = accept_some(scene.store, 1)
    queue(scene.store, document(), message_id=number)

    def failing():
        detail = '{"failing": ["adt/registry"], "disk": {"percent": 95.0}}'
        told = Report("here", "edge", "edge", 1, NOON, scene.now, detail)
        with scene.store.engine() as connection:
            report(connection, told)
        scene.hear()

    for _ in range(4):
        scene.now += 5 * MINUTE
        failing()
        scene.after(0)

    found = {each.kind: each for each in ask(scene.store, incidents.open_incidents)}
    assert set(found) == {"peer", "disk"}
    assert "his.example:6661" in found["peer"].sentence
    assert "1 deliveries wait; and one more" in found["peer"].sentence


def test_what_waits_for_long_is_noted_at_each_look(tmp_path):
    scene = Scene(tmp_path)
    queue(scene.store, document(), message_id=1)

    scene.after(0).after(1).after(4)

    found = ask(scene.store, watch_notes.notes, ["adt"], NOON)
    assert [(each.place, each.amount) for each in found] == [
        ("registry", 60),
        ("registry", 300),
    ]
    assert ask(scene.store, watch_notes.noted_since) == NOON


def test_persons_parked_at_any_destination_of_a_channel_count_together(tmp_path):
    scene = Scene(tmp_path)
    for number, place in enumerate(("registry", "archive"), start=1):
        queue(scene.store, document(destination=place), message_id=number)
        [leased] = lease(scene.store, destination=place)
        end(scene.store, leased, Event.PARK, sentence="refused")

    facts = ask(scene.store, Gatherer(UTC).facts, scene.site.channels, NOON)

    assert facts.parked == {"adt": 2}


def test_a_node_is_missed_when_none_of_a_kind_reports():
    def told(role, name, minutes):
        return Report("n", role, name, 1, NOON, NOON - minutes * MINUTE)

    assert missing(
        [told("edge", "edge", 5), told("worker", "w1", 9), told("worker", "w2", 0)],
        NOON,
    ) == ("edge of n",)
    assert missing([told("edge", "edge", 60 * 24 * 8)], NOON) == ()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('[alerts]\nnotify = ["nobody"]', "no contact 'nobody'"),
        ('[alerts]\ndisk-over = "full"', "alerts.disk-over"),
        ('[alerts]\ndisk = "90%"', "alerts.disk"),
        ('[contacts.oncall]\nemail = "nobody"', "contacts.oncall.email"),
        ('[contacts.oncall]\nwebhook = "ftp://x"', "contacts.oncall.webhook"),
        ('[contacts]\noncall = "x"', "contacts.oncall is no section"),
        ('[smtp]\nserver = "mail"\nport = 25', "[smtp] knows"),
        ('[calendars]\nhospital = ["1 May"]', "calendars.hospital"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_key(tmp_path, lines, said):
    (tmp_path / "interop.toml").write_text(lines)

    with pytest.raises(ConfigurationError) as caught:
        alert_settings(load_settings(tmp_path, variables={}))

    assert any(said in fault for fault in caught.value.faults)


def test_settings_of_alerts_are_read(tmp_path):
    (tmp_path / "interop.toml").write_text(
        '[alerts]\nafter = "5m"\ncertificate-within = "60d"\n'
        '[calendars]\nhospital = ["2030-05-01"]\n'
        '[smtp]\nserver = "mail.example"\ncredential = "post"\n'
        '[credentials.post]\nuser = "engine"\npassword = "x"\n'
    )

    read = alert_settings(load_settings(tmp_path, variables={}))

    assert read.rules.after == 5 * MINUTE
    assert read.mail.security == "starttls"
    assert (read.mail.host, read.mail.port, read.mail.user) == (
        *("mail.example", 25),
        "engine",
    )
    assert [str(day) for day in read.holidays["hospital"]] == ["2030-05-01"]


def test_the_watch_runs_in_a_thread_until_it_is_stopped(tmp_path, monkeypatch):
    scene, turned = Scene(tmp_path), threading.Event()
    monkeypatch.setattr(watching, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(Watch, "tell", lambda _: turned.set())

    scene.watch.start()

    assert turned.wait(20)
    scene.watch.stop()
