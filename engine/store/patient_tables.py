"""The tables of the patient index, in the schema ``engine``.

Traits and numbers of patients are sealed; what they are found by is a keyed hash.
Tables without a second copy follow from the others: see `engine.store.index_checks`.

Spec:
    identity.md 12.
"""

from enum import StrEnum

from sqlalchemy import Index, Table

from engine.identity.person import LinkKind
from engine.identity.placeholders import NUMBERS
from engine.identity.registration import Category
from engine.identity.traits import Kind
from engine.store.schema import (
    ENGINE,
    digest,
    is_one_of,
    number,
    partial_index,
    row_id,
    sealed,
    when,
    word,
)


class PersonState(StrEnum):
    """Whether an enterprise identifier is in use; a retired one has a survivor."""

    ACTIVE = "active"
    RETIRED = "retired"


class NumberState(StrEnum):
    """Whether a patient's number is in use; an old one still leads to its record."""

    ACTIVE = "active"
    OLD = "old"


class TaskState(StrEnum):
    """States of a task in the mismatch queue."""

    OPEN = "open"
    DECIDED = "decided"
    UNDONE = "undone"


class LookKind(StrEnum):
    """Why a second person reads a doubt: somebody asked, or it was drawn."""

    FOUR_EYES = "four-eyes"
    BLIND = "blind"


authority = Table(
    "authority",
    ENGINE,
    row_id(),
    word("key"),
    when("seen_at"),
    Index("authority_by_key", "key", unique=True),
)
"""Assigning authorities: a URI, or the namespace where the code table has no row."""

record = Table(
    "record",
    ENGINE,
    row_id(),
    word("person"),
    number("authority"),
    word("kind"),
    word("happened"),
    number("message"),
    digest("identifying"),
    sealed("traits"),
    number("confidential"),
    is_one_of("kind", Kind, "record_kind"),
    Index("record_by_person", "person"),
)
"""``happened`` is the event time of the traits; ``identifying`` their keyed hash."""

identifier = Table(
    "identifier",
    ENGINE,
    digest("key", primary_key=True),
    number("record"),
    number("authority"),
    word("type"),
    word("state"),
    sealed("value"),
    is_one_of("state", NumberState, "identifier_state"),
    Index("identifier_by_record", "record", "state"),
    sqlite_with_rowid=False,
)
"""``key`` is the keyed hash of authority, type and value."""

record_version = Table(
    "record_version",
    ENGINE,
    number("record", primary_key=True),
    number("message", primary_key=True),
    word("happened"),
    sealed("traits"),
    sqlite_with_rowid=False,
)
"""What a record said before it changed; ``message`` is the one that had said so."""

person = Table(
    "person",
    ENGINE,
    word("eid", primary_key=True),
    word("state"),
    word("survivor"),
    number("confidential"),
    is_one_of("state", PersonState, "person_state"),
    partial_index("person_by_survivor", "survivor", where="survivor <> ''"),
    sqlite_with_rowid=False,
)
"""``confidential`` while one of the person's records is."""

block = Table(
    "block",
    ENGINE,
    number("key", primary_key=True),
    number("record", primary_key=True),
    sqlite_with_rowid=False,
)

placeholder = Table(
    "placeholder",
    ENGINE,
    number("key", primary_key=True),
    word("trait"),
    number("record"),
    number("seen"),
    when("since"),
    is_one_of("trait", NUMBERS, "placeholder_trait"),
    sqlite_with_rowid=False,
)
"""Values learned to mean nobody, by their block key; ``record`` is one that has it."""

name_count = Table("name_count", ENGINE, row_id("key"), number("records"))
"""How many records have a name (a keyed hash); key 0 counts all records."""


def _names(table: str) -> Table:
    """Return a table with every name once; ``record`` is the first that has it."""
    return Table(
        table,
        ENGINE,
        digest("key", primary_key=True),
        number("record"),
        sealed("name"),
        Index(f"{table}_by_record", "record"),
        sqlite_with_rowid=False,
    )


family_name = _names("family_name")
given_name = _names("given_name")
"""Names for questions with ``*``; ``key`` is the keyed hash of the name."""

family_record = Table(
    "family_record",
    ENGINE,
    number("key", primary_key=True),
    number("record", primary_key=True),
    sqlite_with_rowid=False,
)
"""Who has a family name; ``key`` is the one that `name_count` counts it under."""

link_event = Table(
    "link_event",
    ENGINE,
    number("id", primary_key=True),
    number("record", primary_key=True),
    when("at"),
    word("actor"),
    word("kind"),
    word("source"),
    word("target"),
    word("reason"),
    number("message"),
    number("task"),
    number("via"),
    number("undoes"),
    word("model"),
    is_one_of("kind", LinkKind, "link_event_kind"),
    Index("link_event_by_record", "record"),
    partial_index("link_event_by_source", "source", where="source <> ''"),
    partial_index("link_event_moves", "id", where="source <> ''"),
    partial_index("link_event_by_undone", "undoes", where="undoes > 0"),
    partial_index("link_event_by_task", "task", where="task > 0"),
    sqlite_with_rowid=False,
)
"""Append only: one row for each record of an event, record 0 where it has none."""

identifiers_told = Table(
    "identifiers_told",
    ENGINE,
    word("place", primary_key=True),
    word("person", primary_key=True),
    digest("digest"),
    sqlite_with_rowid=False,
)
"""The set of identifiers each subscriber was told last, as a keyed hash."""

different = Table(
    "different",
    ENGINE,
    number("low", primary_key=True),
    number("high", primary_key=True),
    digest("low_identifying"),
    digest("high_identifying"),
    Index("different_by_high", "high"),
    sqlite_with_rowid=False,
)

decision = Table(
    "decision",
    ENGINE,
    number("message", primary_key=True),
    number("record", primary_key=True),
    word("control_id"),
    word("outcome"),
    word("reasons"),
    number("candidate"),
    number("millibits"),
    word("levels"),
    word("model"),
    Index("decision_by_record", "record"),
    sqlite_with_rowid=False,
)
"""One row for each patient of a message; ``levels`` tells how a match was reached."""

task = Table(
    "task",
    ENGINE,
    row_id(),
    word("category"),
    word("reason"),
    word("state"),
    number("record"),
    word("person"),
    number("message"),
    number("held"),
    number("millibits"),
    word("model"),
    when("opened_at"),
    word("assignee"),
    when("decided_at", nullable=True),
    word("decided_by"),
    word("decision"),
    sealed("note"),
    sealed("evidence"),
    when("due_at", nullable=True),
    word("asked"),
    is_one_of("category", Category, "task_category"),
    is_one_of("state", TaskState, "task_state"),
    Index("task_by_message", "message"),
    Index("task_by_record", "record"),
    partial_index("task_open", "category", "id", where="state = 'open'"),
)

task_comment = Table(
    "task_comment",
    ENGINE,
    number("task", primary_key=True),
    number("number", primary_key=True),
    when("at"),
    word("author"),
    sealed("content"),
    sqlite_with_rowid=False,
)

second_look = Table(
    "second_look",
    ENGINE,
    number("task", primary_key=True),
    word("kind"),
    when("first_at"),
    word("first_by"),
    word("first"),
    when("second_at", nullable=True),
    word("second_by"),
    word("second"),
    is_one_of("kind", LookKind, "second_look_kind"),
    partial_index("second_look_waiting", "task", where="second_by = ''"),
    sqlite_with_rowid=False,
)
"""What two people said of one doubt, each by themselves."""

task_candidate = Table(
    "task_candidate",
    ENGINE,
    number("task", primary_key=True),
    number("record", primary_key=True),
    number("millibits"),
    Index("task_candidate_by_record", "record"),
    sqlite_with_rowid=False,
)
