"""The outcome of a message that a person holds; its person's later ones wait."""

from dataclasses import replace

from engine.channels.format.channel import Channel
from engine.channels.processing.outcomes import outcome
from engine.channels.processing.prepared import Ended, Prepared
from engine.channels.processing.search_keys import person_keys
from engine.store.holding import HELD_BY_PERSON
from engine.store.message_state import MessageState
from engine.store.results import Failure, Outcome


def held_for(actor: str, half: Prepared | Ended, channel: Channel) -> Outcome:
    """Return the outcome of a message that ``actor`` wants held.

    It holds what would go on, or has failed; what a rule has ended stays as it is.

    Bytes that nobody can read hold nobody up: they do not say whose they are.
    """
    prepared: Prepared
    if isinstance(half, Prepared):
        prepared = half
    elif half.outcome.state is not MessageState.ERROR:
        return half.outcome
    elif half.prepared is None:
        failure = _held(half.outcome.stage, actor)
        held = replace(half.outcome, state=MessageState.HELD, failure=failure)
        return replace(held, reason=failure.sentence)
    else:
        prepared = half.prepared
    failure = _held(prepared.stage, actor)
    held = outcome(prepared, channel, MessageState.HELD, failure=failure)
    return replace(held, holds=tuple(person_keys(prepared.message, channel.name)))


def _held(stage: str, actor: str) -> Failure:
    return Failure(
        stage,
        "permanent",
        HELD_BY_PERSON,
        f"held for {actor}",
        cause="held for a person",
        assignee=actor,
    )
