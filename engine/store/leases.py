"""Who owns what, until when: one row for each owned thing, fenced by an epoch."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Lease:
    """A hold on ``name``; its epoch grows by one with every change of hands."""

    name: str
    owner: str
    epoch: int


def acquire(
    connection: Connection, name: str, owner: str, now: datetime, until: datetime
) -> Lease | None:
    """Take a lease that is free, ended, or ours; None while another owner holds it."""
    raise NotImplementedError


def renew(connection: Connection, lease: Lease, until: datetime) -> bool:
    """Lengthen a lease; False when it is not ours any more."""
    raise NotImplementedError


def give_back(connection: Connection, lease: Lease) -> None:
    """End a lease that is still ours."""
    raise NotImplementedError


def is_held(connection: Connection, lease: Lease) -> bool:
    """Tell whether the lease is still this owner's, and keep it so in this step."""
    raise NotImplementedError
