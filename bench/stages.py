"""CPU of a worker by stage, in one process, on the measured configuration.

    python bench/stages.py [MESSAGES]

Prints one JSON object: microseconds for each message, and the budgets of the design.
The functions of the stages are wrapped with clocks; nothing else is changed.
"""

import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import process_time

from engine.channels import worker
from engine.channels.collector import Collector
from engine.channels.format.load import load_site
from engine.channels.processing import finish, prepare
from engine.channels.processing.assemble import lines_of
from engine.channels.processing.store_view import StoreView
from engine.peers.load import admissions
from engine.store import journal
from engine.store.database import Database, open_database
from engine.store.journal import Arrival

CONFIG = Path(__file__).with_name("config")
BUDGETS = {
    "journal": 110,
    "claim": 15,
    "parse": 20,
    "filter and edit": 30,
    "map": 70,
    "identify": 80,
    "update": 40,
    "render": 25,
    "record": 60,
}
SPENT: defaultdict[str, float] = defaultdict(float)
"""Stage to CPU seconds."""


def clocked(module: object, name: str, stage: str) -> None:
    """Let a function of a module add its CPU time to a stage."""
    function: Callable[..., object] = getattr(module, name)

    def run(*given: object, **named: object) -> object:
        began = process_time()
        try:
            return function(*given, **named)
        finally:
            SPENT[stage] += process_time() - began

    setattr(module, name, run)


def measure(messages: int, folder: str) -> dict[str, float]:
    """Return microseconds for each message by stage."""
    site = load_site(CONFIG, None, {})
    edge = open_database(f"sqlite:///{folder}", bytes(32), role="edge")
    engine = open_database(f"sqlite:///{folder}", bytes(32), role="worker")
    for module, name, stage in (
        (prepare, "parse", "parse"),
        (prepare, "rule_against", "filter and edit"),
        (prepare, "run_steps", "filter and edit"),
        (prepare, "map_message", "map"),
        (finish, "identify", "identify"),
        (worker, "apply", "identify"),
        (StoreView, "fetch", "look up what is known"),
        (finish, "latest", "update"),
        (StoreView, "remember", "update"),
        (finish, "render", "render"),
        (finish, "outcome", "report"),
        (worker.claims, "claim", "claim"),
        (worker.results, "record", "record"),
    ):
        clocked(module, name, stage)
    accept(edge, messages)
    working = worker.Worker(engine, lines_of(site), lambda: datetime.now(UTC))  # noqa: TID251 - a script
    collector = Collector()
    began = process_time()
    while working.turn():
        collector.after_batch()
    SPENT["worker, all of it"] = process_time() - began
    return {stage: round(spent / messages * 1e6, 1) for stage, spent in SPENT.items()}


def accept(edge: Database, messages: int) -> None:
    """Journal messages in groups of 32, as 32 connections would."""
    clocked(journal, "append", "journal")
    now = datetime.now(UTC)  # noqa: TID251 - a script
    made = list(enumerate(admissions(0, messages, "S")))
    for first in range(0, messages, 32):
        arrivals = [
            Arrival(
                "bench-adt",
                "bench",
                "bench",
                now,
                data,
                control_id=f"S{number:07d}",
                message_type="ADT",
                trigger_event="A01",
                dedupe_key=f"bench|{number}",
                content_hash=bytes(32),
            )
            for number, data in made[first : first + 32]
        ]
        with edge.journal() as connection:
            journal.append(connection, edge.sealer, arrivals)


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with tempfile.TemporaryDirectory(prefix="interop-stages-") as place:
        spent = measure(count, place)
    print(json.dumps({"messages": count, "us": spent, "budget_us": BUDGETS}))
