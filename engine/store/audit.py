"""Who did what: rows chained by keyed hashes, written in the transaction of the act."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from engine.store.seal import Sealer


@dataclass(frozen=True, slots=True)
class Act:
    """One act: ``actor`` did ``action`` to ``subject`` (``message 4711``).

    ``detail`` may hold PHI, such as a typed reason; it is sealed.
    """

    at: datetime
    actor: str
    action: str
    subject: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An act with its place in the chain."""

    id: int
    act: Act


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain, to be exported: it is what shows a cut-off tail."""

    id: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of a walk: rows checked, and the first thing wrong, or nothing."""

    rows: int
    fault: str = ""


def write(connection: Connection, sealer: Sealer, acts: Sequence[Act]) -> None:
    """Add acts to the end of the chain."""
    raise NotImplementedError


def head(connection: Connection) -> Head:
    """Return the end of the chain; id 0 when it is empty."""
    raise NotImplementedError


def verify(
    connection: Connection, sealer: Sealer, expected: Sequence[Head] = ()
) -> Verification:
    """Walk the whole chain; ``expected`` are heads exported earlier."""
    raise NotImplementedError


def rows(
    connection: Connection,
    sealer: Sealer,
    *,
    subject: str = "",
    before: int = 0,
    limit: int = 100,
) -> list[AuditRow]:
    """Return acts, newest first, older than row ``before`` when it is given."""
    raise NotImplementedError
