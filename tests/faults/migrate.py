"""F14: crash in the middle of every migration, then upgrade, then go on working.

    python -m tests.faults.migrate

A store as each earlier revision left it, with messages that were answered and not
processed yet, is upgraded with a crash at every point of both schemas. Afterwards it
must have the newest form, pass SQLite's integrity check, and a node must process and
deliver what the old one had taken.
"""

import argparse
import signal
import sqlite3
import sys
import tempfile
from pathlib import Path

from engine.channels.clock import utc_now
from engine.failpoint import ENABLED, POINT, arm
from engine.store import schema_version
from engine.store.database import Database, open_database
from engine.store.dialect import SCHEMAS, SqliteFiles
from engine.store.key_file import load_or_create_key
from engine.store.seal import Sealer
from tests.faults import points
from tests.faults.forked import ForkedNode, fork
from tests.faults.ledger import BROKEN, wait_until_settled
from tests.faults.sending import Sender
from tests.faults.site import site, with_shape

MESSAGES = 10
SETTLE_SECONDS = 120.0
OLDEST = "0001"


def make_old(run, key):
    """Make a store at the first revision of both schemas."""
    backend = SqliteFiles(run.store, create=True)
    try:
        for schema in SCHEMAS:
            with backend.engine.begin() as connection:
                backend.prepare(connection)
                schema_version.migrate(connection, schema, Sealer(key), OLDEST)
        Database(backend, key, "cli").prove_key()
    finally:
        backend.close()


def fill(run, key, sender):
    """Journal messages as the old release did, by SQL of its time."""
    sealer, at = Sealer(key), round(utc_now().timestamp() * 1_000_000)
    with sqlite3.connect(run.store / "journal.db") as connection:
        for number in range(1, MESSAGES + 1):
            name, body = sender.make(number)
            digest = sender.note("sent", "relay", name, body)
            sealed = sealer.seal(body, f"message|{number}|relay")
            row = (number, "relay", at, name, len(body), bytes.fromhex(digest), sealed)
            connection.execute(
                "INSERT INTO message (id, channel, received_at, control_id, size, "
                "sha256, content, verdict, ack_code) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, 'accepted', 'AA')",
                row,
            )
            sender.note("answered", "relay", name, body, "AA")
        connection.execute("INSERT INTO sequence VALUES ('message', ?)", (MESSAGES,))
        connection.execute(
            "INSERT INTO intake VALUES ('relay', ?, 0, ?)", (MESSAGES, at)
        )


def crash(run, key, point, hit):
    """Upgrade until this point is reached; return whether it was."""

    def upgrade():
        arm({POINT: f"{point}:{hit}:exit", ENABLED: "1"})
        open_database(f"sqlite:///{run.store}", key).close()

    return fork(upgrade, run.folder / "node.log").wait() == -signal.SIGKILL


def faults_of(run):
    """Return what is wrong with the files after the upgrade."""
    found = []
    for schema in SCHEMAS:
        with sqlite3.connect(run.store / f"{schema}.db") as connection:
            [(sound,)] = connection.execute("PRAGMA integrity_check").fetchall()
            [(revision,)] = connection.execute("SELECT * FROM alembic_version")
        if sound != "ok" or revision != schema_version.newest(schema):
            found.append(f"{schema} is at {revision}: {sound}")
    return found


def run_upgrade(run):
    """Return the ledger's printout and the exit code."""
    key, crashes, faults = load_or_create_key(run.folder / "store.key"), 0, []
    sender = Sender(run.folder, run.ports)
    make_old(run, key)
    fill(run, key, sender)
    for point in points.MIGRATION:
        for hit, schema in enumerate(SCHEMAS, start=1):
            if crash(run, key, point, hit):
                crashes += 1
            elif point != points.MIGRATION[-1]:
                faults.append(f"{point} of {schema} was not reached")
    node = ForkedNode(run)
    node.start()
    wait_until_settled(run.store, SETTLE_SECONDS)
    node.stop()
    faults += faults_of(run)
    code, told = run.check()
    shape = {"crashes": crashes, "faults": faults}
    return with_shape(told, shape), code or (BROKEN if faults else 0)


def main():
    argparse.ArgumentParser(description=__doc__).parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="interop-F14-") as folder,
        site(Path(folder), ("relay",)) as run,
    ):
        run.plan(least=MESSAGES, fault="F14")
        told, code = run_upgrade(run)
    print(told)
    return code


if __name__ == "__main__":
    sys.exit(main())
