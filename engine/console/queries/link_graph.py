"""A person's records and who they were with before, as a drawing.

The table of link events beside it says the same.

Spec:
    console.md S7 (Links: graph and table).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engine.identity.person import LinkEvent
from engine.store.patient_views import PersonView

STEP: Final = 56
MOST: Final = 30
"""More records or persons than this are not drawn; the table has them all."""


@dataclass(frozen=True, slots=True)
class Node:
    """A record or a person: its name, what stands below it, and how high it is."""

    name: str
    says: str
    y: float


@dataclass(frozen=True, slots=True)
class Edge:
    """What joined, or parted, a person here and another one."""

    name: str
    y: float


@dataclass(frozen=True, slots=True)
class Graph:
    """Records to the left, this person in the middle, others to the right.

    ``edges`` belong to ``others``, one each. ``left_out`` is how many were not drawn.
    """

    person: Node
    records: tuple[Node, ...]
    others: tuple[Node, ...]
    edges: tuple[Edge, ...]
    height: int
    left_out: int = 0


def link_graph(found: PersonView, events: Sequence[LinkEvent]) -> Graph:
    """Return the drawing of one person's links."""
    about = {found.eid: ""} | dict.fromkeys(found.retired, "retired")
    told = _told(found, events)
    others = [eid for eid in told if eid != found.eid][:MOST]
    records = found.records[:MOST]
    height = max(len(records), len(others), 1) * STEP
    left_out = len(found.records) - len(records) + len(told) - len(others)
    return Graph(
        Node(found.eid, _counted(len(found.records)), height / 2),
        tuple(
            Node(f"record {each.record}", each.authority, y)
            for each, y in zip(records, _heights(len(records), height), strict=True)
        ),
        tuple(
            Node(eid, about.get(eid, "another person"), y)
            for eid, y in zip(others, _heights(len(others), height), strict=True)
        ),
        tuple(
            Edge(told[eid], (y + height / 2) / 2)
            for eid, y in zip(others, _heights(len(others), height), strict=True)
        ),
        height,
        left_out,
    )


def _told(found: PersonView, events: Sequence[LinkEvent]) -> dict[str, str]:
    """Return the last event between this person and each other one, in words."""
    told = dict.fromkeys(found.retired, "merge")
    for each in events:
        for eid in (each.source, each.target):
            if eid and eid != found.eid:
                told[eid] = f"{each.kind} {each.number}"
    return told


def _heights(count: int, height: int) -> list[float]:
    return [height * (at + 0.5) / count for at in range(count)]


def _counted(records: int) -> str:
    return "1 record" if records == 1 else f"{records} records"
