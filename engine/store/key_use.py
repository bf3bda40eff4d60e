"""Which key of the key file seals, and since when: a store learns it from a row.

A row tells the number of a key and, sealed with that key, the instant it came into use.
Processes look at the rows when they report. Until then they seal with the key before,
and open what others sealed with the new one: there is no moment in which content cannot
be read. A key is in the file, on disk, before its row is written.
"""

from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, insert, select

from engine.errors import ConfigurationError, EngineError
from engine.store.audit import Act, Order, write
from engine.store.key_file import Keys
from engine.store.key_tables import key_use
from engine.store.schema import instant, microseconds
from engine.store.seal import Sealer

_ROWS: Final = select(key_use).order_by(key_use.c.number)
_NEWEST: Final = select(func.max(key_use.c.number))


class KeyUse(NamedTuple):
    """A key after the first, and when it came into use."""

    number: int
    since: datetime


def context(number: int) -> str:
    """Return what the instant of a key is bound to."""
    return f"key_use|{number}|"


def uses(connection: Connection, sealer: Sealer) -> list[KeyUse]:
    """Return the keys that came into use after the first, in order.

    Raises:
        ConfigurationError: the key file does not hold one of them.
    """
    return [
        KeyUse(row.number, _since(sealer, row.number, row.since))
        for row in connection.execute(_ROWS)
    ]


def _since(sealer: Sealer, number: int, sealed: bytes) -> datetime:
    try:
        return instant(int(sealer.open(sealed, context(number))))
    except EngineError:
        raise ConfigurationError(
            f"The key file does not hold key {number} of this store, which came into "
            "use later than the file was copied. Put back the newest copy of it; "
            "without that key part of the content is lost."
        ) from None


def follow(connection: Connection, sealer: Sealer, keys: Keys) -> None:
    """Seal with the newest key of the store from now on, when all of them are there.

    Raises:
        ConfigurationError: the key file does not hold one of them.
    """
    newest = connection.scalar(_NEWEST) or 1
    if newest != keys.in_use:
        uses(connection, sealer)  # each of them opens what it sealed
        keys.in_use = newest


def rotate(
    connection: Connection,
    sealer: Sealer,
    keys: Keys,
    order: Order,
    *,
    makes_one: bool = True,
) -> int:
    """Let the next key of the file seal from now on; return its number.

    Where the file has no next one it is made, unless other nodes have files of their
    own, in which it has to be first.

    Raises:
        ConfigurationError: there is none, or the file cannot take one more.
        OSError: the file cannot be written; nothing has changed.
    """
    number = (connection.scalar(_NEWEST) or 1) + 1
    if keys.find(number) is None:
        if not makes_one:
            raise ConfigurationError(
                f"The key file holds no key {number} yet. Add it with interop keys "
                "add, and copy the file to every node first."
            )
        keys.add()
    at = str(microseconds(order.now)).encode()
    sealed = sealer.seal(at, context(number), number)
    connection.execute(insert(key_use), {"number": number, "since": sealed})
    subject = f"key {number}"
    act = Act(order.now, order.actor, "keys.rotate", subject, order.reason)
    write(connection, sealer, [act])
    return number
