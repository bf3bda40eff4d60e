"""Lanes that follow one another after a change of membership: nothing overtakes.

A delivery of the one lane waits for older ones of the other. Deliveries are ordered by
number, so two lanes may follow one another both ways and never stand still.

Spec:
    identity.md 8, "The lanes of merged persons join without overtaking".
"""

from typing import Final

from sqlalchemy import ColumnElement, Connection, bindparam, delete, exists, select

from engine.store.dialect import put
from engine.store.seal import Sealer
from engine.store.tables import lane, lane_join

_before = lane.alias("before")
_IS_WORKING: Final = select(lane.c.id).where(lane.c.id == bindparam("lane"))
_OVER: Final = delete(lane_join).where(
    ~exists().where(
        _before.c.id == lane_join.c.after_id, _before.c.head_id <= lane_join.c.until_id
    )
)


def waits() -> ColumnElement[bool]:
    """Return whether a lane's head waits for an older one of a lane it follows."""
    return exists().where(
        lane_join.c.lane_id == lane.c.id,
        _before.c.id == lane_join.c.after_id,
        _before.c.head_id <= lane_join.c.until_id,
        _before.c.head_id < lane.c.head_id,
    )


def lane_of(sealer: Sealer, channel: str, destination: str, order_key: str) -> int:
    """Return the number of a lane."""
    return sealer.blind_number(f"lane|{channel}|{destination}|{order_key}")


def join(
    connection: Connection,
    sealer: Sealer,
    place: tuple[str, str],
    persons: tuple[str, str],
    until: int,
) -> None:
    """Let the second person's lane follow the first one's, up to a delivery.

    It concerns lanes ordered by person; without undelivered work there is nothing to
    follow.
    """
    before, after = (lane_of(sealer, *place, each) for each in persons)
    if connection.execute(_IS_WORKING, {"lane": before}).first() is not None:
        row: dict[str, object] = {
            "lane_id": after,
            "after_id": before,
            "until_id": until,
        }
        put(connection, lane_join, [row], replace=("until_id",))


def forget(connection: Connection) -> None:
    """Take away what is over: the lanes that were followed are past it."""
    connection.execute(_OVER)
