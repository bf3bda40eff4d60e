"""Fewer places written for a new record. Pre-deploy; every record is read once.

Block keys of one record lie together. What can be made anew from link events and
sealed records has no second copy: `interop store verify` makes it anew.
"""

import sqlalchemy as sa
from alembic import op

from engine.identity.blocking import block_keys
from engine.identity.traits import unpacked
from engine.store.patients import shipped
from engine.store.seal import Sealer

revision = "0021"
down_revision = "0020"

_PAGE = 20_000
_record = sa.table(
    "record", sa.column("id"), sa.column("kind"), sa.column("traits"), schema="engine"
)
_COPIED = ("block", "family_record", "person", "identifier")
_block = sa.table("block", sa.column("key"), sa.column("record"), schema="engine")


def upgrade() -> None:
    """Drop the copies; write all keys anew, as this release asks for them."""
    connection, config = op.get_bind(), op.get_context().config
    if connection.dialect.name == "sqlite":
        for table in _COPIED:
            op.drop_index(f"{table}_copy", table, schema="engine")
    op.drop_index("identifier_by_record", "identifier", schema="engine")
    columns = ["record", "state"]
    op.create_index("identifier_by_record", "identifier", columns, schema="engine")
    assert config is not None
    connection.execute(sa.delete(_block))
    after = 0
    while rows := _page(connection, after):
        _write(connection, config.attributes["sealer"], rows)
        after = rows[-1].id


def _page(connection: sa.Connection, after: int) -> "list[sa.Row[tuple[object, ...]]]":
    wanted = sa.select(_record).where(_record.c.id > after).order_by(_record.c.id)
    return list(connection.execute(wanted.limit(_PAGE)).all())


def _write(
    connection: sa.Connection,
    sealer: Sealer,
    rows: "list[sa.Row[tuple[object, ...]]]",
) -> None:
    secret, formal = sealer.blind("block keys"), shipped().formal
    keys = sorted(
        (key, row.id)
        for row in rows
        if row.traits is not None
        for key in block_keys(
            unpacked(sealer.open(bytes(row.traits), f"record|{row.id}").decode()),
            formal,
            secret,
        )
    )
    if keys:
        connection.execute(
            sa.insert(_block), [{"key": key, "record": number} for key, number in keys]
        )
