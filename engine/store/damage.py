"""What a store holds that is not as it was written: every row is looked at.

Sealed content proves itself and the plain columns it is bound to; everything else is
held against what repeats it: SQLite's own structure and indexes, hashes, counters, the
last attempt, the audit chain, and what the patient index follows from. What stands in
one place only and in plain text cannot be checked: small tables, such as leases, and
what was bound to content that is purged.

Spec:
    faults.md F12.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    Table,
    false,
    func,
    not_,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.exc import DBAPIError

from engine.errors import EngineError
from engine.store import audit as audits
from engine.store import index_checks
from engine.store.access_tables import ceremony, factor, kept_answer, saved_query
from engine.store.ceremonies import context as of_ceremony
from engine.store.config_history import reason_context as reason_of_revision
from engine.store.config_history import text_context
from engine.store.config_tables import config_revision, config_text
from engine.store.contexts import (
    BOUND,
    MESSAGE_COLUMNS,
    Bound,
    of_document,
    of_message,
    of_name,
    of_report,
)
from engine.store.dialect import SCHEMAS
from engine.store.edited_copies import content_context, reason_context
from engine.store.edited_tables import edited_copy
from engine.store.factors import context as of_factor
from engine.store.key_tables import key_use
from engine.store.key_use import context as of_key
from engine.store.name_lists import context_of
from engine.store.patient_tables import (
    family_name,
    given_name,
    identifier,
    record,
    record_version,
    task,
    task_comment,
)
from engine.store.patients import SqlPatientIndex, shipped
from engine.store.resources import fingerprint_of, opened
from engine.store.schema import DAMAGED, ENGINE, JOURNAL, Instant, microseconds
from engine.store.seal import Sealer, fingerprint
from engine.store.table_tables import table_change
from engine.store.tables import (
    attempt,
    comment,
    delivery,
    document,
    journal_message,
    rendered,
    resource,
    table_miss,
)

Found = Row[*tuple[Any, ...]]
MOST_OF_SQLITE: Final = 20
"""Lines of ``integrity_check`` that are shown of each file."""
_LAST: Final = microseconds(DAMAGED) - 1


@dataclass(frozen=True, slots=True)
class Damage:
    """Where something is not as it was written, and what."""

    place: str
    says: str


def damages(connection: Connection, sealer: Sealer) -> Iterator[Damage]:
    """Look at everything; yield what is damaged."""
    if connection.dialect.name == "sqlite":
        for schema in SCHEMAS:
            yield from _structure(connection, schema)
    yield from _tables(connection)
    looks = (_messages, _resources, _documents, _chain, _counters)
    for look in (*_SEALED, *looks, *_COMPARED, _index):
        yield from _guarded(look, connection, sealer)


Look = Callable[[Connection, Sealer], Iterator[Damage]]


def _guarded(look: Look, connection: Connection, sealer: Sealer) -> Iterator[Damage]:
    """Yield what a look finds; a table that cannot be read is a finding too.

    A damaged row may hold a number where a text belongs, and the other way round.
    """
    try:
        yield from look(connection, sealer)
    except (DBAPIError, ValueError, TypeError, AttributeError) as error:
        said = error.orig if isinstance(error, DBAPIError) else type(error).__name__
        yield Damage("the store", f"a table cannot be read: {said}")


def _structure(connection: Connection, schema: str) -> Iterator[Damage]:
    try:
        told = connection.exec_driver_sql(
            f"PRAGMA {schema}.integrity_check({MOST_OF_SQLITE})"
        ).scalars()
        lines = [line for each in told for line in str(each).splitlines()]
    except DBAPIError as error:
        lines = [str(error.orig)]
    for line in lines:
        if line != "ok":
            yield Damage(f"{schema}.db", line)


def _tables(connection: Connection) -> Iterator[Damage]:
    """Every table has every column, for SQLite checks no names, and its instants."""
    for table in (*JOURNAL.sorted_tables, *ENGINE.sorted_tables):
        instants = [each for each in table.c if isinstance(each.type, Instant)]
        wrong = [
            not_(type_coerce(each, BigInteger).between(0, _LAST)) for each in instants
        ]
        place = f"{table.schema}.db, {table.name}"
        try:
            connection.execute(select(table).limit(0))
            asked = select(func.count()).select_from(table).where(or_(false(), *wrong))
            count = connection.scalar(asked)
        except DBAPIError as error:
            yield Damage(place, f"the table cannot be read: {error.orig}")
        else:
            if count:
                yield Damage(place, f"{count} rows hold an instant that cannot be")


Context = Callable[[Found], str | tuple[str, ...]]
"""What a column is sealed in; or that, and what it was in an earlier release."""


def _sealed(table: Table, column: str, context: Context) -> Look:
    """Return the look at one sealed column."""

    def look(connection: Connection, sealer: Sealer) -> Iterator[Damage]:
        rows = connection.execute(select(table).where(table.c[column].is_not(None)))
        for row in rows:
            bound = context(row)
            contexts = (bound,) if isinstance(bound, str) else bound
            if not _opens(sealer, row._mapping[column], *contexts):  # noqa: SLF001 - SQLAlchemy's documented accessor
                place = f"{table.schema}.db, {table.name} {_key(table, row)}"
                yield Damage(place, f"the sealed {column} does not open")

    return look


def _opens(sealer: Sealer, content: bytes, *contexts: str) -> bool:
    return sealer.open_undamaged(content, *contexts) is not None


def _key(table: Table, row: Found) -> str:
    values = (row._mapping[column.name] for column in table.primary_key)  # noqa: SLF001
    return ".".join(
        each.hex() if isinstance(each, bytes) else str(each) for each in values
    )


_SEALED: Final = (
    _sealed(attempt, "report", of_report),
    _sealed(delivery, "answer", lambda r: f"delivery|{r.id}|{r.channel}|answer"),
    _sealed(
        document, "content", lambda row: f"document|{row.set_key.hex()}|{row.number}"
    ),
    _sealed(key_use, "since", lambda row: of_key(row.number)),
    _sealed(ceremony, "content", lambda row: of_ceremony(row.kind, row.hash)),
    _sealed(factor, "secret", lambda row: of_factor(row.id)),
    _sealed(comment, "content", lambda row: f"comment|{row.id}|"),
    _sealed(table_miss, "code", lambda row: f"table_miss|{row.key.hex()}|"),
    _sealed(record, "traits", lambda row: f"record|{row.id}"),
    _sealed(record_version, "traits", lambda row: f"version|{row.record}"),
    _sealed(identifier, "value", lambda row: f"identifier|{row.key.hex()}"),
    _sealed(task, "evidence", lambda row: f"task|{row.id}"),
    _sealed(task, "note", lambda row: f"note|{row.id}"),
    _sealed(task_comment, "content", lambda row: f"comment|{row.task}|{row.number}"),
    _sealed(family_name, "name", lambda row: context_of("family", row.key)),
    _sealed(given_name, "name", lambda row: context_of("given", row.key)),
    _sealed(table_change, "content", lambda row: f"table_change|{row.id}|"),
    _sealed(config_revision, "content", lambda row: reason_of_revision(row.id)),
    _sealed(config_text, "content", lambda row: text_context(row.sha256)),
    _sealed(edited_copy, "reason", lambda row: reason_context(row.id)),
    _sealed(
        edited_copy,
        "content",
        lambda row: content_context(row.id, row.origin, row.channel),
    ),
    _sealed(saved_query, "content", lambda row: f"saved_query|{row.key}|"),
    _sealed(kept_answer, "content", lambda row: f"kept_answer|{row.key.hex()}|"),
)


def _messages(connection: Connection, sealer: Sealer) -> Iterator[Damage]:
    """Journalled bytes open, and are those whose length and hash stand beside them."""
    rows = connection.execute(
        select(*MESSAGE_COLUMNS, journal_message.c.content).where(
            journal_message.c.content.is_not(None)
        )
    )
    for row in rows:
        place = f"journal.db, message {row.id}"
        data = sealer.open_undamaged(row.content, *of_message(row))
        if data is None:
            yield Damage(place, "its content, or a column beside it, is damaged")
        elif (row.size, row.sha256) != (len(data), fingerprint(data)):
            yield Damage(place, "its size or hash is not that of its content")


def _resources(connection: Connection, sealer: Sealer) -> Iterator[Damage]:
    """Resources open, and have the fingerprint of what they say and of whom."""
    for row in connection.execute(select(resource)):
        place = f"engine.db, resource {row.key.hex()}"
        try:
            known = opened(sealer, row)
        except EngineError:
            yield Damage(place, "the sealed content does not open")
            continue
        if fingerprint_of(known) != row.hash:
            yield Damage(place, "its hash is not that of its content and record")


def _documents(connection: Connection, sealer: Sealer) -> Iterator[Damage]:
    """Rendered documents open, and are those whose hash their delivery has."""
    rows = connection.execute(
        select(*BOUND, rendered, delivery.c.sha256)
        .select_from(rendered)
        .join(delivery, delivery.c.id == rendered.c.delivery_id, isouter=True)
    )
    for row in rows:
        place = f"engine.db, delivery {row.delivery_id}"
        bound = Bound(*row[: len(BOUND)])
        if row.name and not _opens(sealer, row.name, *of_name(bound)):
            yield Damage(place, "the sealed name, or its delivery, is damaged")
        if row.content is None:
            continue
        content = sealer.open_undamaged(row.content, *of_document(bound))
        if content is None:
            yield Damage(place, "the sealed document, or its delivery, is damaged")
        elif row.sha256 != fingerprint(content):
            yield Damage(place, "its hash is not that of its document")


def _chain(connection: Connection, sealer: Sealer) -> Iterator[Damage]:
    fault = audits.verify(connection, sealer).fault
    if fault:
        yield Damage("engine.db, audit", fault)


_COUNTED: Final = (
    "SELECT subject, channel, destination, state, sum(many) FROM ("
    " SELECT subject, channel, destination, state, count AS many FROM engine.counter"
    " WHERE subject IN ('message', 'delivery')"
    " UNION ALL SELECT 'message', channel, '', state, -1 FROM engine.message"
    " UNION ALL SELECT 'delivery', channel, destination, state, -1 FROM engine.delivery"
    ") AS both_sides GROUP BY subject, channel, destination, state"
    " HAVING sum(many) <> 0"
)


def _counters(connection: Connection, sealer: Sealer) -> Iterator[Damage]:
    """Counters are the tables' own counts."""
    del sealer
    for subject, channel, destination, state, wrong in connection.exec_driver_sql(
        _COUNTED
    ):
        words = (subject, channel, destination, state)
        place = " ".join(str(word) for word in words if word)
        yield Damage(f"engine.db, counter {place}", f"wrong by {wrong}")


def _compared(sql: str, place: str, says: str) -> Look:
    """Return the look at what repeats something; ``sql`` finds where it does not."""

    def look(connection: Connection, sealer: Sealer) -> Iterator[Damage]:
        del sealer
        for (which,) in connection.exec_driver_sql(sql):
            yield Damage(f"{place} {which}", says)

    return look


_COMPARED: Final = (
    _compared(  # its state may have moved since
        "SELECT message.id FROM engine.message LEFT JOIN engine.attempt"
        " ON attempt.message_id = message.id AND attempt.attempt = message.attempt"
        " WHERE attempt.message_id IS NULL"
        " OR attempt.revision <> message.revision OR attempt.stage <> message.stage"
        " OR attempt.code <> message.code OR attempt.person <> message.person"
        " OR attempt.processed_at <> message.processed_at"
        " OR attempt.state = message.state AND attempt.reason <> message.reason",
        "engine.db, message",
        "it does not say what its last attempt says",
    ),
    _compared(
        "SELECT received.id FROM journal.message AS received"
        " JOIN (SELECT channel, min(last_id) AS last_id FROM engine.progress"
        " GROUP BY channel) AS cursor"
        " ON cursor.channel = received.channel AND received.id <= cursor.last_id"
        " LEFT JOIN engine.message ON message.id = received.id"
        " WHERE message.id IS NULL",
        "engine.db, message",
        "it was passed over: it has no state, or its channel's cursor is wrong",
    ),
    _compared(
        "SELECT progress.channel FROM engine.progress"
        " LEFT JOIN engine.message ON message.channel = progress.channel"
        " GROUP BY progress.channel"
        " HAVING max(progress.last_id) <> coalesce(max(message.id), 0)",
        "engine.db, progress",
        "the cursor does not stand at the last message that has a state",
    ),
    _compared(
        "SELECT dedupe.message_id FROM journal.dedupe LEFT JOIN journal.message"
        " ON message.id = dedupe.message_id WHERE message.id IS NULL"
        " OR message.ack_code <> dedupe.ack_code"
        " OR message.received_at <> dedupe.received_at",
        "journal.db, message",
        "it does not say what its repetitions are answered",
    ),
    _compared(
        "SELECT intake.channel FROM journal.intake LEFT JOIN (SELECT channel,"
        " count(*) AS many FROM journal.message GROUP BY channel) AS counted"
        " ON counted.channel = intake.channel"
        " WHERE coalesce(counted.many, 0) <> intake.messages",
        "journal.db, intake",
        "it did not take in as many messages as there are",
    ),
)


def _index(connection: Connection, sealer: Sealer) -> Iterator[Damage]:
    """The tables of the patient index follow from its link events and records."""
    patients = SqlPatientIndex(connection, sealer, reads_only=True)
    for says in index_checks.faults(patients, shipped()):
        yield Damage("engine.db, patient index", says)
