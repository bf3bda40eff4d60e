"""What every database must do with the record of acts."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from engine.errors import EngineError
from engine.store import audit
from engine.store.audit import Act
from engine.store.messages import reprocess
from tests.stored import NOON, accept_some, failed, order, record

UNLOCK = {
    "sqlite": [
        "DROP TRIGGER engine.audit_update",
        "DROP TRIGGER engine.audit_delete",
    ],
    "postgresql": ["DROP TRIGGER audit_insert_only ON engine.audit"],
}


def act(number=1):
    return Act(NOON, "kim", "message.view", f"message {number}", f"reason {number}")


def write(store, *acts):
    with store.engine() as connection:
        audit.write(connection, store.sealer, acts)


def verify(store, *heads):
    with store.reading() as connection:
        return audit.verify(connection, store.sealer, heads)


def tamper(store, statement):
    """Change rows as somebody could who owns the database."""
    with store.engine() as connection:
        for unlock in UNLOCK[connection.dialect.name]:
            connection.execute(text(unlock))
        connection.execute(text(statement))


def test_acts_are_shown_newest_first_with_their_reasons(store):
    write(store, act(1), act(2))
    write(store, act(3))

    with store.reading() as connection:
        shown = audit.rows(connection, store.sealer, limit=2)
        about = audit.rows(connection, store.sealer, subject="message 1")

    assert [row.act for row in shown] == [act(3), act(2)]
    assert [row.id for row in about] == [1]


def test_an_untouched_chain_verifies(store):
    write(store, act(1), act(2))
    write(store, act(3))

    assert verify(store) == audit.Verification(3)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE engine.audit SET actor = 'nobody' WHERE id = 2",
        "UPDATE engine.audit SET at = at + 1 WHERE id = 2",
        "UPDATE engine.audit SET detail = hash WHERE id = 2",
        "UPDATE engine.audit SET patient = 'other' WHERE id = 2",
        "UPDATE engine.audit SET patient = '' WHERE id = 3",
        "UPDATE engine.audit SET hash = detail WHERE id = 2",
        "DELETE FROM engine.audit WHERE id = 2",
        "DELETE FROM engine.audit WHERE id = 1",
        "UPDATE engine.audit SET id = 9 WHERE id = 2",
    ],
)
def test_a_changed_or_missing_row_is_found(store, statement):
    write(store, act(1), act(2), replace(act(3), patient="P3"))

    tamper(store, statement)

    assert verify(store).fault


def test_a_tail_that_was_cut_off_is_found_by_an_exported_head(store):
    write(store, act(1), act(2), act(3))
    with store.reading() as connection:
        exported = audit.head(connection)

    tamper(store, "DELETE FROM engine.audit WHERE id = 3")

    assert not verify(store).fault
    assert verify(store, exported).fault == "The chain ends before row 3."


def test_a_replaced_tail_is_found_by_an_exported_head(store):
    write(store, act(1), act(2))
    with store.reading() as connection:
        exported = audit.head(connection)
    tamper(store, "DELETE FROM engine.audit WHERE id = 2")
    tamper_free = "UPDATE engine.sequence SET value = 1 WHERE name = 'audit'"
    with store.engine() as connection:
        connection.execute(text(tamper_free))
    write(store, act(9))

    assert verify(store, exported).fault == "Row 2 was changed."


@pytest.mark.parametrize(
    "verb", ["UPDATE engine.audit SET actor = ''", "DELETE FROM engine.audit"]
)
def test_rows_can_neither_be_changed_nor_deleted(store, verb):
    write(store, act())

    with pytest.raises(EngineError, match="insert-only"), store.engine() as connection:
        connection.execute(text(verb))


def test_an_operators_move_is_audited_in_its_transaction(store):
    accept_some(store, 1)
    record(store, failed(1))

    order(store, reprocess, 1)

    with store.reading() as connection:
        [row] = audit.rows(connection, store.sealer)
    assert (row.act.actor, row.act.action) == ("kim", "message.reprocess")
    assert (row.act.subject, row.act.detail) == ("message 1", "asked for by the ward")


def test_S11_whose_data_an_act_showed_is_found_by_a_keyed_hash_alone(store):
    write(store, act(1), replace(act(2), patient="P2"), replace(act(3), patient="P3"))

    wanted = audit.Wanted(subjects=("message 1",), patients=("P2",))
    with store.reading() as connection:
        found = audit.search(connection, store.sealer, wanted)
        plain = connection.execute(text("SELECT * FROM engine.audit")).all()

    assert [row.id for row in found] == [2, 1]
    assert [len(row.patient) for row in found] == [32, 0]
    assert not [row for row in plain if "P2" in row or "P3" in row]
    assert verify(store) == audit.Verification(3)
