"""Fragments that wait for the others of their message: settled, or waiting too long.

Spec:
    protocol.md E70.
"""

from collections.abc import Mapping
from datetime import datetime

from engine.channels.processing.assemble import Line
from engine.store import fragments, messages
from engine.store.audit import Order
from engine.store.database import Connection, Database
from engine.store.fragments import Chain
from engine.store.seal import Sealer


def settle_earlier(
    connection: Connection, sealer: Sealer, chain: Chain, channel: str, now: datetime
) -> None:
    """Settle the fragments that waited for the last one, in its transaction."""
    earlier = chain.ids[:-1]
    fragments.look_again(connection, channel, earlier, now)
    missed = fragments.missed(connection, earlier)
    came = Order("engine", now, "its last fragment came")
    messages.reprocess(connection, sealer, missed, came)


def look_for_late(database: Database, lines: Mapping[str, Line], now: datetime) -> None:
    """Have those looked at again that have waited too long for their next one."""
    for name, line in lines.items():
        patience = line.feed.channel.source.hl7.fragment_timeout
        with database.reading() as connection:
            late = fragments.late(connection, name, now - patience)
        if late:
            with database.engine() as connection:
                fragments.look_again(connection, name, late, now)
