"""The message state table."""

from itertools import product

import pytest

from engine.errors import IllegalTransitionError
from engine.store.message_state import (
    MESSAGE_TRANSITIONS,
    MessageEvent,
    MessageState,
    advance_message,
)


@pytest.mark.parametrize(("state", "event"), list(product(MessageState, MessageEvent)))
def test_the_table_decides_every_pair(state, event):
    if (state, event) in MESSAGE_TRANSITIONS:
        after = MESSAGE_TRANSITIONS[state, event]
        assert advance_message(state, event) is after
    else:
        with pytest.raises(IllegalTransitionError, match=f"{event}.*{state}"):
            advance_message(state, event)


def test_every_message_can_come_back_to_received():
    assert {state for state, _ in MESSAGE_TRANSITIONS} == set(MessageState)
    for state in set(MessageState) - {MessageState.RECEIVED}:
        reached = {
            after
            for (before, _), after in MESSAGE_TRANSITIONS.items()
            if before is state
        }
        assert MessageState.RECEIVED in reached
