"""How columns look in both databases, and the two schemas they belong to.

Texts are never null: "unknown" is ``""``. Instants are whole microseconds since 1970
in UTC, so that both databases sort and compare them the same way.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, TypeVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ColumnElement,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Text,
    literal_column,
    text,
)
from sqlalchemy.types import TypeDecorator
from typing_extensions import override

JOURNAL: Final = MetaData(schema="journal")
ENGINE: Final = MetaData(schema="engine")

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DAMAGED: Final = datetime.max.replace(tzinfo=UTC)
"""What is read where something stands that no instant was stored as."""
Found = Row[*tuple[Any, ...]]
"""A row as a statement found it; the statement knows its types."""

ROW_ID: Final = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite makes only an INTEGER primary key the row id itself."""


def microseconds(at: datetime) -> int:
    """Return an instant as it is stored."""
    return round(at.timestamp() * 1_000_000)


def instant(stored: int) -> datetime:
    """Return the aware UTC datetime that was stored; ``DAMAGED`` if none was.

    One damaged number must not keep the rows beside it from being read, and content
    that is sealed with an instant does not open with another.
    """
    try:
        return EPOCH + timedelta(microseconds=stored)
    except (OverflowError, TypeError, ValueError):
        return DAMAGED


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, stored as microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    @override
    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> int | None:
        """Return the stored number."""
        return None if value is None else microseconds(value)

    @override
    def process_result_value(
        self, value: int | None, dialect: Dialect
    ) -> datetime | None:
        """Return the aware datetime."""
        return None if value is None else instant(value)


def is_one_of(column: str, words: Iterable[str], name: str) -> CheckConstraint:
    """Return the CHECK that lets only these words into a column."""
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=name)


def is_word(column: ColumnElement[str], word: StrEnum) -> ColumnElement[bool]:
    """Return the comparison with a fixed word, as partial indexes need it.

    A bound parameter would do, but then the planner cannot know that the index fits.
    """
    return column == literal_column(f"'{word.value}'")


def row_id(name: str = "id") -> Column[int]:
    """Return the integer primary key; its numbers come from `reserve`."""
    return Column(name, ROW_ID, primary_key=True, autoincrement=False)


def word(name: str, *, primary_key: bool = False) -> Column[str]:
    """Return a text column without PHI; what an INSERT leaves out is empty."""
    default = None if primary_key else ""
    return Column(
        name, Text, primary_key=primary_key, nullable=False, server_default=default
    )


def number(name: str, *, primary_key: bool = False) -> Column[int]:
    """Return a 64-bit integer column; what an INSERT leaves out is 0."""
    return Column(
        name,
        BigInteger,
        primary_key=primary_key,
        autoincrement=False,
        nullable=False,
        server_default=None if primary_key else "0",
    )


def when(
    name: str, *, nullable: bool = False, primary_key: bool = False
) -> Column[datetime]:
    """Return a column of instants."""
    return Column(
        name, Instant, nullable=nullable, primary_key=primary_key, autoincrement=False
    )


def words(*names: str) -> list[Column[str]]:
    """Return text columns without PHI."""
    return [word(name) for name in names]


def numbers(*names: str) -> list[Column[int]]:
    """Return 64-bit integer columns."""
    return [number(name) for name in names]


def instants(*names: str) -> list[Column[datetime]]:
    """Return columns of instants."""
    return [when(name) for name in names]


def digest(name: str, *, primary_key: bool = False) -> Column[bytes]:
    """Return a column for a hash, keyed where it could be guessed."""
    return Column(name, LargeBinary, primary_key=primary_key, nullable=False)


def sealed(name: str) -> Column[bytes]:
    """Return a column for sealed bytes; null when there is nothing, or no more."""
    return Column(name, LargeBinary)


def partial_index(name: str, *columns: str, where: str) -> Index:
    """Return an index over the rows that match ``where`` only."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


def second_copy(name: str, *columns: str | Column[Any]) -> Index:
    """Return an index that repeats columns, so that a changed one does not go unseen.

    SQLite does not check the pages it reads, but ``integrity_check`` compares every
    index with its table. PostgreSQL checks its pages.
    """
    return Index(name, *columns).ddl_if(dialect="sqlite")


T = TypeVar("T")


def read(
    kind: Callable[..., T], names: Iterable[str], row: Found, /, **made: object
) -> T:
    """Return a value made of the columns that carry these names.

    ``class_`` is read from the column ``class``. What is in ``made`` is not read.
    """
    found = row._mapping  # noqa: SLF001 - SQLAlchemy's documented accessor
    fields = {name: found[name.rstrip("_")] for name in names if name not in made}
    return kind(**fields, **made)
