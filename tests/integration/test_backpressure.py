"""Peers that send too much, too slowly, or never read: bounded memory, others served.

``INTEROP_TEST__SIZE=full`` runs the same code at the sizes of protocol.md E21 and
faults.md F11.
"""

import asyncio
import os
import socket
import sys
import time
from contextlib import ExitStack, suppress

import pytest

from tests.backlog import memory_mb
from tests.edge_ledger import (
    EdgeProcess,
    Load,
    adt,
    code_of,
    compare,
    exchange,
    receive,
)

FULL = os.environ.get("INTEROP_TEST__SIZE") == "full"
SLOW_SOCKETS = 990 if FULL else 150
OVERLOAD_SECONDS = 1800 if FULL else 3
pytestmark = pytest.mark.slow


@pytest.fixture
def edge(tmp_path):
    edge = EdgeProcess(tmp_path).start()
    yield edge
    edge.stop()


SENDER = b"G" * 900 + b"|ENG"


def say(what, figure):
    """Tell a figure; pytest shows it with -s."""
    sys.stdout.write(f"{what}: {figure}\n")


def block(number):
    return b"\x0b" + adt(number)[1] + b"\x1c\r"


def milliseconds(edge, first, count=60):
    """Return how long each of so many answers took, sorted."""
    taken = []
    with socket.create_connection(edge.address, 30) as connection:
        for number in range(first, first + count):
            began = time.perf_counter()
            connection.sendall(block(number))
            assert code_of(receive(connection, 1)[0])[0] == b"AA"
            taken.append((time.perf_counter() - began) * 1e3)
    return sorted(taken)


def percentile(taken, share):
    return taken[min(int(len(taken) * share), len(taken) - 1)]


def test_E21_slow_senders_do_not_delay_a_good_one(edge):  # noqa: N802
    alone = milliseconds(edge, 0)
    with ExitStack() as slow:
        sockets = [
            slow.enter_context(socket.create_connection(edge.address, 30))
            for _ in range(SLOW_SOCKETS)
        ]
        for connection in sockets:
            connection.sendall(b"\x0bMSH|^~\\&|")
        beside = []
        for turn in range(3):
            for connection in sockets:
                connection.sendall(b"x")
            beside += milliseconds(edge, 1000 * (turn + 1), 20)
    beside.sort()

    delays = {
        share: percentile(beside, share) - percentile(alone, share)
        for share in (0.5, 0.9, 0.99)
    }
    say("delay_ms", delays)
    assert delays[0.99 if FULL else 0.9] <= 100


def test_E26_a_peer_that_never_reads_its_answers_is_not_buffered(edge):  # noqa: N802
    before, sent = memory_mb(edge), 0
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.connect(edge.address)
        connection.setblocking(False)
        # answers of a kilobyte: what the kernel keeps for one peer is soon full
        wordy = (block(number).replace(b"GEN|ENG", SENDER) for number in range(12_000))
        flood, end = b"".join(wordy), 0
        quiet = time.monotonic() + 2
        while time.monotonic() < quiet and sent < len(flood):
            with suppress(BlockingIOError):
                sent += connection.send(flood[sent : sent + 262_144])
                quiet = time.monotonic() + 2
            time.sleep(0.005)
            end = max(end, memory_mb(edge))
        [good] = exchange(edge.address, adt(99_999)[1])
    growth = end - before

    say("growth_mb", growth)
    assert growth <= 30
    assert sent < len(flood)
    assert code_of(good)[0] == b"AA"


def test_a_flood_of_pipelined_messages_is_answered_in_order_in_little_memory(edge):
    before, count = memory_mb(edge), 30_000 if FULL else 1_000
    flood = b"".join(block(number) for number in range(count))
    most = before

    async def converse():
        nonlocal most
        reader, writer = await asyncio.open_connection(*edge.address)
        writer.write(flood)
        named = []
        for _ in range(count):
            heard = await reader.readuntil(b"\x1c\r")
            named.append(code_of(heard)[1].decode())
            if len(named) % 100 == 0:
                most = max(most, memory_mb(edge))
        writer.close()
        return named

    named = asyncio.run(converse())

    say("growth_mb", most - before)
    assert named == [adt(number)[0] for number in range(count)]
    assert most - before <= 30


def test_F11_overload_is_answered_later_and_nothing_is_lost(edge):  # noqa: N802
    load, most = Load(128), 0.0

    async def overload():
        nonlocal most
        stop = asyncio.Event()
        running = asyncio.create_task(load.run(edge.address, stop))
        end = time.monotonic() + OVERLOAD_SECONDS
        while time.monotonic() < end:
            await asyncio.sleep(0.2)
            most = max(most, memory_mb(edge))
        stop.set()
        await running

    asyncio.run(overload())
    verdict = compare(load, edge.journal())

    say("memory_mb", most)
    assert verdict.clean, verdict
    assert verdict.answered >= 100
    assert not load.negative
    assert most <= 1024
