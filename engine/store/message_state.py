"""The life of one message: which event moves which state where.

As with deliveries, this table is the whole truth, and the CHECK constraint of the
message table is generated from `MessageState`. A message that no worker has finished
yet has no row of its own: it is *received* because the journal has it.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from engine.errors import IllegalTransitionError


class MessageState(StrEnum):
    """Where a message stands. Stored as text, shown to operators as it is."""

    RECEIVED = "received"
    FILTERED = "filtered"
    PROCESSED = "processed"
    HELD = "held"
    ERROR = "error"


class MessageEvent(StrEnum):
    """What happened to a message."""

    FILTER = "filter"
    PROCESS = "process"
    HOLD = "hold"
    FAIL = "fail"
    WAIT = "wait"
    """It is part of a message whose other parts have not come yet."""
    REPROCESS = "reprocess"
    RELEASE = "release"
    DISCARD = "discard"


_S, _E = MessageState, MessageEvent

MESSAGE_TRANSITIONS: Final[Mapping[tuple[MessageState, MessageEvent], MessageState]] = (
    MappingProxyType(
        {
            (_S.RECEIVED, _E.FILTER): _S.FILTERED,
            (_S.RECEIVED, _E.PROCESS): _S.PROCESSED,
            (_S.RECEIVED, _E.HOLD): _S.HELD,
            (_S.RECEIVED, _E.FAIL): _S.ERROR,
            (_S.RECEIVED, _E.WAIT): _S.RECEIVED,
            (_S.FILTERED, _E.REPROCESS): _S.RECEIVED,
            (_S.PROCESSED, _E.REPROCESS): _S.RECEIVED,
            (_S.ERROR, _E.REPROCESS): _S.RECEIVED,
            (_S.ERROR, _E.DISCARD): _S.FILTERED,
            (_S.HELD, _E.RELEASE): _S.RECEIVED,
            (_S.HELD, _E.DISCARD): _S.FILTERED,
        }
    )
)


def advance_message(state: MessageState, event: MessageEvent) -> MessageState:
    """Return the state that follows ``state`` when ``event`` happens.

    Raises:
        IllegalTransitionError: the pair is not in `MESSAGE_TRANSITIONS`.
    """
    try:
        return MESSAGE_TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransitionError(
            f"{event} is not allowed when a message is {state}"
        ) from None
