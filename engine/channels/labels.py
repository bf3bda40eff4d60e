"""What the ``on-error`` rules of a destination say of a failed delivery. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from engine.channels.format.channel import Destination, ErrorRule
from engine.channels.retry import class_of
from engine.errors import DeliveryError
from engine.hl7 import parse
from engine.store.deliveries import Leased
from engine.store.words import OnFailure
from engine.transforms.scope import EditContext, Value, timestamp_of

NO_MESSAGE: Final = b"MSH|^~\\&\r"
"""Only the error is looked at here: what the message says is the worker's business."""


class Label(NamedTuple):
    """How an entry of the error queue is marked, and what its lane does."""

    name: str = ""
    assignee: str = ""
    on_failure: OnFailure | None = None


def label_of(
    settings: Destination, leased: Leased, error: DeliveryError, now: datetime
) -> Label:
    """Return what the first rule that applies says; nothing when none does."""
    if not settings.on_error:
        return Label()
    context = EditContext(
        parse(NO_MESSAGE), leased.queued_at, _names(leased, error, now), {}
    )
    rule = _first(settings.on_error, context)
    if rule is None:
        return Label()
    chosen = OnFailure(rule.on_failure) if rule.on_failure else None
    return Label(rule.label, rule.assign, chosen)


def _first(rules: Sequence[ErrorRule], context: EditContext) -> ErrorRule | None:
    for rule in rules:
        if rule.when is None or rule.when.evaluate(context) is True:
            return rule
    return None


def _names(leased: Leased, error: DeliveryError, now: datetime) -> Mapping[str, Value]:
    return {
        "channel.name": leased.channel,
        "message.id": str(leased.message_id),
        "message.received_at": timestamp_of(now),
        "message.received_date": timestamp_of(now),
        "message.peer": "",
        "identity.enterprise_id": leased.person,
        "identity.outcome": "",
        "identity.score": None,
        "error.stage": "deliver",
        "error.class": class_of(error).value,
        "error.code": error.code,
        "error.status": Decimal(error.status),
        "error.ack": error.acknowledgment,
        "error.attempt": Decimal(leased.attempts),
    }
