"""What processes report of themselves, and what persons want of channels."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from engine.store.deliveries import Order
from engine.store.seal import Sealer
from engine.store.words import RunState


@dataclass(frozen=True, slots=True)
class Report:
    """One process of one node, alive at ``seen_at``; ``detail`` is JSON without PHI."""

    node: str
    role: str
    name: str
    pid: int
    started_at: datetime
    seen_at: datetime
    detail: str = "{}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The wanted state of a channel, or of one destination of it."""

    channel: str
    destination: str
    state: RunState
    note: str
    changed_by: str
    changed_at: datetime


def report(connection: Connection, sent: Report) -> None:
    """Keep the latest report of a process."""
    raise NotImplementedError


def reports(connection: Connection) -> list[Report]:
    """Return the latest report of every process."""
    raise NotImplementedError


def set_run_state(
    connection: Connection,
    sealer: Sealer,
    place: tuple[str, str],
    state: RunState,
    order: Order,
) -> None:
    """Run, pause or stop (channel, destination); ``""`` means the whole channel."""
    raise NotImplementedError


def run_states(connection: Connection) -> dict[tuple[str, str], Wanted]:
    """Return what is wanted of each (channel, destination); absent ones run."""
    raise NotImplementedError
