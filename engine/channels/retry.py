"""When a failed delivery is tried again, and who waits meanwhile. Pure.

Spec:
    protocol.md section 5, the table of retry classes.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from engine.channels.format.channel import Retry
from engine.errors import (
    AmbiguousError,
    CredentialsError,
    DeliveryError,
    NotNowError,
    TransientError,
)

NOT_NOW_SPAN_SECONDS: Final = 3600.0
"""All tries of a *not-now* failure together take about this long."""

CONNECTION_DOWN: Final = frozenset(
    {"connection-refused", "connect-timeout", "dns", "tls-timeout", "unreachable"}
)
"""Causes that say nothing about the document: every lane of the destination waits."""

ALARM_TRIES: Final = 50
ALARM_SECONDS: Final = 300.0


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
    """What one failed attempt leads to.

    Attributes:
        failure_class: the class that decided.
        wait_seconds: until the next try; None parks the delivery in the error queue.
        scope: who waits meanwhile.
        pause: the destination stays paused until a person lets it go on.
    """

    failure_class: FailureClass
    wait_seconds: float | None
    scope: Scope = Scope.LANE
    pause: bool = False


def class_of(failure: DeliveryError) -> FailureClass:
    """Return the retry class that the type of ``failure`` stands for."""
    for kind, named in _CLASSES.items():
        if isinstance(failure, kind):
            return named
    return FailureClass.PERMANENT


_CLASSES: Final[dict[type[DeliveryError], FailureClass]] = {
    TransientError: FailureClass.TRANSIENT,
    AmbiguousError: FailureClass.AMBIGUOUS,
    NotNowError: FailureClass.NOT_NOW,
    CredentialsError: FailureClass.CREDENTIALS,
}


def consequence(
    failure: DeliveryError, tries: int, retry: Retry, draw: float
) -> Consequence:
    """Return what a failed attempt leads to.

    Args:
        failure: what the destination raised.
        tries: attempts in a row that ended in this class, this one included.
        retry: the destination's policy.
        draw: a random number from 0 up to 1, for the jitter.
    """
    named = class_of(failure)
    if named is FailureClass.CREDENTIALS:
        return Consequence(named, 0.0, Scope.DESTINATION, pause=True)
    allowed = _allowed(named, retry)
    if allowed is not None and tries > allowed:
        return Consequence(named, None)
    wait = max(_wait(named, tries, retry, draw), failure.retry_after_seconds)
    return Consequence(named, wait, _scope(named, failure, retry))


def backoff(tries: int, retry: Retry, draw: float) -> float:
    """Return seconds to wait after ``tries`` attempts in a row.

    Exponential with full jitter: any time up to a ceiling that doubles each time.

    Examples:
        >>> [backoff(tries, Retry(jitter=False), 0.0) for tries in (1, 2, 3, 30)]
        [1.0, 2.0, 4.0, 300.0]
        >>> backoff(3, Retry(), 0.25)
        1.0
    """
    first, most = retry.first.total_seconds(), retry.max.total_seconds()
    if retry.backoff == "fixed":
        return first
    ceiling = min(first * 2.0 ** min(tries - 1, 60), most)
    return ceiling * draw if retry.jitter else ceiling


def is_alarming(tries: int, since_seconds: float) -> bool:
    """Whether a transient failure has lasted long enough to tell a person."""
    return tries >= ALARM_TRIES or since_seconds >= ALARM_SECONDS


def _allowed(named: FailureClass, retry: Retry) -> int | None:
    attempts = retry.attempts
    return {
        FailureClass.TRANSIENT: attempts.transient,
        FailureClass.AMBIGUOUS: attempts.ambiguous,
        FailureClass.NOT_NOW: attempts.not_now,
    }.get(named, attempts.permanent)


def _wait(named: FailureClass, tries: int, retry: Retry, draw: float) -> float:
    """Return the wait; *not-now* spreads its tries over an hour, doubling each time."""
    if named is not FailureClass.NOT_NOW or retry.backoff == "fixed":
        return backoff(tries, retry, draw)
    steps = 2.0 ** min(retry.attempts.not_now, 60) - 1
    return NOT_NOW_SPAN_SECONDS * 2.0 ** (tries - 1) / max(steps, 1.0)


def _scope(named: FailureClass, failure: DeliveryError, retry: Retry) -> Scope:
    if named is FailureClass.TRANSIENT and (
        failure.code in CONNECTION_DOWN or failure.retry_after_seconds
    ):
        return Scope.DESTINATION
    if named is FailureClass.NOT_NOW and retry.not_now == "skip":
        return Scope.NOBODY
    return Scope.LANE
