"""What every database must do with the configurations that went live."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from engine.store import config_history, damage
from engine.store.audit import Order
from engine.store.config_history import ConfigFile
from engine.store.config_tables import config_revision, config_text
from engine.store.seal import fingerprint
from tests.stored import NOON

ADT = "channels/adt.yaml"
ORDER = Order("ana", NOON, "reload")


def files(text, revision="r1", **more):
    """Return a configuration: one channel, and files of which the hash alone counts."""
    found = {ADT: ConfigFile(fingerprint(text), text, revision)}
    for name, content in more.items():
        found[f"tables/{name}.csv"] = ConfigFile(fingerprint(content))
    return found


@pytest.fixture
def keep(store):
    def kept(content, node="a", call=config_history.keep, order=ORDER):
        with store.engine() as connection:
            return call(connection, store.sealer, node, content, order)

    return kept


def versions(store):
    with store.reading() as connection:
        return config_history.versions(connection, store.sealer, ADT)


def text(store, content):
    with store.reading() as connection:
        found = fingerprint(content)
        return config_history.text_of(connection, store.sealer, found)


def test_a_configuration_is_kept_once_for_a_node_while_nothing_changes(store, keep):
    numbers = [
        keep(files(b"one")),
        keep(files(b"one")),
        keep(files(b"two")),
        keep(files(b"one")),
        keep(files(b"one"), "b"),
    ]

    assert numbers == [1, None, 2, 3, 4]
    assert [(each.number, each.node) for each in versions(store)] == [
        *((4, "b"), (3, "a"), (2, "a"), (1, "a")),
    ]
    assert text(store, b"two") == b"two"


def test_a_file_has_a_new_version_when_what_its_channel_uses_changed(store, keep):
    keep(files(b"one", "r1", sex=b"M"))
    keep(files(b"one", "r1", sex=b"F"))
    keep(files(b"one", "r2", sex=b"F"))

    assert [each.number for each in versions(store)] == [3, 1]
    assert text(store, b"F") is None


def test_who_and_why_are_kept_and_the_reason_is_sealed(store, keep):
    keep(files(b"one"), order=Order("ana", NOON, "as Mrs Doe's ward asked"))
    [found] = versions(store)

    assert (found.actor, found.at, found.reason) == (
        *("ana", NOON, "as Mrs Doe's ward asked"),
    )
    with store.reading() as connection:
        kept = connection.execute(select(config_revision.c.content)).scalar_one()
        assert b"Doe" not in kept


def test_what_never_went_live_is_kept_aside_and_is_not_what_runs(store, keep):
    live = files(b"one")
    keep(live)
    keep(files(b"draft", ""), call=config_history.set_aside)

    assert [(each.number, each.state) for each in versions(store)] == [
        *((2, "set aside"), (1, "live")),
    ]
    with store.reading() as connection:
        assert config_history.is_live(connection, "a", live)
        assert not config_history.is_live(connection, "b", live)


def test_what_was_replaced_long_ago_is_dropped_and_what_runs_never(store, keep):
    long_ago = replace(ORDER, now=NOON - timedelta(days=900))
    keep(files(b"one"), order=long_ago)
    keep(files(b"two"), order=replace(ORDER, now=NOON - timedelta(days=800)))
    keep(files(b"other"), "b", order=long_ago)
    keep(files(b"three"))
    with store.engine() as connection:
        config_history.forget(connection, NOON - timedelta(days=400))

    assert [each.number for each in versions(store)] == [4, 3, 2]
    assert (text(store, b"one"), text(store, b"two")) == (None, b"two")
    with store.reading() as connection:
        assert config_history.files_of(connection, 1) == {}


def test_a_damaged_text_is_found(store, keep):
    keep(files(b"one"))
    with store.engine() as connection:
        connection.execute(update(config_text).values(content=b"x"))
    with store.reading() as connection:
        found = [each.place for each in damage.damages(connection, store.sealer)]

    assert found == [f"engine.db, config_text {fingerprint(b'one').hex()}"]
