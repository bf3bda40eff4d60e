"""When channels rested: what the audit trail tells of their pauses."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, literal_column, select

from engine.store.schema import EPOCH
from engine.store.tables import audit
from engine.store.words import RunState

Rest = tuple[datetime, datetime]
MOST: Final = 10_000
"""Moves looked at, the latest: of what was before them nothing is known."""

_MOVES: Final = (
    select(audit.c.subject, audit.c.action, audit.c.at)
    .where(audit.c.action.in_([literal_column(f"'channel.{one}'") for one in RunState]))
    .order_by(audit.c.id.desc())
    .limit(MOST)
)
"""In the words of its partial index."""

_RUNS: Final = f"channel.{RunState.RUNNING}"


def rests(
    connection: Connection, channels: Mapping[str, bool], until: datetime
) -> dict[str, list[Rest]]:
    """Return when each channel was paused or stopped, from when to when.

    With a channel comes whether it runs where nobody has ever said anything. What
    rests still, does so to ``until``.
    """
    moves: dict[str, list[tuple[str, datetime]]] = {}
    for subject, action, at in reversed(connection.execute(_MOVES).all()):
        moves.setdefault(subject, []).append((action, at))
    return {
        name: _rests(moves.get(f"channel {name}", []), until, runs=runs)
        for name, runs in channels.items()
    }


def _rests(
    moves: list[tuple[str, datetime]], until: datetime, *, runs: bool
) -> list[Rest]:
    found: list[Rest] = []
    rested = None if runs else EPOCH
    for action, at in moves:
        if action != _RUNS:
            rested = rested or at
        elif rested is not None:
            found.append((rested, at))
            rested = None
    return found if rested is None else [*found, (rested, until)]
