"""faults.md F05 on a real file system that is really full: nothing is promised."""

import contextlib
import os
import socket
import subprocess
import time

import pytest

from engine.store import queues, retention
from engine.store.audit import Order
from engine.store.database import open_database
from tests.edge_ledger import EdgeProcess, adt, code_of, exchange
from tests.edge_process import KEY
from tests.stored import LATER, NOON, ask, processed, record

MIB = 1024 * 1024


@pytest.fixture
def small(tmp_path):
    """A file system of 32 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False).returncode:  # noqa: S603 - fixed words
        pytest.skip("this machine does not let root mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S603, S607


def fill(folder):
    """Take every free block; return the file that holds them."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"\xa5" * 65536):
            pass
    return ballast


def answer_within(edge, number, seconds):
    """Send one message; return its answer's code, or None when none came."""
    try:
        [answer] = exchange(edge.address, adt(number)[1], limit=seconds)
    except (OSError, ValueError):
        return None
    return code_of(answer)[0]


@pytest.mark.slow
def test_F05_a_full_disk_stops_the_reading_and_space_starts_it_again(small):  # noqa: N802
    edge = EdgeProcess(small).start()
    try:
        assert answer_within(edge, 1, 10) == b"AA"
        reserve = small / "store" / "reserve"
        assert reserve.stat().st_size == 4 * MIB
        ballast = fill(small)
        number = 2
        while answer_within(edge, number, 3) is not None:  # what the files still hold
            number += 1
        refused_from = number

        silent = [answer_within(edge, number + more, 1.5) for more in range(3)]
        stuck = reads_nothing(edge)
        given = reserve.stat().st_size
        purged, waiting = clear(small)
        ballast.unlink()
        began = time.monotonic()
        while answer_within(edge, refused_from, 2) is None:
            assert time.monotonic() - began < 10
        resumed = time.monotonic() - began
        names = [row[1] for row in edge.journal()]
    finally:
        edge.stop()

    assert silent == [None] * 3
    assert (stuck, given) == (True, 0)
    assert (purged, waiting) == ([1], [])
    assert resumed < 10
    assert names[-1] == adt(refused_from)[0]
    assert len(names) == len(set(names))


def reads_nothing(edge):
    """Whether, a second after a message it could not store, only buffers take more."""
    with socket.create_connection(edge.address, 2) as connection:
        connection.sendall(b"\x0b" + adt(900)[1] + b"\x1c\r")
        time.sleep(1)
        connection.setblocking(False)
        taken, end = 0, time.monotonic() + 1.5
        while time.monotonic() < end:
            with contextlib.suppress(BlockingIOError):
                taken += connection.send(b"x" * 65536)
        return taken < 16 * MIB


def clear(folder):
    """On the full disk, look at the queues and release a message for purging."""
    database = open_database(f"sqlite:///{folder}/store", KEY, role="cli")
    space = Order("kim", LATER, "the disk is full")
    try:
        record(database, processed(1), now=NOON)
        with database.engine() as connection:
            released = retention.decide(connection, database.sealer, LATER, space)
        return released, ask(database, queues.waiting)
    finally:
        database.close()
