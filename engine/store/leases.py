"""Who owns what, until when: one row for each owned thing, fenced by an epoch."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from engine.store.dialect import put
from engine.store.schema import EPOCH
from engine.store.tables import lease as leases


@dataclass(frozen=True, slots=True)
class Lease:
    """A hold on ``name``; its epoch grows by one with every change of hands."""

    name: str
    owner: str
    epoch: int


_FOUND: Final = (
    select(leases).where(leases.c.name == bindparam("lease")).with_for_update()
)
_OURS: Final = (
    leases.c.name == bindparam("lease"),
    leases.c.owner == bindparam("holder"),
    leases.c.epoch == bindparam("at_epoch"),
)
_LENGTHEN: Final = update(leases).where(*_OURS).values(until=bindparam("new_until"))
_HELD: Final = select(leases.c.epoch).where(*_OURS).with_for_update()


def acquire(
    connection: Connection, name: str, owner: str, now: datetime, until: datetime
) -> Lease | None:
    """Take a lease that is free, ended, or ours; None while another owner holds it."""
    free: dict[str, object] = {"name": name, "owner": "", "epoch": 0, "until": EPOCH}
    put(connection, leases, [free])
    found = connection.execute(_FOUND, {"lease": name}).one()
    if found.owner not in ("", owner) and found.until > now:
        return None
    epoch = found.epoch if found.owner == owner else found.epoch + 1
    taken: dict[str, object] = {
        "name": name,
        "owner": owner,
        "epoch": epoch,
        "until": until,
    }
    put(connection, leases, [taken], replace=("owner", "epoch", "until"))
    return Lease(name, owner, epoch)


def renew(connection: Connection, lease: Lease, until: datetime) -> bool:
    """Lengthen a lease; False when it is not ours any more."""
    found = connection.execute(_LENGTHEN, _named(lease) | {"new_until": until})
    return found.rowcount == 1


def give_back(connection: Connection, lease: Lease) -> None:
    """End a lease that is still ours."""
    connection.execute(_LENGTHEN, _named(lease) | {"new_until": EPOCH})


def is_held(connection: Connection, lease: Lease) -> bool:
    """Tell whether the lease is still this owner's, and keep it so in this step."""
    return connection.execute(_HELD, _named(lease)).one_or_none() is not None


def _named(lease: Lease) -> dict[str, object]:
    return {"lease": lease.name, "holder": lease.owner, "at_epoch": lease.epoch}
