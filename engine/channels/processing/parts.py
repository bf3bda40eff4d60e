"""Parts that are nothing to process by themselves: fragments, and batches held whole.

Spec:
    protocol.md E70, E74 and E75.
"""

from dataclasses import replace
from typing import Final

from engine.channels.batches import EMPTY, MISMATCH
from engine.channels.format.channel import Channel
from engine.channels.processing.outcomes import refused
from engine.channels.processing.prepared import Stage
from engine.store.claims import Claimed
from engine.store.fragments import Chain
from engine.store.message_state import MessageState
from engine.store.messages import HELD_BATCH
from engine.store.results import Failure, Outcome

FRAGMENT_MISSING: Final = Failure(
    Stage.ACCEPT,
    "permanent",
    "fragment-missing",
    "the next fragment of this message did not come in time",
)
FRAGMENT_GONE: Final = Failure(
    Stage.ACCEPT,
    "permanent",
    "fragment-gone",
    "an earlier fragment of this message was removed by retention, or is damaged",
)
BATCH_MISMATCH: Final = Failure(
    Stage.ACCEPT,
    "permanent",
    HELD_BATCH,
    "the batch is not what its trailer says, or has none",
)
NO_MESSAGE: Final = "a batch without any message"
WAITS: Final = "waits for its next fragment"


def apart(claimed: Claimed, channel: Channel) -> Outcome | None:
    """Return the outcome of a part; None for what is to be processed now."""
    return _batched(claimed, channel) or _fragment(claimed, channel)


def _batched(claimed: Claimed, channel: Channel) -> Outcome | None:
    """Hold a batch that is not what its trailer says, until a person releases it.

    Its first message has the entry in the error queue, the others wait behind it.
    """
    findings = claimed.row.findings
    if EMPTY in findings:
        return _begun(claimed, channel, MessageState.FILTERED, NO_MESSAGE)
    hold = channel.source.hl7.batch_count_mismatch == "hold"
    if MISMATCH not in findings or not hold or claimed.redo:
        return None
    if claimed.row.id == claimed.head:
        held = refused(claimed, channel, BATCH_MISMATCH)
        return replace(held, state=MessageState.HELD)
    held = _begun(claimed, channel, MessageState.HELD, "waits for its batch")
    return replace(held, behind=claimed.head)


def _fragment(claimed: Claimed, channel: Channel) -> Outcome | None:
    """Settle a fragment; the one that completes its message goes on with all of it.

    One that is looked at again has waited too long, or a person asked for it.
    """
    chain = claimed.chain
    if chain is None:
        return None
    if not chain.complete:
        if claimed.redo:
            return refused(claimed, channel, FRAGMENT_MISSING)
        return _begun(claimed, channel, MessageState.RECEIVED, WAITS)
    return _joined(claimed, channel, chain)


def _joined(claimed: Claimed, channel: Channel, chain: Chain) -> Outcome | None:
    if claimed.row.id != chain.ids[-1]:
        reason = f"joined in message {chain.ids[-1]}"
        return _begun(claimed, channel, MessageState.FILTERED, reason)
    if None in chain.contents:
        return refused(claimed, channel, FRAGMENT_GONE)
    return None


def _begun(
    claimed: Claimed, channel: Channel, state: MessageState, reason: str
) -> Outcome:
    """Return an outcome with its reason and no failure."""
    return Outcome(
        claimed.row.id,
        state,
        attempt=claimed.attempt,
        redo=claimed.redo,
        revision=channel.revision,
        stage=Stage.ACCEPT,
        reason=reason,
    )
