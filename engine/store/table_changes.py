"""The history of code tables: what was changed, proposed, agreed to, and by whom.

Spec:
    channel-format.md 7 (approval); console.md S10.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson
from sqlalchemy import Connection, bindparam, insert, select, update

from engine.errors import IllegalTransitionError
from engine.store import audit
from engine.store.audit import Act, Order
from engine.store.counters import reserve
from engine.store.schema import Found
from engine.store.seal import Sealer
from engine.store.table_tables import table_change

PROPOSED: Final = "proposed"
SAVED: Final = "saved"
REFUSED: Final = "refused"

Values = Mapping[str, str]
Rows = Sequence[tuple[Values | None, Values | None]]
"""Rows before and after."""


@dataclass(frozen=True, slots=True)
class TableChange:
    """One change of a table: ``state`` is proposed, saved or refused.

    ``version`` is the table's afterwards, empty until it was saved.
    """

    id: int
    table: str
    at: datetime
    actor: str
    state: str
    decided_by: str
    version: str
    reason: str
    rows: Rows


_INSERT: Final = insert(table_change)
_HISTORY: Final = (
    select(table_change)
    .where(table_change.c.table_name == bindparam("asked"))
    .order_by(table_change.c.id.desc())
    .limit(bindparam("most"))
)
_ONE: Final = (
    select(table_change)
    .where(table_change.c.id == bindparam("asked"))
    .with_for_update()
)
_OPEN: Final = (
    select(table_change)
    .where(table_change.c.state == PROPOSED)
    .order_by(table_change.c.id)
)
_SETTLE: Final = (
    update(table_change)
    .where(table_change.c.id == bindparam("asked"))
    .values(
        state=bindparam("becomes"),
        decided_by=bindparam("by"),
        version=bindparam("is_now"),
    )
)


def record(
    connection: Connection,
    sealer: Sealer,
    table: str,
    rows: Rows,
    order: Order,
    *,
    version: str = "",
) -> int:
    """Keep a change that was saved; without a ``version``, one that is proposed."""
    [number] = reserve(connection, "table_change", 1)
    content = orjson.dumps([order.reason, rows])
    state = SAVED if version else PROPOSED
    row: dict[str, object] = {
        "id": number,
        "table_name": table,
        "at": order.now,
        "actor": order.actor,
        "state": state,
        "decided_by": "",
        "version": version,
        "content": sealer.seal(content, f"table_change|{number}|"),
    }
    connection.execute(_INSERT, row)
    _audited(connection, sealer, table, state, order)
    return number


def settle(
    connection: Connection, sealer: Sealer, number: int, order: Order, version: str
) -> None:
    """Note that a proposed change was saved under a version, or refused without one.

    Raises:
        IllegalTransitionError: it was settled already.
    """
    found = proposed(connection, sealer, number)
    becomes = SAVED if version else REFUSED
    where = {"asked": number, "becomes": becomes, "by": order.actor, "is_now": version}
    connection.execute(_SETTLE, where)
    _audited(connection, sealer, found.table, becomes, order)


def proposed(connection: Connection, sealer: Sealer, number: int) -> TableChange:
    """Return a change that waits for a second person.

    Raises:
        IllegalTransitionError: there is none of this number, or it was settled already.
    """
    row = connection.execute(_ONE, {"asked": number}).one_or_none()
    if row is None:
        raise IllegalTransitionError(f"there is no table change {number}")
    if row.state != PROPOSED:
        sentence = f"table change {number} is {row.state} already, by {row.decided_by}"
        raise IllegalTransitionError(sentence)
    return _change(sealer, row)


def waiting(connection: Connection, sealer: Sealer) -> list[TableChange]:
    """Return the changes of all tables that wait for a second person, oldest first."""
    return [_change(sealer, row) for row in connection.execute(_OPEN)]


def history(
    connection: Connection, sealer: Sealer, table: str, most: int = 100
) -> list[TableChange]:
    """Return the changes of a table, newest first."""
    rows = connection.execute(_HISTORY, {"asked": table, "most": most})
    return [_change(sealer, row) for row in rows]


def _change(sealer: Sealer, row: Found) -> TableChange:
    reason, rows = orjson.loads(sealer.open(row.content, f"table_change|{row.id}|"))
    pairs = [(before, after) for before, after in rows]
    place = (row.id, row.table_name, row.at, row.actor, row.state, row.decided_by)
    return TableChange(*place, row.version, reason, pairs)


def _audited(
    connection: Connection, sealer: Sealer, table: str, what: str, order: Order
) -> None:
    act = Act(order.now, order.actor, f"table.{what}", f"table {table}", order.reason)
    audit.write(connection, sealer, [act])
