"""Accounts at a glance, and what can be done about one.

Spec:
    console.md S14; cli.md 3 (user).
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from engine.store import accounts, factors, sessions
from engine.store.accounts import Account
from engine.store.audit import Order
from engine.store.database import Connection
from engine.store.seal import Sealer
from engine.store.sessions import Limits
from engine.store.tokens import Token

Deed = Callable[[Connection, Sealer, str, Order], object]
DEEDS: Final[Mapping[str, Deed]] = {
    "disable": accounts.disable,
    "enable": accounts.enable,
    "end-sessions": accounts.sign_out_everywhere,
    "reset-factors": factors.reset,
}


def stands(found: Account) -> str:
    """Return what an account may do as one text: a change of it is a change of this."""
    return " ".join([*sorted(found.grants), "for", *sorted(found.tags)])


def token_state(found: Token, now: datetime) -> str:
    """Return whether a token is in use, in words."""
    if found.revoked_at:
        return "revoked"
    return "expired" if found.expires_at <= now else "in use"


def rows(
    connection: Connection, limits: Limits, now: datetime
) -> list[dict[str, object]]:
    """Return one row for each account, by name."""
    living = sessions.living(connection, limits, now)
    has = factors.kinds(connection)
    found: list[dict[str, object]] = []
    for each in accounts.accounts(connection):
        its = [one for one in living if one.account.id == each.id]
        found.append(
            {
                "name": each.name,
                "state": "disabled" if each.disabled_at else "enabled",
                "roles": " ".join(sorted(each.grants)),
                "tags": " ".join(sorted(each.tags)),
                "factors": " ".join(sorted(has.get(each.id, ()))),
                "sessions": len(its),
                "external": each.external,
                "created_at": each.created_at,
                "last_seen": max((one.seen_at for one in its), default=None),
            }
        )
    return found
