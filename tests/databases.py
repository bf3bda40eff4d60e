"""Empty stores for tests, on SQLite and on a PostgreSQL of the session's own."""

import atexit
import functools
import os
import pwd
import shutil
import subprocess
import tempfile
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from engine.store.database import Database, open_database

KEY = bytes(range(32))
BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
SETTINGS = [
    pytest.param("sqlite", False, id="sqlite-lenient"),
    pytest.param("sqlite", True, id="sqlite-strict"),
    pytest.param("postgresql", False, id="postgresql", marks=pytest.mark.postgres),
]
each_setting = pytest.mark.parametrize(
    ("store", "strict"), SETTINGS, indirect=["store"]
)
"""Both profiles, both databases: the profile changes nothing that a database sees."""

_numbers = count(1)
_opened: list[Database] = []


def empty_database(kind, tmp_path, *, role="cli"):
    """Return a migrated store with nothing in it; the end of the test closes it."""
    database = open_database(empty_url(kind, tmp_path), KEY, role=role)
    _opened.append(database)
    return database


def close_databases():
    """Close what the test opened: hundreds of tests share one process."""
    while _opened:
        _opened.pop().close()


def empty_url(kind, tmp_path):
    """Return the address of a migrated store with nothing in it."""
    if kind == "sqlite":
        folder = tmp_path / f"store{next(_numbers)}"
        shutil.copytree(_sqlite_template(), folder)
        return f"sqlite:///{folder}"
    server = _postgres()
    name = f"store{next(_numbers)}"
    _as_administrator(server, f"CREATE DATABASE {name} TEMPLATE {_template(server)}")
    return server.format(name)


@functools.cache
def _sqlite_template():
    folder = Path(tempfile.mkdtemp(prefix="interop-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    open_database(f"sqlite:///{folder}", KEY).close()
    return folder


@functools.cache
def _template(server):
    _as_administrator(server, "CREATE DATABASE template_store")
    open_database(server.format("template_store"), KEY).close()
    return "template_store"


def _as_administrator(server, statement):
    engine = create_engine(
        server.format("postgres").replace("postgresql:", "postgresql+psycopg:"),
        isolation_level="AUTOCOMMIT",
    )
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@functools.cache
def _postgres():
    """Start a server with durable settings; return its address, ``{}`` a database."""
    given = os.environ.get("INTEROP_TEST__POSTGRES")
    if given:
        return given
    server = Server()
    atexit.register(server.remove)
    server.start()
    return server.address


class Server:
    """A PostgreSQL of its own, not started; ``{}`` in ``address`` is a database."""

    def __init__(self):
        self.binaries = _binaries()
        if self.binaries is None:
            _missing("no PostgreSQL server binaries are installed")
        self.folder = Path(tempfile.mkdtemp(prefix="interop-postgres-"))
        self.user = _unprivileged(self.folder)
        self.address = f"postgresql://interop@/{{}}?host={self.folder}"
        self._run("initdb", "--auth=trust", "--username=interop")

    def start(self):
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder}"
        log = self.folder / "log"
        self._run("pg_ctl", "-l", log, "-o", options, "-w", "start")

    def stop(self):
        """Stop as a crash would."""
        self._run("pg_ctl", "-m", "immediate", "stop")

    def remove(self):
        if (self.folder / "data" / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program, *options):
        assert self.binaries is not None
        data = self.folder / "data"
        _run(self.user, self.binaries / program, "-D", data, *options)


def _binaries():
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return installed[-1].parent if installed else None


def _missing(reason):
    if os.environ.get("INTEROP_TEST__POSTGRES_REQUIRED") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def _unprivileged(folder):
    """Return who runs the server: initdb refuses to be root."""
    if os.geteuid() != 0:
        return None
    user = pwd.getpwnam("postgres" if _exists("postgres") else "nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return user


def _exists(name):
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _run(user, *command):
    identity = {"user": user.pw_uid, "group": user.pw_gid} if user else {}
    subprocess.run(  # noqa: S603 - our own command
        [str(part) for part in command],
        check=True,
        cwd="/",
        stdout=subprocess.DEVNULL,
        **identity,
    )
