"""Persons are found by the beginnings of both names. Pre-deploy."""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

from engine.store.seal import Sealer

revision = "0030"
down_revision = "0029"

_PAGE = 1000
_GIVEN = 0
"""The place of the given name in packed traits."""


def upgrade() -> None:
    """Make the table, and fill it from the records there are."""
    names = op.create_table(
        "given_name",
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
    op.create_index("given_name_by_record", "given_name", ["record"], schema="engine")
    config = op.get_context().config
    assert config is not None
    sealer, connection = config.attributes["sealer"], op.get_bind()
    known: set[str] = set()
    for number, traits in _opened(connection, sealer):
        name = traits.split("\x1f")[_GIVEN]
        if name and name not in known:
            known.add(name)
            key = sealer.blind(f"given|{name}")
            held = sealer.seal(name.encode(), f"given|{key.hex()}")
            row = {"key": key, "record": number, "name": held}
            connection.execute(sa.insert(names), row)


def _opened(connection: sa.Connection, sealer: Sealer) -> Iterator[tuple[int, str]]:
    """Yield number and packed traits of every record that is compared."""
    record = sa.table(
        "record", sa.column("id"), sa.column("kind"), sa.column("traits"),
        schema="engine",
    )  # fmt: skip
    compared = record.c.kind.not_in(["unidentified", "test"])
    page = sa.select(record).where(compared).order_by(record.c.id).limit(_PAGE)
    after = 0
    while rows := connection.execute(page.where(record.c.id > after)).all():
        for row in rows:
            held = sealer.open_undamaged(bytes(row.traits or b""), f"record|{row.id}")
            if held is not None:  # what is damaged is told by `interop store verify`
                yield row.id, held.decode()
        after = rows[-1].id
