"""Persons are found by family name alone, wildcards included. Pre-deploy."""

import sqlalchemy as sa
from alembic import op

from engine.store.seal import Sealer

revision = "0006"
down_revision = "0005"

_PAGE = 1000
_FAMILY = 2
"""The place of the family name in packed traits; a record's kind is the last."""


def upgrade() -> None:
    """Make the tables, and fill them from the records there are."""
    names = op.create_table(
        "family_name",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column(
            "record",
            sa.BigInteger(),
            autoincrement=False,
            server_default="0",
            nullable=False,
        ),
        sa.Column("name", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("key"),
        schema="engine",
        sqlite_with_rowid=False,
    )
    op.create_index("family_name_by_record", "family_name", ["record"], schema="engine")
    holders = op.create_table(
        "family_record",
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("record", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("key", "record"),
        schema="engine",
        sqlite_with_rowid=False,
    )
    config = op.get_context().config
    assert config is not None
    _fill(op.get_bind(), config.attributes["sealer"], names, holders)


def _fill(
    connection: sa.Connection, sealer: Sealer, names: sa.Table, holders: sa.Table
) -> None:
    record = sa.table(
        "record", sa.column("id"), sa.column("kind"), sa.column("traits"),
        schema="engine",
    )  # fmt: skip
    known: set[str] = set()
    after = 0
    while True:
        wanted = sa.select(record).where(record.c.id > after)
        rows = connection.execute(wanted.order_by(record.c.id).limit(_PAGE)).all()
        if not rows:
            return
        after = rows[-1].id
        found = {
            row.id: sealer.open(bytes(row.traits), f"record|{row.id}").decode()
            for row in rows
            if row.traits is not None and row.kind not in {"unidentified", "test"}
        }
        families = {
            number: text.split("\x1f")[_FAMILY] for number, text in found.items()
        }
        new = []
        for number, family in families.items():
            if family and family not in known:
                known.add(family)
                key = sealer.blind(f"family|{family}")
                name = sealer.seal(family.encode(), f"family|{key.hex()}")
                new.append({"key": key, "record": number, "name": name})
        holding = [
            {"key": sealer.blind_number(f"family|{family}") | 1, "record": number}
            for number, family in families.items()
            if family
        ]
        if new:
            connection.execute(sa.insert(names), new)
        if holding:
            connection.execute(sa.insert(holders), holding)
