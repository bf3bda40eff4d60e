"""What processes report of themselves, and what persons want of channels."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from engine.store import audit
from engine.store.audit import Act, Order
from engine.store.dialect import put
from engine.store.schema import read
from engine.store.seal import Sealer
from engine.store.tables import process, run_state
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
    put(
        connection,
        process,
        [asdict(sent)],
        replace=("pid", "started_at", "seen_at", "detail"),
    )


def reports(connection: Connection) -> list[Report]:
    """Return the latest report of every process."""
    statement = select(process).order_by(process.c.node, process.c.role, process.c.name)
    return [Report(*row) for row in connection.execute(statement)]


def set_run_state(
    connection: Connection,
    sealer: Sealer,
    place: tuple[str, str],
    state: RunState,
    order: Order,
) -> None:
    """Run, pause or stop (channel, destination); ``""`` means the whole channel."""
    wanted = Wanted(*place, state, order.reason, order.actor, order.now)
    put(
        connection,
        run_state,
        [asdict(wanted)],
        replace=("state", "note", "changed_by", "changed_at"),
    )
    subject = f"channel {'/'.join(filter(None, place))}"
    audit.write(
        connection,
        sealer,
        [Act(order.now, order.actor, f"channel.{state}", subject, order.reason)],
    )


def run_states(connection: Connection) -> dict[tuple[str, str], Wanted]:
    """Return what is wanted of each (channel, destination); absent ones run."""
    rows = connection.execute(select(run_state))
    return {
        (row.channel, row.destination): read(
            Wanted, Wanted.__slots__, row, state=RunState(row.state)
        )
        for row in rows
    }
