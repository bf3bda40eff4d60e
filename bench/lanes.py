"""One busy lane beside many: how fast the messages of one order key are delivered.

    python bench/lanes.py [--messages 1000] [--pairs 3]

The same admissions go through two channels of one engine that differ in their order
key alone: the person (many lanes), or the same for all (one lane, where each delivery
waits for the answer to the one before). The receiver answers at once. Rates are to the
drain, and `while_processing` is what was delivered while the worker was busy. A lane
takes one commit for each delivery, so the time of an fsync is printed beside.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.cli.child_process import ChildProcess, free_ports, interop
from engine.cli.doctor import fsync_milliseconds
from engine.peers.load import admissions
from engine.peers.sending import Feed, Sender
from engine.store import queues
from engine.store.database import Database, open_database
from engine.store.key_file import load_or_create_key

CONFIG = Path(__file__).with_name("config")
ORDER_KEYS = {"many-lanes": "", "one-lane": "    order-key: MSH-4\n"}
CONNECTIONS = 16
DRAIN_SECONDS = 900.0


@dataclass
class Bench:
    """A running engine, its store, and the port of each channel."""

    engine: ChildProcess
    database: Database
    ports: dict[str, int]
    number: int = 0

    def run(self, channel: str, messages: int) -> dict[str, float]:
        """Send to one channel, wait for the drain, and return what it took."""
        feed = Feed(list(admissions(self.number, messages, "L")))
        self.number += messages
        before, used = self.count(channel), sum(self.engine.cpu_seconds().values())
        began = time.monotonic()
        asyncio.run(Sender(feed, "127.0.0.1", self.ports[channel]).run(CONNECTIONS))
        self.wait(channel, "message", "processed", before, messages)
        processing = time.monotonic() - began
        meanwhile = (self.count(channel) - before)["delivery", "delivered"]
        self.wait(channel, "delivery", "delivered", before, messages)
        seconds = time.monotonic() - began
        cpu = sum(self.engine.cpu_seconds().values()) - used
        return {
            "processed_per_second": round(messages / processing, 1),
            "while_processing": round(meanwhile / processing, 1),
            "delivered_per_second": round(messages / seconds, 1),
            "cpu_us_per_message": round(cpu / messages * 1e6),
            "fsync_ms": round(fsync_milliseconds(self.engine.log.parent)[0], 2),
        }

    def count(self, channel: str) -> Counter[tuple[str, str]]:
        """Return what there is of a channel by subject and state."""
        with self.database.reading() as connection:
            return Counter(
                {
                    (row.subject, row.state): row.count
                    for row in queues.counts(connection)
                    if row.channel == channel
                }
            )

    def wait(
        self,
        channel: str,
        subject: str,
        state: str,
        before: Counter[tuple[str, str]],
        more: int,
    ) -> None:
        """Return when so many more are in a state."""
        end = time.monotonic() + DRAIN_SECONDS
        while self.count(channel)[subject, state] < before[subject, state] + more:
            if time.monotonic() > end:
                raise SystemExit(f"{channel}: not {state} in time")
            time.sleep(0.1)


@contextmanager
def started(folder: Path) -> Iterator[Bench]:
    """Start an engine with both channels and their receiver; stop both afterwards."""
    receiver, *ports = free_ports(1 + len(ORDER_KEYS))
    config = folder / "config"
    shutil.copytree(CONFIG, config)
    template = (config / "channels" / "bench-adt.yaml").read_text()
    (config / "channels" / "bench-adt.yaml").unlink()
    head = template.partition("destinations:")[0]
    for (name, order_key), port in zip(ORDER_KEYS.items(), ports, strict=True):
        channel = head.replace("bench-adt", name).replace("${ADT_PORT}", str(port))
        way = f"    mllp:\n      host: 127.0.0.1\n      port: {receiver}\n"
        text = f"{channel}destinations:\n  - name: his\n{order_key}{way}"
        (config / "channels" / f"{name}.yaml").write_text(text)
    url, key = f"sqlite:///{folder / 'store'}", folder / "store.key"
    variables = {"INTEROP_STORE__URL": url, "INTEROP_STORE__KEY": str(key)}
    log = folder / "bench.log"
    with (
        ChildProcess(interop("listen", str(receiver), "-q"), log) as listening,
        ChildProcess(interop("run", "--config", str(config)), log, variables) as engine,
    ):
        listening.wait_for([receiver])
        engine.wait_for(ports)
        with closing(open_database(url, load_or_create_key(key))) as database:
            yield Bench(engine, database, dict(zip(ORDER_KEYS, ports, strict=True)))


def main() -> None:
    """Run the channels in turns and print each run and the ratio of the pairs."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--messages", type=int, default=1000)
    options.add_argument("--pairs", type=int, default=3)
    asked = options.parse_args()
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in ORDER_KEYS}
    with (
        tempfile.TemporaryDirectory(prefix="interop-lanes-") as folder,
        started(Path(folder)) as bench,
    ):
        for _ in range(asked.pairs):
            for name, of_channel in runs.items():
                of_channel.append(bench.run(name, asked.messages))
                print(name, of_channel[-1], flush=True)
    ratios = [
        one["delivered_per_second"] / many["delivered_per_second"]
        for many, one in zip(runs["many-lanes"], runs["one-lane"], strict=True)
    ]
    print(json.dumps({"one_lane_to_many": round(statistics.median(ratios), 2)}))


if __name__ == "__main__":
    main()
