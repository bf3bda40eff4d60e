"""How a message ends: the outcome the store keeps, and why."""

from collections.abc import Callable
from typing import Final, TypeVar

import orjson

from engine.channels.format.channel import Channel
from engine.channels.processing.prepared import Prepared, Stage
from engine.channels.processing.search_keys import person_keys, search_keys
from engine.errors import EngineError, TransformError
from engine.store.away import is_away
from engine.store.claims import Claimed
from engine.store.message_state import MessageState
from engine.store.results import Failure, Outcome, TableMiss

Made = TypeVar("Made")

SYSTEMS: Final = "systems"
"""The code table of code systems, in which unknown ones are counted as missing."""

POISON: Final = Failure(
    Stage.ACCEPT,
    "poison",
    "worker-died",
    "the worker died twice while it processed this message",
)


DAMAGED: Final = Failure(
    Stage.ACCEPT,
    "permanent",
    "damaged",
    "the stored message does not open: it is damaged, or sealed with another key; "
    "put the key or the file back, or have the sender send it again",
)


def visibly(
    step: Callable[[], Made], prepared: Prepared, channel: Channel
) -> Made | Outcome:
    """Return what a step makes; else the outcome that shows a person what went wrong.

    Raises:
        StoreError: the store is away (as the driver's own error too): the message has
            nothing to do with it, and is processed when the store is back.
    """
    try:
        return step()
    except Exception as error:  # every message ends in a visible state
        if is_away(error):
            raise
        return failed(prepared, channel, error)


def failed(prepared: Prepared, channel: Channel, error: Exception) -> Outcome:
    """Return the outcome of a message that a step could not process."""
    stage = prepared.stage
    if isinstance(error, TransformError):
        class_ = "poison" if error.code == "step-died" else "permanent"
        failure = Failure(
            stage, class_, error.code, str(error), label=error.label,
            assignee=channel.owner,
        )  # fmt: skip
    elif isinstance(error, EngineError):
        failure = Failure(stage, "permanent", "refused", str(error))
    else:
        failure = Failure(stage, "permanent", "defect", defect(error))
    return outcome(prepared, channel, MessageState.ERROR, failure=failure)


def defect(error: Exception) -> str:
    """Name a defect of ours by its kind and place; its text may hold patient data."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return f"a defect in the engine: {type(error).__name__}"
    module = trace.tb_frame.f_globals.get("__name__", "?")
    return (
        f"a defect in the engine: {type(error).__name__} in {module}:{trace.tb_lineno}"
    )


def refused(claimed: Claimed, channel: Channel, failure: Failure) -> Outcome:
    """Return the outcome of a message that was not even begun."""
    return Outcome(
        claimed.row.id,
        MessageState.ERROR,
        attempt=claimed.attempt,
        redo=claimed.redo,
        revision=channel.revision,
        stage=failure.stage,
        reason=failure.sentence,
        failure=failure,
    )


def quarantined(claimed: Claimed, channel: Channel) -> Outcome:
    """Return the outcome of bytes that accept could not take as a message."""
    cause = claimed.row.cause or "the bytes could not be read as a message"
    failure = Failure(
        Stage.ACCEPT, "frame", "quarantined", cause, assignee=channel.owner
    )
    return refused(claimed, channel, failure)


def ended(
    prepared: Prepared, channel: Channel, state: MessageState, reason: str
) -> Outcome:
    """Return the outcome of a message that a rule or a step ended."""
    held = state is MessageState.HELD
    failure = (
        Failure(Stage.EDIT, "permanent", "held", reason, assignee=channel.owner)
        if held
        else None
    )
    return outcome(prepared, channel, state, reason=reason, failure=failure)


def outcome(
    prepared: Prepared,
    channel: Channel,
    state: MessageState,
    *,
    reason: str = "",
    failure: Failure | None = None,
) -> Outcome:
    """Return an outcome with everything the message told on its way."""
    claimed, message = prepared.claimed, prepared.message
    if failure is not None:
        reason = failure.sentence
    parks = state is MessageState.ERROR and channel.on_failure == "park"
    return Outcome(
        claimed.row.id,
        state,
        attempt=claimed.attempt,
        redo=claimed.redo,
        revision=channel.revision,
        stage=prepared.stage,
        reason=reason,
        failure=failure,
        holds=tuple(person_keys(message, channel.name)) if parks else (),
        keys=tuple(search_keys(message, prepared.context.index_keys)),
        report=report(prepared),
        misses=_misses(prepared),
    )


def _misses(prepared: Prepared) -> tuple[TableMiss, ...]:
    """Return the codes no table knew, and the code systems the map had to mint."""
    sender, mapped = prepared.message["MSH-4"], prepared.mapped
    codes = [(miss.table, miss.code) for miss in prepared.context.misses]
    codes += [(SYSTEMS, word) for word in (mapped.unmapped if mapped else ())]
    return tuple(TableMiss(table, code, sender) for table, code in codes)


def report(prepared: Prepared) -> bytes:
    """Return the loss report with all findings as JSON, without any value."""
    mapped = prepared.mapped
    losses = [] if mapped is None else mapped.losses
    findings = [*prepared.message.findings, *prepared.context.findings]
    if mapped is not None:
        findings += mapped.findings
    refusal = prepared.refusal
    return orjson.dumps(
        {
            "sender": prepared.message["MSH-4"],
            "losses": [[loss.path, loss.reason] for loss in losses],
            "findings": [[each.code, each.path, each.text] for each in findings],
            "notes": prepared.context.notes,
            "not_mapped": "" if refusal is None else refusal.code,
        }
    )
