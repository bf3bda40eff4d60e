"""F08 towards destinations: the network fails between the engine and its receivers.

    python -m tests.faults.outbound [--every 1]

A proxy stands between the node and each receiver. Every connection that the node opens
meets the next fault: reset after n bytes of the request, for every ``--every``-th n, or
of the answer; left open with nothing passed on any more; an answer that never comes; a
peer that reads nothing (its window is zero); pieces of one byte, and late ones. The
node is given messages until every fault has been met, then it settles, and the ledger
judges: nothing lost, nothing merged or cut, repeats as a lost answer allows.
Prints the ledger's object with the number of faults; ends as the ledger does.
"""

import argparse
import asyncio
import re
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

from tests.faults.ledger import wait_until_settled
from tests.faults.node import Node
from tests.faults.sending import PERSONS, Sender
from tests.faults.site import site, with_shape
from tests.faults.toxic_proxy import Proxy, Toxic

CHANNELS = {"relay": 1, "registry": 61}
"""How many bytes lie between two cuts of a request: a Bundle is long."""

ANSWER_BYTES = {"relay": 58, "registry": 420}
REQUEST_BYTES = {"relay": 168, "registry": 12_000}
SETTLE_SECONDS = 120.0
MEET_SECONDS = 1800.0
FASTER = {
    "retry: {first: 1s, max: 2s}": "retry: {first: 100ms, max: 300ms}",
    "connections: 4": "connections: 4, ack-timeout: 2s",
    'fhir"}': 'fhir", timeout: 2s}',
}


def small(number):
    """One invented message, always of the same length."""
    person, name = number % PERSONS, f"N{number:08d}"
    body = (
        f"MSH|^~\\&|SEND|GEN|ENG|HOSP|20300101120000||ADT^A08^ADT_A01|{name}|P|2.5.1\r"
        f"EVN|A08|20300101120000\rPID|1||{person:06d}^^^GEN^MR||Doe{person:06d}^ANN"
        f"||19{person % 90 + 10}0101|F\rPV1|1|I|W^1^1\r"
    )
    return name, body.encode()


def faults_of(channel, every):
    """Return what the connections of a channel meet, one after the other."""
    apart = CHANNELS[channel] * every
    cuts = range(0, REQUEST_BYTES[channel] + apart, apart)
    answers = range(0, ANSWER_BYTES[channel] + every, every)
    hung = range(0, REQUEST_BYTES[channel], 97 * apart)
    return [
        *(Toxic(request_bytes=n) for n in cuts),
        *(Toxic(answer_bytes=n) for n in answers),
        *(Toxic(request_bytes=n, hang=True) for n in hung),
        Toxic(answer_bytes=20, hang=True),
        Toxic(swallow=True),
        Toxic(deaf=True),
        Toxic(delay=3.0),
        Toxic(segment=1),
        Toxic(segment=7, delay=0.003),
    ]


def put_between(run, channel, faults):
    """Have the channel's deliveries go through a proxy; return it."""
    path = run.config / "channels" / f"{channel}.yaml"
    head, destinations = path.read_text().split("destinations:")
    [port] = set(re.findall(r"(?<=port: )\d+|(?<=127.0.0.1:)\d+", destinations))
    proxy = Proxy(("127.0.0.1", int(port)))
    proxy.toxics = deque(faults)
    destinations = destinations.replace(port, str(proxy.port))
    for slow, fast in FASTER.items():
        destinations = destinations.replace(slow, fast)
    path.write_text(head + "destinations:" + destinations)
    return proxy


async def until_met(sender, proxies):
    """Send until every fault has been met, a few messages ahead of the deliveries."""
    stop, end = asyncio.Event(), time.monotonic() + MEET_SECONDS
    running = asyncio.create_task(sender.run(stop))
    while time.monotonic() < end:
        if not any(proxy.toxics for proxy in proxies):
            break
        await asyncio.sleep(0.05)
    stop.set()
    await running


def run_faults(run, every):
    """Return the ledger's printout and the exit code."""
    plans = {channel: faults_of(channel, every) for channel in CHANNELS}
    proxies = [put_between(run, channel, plans[channel]) for channel in CHANNELS]
    node, sender = Node(run), Sender(run.folder, run.ports, width=8, make=small)
    sender.pause = 0.1
    begun = time.monotonic()
    try:
        node.start()
        asyncio.run(until_met(sender, proxies))
        wait_until_settled(run.store, SETTLE_SECONDS)
        ended, _ = node.stop()
    finally:
        for proxy in proxies:
            proxy.close()
    code, told = run.check()
    left = sum(len(proxy.toxics) for proxy in proxies)
    shape = {"faults": sum(map(len, plans.values())), "not_met": left}
    shape |= {"seconds": round(time.monotonic() - begun), "ended": ended}
    return with_shape(told, shape), code or ended or int(left > 0)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--every", type=int, default=1)
    asked = options.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="interop-F08-") as folder,
        site(Path(folder), tuple(CHANNELS)) as run,
    ):
        run.plan(least=20, fault="F08")
        told, code = run_faults(run, asked.every)
    print(told)
    return code


if __name__ == "__main__":
    sys.exit(main())
