"""The key that seals changes while everything goes on, and nothing becomes unreadable.

Spec:
    security.md S22; console.md S16.
"""

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from engine.channels.clock import utc_now
from engine.channels.reporting import Reporter
from engine.errors import ConfigurationError
from engine.store import audit, key_use
from engine.store.audit import Order
from engine.store.damage import damages
from engine.store.database import open_database
from engine.store.key_file import load_or_create_key
from engine.store.key_tables import key_use as key_rows
from engine.store.key_use import KeyUse
from tests.databases import BOTH, KEY, empty_url
from tests.stored import NOON, accept, arrival, claim

ORDER = Order("kim", NOON, "a new year")


class Node:
    """A store, and processes that have it open with one key file."""

    def __init__(self, kind, folder):
        self.url = empty_url(kind, folder)
        self.path = folder / "store.key"
        self.path.write_text(KEY.hex())
        self.path.chmod(0o600)
        self.opened = []

    def opens(self, path=None):
        """Open the store as one more process."""
        keys = load_or_create_key(path or self.path)
        self.opened.append(open_database(self.url, keys))
        return self.opened[-1]


@pytest.fixture(params=BOTH)
def node(request, tmp_path):
    made = Node(request.param, tmp_path)
    yield made
    for each in made.opened:
        each.close()


def rotate(database, **how):
    with database.engine() as connection:
        return key_use.rotate(connection, database.sealer, database.keys, ORDER, **how)


def report(database):
    Reporter(database, "here", utc_now, "worker", "worker").exchange("{}")


def uses(database):
    with database.reading() as connection:
        return key_use.uses(connection, database.sealer)


def test_every_process_opens_everything_at_every_moment_of_a_change(node):
    edge, worker, command = node.opens(), node.opens(), node.opens()
    accept(edge, arrival("C1", b"MSH|before"))
    assert rotate(command) == 2
    accept(edge, arrival("C2", b"MSH|between"))
    report(edge)
    accept(edge, arrival("C3", b"MSH|after"))
    [before, between, after] = claim(worker)

    assert (edge.keys.in_use, worker.keys.in_use) == (2, 1)
    assert (before.data, between.data) == (b"MSH|before", b"MSH|between")
    assert after.data == b"MSH|after"
    report(worker)
    assert worker.keys.in_use == node.opens().keys.in_use == 2
    assert uses(worker) == [KeyUse(2, NOON)]


def test_a_change_is_in_the_audit_trail_and_leaves_it_and_the_store_whole(node):
    database = node.opens()
    accept(database, arrival())
    rotate(database)
    report(database)
    rotate(database)
    again = node.opens()
    with again.reading() as connection:
        acts = [row.act for row in audit.rows(connection, again.sealer)]
        told = list(damages(connection, again.sealer))

    assert [(each.action, each.subject) for each in acts] == [
        ("keys.rotate", "key 3"),
        ("keys.rotate", "key 2"),
    ]
    assert {each.detail for each in acts} == {"a new year"}
    assert (told, again.keys.in_use) == ([], 3)


def test_a_change_that_dies_in_the_middle_leaves_a_key_for_the_next_one(node):
    database = node.opens()

    def dies():
        with database.engine() as connection:
            key_use.rotate(connection, database.sealer, database.keys, ORDER)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dies()
    report(database)
    left = node.opens()

    assert (left.keys.in_use, left.keys.count, uses(left)) == (1, 2, [])
    assert rotate(left) == left.keys.count == 2


def test_a_key_of_several_nodes_is_added_and_copied_before_it_seals(node):
    database = node.opens()

    with pytest.raises(ConfigurationError, match="interop keys add"):
        rotate(database, makes_one=False)
    database.keys.add()

    assert rotate(database, makes_one=False) == 2


def test_a_node_without_the_new_key_says_so_and_goes_on_with_the_one_before(
    node, tmp_path
):
    copy = tmp_path / "copy.key"
    copy.write_text(KEY.hex())
    copy.chmod(0o600)
    other = node.opens(copy)
    rotate(node.opens())

    with capture_logs() as logs:
        report(other)

    assert [each["event"] for each in logs] == ["key_missing"]
    assert "does not hold key 2" in logs[0]["reason"]
    assert other.keys.in_use == 1
    with pytest.raises(ConfigurationError, match="newest copy"):
        node.opens(copy)


def test_F12_a_damaged_row_of_a_key_is_named(node):
    database = node.opens()
    rotate(database)
    with database.engine() as connection:
        connection.execute(update(key_rows).values(since=b"\x03damaged"))
        told = [each.place for each in damages(connection, database.sealer)]

    assert told == ["engine.db, key_use 2"]
