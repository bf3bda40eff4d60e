"""Pages of the console against their targets: a person among a million messages, S1.

Run: ``python bench/console.py [MESSAGES] [CHANNELS]``. Fills stores in a temporary
folder, asks the application in-process, and prints milliseconds (wall and CPU, median
and 95th percentile) and gzipped sizes. What a browser adds is not in it.
"""

import asyncio
import gzip
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from statistics import median, quantiles

import httpx
from sqlalchemy import insert

from engine.channels.collector import collect_rarely
from engine.channels.queries.directory import Directory
from engine.console.permissions import Permission
from engine.console.site import create_app
from engine.console.surroundings import Surroundings
from engine.settings import Settings
from engine.store import tokens, traffic
from engine.store.audit import Order
from engine.store.counters import of_messages, tally
from engine.store.database import Database, open_database
from engine.store.dialect import bulk, put
from engine.store.patients import shipped
from engine.store.results import SearchKey, key_number
from engine.store.tables import intake, journal_message, message, search_key
from engine.store.traffic import Counts, Measure

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
PIECE = 20_000
PATIENTS = 20
"""Messages stand for so many to a patient, spread over all of them."""
ASKED = 200

Rows = list[dict[str, object]]


def fill(database: Database, count: int) -> None:
    """Write processed messages of many patients, without content."""
    for start in range(1, count + 1, PIECE):
        numbers = range(start, min(start + PIECE, count + 1))
        with database.journal() as connection:
            bulk(connection, insert(journal_message), [_received(n) for n in numbers])
        with database.engine() as connection:
            bulk(connection, insert(message), [_processed(n) for n in numbers])
            keys: Rows = [
                {"value": _key(database, _patient(n, count)), "message_id": n}
                for n in numbers
            ]
            bulk(connection, insert(search_key), keys)


def _patient(number: int, count: int) -> str:
    return f"{number % max(count // PATIENTS, 1):08}"


def _key(database: Database, patient: str) -> int:
    return key_number(database.sealer, SearchKey("identifier", patient))


def _received(number: int) -> dict[str, object]:
    words = ("listener", "peer", "cause", "findings", "batch")
    return {
        **dict.fromkeys(words, ""),
        "id": number,
        "channel": f"adt-{number % 20:02}",
        "received_at": NOON - timedelta(seconds=2 * number),
        "control_id": f"C{number}",
        "message_type": "ADT",
        "trigger_event": "A08",
        "size": 1000,
        "sha256": b"0" * 32,
        "content": None,
        "verdict": "accepted",
        "ack_code": "AA",
    }


def _processed(number: int) -> dict[str, object]:
    words = ("stage", "code", "reason", "person", "revision")
    return {
        **dict.fromkeys(words, ""),
        "id": number,
        "channel": f"adt-{number % 20:02}",
        "state": "processed",
        "attempt": 1,
        "behind": None,
        "processed_at": NOON,
    }


def make_busy(database: Database, channels: int) -> None:
    """Let so many channels have taken messages in each minute of the last hour."""
    names = [f"feed-{number:03}" for number in range(channels)]
    taken: Rows = [
        {"channel": name, "messages": 6000, "repeats": 0, "last_at": NOON}
        for name in names
    ]
    with database.journal() as connection:
        put(connection, intake, taken)
    with database.engine() as connection:
        tally(connection, {(None, of_messages(n, "processed")): 6000 for n in names})
        for minute in range(60):
            counts = Counts()
            for name in names:
                counts.add(Measure.RECEIVED, name, count=100)
                counts.observe(Measure.LATENCY, 0.1, name, "fhir")
            at = NOON - timedelta(minutes=minute)
            traffic.write(connection, counts.take(), at)


@contextmanager
def console(folder: Path) -> Iterator[tuple[Database, Callable[[], httpx.AsyncClient]]]:
    """Give a store and what makes clients of a console on it that may do everything."""
    database = open_database(f"sqlite:///{folder}", bytes(range(32)))
    settings = Settings(folder=folder, node_name="here", site="here")
    directory = Directory("here", "urn:id:here:enterprise", shipped())
    here = Surroundings(settings, database, directory, lambda: NOON)
    with database.engine() as connection:
        until = NOON + timedelta(days=1)
        token = tokens.issue(
            connection,
            database.sealer,
            "bench",
            tuple(Permission),
            until,
            Order("bench", NOON, "bench"),
        )

    def client() -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(create_app(here)),
            base_url="http://localhost",
            headers={"authorization": f"Bearer {token}"},
            follow_redirects=True,
        )

    yield database, client
    database.close()


async def timed(
    client: httpx.AsyncClient,
    asks: Sequence[Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]],
) -> tuple[list[float], list[float], httpx.Response]:
    """Return wall and CPU milliseconds of each request, and the last answer."""
    walls, spent, answer = [], [], httpx.Response(500)
    for ask in asks:
        wall, cpu = time.perf_counter(), time.process_time()
        answer = await ask(client)
        walls.append((time.perf_counter() - wall) * 1e3)
        spent.append((time.process_time() - cpu) * 1e3)
        answer.raise_for_status()
    return walls, spent, answer


def told(name: str, walls: list[float], spent: list[float], size: int) -> None:
    """Print one line."""
    high, cpu = quantiles(walls, n=20)[-1], quantiles(spent, n=20)[-1]
    print(
        f"{name:44} wall p50 {median(walls):7.1f} p95 {high:7.1f} ms"
        f"   cpu p50 {median(spent):6.1f} p95 {cpu:6.1f} ms"
        f"   {size / 1024:6.1f} kB gzip"
    )


async def person_search(count: int) -> None:
    """Ask for a patient's messages by number: the form, and the page it leads to."""
    with tempfile.TemporaryDirectory() as place, console(Path(place)) as (store, made):
        began = time.process_time()
        fill(store, count)
        print(
            f"{count:,} messages filled in {time.process_time() - began:.0f} s of CPU"
        )
        asks = [
            lambda client, n=number * 7919: client.post(
                "/messages", data={"query": f"patient:{_patient(n, count)}"}
            )
            for number in range(ASKED)
        ]
        async with made() as client:
            walls, spent, answer = await timed(client, asks)
        size = len(gzip.compress(answer.content))
        assert answer.text.count('href="/messages/') >= PATIENTS - 1
        told(f"patient search, {count:,} messages", walls, spent, size)


async def overview(channels: int) -> None:
    """Ask for the overview of many busy channels."""
    with tempfile.TemporaryDirectory() as place, console(Path(place)) as (store, made):
        make_busy(store, channels)
        async with made() as client:
            asks = [lambda client: client.get("/")] * 40
            walls, spent, answer = await timed(client, asks)
        size = len(gzip.compress(answer.content))
        told(f"overview, {channels} channels", walls, spent, size)


def weights() -> None:
    """Print what a browser loads once beside each page."""
    folder = files("engine.console").joinpath("static")
    for each in sorted(folder.iterdir(), key=lambda one: one.name):
        if each.name.endswith((".js", ".css")):
            size = len(gzip.compress(each.read_bytes()))
            print(f"{each.name:44} {size / 1024:6.1f} kB gzip")


if __name__ == "__main__":
    MESSAGES = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    CHANNELS = int(sys.argv[2]) if len(sys.argv) > 2 else 500  # noqa: PLR2004 - its place
    collect_rarely()  # as the console's process does
    weights()
    asyncio.run(overview(CHANNELS))
    asyncio.run(person_search(MESSAGES))
