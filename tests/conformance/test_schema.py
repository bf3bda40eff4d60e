"""What every database must look like: tables, states, indexes, plans."""

import re
from contextlib import contextmanager

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, event, inspect, text

from engine.store import (
    access_tables,
    config_tables,
    document_tables,
    edited_tables,
    patient_tables,
    schema_version,
    search,
    second_copies,
    settlement,
    table_tables,
    tables,
    watch_tables,
)
from engine.store.delivery_state import Event, State
from engine.store.message_state import MessageState
from engine.store.messages import reprocess
from engine.store.results import SearchKey
from engine.store.schema import ENGINE, JOURNAL
from engine.store.search import MessageFilter
from engine.store.words import EntryKind, LaneState, OnFailure, RunState, Verdict
from tests.stored import (
    LATER,
    accept,
    arrival,
    claim,
    document,
    end,
    lease,
    order,
    processed,
    record,
)

STATES = [
    ("engine", "delivery", "delivery_state", State),
    ("engine", "delivery", "delivery_on_failure", OnFailure),
    ("engine", "message", "message_state", MessageState),
    ("engine", "lane", "lane_state", LaneState),
    ("engine", "error_entry", "error_entry_kind", EntryKind),
    ("engine", "run_state", "run_state_state", RunState),
    ("journal", "message", "message_verdict", Verdict),
]


@pytest.mark.parametrize(("schema", "table", "name", "words"), STATES)
def test_a_check_allows_exactly_the_words_of_its_enum(
    store, schema, table, name, words
):
    with store.reading() as connection:
        checks = inspect(connection).get_check_constraints(table, schema=schema)

    [check] = [one["sqltext"] for one in checks if one["name"] == name]
    assert set(re.findall("'(.*?)'", check)) == set(words)


@pytest.mark.parametrize(
    ("schema", "metadata"), [("journal", JOURNAL), ("engine", ENGINE)]
)
def test_the_migrations_make_the_tables_that_the_code_knows(store, schema, metadata):
    assert tables.site.metadata is ENGINE
    assert patient_tables.__doc__
    assert access_tables.__doc__
    assert document_tables.__doc__
    assert table_tables.__doc__
    assert config_tables.__doc__
    assert edited_tables.__doc__
    assert watch_tables.__doc__
    assert second_copies.__doc__

    with store.reading() as connection:
        options = {
            "include_schemas": True,
            "include_name": lambda name, kind, _: kind != "schema" or name == schema,
            "include_object": lambda _, name, *__: (
                name != "alembic_version"
                and (store.kind == "sqlite" or not str(name).endswith("_copy"))
            ),
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_a_store_of_a_newer_release_is_refused(store):
    with store.engine() as connection:
        connection.execute(text("UPDATE engine.alembic_version SET version_num = 'z'"))

    with store.reading() as connection, pytest.raises(Exception, match="newer"):
        schema_version.is_current(connection)


@contextmanager
def statements():
    """Collect what is executed meanwhile."""
    seen = {}

    def remember(connection, cursor, statement, parameters, context, many):
        if statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE")):
            seen[statement] = parameters[0] if many else parameters

    event.listen(Engine, "before_cursor_execute", remember)
    yield seen
    event.remove(Engine, "before_cursor_execute", remember)


def scans(store, seen):
    """Return the plans that read a whole table.

    Counters are few; of the audit only the last row is read, by its number.
    """
    explain = "EXPLAIN QUERY PLAN " if store.kind == "sqlite" else "EXPLAIN "
    with store.reading() as connection:
        if store.kind != "sqlite":
            connection.exec_driver_sql("SET enable_seqscan = off")
        plans = {
            statement: [
                str(row[-1])
                for row in connection.exec_driver_sql(explain + statement, parameters)
            ]
            for statement, parameters in seen.items()
        }
    few = "counter|sequence|audit|engine.audit|CONSTANT"
    whole = re.compile(rf"Seq Scan on (?!{few})|AUTOMATIC|SCAN (?!{few})")
    return {
        statement: plan
        for statement, plan in plans.items()
        if any(whole.search(line) and "USING INDEX" not in line for line in plan)
    }


def test_no_hot_statement_reads_a_whole_table(store):
    keys = {"dedupe_key": "k", "content_hash": b"h"}
    with statements() as seen:
        accept(store, *(arrival(f"C{n}", **keys) for n in range(3)), arrival())
        claim(store)
        record(store, processed(1, document("ann"), document("bob"), keys=(DOE,)))
        end(store, lease(store, limit=1)[0], Event.RETRY, not_before=LATER)
        end(store, lease(store, limit=1)[0])
        lease(store, now=LATER)
        with store.engine() as connection:
            settlement.expire(connection, LATER.replace(hour=20))
        order(store, reprocess, 1)
        claim(store)
        look(store, keys=(DOE,))
        look(store, state=MessageState.ERROR)
        look(store, channel="adt")
        look(store, since=LATER)

    assert scans(store, seen) == {}


DOE = SearchKey("family", "Doe")


def look(store, **fields):
    with store.reading() as connection:
        search.messages(connection, store.sealer, MessageFilter(**fields))
