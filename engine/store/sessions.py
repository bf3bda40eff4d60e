"""Who is signed in at the console.

The browser holds 256 random bits, the store their hash.

Spec:
    security.md S08 and S12; console.md 8 (session warning).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from engine.store import audit
from engine.store.access_tables import account, session
from engine.store.accounts import Account, read_account
from engine.store.audit import Act, Order
from engine.store.counters import reserve
from engine.store.schema import Found
from engine.store.seal import Sealer
from engine.store.secrets_at_rest import hashed, new_secret

_TOUCH: Final = timedelta(minutes=1)
"""A session in use is noted at most once in this time."""


@dataclass(frozen=True, slots=True)
class Session:
    """One browser of somebody; ``proved_at`` is when they last proved who they are.

    ``viewed_as`` is a role whose view is looked at, ``masked`` hides patients from
    whoever looks over a shoulder, ``glass_until`` ends emergency access.
    """

    id: int
    account: Account
    means: str
    address: str
    began_at: datetime
    seen_at: datetime
    proved_at: datetime
    expires_at: datetime
    viewed_as: str = ""
    masked: bool = False
    glass_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session lasts unused, and at most."""

    idle: timedelta
    longest: timedelta


@dataclass(frozen=True, slots=True)
class Arrival:
    """How somebody came in: by which means, from where, when."""

    means: str
    address: str
    now: datetime


_ROWS: Final = select(session, *(c.label(f"of_{c.name}") for c in account.c)).join(
    account, account.c.id == session.c.account
)
_LIVING: Final = _ROWS.where(
    session.c.expires_at > bindparam("now"),
    session.c.seen_at > bindparam("since"),
    account.c.disabled_at.is_(None),
)
_HOLDER: Final = _LIVING.where(session.c.hash == bindparam("digest"))
_OF_ACCOUNT: Final = _LIVING.order_by(session.c.seen_at.desc())
_WITH_GLASS: Final = (
    select(account.c.name)
    .join(session, session.c.account == account.c.id)
    .where(
        session.c.glass_until > bindparam("now"),
        session.c.expires_at > bindparam("now"),
        account.c.disabled_at.is_(None),
    )
    .order_by(account.c.name)
)
_SEEN: Final = (
    update(session)
    .where(session.c.hash == bindparam("digest"))
    .values(seen_at=bindparam("now"))
)
_END: Final = delete(session).where(session.c.hash == bindparam("digest"))
_OVER: Final = delete(session).where(session.c.expires_at <= bindparam("now"))


def begin(
    connection: Connection,
    sealer: Sealer,
    whose: Account,
    limits: Limits,
    arrival: Arrival,
) -> str:
    """Sign somebody in who has proved who they are; return what the browser holds."""
    now = arrival.now
    connection.execute(_OVER, {"now": now})
    held = new_secret()
    [number] = reserve(connection, "session", 1)
    row = {
        "hash": hashed(held),
        "id": number,
        "account": whose.id,
        "means": arrival.means,
        "address": arrival.address,
        "began_at": now,
        "seen_at": now,
        "proved_at": now,
        "expires_at": now + limits.longest,
    }
    connection.execute(insert(session), row)
    detail = f"{arrival.means} from {arrival.address}"
    act = Act(now, whose.name, "sign-in", f"user {whose.name}", detail)
    audit.write(connection, sealer, [act])
    return held


def holder(
    connection: Connection, held: str, limits: Limits, now: datetime
) -> tuple[Session, bool] | None:
    """Return whose session this is, and whether its use should be noted by `touch`."""
    asked = {"digest": hashed(held), "now": now, "since": now - limits.idle}
    row = connection.execute(_HOLDER, asked).one_or_none()
    if row is None:
        return None
    found = _read(row)
    return found, now - found.seen_at > _TOUCH


def living(connection: Connection, limits: Limits, now: datetime) -> list[Session]:
    """Return every session in use, the latest first."""
    asked = {"now": now, "since": now - limits.idle}
    return [_read(row) for row in connection.execute(_OF_ACCOUNT, asked)]


def emergencies(connection: Connection, limits: Limits, now: datetime) -> list[Session]:
    """Return the sessions that have emergency access now."""
    found = living(connection, limits, now)
    return [each for each in found if each.glass_until and each.glass_until > now]


def with_glass(connection: Connection, now: datetime) -> list[str]:
    """Return the names of who has emergency access now, each once."""
    found = connection.execute(_WITH_GLASS, {"now": now})
    return list(dict.fromkeys(found.scalars()))


def touch(connection: Connection, held: str, now: datetime) -> None:
    """Note that a session was used now."""
    connection.execute(_SEEN, {"digest": hashed(held), "now": now})


def end(connection: Connection, sealer: Sealer, held: str, order: Order) -> None:
    """End a session now."""
    if connection.execute(_END, {"digest": hashed(held)}).rowcount:
        act = Act(order.now, order.actor, "sign-out", f"user {order.actor}")
        audit.write(connection, sealer, [act])


def end_others(
    connection: Connection, sealer: Sealer, found: Session, order: Order
) -> None:
    """End the sessions of an account but this one."""
    others = (session.c.account == found.account.id, session.c.id != found.id)
    connection.execute(delete(session).where(*others))
    _write(connection, sealer, "user.end-sessions", found, order)


def prove(connection: Connection, number: int, now: datetime) -> None:
    """Note that the holder has just proved again who they are."""
    _change(connection, number, proved_at=now)


def mask(
    connection: Connection, sealer: Sealer, found: Session, order: Order, *, on: bool
) -> None:
    """Hide patient data from this session, or no longer."""
    _change(connection, found.id, masked=int(on))
    action = "mask.on" if on else "mask.off"
    _write(connection, sealer, action, found, order)


def view_as(
    connection: Connection, sealer: Sealer, found: Session, role: str, order: Order
) -> None:
    """Look at the console as a role does; ``""`` ends it."""
    _change(connection, found.id, viewed_as=role)
    action = f"view-as.{role or 'oneself'}"
    _write(connection, sealer, action, found, order)


def break_glass(
    connection: Connection,
    sealer: Sealer,
    found: Session,
    until: datetime,
    order: Order,
) -> None:
    """Show patient data to this session until then; the reason is written first."""
    _write(connection, sealer, "break-glass", found, order)
    _change(connection, found.id, glass_until=until, masked=0)


def mend_glass(
    connection: Connection, sealer: Sealer, found: Session, order: Order
) -> None:
    """End emergency access before its time."""
    _change(connection, found.id, glass_until=None)
    _write(connection, sealer, "break-glass.end", found, order)


def _change(connection: Connection, number: int, **values: object) -> None:
    connection.execute(update(session).where(session.c.id == number).values(**values))


def _write(
    connection: Connection, sealer: Sealer, action: str, found: Session, order: Order
) -> None:
    subject = f"user {found.account.name}"
    act = Act(order.now, order.actor, action, subject, order.reason)
    audit.write(connection, sealer, [act])


def _read(row: Found) -> Session:
    return Session(
        row.id,
        read_account(row, "of_"),
        row.means,
        row.address,
        row.began_at,
        row.seen_at,
        row.proved_at,
        row.expires_at,
        row.viewed_as,
        bool(row.masked),
        row.glass_until,
    )
