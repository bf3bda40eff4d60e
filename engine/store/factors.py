"""What people have beside a password: one-time passwords, passkeys, recovery codes.

Spec:
    security.md S05.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from engine.store import accounts, audit
from engine.store.access_tables import factor
from engine.store.accounts import Account
from engine.store.audit import Act, Order
from engine.store.counters import reserve
from engine.store.schema import Found
from engine.store.seal import Sealer
from engine.store.words import FactorKind

RECOVERY_CODES: Final = 10
NEVER: Final = -1
"""``used`` before the first use: a passkey may count from 0."""

_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another
_CODE_LETTERS: Final = 16
"""Sixteen of 31 letters are 79 bits: nobody guesses one, so a fast hash is enough."""


@dataclass(frozen=True, slots=True)
class Factor:
    """One factor; ``secret`` is a TOTP's key or a passkey's public key."""

    id: int
    account: int
    kind: FactorKind
    label: str
    handle: str
    used: int
    created_at: datetime
    secret: bytes = b""


class New(NamedTuple):
    """A factor to be kept."""

    kind: FactorKind
    label: str
    at: datetime
    handle: str = ""
    secret: bytes = b""


_OF_ACCOUNT: Final = (
    select(factor).where(factor.c.account == bindparam("asked")).order_by(factor.c.id)
)
_BY_HANDLE: Final = select(factor).where(
    factor.c.handle == bindparam("asked"), factor.c.kind == FactorKind.PASSKEY.value
)
_USE: Final = (
    update(factor)
    .where(factor.c.id == bindparam("number"), factor.c.used < bindparam("step"))
    .values(used=bindparam("step"))
)
_COUNT: Final = (
    update(factor)
    .where(factor.c.id == bindparam("number"))
    .values(used=bindparam("count"))
)
_SPEND: Final = delete(factor).where(
    factor.c.account == bindparam("whose"),
    factor.c.kind == FactorKind.RECOVERY.value,
    factor.c.handle == bindparam("digest"),
)


def factors(connection: Connection, sealer: Sealer, account: int) -> list[Factor]:
    """Return what an account has, oldest first."""
    rows = connection.execute(_OF_ACCOUNT, {"asked": account})
    return [_read(sealer, row) for row in rows]


def passkey(connection: Connection, sealer: Sealer, handle: str) -> Factor | None:
    """Return the passkey of this id, or None."""
    row = connection.execute(_BY_HANDLE, {"asked": handle}).one_or_none()
    return None if row is None else _read(sealer, row)


def add_totp(
    connection: Connection, sealer: Sealer, whose: Account, key: bytes, order: Order
) -> int:
    """Keep the key of somebody's authenticator app, instead of an earlier one."""
    earlier = (factor.c.account == whose.id, factor.c.kind == FactorKind.TOTP.value)
    connection.execute(delete(factor).where(*earlier))
    made = New(FactorKind.TOTP, "authenticator app", order.now, secret=key)
    number = _add(connection, sealer, whose, made)
    _write(connection, sealer, "user.add-totp", whose, order)
    return number


def add_passkey(  # noqa: PLR0913, PLR0917 - what a passkey is
    connection: Connection,
    sealer: Sealer,
    whose: Account,
    handle: str,
    key: bytes,
    label: str,
    order: Order,
) -> None:
    """Keep a passkey's id and public key."""
    made = New(FactorKind.PASSKEY, label or "passkey", order.now, handle, key)
    _add(connection, sealer, whose, made)
    _write(connection, sealer, "user.add-passkey", whose, order)


def new_recovery_codes(
    connection: Connection, sealer: Sealer, whose: Account, order: Order
) -> list[str]:
    """Return fresh codes, each good once, to be shown this once; earlier ones end."""
    kind = FactorKind.RECOVERY
    earlier = (factor.c.account == whose.id, factor.c.kind == kind.value)
    connection.execute(delete(factor).where(*earlier))
    codes = [_new_code() for _ in range(RECOVERY_CODES)]
    for code in codes:
        made = New(kind, "recovery code", order.now, _digest(code))
        _add(connection, sealer, whose, made)
    _write(connection, sealer, "user.recovery-codes", whose, order)
    return codes


def note_count(connection: Connection, number: int, count: int) -> None:
    """Keep how often a passkey says it has signed; some always say 0."""
    connection.execute(_COUNT, {"number": number, "count": count})


def use_step(connection: Connection, number: int, step: int) -> bool:
    """Use up the step of a TOTP; False when it, or a later one, was used before."""
    asked = {"number": number, "step": step}
    return connection.execute(_USE, asked).rowcount == 1


def use_recovery_code(connection: Connection, account: int, code: str) -> bool:
    """Use up a recovery code; False when it is none of theirs, or no more."""
    asked = {"whose": account, "digest": _digest(code)}
    return connection.execute(_SPEND, asked).rowcount == 1


def remove(
    connection: Connection, sealer: Sealer, whose: Account, number: int, order: Order
) -> None:
    """Take one factor away."""
    which = (factor.c.account == whose.id, factor.c.id == number)
    connection.execute(delete(factor).where(*which))
    _write(connection, sealer, "user.remove-factor", whose, order)


def reset(connection: Connection, sealer: Sealer, name: str, order: Order) -> None:
    """Take every factor of an account away, and end its sessions.

    Raises:
        IllegalTransitionError: there is no such account.
    """
    whose = accounts.expect(connection, name)
    connection.execute(delete(factor).where(factor.c.account == whose.id))
    accounts.end_sessions(connection, whose.id)
    _write(connection, sealer, "user.reset-factors", whose, order)


def kinds(connection: Connection) -> dict[int, set[str]]:
    """Return which kinds of factor each account has, by its number."""
    found: dict[int, set[str]] = {}
    for row in connection.execute(select(factor.c.account, factor.c.kind).distinct()):
        found.setdefault(row.account, set()).add(row.kind)
    return found


def _add(connection: Connection, sealer: Sealer, whose: Account, made: New) -> int:
    [number] = reserve(connection, "factor", 1)
    row = {
        "id": number,
        "account": whose.id,
        "kind": made.kind.value,
        "label": made.label,
        "handle": made.handle,
        "secret": sealer.seal(made.secret, context(number)) if made.secret else None,
        "used": NEVER,
        "created_at": made.at,
    }
    connection.execute(insert(factor), row)
    return number


def context(number: int) -> str:
    """Return what a secret is bound to."""
    return f"factor|{number}|"


def _new_code() -> str:
    letters = "".join(secrets.choice(_LETTERS) for _ in range(_CODE_LETTERS))
    return "-".join(letters[at : at + 4] for at in range(0, _CODE_LETTERS, 4))


def _digest(code: str) -> str:
    plain = "".join(code.split()).replace("-", "").casefold()
    return hashlib.sha256(plain.encode()).hexdigest()


def _write(
    connection: Connection, sealer: Sealer, action: str, whose: Account, order: Order
) -> None:
    act = Act(order.now, order.actor, action, f"user {whose.name}", order.reason)
    audit.write(connection, sealer, [act])


def _read(sealer: Sealer, row: Found) -> Factor:
    secret = sealer.open(row.secret, context(row.id)) if row.secret else b""
    return Factor(
        row.id,
        row.account,
        FactorKind(row.kind),
        row.label,
        row.handle,
        row.used,
        row.created_at,
        secret,
    )
