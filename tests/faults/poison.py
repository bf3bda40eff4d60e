"""F09: messages that make a Python step raise, loop, hoard, crash or talk nonsense.

    python -m tests.faults.poison [--rounds 1]

One channel runs the step, another one relays beside it. Each poisoned message must end
in the error queue within two tries and five seconds, everything else must be
delivered, and the ledger must hold.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.books import open_store
from tests.faults.forked import ForkedNode
from tests.faults.ledger import BROKEN, HOLDS, wait_until_settled
from tests.faults.sending import Sender, admission
from tests.faults.site import site, with_shape

STEPS = """
import ctypes, os
from engine.hl7 import Message
from engine.transforms import StepContext

def act(message: Message, context: StepContext) -> None:
    ways = {
        "raise": lambda: 1 / 0,
        "loop": lambda: [None for _ in iter(int, 1)],
        "hoard": lambda: bytearray(8 << 30),
        "crash": lambda: ctypes.string_at(0),
        "exit": lambda: os._exit(0),
        "nonsense": lambda: [os.write(each, bytes(64)) for each in range(3, 16)],
        "wreck": lambda: setattr(message, "segments", None),
    }
    way = message["NTE-3"]
    if way in ways:
        ways[way]()
"""
WAYS = ("raise", "loop", "hoard", "crash", "exit", "nonsense", "wreck")
EACH_SECONDS = 5.0
BESIDE = 8
"""Good messages after each poisoned one, half of them through the same channel."""


def poisoned(number):
    """Return a message whose note says what the step shall do, or a good one."""
    name, body = admission(number)
    turn, place = divmod(number - 1, BESIDE + 1)
    note = WAYS[turn % len(WAYS)] if place == 0 else "nothing"
    head, _, _ = body.partition(b"NTE|1||")
    return name, head + b"NTE|1||" + note.encode() + b"\r"


def write_steps(run):
    """Give the channel ``archive`` the step."""
    (run.config / "steps").mkdir()
    (run.config / "steps" / "poison.py").write_text(STEPS)
    path = run.config / "channels" / "archive.yaml"
    text = path.read_text()
    path.write_text(
        text.replace("destinations:", "edit:\n  - python: poison:act\ndestinations:")
    )


async def send(sender, rounds):
    """Send in turn: a poisoned message, then good ones on both channels."""
    lines = {
        channel: await asyncio.open_connection("127.0.0.1", port)
        for channel, port in sender.ports.items()
    }
    for number in range(rounds * len(WAYS) * (BESIDE + 1)):
        channel = "archive" if number % (BESIDE + 1) < BESIDE // 2 else "relay"
        await sender._one(channel, *lines[channel])
    for _, writer in lines.values():
        writer.close()


def isolated(store, wanted):
    """Return what is wrong with how the poisoned messages ended."""
    connection = open_store(store)
    states = dict(
        connection.execute("SELECT state, count(*) FROM engine.message GROUP BY state")
    )
    worst = connection.execute("SELECT max(tries) FROM engine.progress").fetchone()[0]
    connection.close()
    faults = []
    if states.get("error", 0) != wanted:
        faults.append(f"{states.get('error', 0)} in error, not {wanted}")
    if worst > 2:
        faults.append(f"a message was tried {worst} times")
    return faults


def run_poison(run, rounds):
    """Return the ledger's printout and the exit code."""
    sender, node = Sender(run.folder, run.ports, make=poisoned), ForkedNode(run)
    node.start()
    asyncio.run(send(sender, rounds))
    begun, poisons = time.monotonic(), rounds * len(WAYS)
    wait_until_settled(run.store, EACH_SECONDS * poisons)
    seconds = time.monotonic() - begun
    node.stop()
    code, told = run.check()
    faults = isolated(run.store, poisons)
    shape = {"poisoned": poisons, "seconds": round(seconds, 1), "faults": faults}
    return with_shape(told, shape), code or (BROKEN if faults else HOLDS)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=1)
    asked = options.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="interop-F09-") as folder,
        site(Path(folder), ("relay", "archive")) as run,
    ):
        write_steps(run)
        run.plan(least=asked.rounds * len(WAYS) * (BESIDE + 1), fault="F09")
        told, code = run_poison(run, asked.rounds)
    print(told)
    return code


if __name__ == "__main__":
    sys.exit(main())
