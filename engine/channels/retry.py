"""When a failed delivery is tried again: backoff and classes, as pure functions."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from engine.channels.channel import Retry
from engine.errors import (
    AmbiguousError,
    CredentialsError,
    DeliveryError,
    NotNowError,
    PermanentError,
    TransientError,
)

NOT_NOW_SPAN_SECONDS: Final = 3600.0
"""All tries of a *not-now* failure together take about this long."""

CONNECTION_DOWN: Final = frozenset(
    {"connection-refused", "connect-timeout", "dns", "tls-timeout", "unreachable"}
)
"""Causes that say nothing about the document: every lane of the destination waits."""


class FailureClass(StrEnum):
    """What kind of failure it was, in the words of the error queue."""

    TRANSIENT = "transient"
    AMBIGUOUS = "ambiguous"
    NOT_NOW = "not-now"
    PERMANENT = "permanent"
    POISON = "poison"
    CREDENTIALS = "credentials"


class Scope(StrEnum):
    """Who waits because of a failure."""

    LANE = "lane"
    DESTINATION = "destination"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Consequence:
    """What a failed attempt leads to.

    Attributes:
        failure_class: the class that decided.
        wait_seconds: until the next try; None parks the delivery in the error queue.
        scope: who waits meanwhile.
        pause: the destination stays paused until a person releases it.
    """

    failure_class: FailureClass
    wait_seconds: float | None
    scope: Scope = Scope.LANE
    pause: bool = False


def failure_class(failure: DeliveryError) -> FailureClass:
    """Return the retry class that the type of ``failure`` stands for."""
    match failure:
        case TransientError():
            return FailureClass.TRANSIENT
        case AmbiguousError():
            return FailureClass.AMBIGUOUS
        case NotNowError():
            return FailureClass.NOT_NOW
        case CredentialsError():
            return FailureClass.CREDENTIALS
        case PermanentError():
            return FailureClass.PERMANENT
        case _:
            return FailureClass.PERMANENT


