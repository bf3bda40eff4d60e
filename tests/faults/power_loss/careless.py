"""A small server that may be careless with the disk: what images must show.

    python -m tests.faults.power_loss.careless FOLDER FAULT

It journals, answers and delivers a hundred messages one by one. FAULT is ``commit``
(synchronous=NORMAL), ``name`` (no sync of the folder after the rename) or ``nothing``.
"""

import os
import socket
import sys
from pathlib import Path

from sqlalchemy import event

from engine.channels.destinations.file import write_file
from engine.store.database import open_database
from engine.store.key_file import load_or_create_key
from tests.edge_ledger import adt
from tests.stored import accept, arrival, document, end, lease, queue

MESSAGES = 100


def main():
    folder, fault = Path(sys.argv[1]), sys.argv[2]
    key = load_or_create_key(folder / "store.key")
    store = open_database(f"sqlite:///{folder}/store", key, role="edge")
    if fault == "commit":
        engine = store._backend.engine
        engine.dispose()
        event.listen(engine, "connect", _leave_to_the_system)
    out = folder / "config" / "out" / "adt"
    ours, theirs = socket.socketpair()
    for number in range(1, MESSAGES + 1):
        name, body = adt(number)
        [taken] = accept(store, arrival(name, body))
        ours.send(b"MSH|^~\\&|\rMSA|AA|" + name.encode() + b"\r")
        theirs.recv(4096)
        queue(store, document(name, body), message_id=taken.id)
        [leased] = lease(store)
        if fault == "name":
            _write_carelessly(out / f"{taken.id}.hl7", body)
        else:
            write_file(str(out), (f"{taken.id}.hl7",), body, replace=False)
        end(store, leased)
    os._exit(0)  # as if killed: no last checkpoint


def _leave_to_the_system(raw, _):
    for schema in ("journal", "engine"):
        raw.cursor().execute(f"PRAGMA {schema}.synchronous = NORMAL")


def _write_carelessly(path, body):
    scratch = path.with_suffix(".part")
    with scratch.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    scratch.rename(path)


if __name__ == "__main__":
    main()
