"""What sealed content is bound to: the plain columns of its row.

They are authenticated with it. A row in which one of them changed does not open, so a
damaged number, word or time is noticed before anything is made of it. Each function
returns the context that content is sealed in, and the shorter ones of earlier releases.

Spec:
    faults.md F12.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from engine.store.tables import delivery, journal_message

MESSAGE_COLUMNS: Final = [
    each for each in journal_message.c if each is not journal_message.c.content
]
"""The columns that `of_message` wants first in a row, in this order."""


def of_message(row: Sequence[Any]) -> tuple[str, str]:
    """Return the contexts of a journalled message; ``row`` may go on after them."""
    number, channel, listener, peer, received_at, control_id, *rest = row
    message_type, trigger_event, size, _, verdict, cause, ack_code, *rest = rest
    findings, batch, *_ = rest
    earlier = f"message|{number}|{channel}"
    return (
        f"{earlier}|{listener}|{peer}|{received_at.timestamp()}|{control_id}"
        f"|{message_type}|{trigger_event}|{size}|{verdict}|{cause}|{ack_code}"
        f"|{findings}|{batch}"
    ), earlier


class Bound(NamedTuple):
    """The columns of a delivery that its document is bound to."""

    id: int
    channel: str
    destination: str
    lane_id: int
    message_id: int
    content_type: str


BOUND: Final = [delivery.c[name] for name in Bound._fields]


def of_document(row: Bound) -> tuple[str, str]:
    """Return the contexts of a rendered document."""
    earlier = f"delivery|{row.id}|{row.channel}"
    where = f"{row.destination}|{row.lane_id}|{row.message_id}|{row.content_type}"
    return f"{earlier}|{where}", earlier


def of_name(row: Bound) -> tuple[str, str]:
    """Return the contexts of a document's name."""
    now, earlier = of_document(row)
    return f"{now}|name", f"{earlier}|name"


def of_report(row: Sequence[Any]) -> tuple[str, str]:
    """Return the contexts of an attempt's report; ``row`` begins as its table does."""
    number, count, state, revision, stage, code, reason, person, at, spent, *_ = row
    earlier = f"attempt|{number}.{count}|"
    return (
        f"{earlier}{state}|{revision}|{stage}|{code}|{reason}|{person}"
        f"|{at.timestamp()}|{spent}"
    ), earlier
