"""One-time codes: the first way in, and the way back in when a factor is lost.

Spec:
    security.md S03.
"""

from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select

from engine.store import accounts, audit
from engine.store.access_tables import account, invitation
from engine.store.accounts import Account
from engine.store.audit import Act, Order
from engine.store.seal import Sealer
from engine.store.secrets_at_rest import hashed, new_secret


class Invited(NamedTuple):
    """Who holds a code, and whether it leads to a new password or straight in."""

    account: Account
    enrols: bool


_INVITED: Final = (
    select(account, invitation.c.enrols)
    .join(invitation, invitation.c.account == account.c.id)
    .where(
        invitation.c.hash == bindparam("digest"),
        invitation.c.expires_at > bindparam("now"),
        account.c.disabled_at.is_(None),
    )
)
_USED: Final = delete(invitation).where(invitation.c.hash == bindparam("digest"))
_OVER: Final = delete(invitation).where(invitation.c.expires_at <= bindparam("now"))
_OF_ACCOUNT: Final = delete(invitation).where(
    invitation.c.account == bindparam("whose")
)


def invite(
    connection: Connection,
    sealer: Sealer,
    name: str,
    expires_at: datetime,
    order: Order,
    *,
    enrols: bool = True,
) -> str:
    """Return a code for an account, to be shown this once; earlier ones end.

    Raises:
        IllegalTransitionError: there is no such account.
    """
    whose = accounts.expect(connection, name)
    connection.execute(_OF_ACCOUNT, {"whose": whose.id})
    secret = new_secret()
    row = {
        "hash": hashed(secret),
        "account": whose.id,
        "enrols": int(enrols),
        "expires_at": expires_at,
    }
    connection.execute(insert(invitation), row)
    action = "user.invite" if enrols else "user.code"
    act = Act(order.now, order.actor, action, f"user {name}", order.reason)
    audit.write(connection, sealer, [act])
    return secret


def invited(connection: Connection, secret: str, now: datetime) -> Invited | None:
    """Return who holds this code, without using it up; None when it is none."""
    asked = {"digest": hashed(secret), "now": now}
    row = connection.execute(_INVITED, asked).one_or_none()
    if row is None:
        return None
    return Invited(accounts.read_account(row), bool(row.enrols))


def use(connection: Connection, secret: str, now: datetime) -> Invited | None:
    """Use up a code; return who held it."""
    found = invited(connection, secret, now)
    connection.execute(_OVER, {"now": now})
    used = connection.execute(_USED, {"digest": hashed(secret)}).rowcount
    return found if used else None
