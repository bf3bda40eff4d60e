"""The console process: started, reporting, ended."""

import os
import signal
import socket
import ssl
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import replace
from http.client import HTTPConnection, HTTPSConnection

import pytest
import uvicorn

from engine.channels.queries.directory import Directory
from engine.cli.child_process import free_ports
from engine.console import server
from engine.console.surroundings import Surroundings
from engine.errors import ConfigurationError, EngineError
from engine.store.patients import shipped
from engine.store.reports import reports
from tests.certificates import Authority
from tests.databases import empty_database
from tests.sites import site_at
from tests.stored import NOON
from tests.web import SITE


def serve(settings, database, place, load=None, upkeep=None):
    directory = Directory("here", "urn:eid", shipped())
    here = Surroundings(settings, database, directory, lambda: NOON)
    upkeep = upkeep or server.Upkeep(database, settings.node_name)
    return server.serve(here, place, upkeep, load or (lambda: here))


@contextmanager
def serving(database, settings, monkeypatch, load=None, upkeep=None):
    """Run the server in a thread; give its port, and the list of its exit code."""
    [port] = free_ports(1)
    made, codes = [], []

    class Kept(uvicorn.Server):
        def __init__(self, config):
            super().__init__(config)
            made.append(self)

    monkeypatch.setattr(uvicorn, "Server", Kept)
    place = "127.0.0.1", port
    running = threading.Thread(
        target=lambda: codes.append(serve(settings, database, place, load, upkeep))
    )
    running.start()
    while not (made and made[0].started):
        time.sleep(0.01)
    yield port, codes
    made[0].should_exit = True
    running.join(20)


def asked(connection, path="/livez"):
    with closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return (
            answer.status,
            answer.read(),
            {k.lower(): v for k, v in answer.headers.items()},
        )


def reported(database):
    while True:
        with database.reading() as connection:
            if found := reports(connection):
                return found
        time.sleep(0.01)


def test_a_console_answers_and_reports_until_it_is_told_to_stop(tmp_path, monkeypatch):
    database = empty_database("sqlite", tmp_path, role="console")

    with serving(database, SITE, monkeypatch) as (port, codes):
        status, body, headers = asked(HTTPConnection("127.0.0.1", port, timeout=10))
        found = reported(database)

    assert (status, body) == (200, b"alive")
    assert "server" not in headers
    assert "strict-transport-security" not in headers
    assert [(each.role, each.node) for each in found] == [("console", "here")]
    assert codes == [0]


def test_S14_with_a_profile_it_speaks_tls(tmp_path, monkeypatch):
    database = empty_database("sqlite", tmp_path, role="console")
    authority = Authority(tmp_path)
    file, _ = authority.issue("localhost")
    profile = {"certificate": str(file), "key": str(file)}
    secure = replace(SITE, console_tls="web", tls={"web": profile})
    context = ssl.create_default_context(cafile=str(authority.file))

    with serving(database, secure, monkeypatch) as (port, _):
        connection = HTTPSConnection("localhost", port, timeout=10, context=context)
        status, _, headers = asked(connection)

    assert status == 200
    assert headers["strict-transport-security"] == "max-age=31536000"


def test_a_tls_profile_without_a_key_is_refused(tmp_path):
    database = empty_database("sqlite", tmp_path, role="console")

    with pytest.raises(ConfigurationError, match="certificate and key"):
        serve(replace(SITE, console_tls="web"), database, ("127.0.0.1", 0))


def test_a_taken_port_ends_the_process_for_another_try(tmp_path):
    database = empty_database("sqlite", tmp_path, role="console")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        place = other.getsockname()

        assert serve(SITE, database, place) == server.CANNOT_LISTEN


def test_a_console_that_cannot_report_goes_on(tmp_path, monkeypatch):
    database = empty_database("sqlite", tmp_path, role="console")

    def refused(*_):
        raise EngineError("the store could not commit")

    monkeypatch.setattr(server, "report", refused)
    with serving(database, SITE, monkeypatch) as (port, _):
        assert asked(HTTPConnection("127.0.0.1", port, timeout=10))[0] == 200


@pytest.mark.parametrize("broken", [False, True])
def test_a_console_reads_its_tables_again_when_asked(tmp_path, monkeypatch, broken):
    database = empty_database("sqlite", tmp_path, role="console")
    upkeep, loaded = server.Upkeep(database, "here"), threading.Event()

    def load():
        loaded.set()
        if broken:
            raise ConfigurationError("1 fault in the tables")
        other = Directory("here", "urn:other", shipped())
        return Surroundings(SITE, database, other, lambda: NOON)

    upkeep.ask_to_reload(signal.SIGHUP, None)
    with serving(database, SITE, monkeypatch, load, upkeep) as (port, _):
        assert loaded.wait(20)
        assert asked(HTTPConnection("127.0.0.1", port, timeout=10))[0] == 200


def test_a_console_ends_with_its_supervisor(tmp_path, monkeypatch):
    database = empty_database("sqlite", tmp_path, role="console")
    parents = iter([1, 2])
    monkeypatch.setattr(os, "getppid", lambda: next(parents, 2))

    with serving(database, SITE, monkeypatch) as (_, codes):
        end = time.monotonic() + 20
        while not codes and time.monotonic() < end:
            time.sleep(0.01)

    assert codes == [0]


@pytest.fixture
def calm():
    """Put back what the process does with SIGHUP."""
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("calm")
@pytest.mark.parametrize(
    ("bind", "code"), [("off", 0), ("nowhere", server.WRONG_CONFIGURATION)]
)
def test_the_process_reads_where_to_listen(tmp_path, monkeypatch, bind, code):
    site = site_at(tmp_path)
    monkeypatch.setenv("INTEROP_CONSOLE__BIND", bind)

    assert server.main(["--config", str(site.config)]) == code


@pytest.mark.usefixtures("calm")
def test_the_process_opens_the_store_of_its_site(tmp_path, monkeypatch):
    site = site_at(tmp_path)
    monkeypatch.setenv("INTEROP_CONSOLE__BIND", "127.0.0.1:1")
    served = []

    def serve(*given):
        served.append(given)
        return 0

    monkeypatch.setattr(server, "serve", serve)

    assert server.main(["--config", str(site.config)]) == 0
    [(here, place, _, load)] = served
    assert (here.settings.site, here.database.role) == ("test", "console")
    assert place == ("127.0.0.1", 1)
    assert load().directory.system == "urn:id:test:enterprise"
