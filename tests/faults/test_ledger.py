"""The ledger sees what is wrong: each test breaks one thing in a run that was clean."""

import ast
import hashlib
import json
import sqlite3
from pathlib import Path

import pytest

from engine.store import retention
from engine.store.database import open_database
from tests.faults import books, invariants, ledger
from tests.faults.books import RECEIVER, RUN, SENDER
from tests.stored import (
    LATER,
    OPERATOR,
    accept,
    arrival,
    document,
    end,
    lease,
    processed,
    queue,
    record,
)

KEY = bytes(range(32))
BODIES = {name: f"MSH|{name}".encode() for name in ("A", "B", "C")}


def digest(body):
    return hashlib.sha256(body).hexdigest()


@pytest.fixture
def run(tmp_path):
    """Three messages of one lane: sent, answered, delivered, and one act audited."""
    store = open_database(f"sqlite:///{tmp_path}/store", KEY)
    arrivals = accept(
        store, *(arrival(name, data=body) for name, body in BODIES.items())
    )
    for one, body in zip(arrivals, BODIES.values(), strict=True):
        record(store, processed(one.id, document("ann", body)))
    for _ in BODIES:
        end(store, *lease(store))
    with store.engine() as connection:
        retention.decide(connection, store.sealer, LATER, OPERATOR, limit=1)
    store.close()
    (tmp_path / "store.key").write_text(KEY.hex())
    plan = {
        "store": f"{tmp_path}/store",
        "key": f"{tmp_path}/store.key",
        "channels": {"adt": {"registry": {"kind": "http", "verbatim": "yes"}}},
        "least": 3,
    }
    (tmp_path / RUN).write_text(json.dumps(plan))
    for name, body in BODIES.items():
        note(tmp_path, SENDER, "sent", "adt", name, digest(body), "")
        note(tmp_path, SENDER, "answered", "adt", name, digest(body), "AA")
        note(tmp_path, RECEIVER, "adt/registry", name, digest(body), "once")
    return tmp_path


def note(run, log, *fields):
    with (run / log).open("a", encoding="utf-8") as file:
        file.write("\t".join(["0", *fields]) + "\n")


def change(run, schema, *statements):
    with sqlite3.connect(run / "store" / f"{schema}.db") as connection:
        connection.execute("PRAGMA ignore_check_constraints = 1")
        for statement in statements:
            connection.execute(statement)


def broken(run):
    """Return the invariants that do not hold."""
    figures, code = ledger.check(run)
    assert (code == ledger.BROKEN) == bool(figures["broken"])
    assert isinstance(figures["broken"], dict)
    return list(figures["broken"])


def test_a_clean_run_holds(run):
    figures, code = ledger.check(run)

    assert (code, figures["broken"]) == (ledger.HOLDS, {})
    assert (figures["answered"], figures["delivered"]) == (3, 3)


def test_a_run_with_too_few_answers_proves_nothing(run):
    plan = json.loads((run / RUN).read_text())
    (run / RUN).write_text(json.dumps(plan | {"least": 4}))

    assert ledger.check(run)[1] == ledger.NO_POWER


def test_I1_an_answered_message_that_is_not_journalled(run):
    note(run, SENDER, "answered", "adt", "D", digest(b"MSH|D"), "AA")

    assert broken(run) == ["I1"]


def test_I1_a_refused_message_need_not_be_there(run):
    note(run, SENDER, "answered", "adt", "D", digest(b"MSH|D"), "AR")

    assert broken(run) == []


def test_I1_and_I5_a_message_that_was_changed_on_its_way(run):
    change(run, "journal", "UPDATE message SET sha256 = x'00' WHERE id = 1")

    assert broken(run) == ["I1", "I5"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE message SET state = 'lost' WHERE id = 1",
        "UPDATE message SET state = 'filtered', reason = '' WHERE id = 1",
        "UPDATE message SET state = 'error' WHERE id = 1",
        "UPDATE message SET state = 'held', reason = 'identity: x' WHERE id = 1",
        "UPDATE message SET state = 'held', behind = 2 WHERE id = 1",
        "DELETE FROM message WHERE id = 1",
        "UPDATE message SET id = 99 WHERE id = 1",
        "UPDATE delivery SET state = 'failed' WHERE id = 1",
        "UPDATE delivery SET attempt = 2 WHERE id = 1",
        "DELETE FROM delivery WHERE id = 1",
    ],
)
def test_I2_a_message_or_delivery_without_its_one_state(run, statement):
    change(run, "engine", statement)

    assert "I2" in broken(run)


def test_I3_a_delivery_that_nobody_received(run):
    lines = (run / RECEIVER).read_text().splitlines()
    (run / RECEIVER).write_text("\n".join(lines[1:]) + "\n")

    assert broken(run) == ["I3"]


def test_I3_a_delivery_that_is_still_waiting(run):
    change(run, "engine", "UPDATE delivery SET state = 'queued' WHERE id = 3")

    assert "I3" in broken(run)


def test_I3_a_document_that_came_twice_where_it_must_not(run):
    change(run, "engine", "UPDATE delivery SET attempts = 2")
    note(run, RECEIVER, "adt/registry", "C", digest(BODIES["C"]), "once")

    assert broken(run) == ["I3"]


def test_I3_a_repeat_that_is_recorded_and_does_no_harm(run):
    change(run, "engine", "UPDATE delivery SET attempts = 2")
    for name in ("C", "C"):
        note(run, RECEIVER, "adt/registry", name, digest(BODIES["C"]), "again")
    text = (run / RECEIVER).read_text().replace("once", "again").splitlines()
    (run / RECEIVER).write_text("\n".join(text[:-1]) + "\n")

    assert broken(run) == []


def test_I3_and_I4_a_repeat_that_another_one_overtook(run):
    note(run, RECEIVER, "adt/registry", "A", digest(BODIES["A"]), "once")

    assert broken(run) == ["I3", "I4"]


def test_I5_a_document_from_nowhere(run):
    note(run, RECEIVER, "adt/registry", "A", digest(b"MSH|A, and more"), "once")

    assert broken(run) == ["I5"]


def test_I6_an_audit_row_that_was_changed(run):
    drop = "DROP TRIGGER audit_update"
    change(run, "engine", drop, "UPDATE audit SET actor = 'nobody'")

    assert broken(run) == ["I6"]


def test_I7_a_counter_that_is_wrong(run):
    change(run, "engine", 'UPDATE counter SET "count" = "count" + 1')

    assert broken(run) == ["I7"]


def test_a_queued_delivery_is_under_way(run):
    store = open_database(f"sqlite:///{run}/store", KEY)
    queue(store, document(destination="registry"), message_id=1)
    store.close()

    assert not ledger.wait_until_settled(run / "store", 0)


def test_the_ledger_shares_no_code_with_the_engine():
    for module in (books, invariants, ledger):
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        named = {
            node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
        }
        named |= {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        assert not [name for name in named if name and name.startswith("engine")]
        assert not [name for name in named if name == "sqlalchemy"]
