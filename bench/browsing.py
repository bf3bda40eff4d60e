"""The time of acknowledgments while people browse and search, beside while nobody does.

Run: ``python bench/browsing.py [--pairs 6] [--seconds 20] [--users 10] [--rate 50]``.
One engine takes messages at a steady rate; in every other round so many users, in a
process of their own, look at pages, search and hold a live page open each. Prints the
p50 and p99 of each round and the median of the paired ratios. Goal: p99 at most 1.10.
"""

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

import click
import httpx

from engine.channels.clock import utc_now
from engine.cli.bench import _Bench
from engine.cli.child_process import end_in_order
from engine.cli.doctor import fsync_milliseconds
from engine.cli.site import store
from engine.console.permissions import Permission
from engine.peers.load import admissions
from engine.peers.sending import Feed, Sender, Tally
from engine.store import tokens
from engine.store.audit import Order

CONNECTIONS = 8
THINK_SECONDS = 1.0, 3.0
PAGES = (
    *("/", "/messages", "/channels", "/work", "/alerts", "/messages/1"),
    *("/messages?state=error", "/channels/bench-adt", "/patients"),
)
TOKEN, PLACE = "BROWSING_TOKEN", "BROWSING_PLACE"


def main() -> None:
    """Measure in pairs and print; or be the users, as the child of another run."""
    options = _options()
    if options.be_users:
        with suppress(KeyboardInterrupt):
            asyncio.run(browse(options.users))
        return
    end_in_order()
    with tempfile.TemporaryDirectory(prefix="interop-bench-") as scratch:
        folder = Path(scratch)
        with _Bench.started(folder) as bench:
            os.environ[TOKEN] = allow()
            os.environ[PLACE] = f"http://{os.environ['INTEROP_CONSOLE__BIND']}"
            bench.run(1000, CONNECTIONS)  # something to look at, everything warm
            before = fsync_milliseconds(folder)
            rounds = measure(bench, options)
            after = fsync_milliseconds(folder)
    for share in (0.50, 0.99):
        ratios = [b.milliseconds(share) / a.milliseconds(share) for a, b in rounds]
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"p{share * 100:.0f} ratio: median {median(ratios):.2f} of {each}")
    print(f"fsync p50, p99 ms before {before}, after {after}; load {os.getloadavg()}")


def measure(bench: _Bench, options: argparse.Namespace) -> list[tuple[Tally, Tally]]:
    """Return the tallies of pairs of rounds: nobody looks, then everybody does."""
    rounds = []
    for pair in range(options.pairs):
        found: dict[bool, Tally] = {}
        for watched in (False, True) if pair % 2 else (True, False):
            found[watched] = one_round(bench, options, watched=watched)
            tally = found[watched]
            print(
                f"pair {pair + 1} {'users ' if watched else 'nobody'}"
                f" p50 {tally.milliseconds(0.5):7.2f}"
                f" p99 {tally.milliseconds(0.99):7.2f} ms of {tally.finished} answers",
                flush=True,
            )
        rounds.append((found[False], found[True]))
    return rounds


def one_round(bench: _Bench, options: argparse.Namespace, *, watched: bool) -> Tally:
    """Send at the rate for so long, and wait for the drain."""
    count = options.seconds * options.rate
    feed = Feed(list(admissions(bench.number, count, "B")), per_second=options.rate)
    bench.number += count + (-count % 500)
    users = crowd(options.users) if watched else nobody()
    with users:
        tally = asyncio.run(Sender(feed, "127.0.0.1", bench.port).run(CONNECTIONS))
    bench.sent += tally.accepted
    bench.drain()
    return tally


@contextmanager
def nobody() -> Iterator[None]:
    """Let nobody look."""
    yield


@contextmanager
def crowd(users: int) -> Iterator[None]:
    """Let so many users look from another process, from when they are ready."""
    command = [sys.executable, __file__, "--be-users", "--users", str(users)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ourselves
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        try:
            yield
        finally:
            process.terminate()
            print(process.stdout.read().strip())


def allow() -> str:
    """Return a token that may see everything, for the engine that runs."""
    now = utc_now()
    until, order = now + timedelta(days=1), Order("bench", now, "bench")
    with store() as database, database.engine() as connection:
        every = tuple(Permission)
        return tokens.issue(connection, database.sealer, "bench", every, until, order)


async def browse(users: int) -> None:
    """Be so many users until the process is told to end; then tell how it went."""
    took: list[float] = []
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(15, ended.set)
    headers = {"authorization": f"Bearer {os.environ[TOKEN]}", "accept": "text/html"}
    async with httpx.AsyncClient(
        base_url=os.environ[PLACE], headers=headers, follow_redirects=True, timeout=60
    ) as client:
        await client.get("/")
        tasks = [asyncio.create_task(user(client, n, took)) for n in range(users)]
        tasks += [asyncio.create_task(hold_open(client)) for _ in range(users)]
        print("ready", flush=True)
        await ended.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    ordered = sorted(took) or [0.0]
    late = ordered[int(0.95 * (len(ordered) - 1))]
    print(
        f"  {len(took)} pages, p50 {median(ordered) * 1e3:.0f}, p95 {late * 1e3:.0f} ms"
    )


async def user(client: httpx.AsyncClient, number: int, took: list[float]) -> None:
    """Look at a page or search, think, and again."""
    draw = random.Random(number)  # noqa: S311 - no secret
    while True:
        await asyncio.sleep(draw.uniform(*THINK_SECONDS))
        began = time.perf_counter()
        if draw.random() < 1 / 3:
            query = f"patient:{draw.randrange(1000):08}"
            answer = await client.post("/messages", data={"query": query})
        else:
            answer = await client.get(draw.choice(PAGES))
        answer.raise_for_status()
        took.append(time.perf_counter() - began)


async def hold_open(client: httpx.AsyncClient) -> None:
    """Hear what changes, as a page that stands open does."""
    while True:
        async with client.stream("GET", "/live/overview") as stream:
            async for _ in stream.aiter_bytes():
                pass


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--users", type=int, default=10)
    parser.add_argument("--rate", type=int, default=50, help="messages a second")
    parser.add_argument("--be-users", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    with click.Context(click.Command("browsing")):  # what `interop bench` runs in
        main()
