"""A damaged column beside sealed content is noticed before anything is made of it."""

import pytest
from sqlalchemy import update

from engine.errors import EngineError
from engine.store import journal, resources, search
from engine.store.contexts import MESSAGE_COLUMNS, of_message
from engine.store.damage import damages
from engine.store.resources import KnownResource
from engine.store.tables import attempt
from tests.databases import empty_database
from tests.stored import (
    accept_some,
    ask,
    claim,
    document,
    failed,
    lease,
    queue,
    record,
)

CHANGES = {
    "channel": "'ad|'",
    "listener": "'mllp:2574'",
    "peer": "'10.0.0.6'",
    "received_at": "received_at + 1",
    "control_id": "'C8'",
    "message_type": "'ADU'",
    "trigger_event": "'A09'",
    "size": "size + 1",
    "verdict": "'quarantined'",
    "cause": "'frame'",
    "ack_code": "'AE'",
    "findings": "'bad_escape'",
    "batch": "'b'",
}


@pytest.fixture
def store(tmp_path):
    store = empty_database("sqlite", tmp_path)
    accept_some(store, 2)
    return store


def change(store, statement):
    """Change a row behind the engine's back, as a damaged page would."""
    with store._backend.engine.begin() as connection:
        connection.exec_driver_sql(statement)


def test_the_contexts_bind_every_plain_column_of_a_message():
    proved_otherwise = {"id", "sha256"}

    assert {each.name for each in MESSAGE_COLUMNS} == CHANGES.keys() | proved_otherwise


@pytest.mark.parametrize("column", CHANGES)
def test_F12_a_message_with_a_damaged_column_does_not_open(store, column):  # noqa: N802
    value = CHANGES[column]
    change(store, f"UPDATE journal.message SET {column} = {value} WHERE id = 1")  # noqa: S608 - fixed words

    with store.reading() as connection:
        with pytest.raises(EngineError, match=r"message.1"):
            journal.content(connection, store.sealer, 1)
        assert journal.content(connection, store.sealer, 2) == b"MSH|^~\\&|LAB\r"


def test_what_an_earlier_release_sealed_of_an_attempt_opens(store):
    record(store, failed(1))
    with store.engine() as connection:
        earlier = store.sealer.seal(b"lost: PID-3", "attempt|1.1|")
        connection.execute(update(attempt).values(report=earlier))
    [found] = ask(store, search.attempts, store.sealer, 1)

    assert found.report == b"lost: PID-3"


def test_F12_a_damaged_message_does_not_keep_its_channel_back(store):  # noqa: N802
    change(store, "UPDATE journal.message SET control_id = 'x' WHERE id = 1")

    damaged, whole = claim(store)

    assert (damaged.damaged, damaged.data) == (True, b"")
    assert whole.data


@pytest.mark.parametrize("value", [2**60, -(2**60), "'words'", "x'00'", 1e300])
def test_F12_what_is_no_instant_is_damage_and_keeps_nothing_back(store, value):  # noqa: N802
    change(store, f"UPDATE journal.message SET received_at = {value} WHERE id = 1")  # noqa: S608 - fixed words

    with store.reading() as connection:
        named = {each.place for each in damages(connection, store.sealer)}
    damaged, whole = claim(store)

    assert named >= {"journal.db, message"}
    assert (damaged.damaged, whole.damaged) == (True, False)


def test_F12_a_table_that_lost_a_columns_name_is_named(store):  # noqa: N802
    change(store, "ALTER TABLE engine.lane RENAME COLUMN head_id TO head_ie")

    with store.reading() as connection:
        [found] = damages(connection, store.sealer)

    assert (found.place, "head_id" in found.says) == ("engine.db, lane", True)


def test_F12_a_verdict_that_is_no_word_is_damage_and_nothing_worse(store):  # noqa: N802
    with store._backend.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        connection.exec_driver_sql("UPDATE journal.message SET verdict = 'acceptee'")
        connection.commit()
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = OFF")

    assert [each.damaged for each in claim(store)] == [True, True]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE engine.delivery SET content_type = 'text/plaio' WHERE id = 1",
        "UPDATE engine.delivery SET message_id = 3 WHERE id = 1",
        "UPDATE engine.lane SET head_id = 2 WHERE head_id = 1",
    ],
)
def test_F12_a_document_leaves_only_as_it_was_queued(store, damage):  # noqa: N802
    queue(store, document("ann"), document("bob", destination="hub"))
    change(store, damage)

    [leased] = lease(store)

    assert leased.content is None


def test_content_that_an_earlier_release_has_sealed_opens(store):
    data = b"MSH|^~\\&|OLD\r"
    with store._backend.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE journal.message SET content = ? WHERE id = 1",
            (store.sealer.seal(data, "message|1|adt"),),
        )

    assert claim(store)[0].data == data


def test_both_contexts_begin_with_the_messages_name(store):
    row = ask(
        store,
        lambda connection: connection.execute(journal._ROW, {"message_id": 1}).one(),
    )

    now, earlier = of_message(row)

    assert (earlier, now.startswith("message|1|adt|mllp:2575|")) == (
        "message|1|adt",
        True,
    )


def test_F12_what_stands_nowhere_else_has_a_second_copy(store, tmp_path):  # noqa: N802
    queue(store, document("ann", note="a note that stands in one row"))
    folder = store._backend.folder
    store.close()
    path = folder / "engine.db"
    content = path.read_bytes()
    path.write_bytes(content.replace(b"stands in one row", b"stands in one rov", 1))

    with store.reading() as connection:
        found = [each.says for each in damages(connection, store.sealer)]

    assert any("delivery_copy" in says for says in found), found


@pytest.mark.parametrize("column", ["hash", "content"])
def test_F12_a_damaged_resource_is_named(store, column):  # noqa: N802
    one = KnownResource("Patient", "identifier=n|1", b"{}", 7)
    with store.engine() as connection:
        resources.store(connection, store.sealer, [one])
    change(store, f"UPDATE engine.resource SET {column} = x'00'")  # noqa: S608 - fixed words

    with store.reading() as connection:
        [found] = damages(connection, store.sealer)

    assert found.place.startswith("engine.db, resource ")
