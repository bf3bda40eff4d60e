"""Incidents, what is said of them to whom, and windows in which nothing is said."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, or_, select, update

from engine.store import audit
from engine.store.audit import Act, Order
from engine.store.counters import reserve
from engine.store.dialect import put
from engine.store.schema import Found, read
from engine.store.seal import Sealer
from engine.store.watch_tables import incident, maintenance, notice


@dataclass(frozen=True, slots=True)
class Incident:
    """One trouble from when it was first seen until it ended.

    ``key`` tells what it is about; ``opened_at`` is None while it is not certain yet.
    ``parts`` is how many rules found it at once, ``notify`` whom it concerns.
    """

    key: str
    kind: str
    channel: str
    place: str
    severity: str
    sentence: str
    notify: tuple[str, ...]
    parts: int
    after_seconds: int
    begun_at: datetime
    held_at: datetime
    opened_at: datetime | None = None
    ended_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    note: str = ""
    snoozed_until: datetime | None = None
    id: int = 0


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to be told one contact of an incident; ``told`` is what: ``begins``.

    ``state`` is queued, sent or failed; ``trouble`` says which targets refused.
    """

    incident: int
    told: str
    contact: str
    sentence: str
    severity: str
    due_at: datetime
    state: str = "queued"
    tries: int = 0
    trouble: str = ""
    sent_at: datetime | None = None
    id: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which nothing is said of a channel; of ``""``: of none."""

    channel: str
    begins_at: datetime
    ends_at: datetime
    author: str
    reason: str = ""
    id: int = 0


_CHANGES: Final = (
    *("severity", "sentence", "notify", "parts", "held_at", "opened_at", "ended_at"),
    "snoozed_until",
)
_FORGET: Final = delete(incident).where(
    incident.c.opened_at.is_(None), incident.c.ended_at.is_not(None)
)


def unfinished(connection: Connection) -> list[Incident]:
    """Return the incidents that have not ended, uncertain ones among them."""
    statement = select(incident).where(incident.c.ended_at.is_(None))
    return _incidents(connection.execute(statement.order_by(incident.c.id)))


def open_incidents(connection: Connection) -> list[Incident]:
    """Return the open incidents, the gravest first, then the oldest."""
    statement = select(incident).where(
        incident.c.ended_at.is_(None), incident.c.opened_at.is_not(None)
    )
    return _incidents(
        connection.execute(statement.order_by(incident.c.severity, incident.c.id))
    )


def ended_incidents(connection: Connection, limit: int = 100) -> list[Incident]:
    """Return the incidents that are over, the latest first."""
    statement = (
        select(incident)
        .where(incident.c.ended_at.is_not(None), incident.c.opened_at.is_not(None))
        .order_by(incident.c.ended_at.desc())
        .limit(limit)
    )
    return _incidents(connection.execute(statement))


def find(connection: Connection, number: int) -> Incident | None:
    """Return one incident."""
    statement = select(incident).where(incident.c.id == number)
    return next(iter(_incidents(connection.execute(statement))), None)


def _incidents(rows: Iterable[Found]) -> list[Incident]:
    return [
        read(Incident, Incident.__slots__, row, notify=tuple(row.notify.split()))
        for row in rows
    ]


def keep(connection: Connection, changed: Sequence[Incident]) -> list[int]:
    """Write incidents as they stand now; return their numbers, new ones given.

    Those that never opened are forgotten when they end.
    """
    ids = iter(reserve(connection, "incident", sum(not each.id for each in changed)))
    numbers = [each.id or next(ids) for each in changed]
    rows: list[dict[str, object]] = [
        {**asdict(each), "id": number, "notify": " ".join(each.notify)}
        for each, number in zip(changed, numbers, strict=True)
    ]
    put(connection, incident, rows, replace=_CHANGES)
    if changed:
        connection.execute(_FORGET)
    return numbers


def acknowledge(
    connection: Connection, sealer: Sealer, number: int, order: Order
) -> bool:
    """Note that somebody sees to an incident; False where it is over or unknown."""
    values = {
        "acknowledged_at": order.now,
        "acknowledged_by": order.actor,
        "note": order.reason,
    }
    return _change(connection, sealer, number, "acknowledge", values, order)


def snooze(
    connection: Connection, sealer: Sealer, number: int, until: datetime, order: Order
) -> bool:
    """Say nothing of an incident until then; False where it is over or unknown."""
    return _change(
        connection, sealer, number, "snooze", {"snoozed_until": until}, order
    )


def escalate(
    connection: Connection, sealer: Sealer, number: int, contact: str, order: Order
) -> bool:
    """Have one more contact told of an incident, now and when it ends.

    False where it is over or unknown.
    """
    found = find(connection, number)
    if found is None:
        return False
    values: dict[str, object] = {
        "notify": " ".join(dict.fromkeys((*found.notify, contact)))
    }
    said = replace(order, reason=": ".join(filter(None, (contact, order.reason))))
    if not _change(connection, sealer, number, "escalate", values, said):
        return False
    notice = Notice(
        number, "begins", contact, found.sentence, found.severity, order.now
    )
    queue_notices(connection, [notice])
    return True


def _change(
    connection: Connection,
    sealer: Sealer,
    number: int,
    move: str,
    values: dict[str, object],
    order: Order,
) -> bool:
    statement = (
        update(incident)
        .where(
            incident.c.id == number,
            incident.c.opened_at.is_not(None),
            incident.c.ended_at.is_(None),
        )
        .values(values)
    )
    if connection.execute(statement).rowcount == 0:
        return False
    subject = f"incident {number}"
    act = Act(order.now, order.actor, f"incident.{move}", subject, order.reason)
    audit.write(connection, sealer, [act])
    return True


# ---- notices


def trial_notice(contact: str, now: datetime) -> Notice:
    """Return a notice of nothing: to see whether a contact is reached."""
    return Notice(0, "test", contact, "this is a test", "warning", now)


def queue_notices(connection: Connection, notices: Sequence[Notice]) -> None:
    """Have contacts told, in the transaction that changes the incident."""
    ids = reserve(connection, "notice", len(notices))
    rows: list[dict[str, object]] = [
        {**asdict(each), "id": number}
        for each, number in zip(notices, ids, strict=True)
    ]
    put(connection, notice, rows)


_DUE: Final = (
    select(notice)
    .where(notice.c.state == "queued", notice.c.due_at <= bindparam("now"))
    .order_by(notice.c.id)
    .limit(50)
)


def due_notices(connection: Connection, now: datetime) -> list[Notice]:
    """Return what is to be said now."""
    return _notices(connection.execute(_DUE, {"now": now}))


def recent_notices(connection: Connection, limit: int = 50) -> list[Notice]:
    """Return the latest notices."""
    statement = select(notice).order_by(notice.c.id.desc()).limit(limit)
    return _notices(connection.execute(statement))


def refused_notices(connection: Connection) -> list[Notice]:
    """Return the notices that no target, or not the first, has taken so far."""
    statement = select(notice).where(
        or_(notice.c.state == "failed", notice.c.state == "queued"),
        notice.c.trouble != "",
    )
    return _notices(
        connection.execute(statement.order_by(notice.c.id.desc()).limit(20))
    )


def _notices(rows: Iterable[Found]) -> list[Notice]:
    return [read(Notice, Notice.__slots__, row) for row in rows]


def settle_notice(connection: Connection, one: Notice) -> None:
    """Write how an attempt to tell somebody ended."""
    changes = ("state", "tries", "trouble", "sent_at", "due_at")
    put(connection, notice, [asdict(one)], replace=changes)


# ---- maintenance windows


def add_window(
    connection: Connection, sealer: Sealer, new: Window, now: datetime
) -> int:
    """Say nothing in a window of time; return its number."""
    [number] = reserve(connection, "maintenance", 1)
    put(connection, maintenance, [{**asdict(new), "id": number}])
    subject = f"channel {new.channel}" if new.channel else "every channel"
    act = Act(now, new.author, "maintenance.add", subject, new.reason)
    audit.write(connection, sealer, [act])
    return number


def end_window(
    connection: Connection, sealer: Sealer, number: int, order: Order
) -> bool:
    """Let a window end now; False where it is over or unknown."""
    statement = (
        update(maintenance)
        .where(maintenance.c.id == number, maintenance.c.ends_at > order.now)
        .values(ends_at=order.now)
    )
    if connection.execute(statement).rowcount == 0:
        return False
    subject = f"maintenance window {number}"
    act = Act(order.now, order.actor, "maintenance.end", subject, order.reason)
    audit.write(connection, sealer, [act])
    return True


def windows(connection: Connection, now: datetime) -> list[Window]:
    """Return the windows that are open or yet to come."""
    statement = select(maintenance).where(maintenance.c.ends_at > now)
    rows = connection.execute(statement.order_by(maintenance.c.begins_at))
    return [read(Window, Window.__slots__, row) for row in rows]
