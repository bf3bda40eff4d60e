"""What waits for something else to come: fragments, and batches that came wrong.

Spec:
    protocol.md E70 and E74.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from engine.channels.processing.assemble import Line
from engine.channels.processing.prepared import Ended, Prepared
from engine.store import batches, fragments, messages
from engine.store.audit import ENGINE, Order
from engine.store.database import Connection, Database
from engine.store.fragments import Chain
from engine.store.seal import Sealer


def settle_earlier(
    connection: Connection,
    sealer: Sealer,
    halves: Sequence[Prepared | Ended],
    now: datetime,
) -> None:
    """Settle what waited for these messages, in the transaction that records them."""
    known = [each.prepared if isinstance(each, Ended) else each for each in halves]
    claimed = [each.claimed for each in known if each is not None]
    for each in claimed:
        if each.chain is not None:
            _settle_chain(connection, sealer, each.chain, each.row.channel, now)
    for name in sorted({each.row.batch for each in claimed} - {""}):
        number = max(each.row.id for each in claimed if each.row.batch == name)
        came = f"its batch came again, and whole: up to message {number}"
        wrong = batches.corrected(connection, name)
        messages.discard(connection, sealer, wrong, Order(ENGINE, now, came))


def _settle_chain(
    connection: Connection, sealer: Sealer, chain: Chain, channel: str, now: datetime
) -> None:
    earlier = chain.ids[:-1]
    fragments.look_again(connection, channel, earlier, now)
    missed = fragments.missed(connection, earlier)
    came = Order(ENGINE, now, "its last fragment came")
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
