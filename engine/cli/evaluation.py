"""Precision and recall of the patient index against known pairs."""

import csv
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.invocation import Exit, Stop
from engine.cli.output import Row

if TYPE_CHECKING:
    from engine.store.database import Database


@contextmanager
def fed(feed: Path, mode: str) -> "Iterator[Database]":
    """Open a store in a temporary folder that decided about every message of a feed.

    Nothing is mapped or sent: messages are parsed, their patients decided and written.
    """
    from engine.cli.loading import taken
    from engine.identity import Mode, Reading
    from engine.peers.sending import read_messages
    from engine.store.database import open_database
    from engine.store.patients import shipped

    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}", bytes(32), role="worker")
        messages, model = read_messages(feed), shipped(Mode(mode))
        for _ in taken(database, messages, model, Reading(), numbered=True):
            pass
        yield database
        database.close()


def score(truth: Path, exported: Sequence[Row]) -> Row:
    """Return pairwise precision, recall and F1 over the registrations of a truth file.

    Two registrations of one person are a pair. A registration without a line in the
    export counts as a person of its own.
    """
    with truth.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if rows and not {"control_id", "event", "person"} <= set(rows[0]):
        sentence = f"{truth} has no control_id, event and person"
        raise Stop(sentence, Exit.PROBLEMS, "interop generate -O DIR writes one")
    whose = {r["control_id"]: r["person"] for r in rows if r["event"] == "register"}
    found = {str(each["control_id"]): str(each["enterprise_id"]) for each in exported}
    assigned = {each: found.get(each, f"none {each}") for each in whose}
    true = _pairs(whose.values())
    claimed = _pairs(assigned.values())
    right = _pairs((whose[each], assigned[each]) for each in whose)
    precision = right / claimed if claimed else 1.0
    recall = right / true if true else 1.0
    both = precision + recall
    doubts = sum(each["outcome"] == "doubt" for each in exported)
    clusters: dict[str, set[str]] = {}
    for each, person in whose.items():
        clusters.setdefault(assigned[each], set()).add(person)
    return {
        "records": len(whose),
        "persons": len(set(whose.values())),
        "found_persons": len(clusters),
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "f1": round(2 * precision * recall / both, 4) if both else 0.0,
        "mixed_persons": sum(len(inside) > 1 for inside in clusters.values()),
        "wrong_pairs": claimed - right,
        "missed_pairs": true - right,
        "doubts_per_100": round(100 * doubts / len(whose), 2) if whose else 0.0,
        "unseen": sum(each not in found for each in whose),
    }


def _pairs(groups: Iterable[object]) -> int:
    return sum(n * (n - 1) // 2 for n in Counter(groups).values())
