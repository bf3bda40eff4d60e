"""The first half of processing: parse, filter, edit, map. No store, no clock.

A message comes out `Prepared` for identity and rendering, or it has ended: filtered,
held or error.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from engine.channels.format.channel import Channel, Hl7Options, Rule
from engine.channels.processing.outcomes import (
    POISON,
    ended,
    failed,
    quarantined,
    refused,
)
from engine.channels.processing.prepared import Ended, Prepared, Stage
from engine.channels.processing.steps import Call, StepRunner
from engine.errors import ParseError, TransformError
from engine.hl7 import Message, parse
from engine.hl7.conformance import CONDITIONS, Finding, check, check_shape
from engine.hl7.sequence import is_link_start
from engine.store.claims import Claimed
from engine.store.message_state import MessageState
from engine.store.results import Failure
from engine.store.words import Verdict as JournalVerdict
from engine.transforms.edits import Ending, run_steps
from engine.transforms.fhir.mapped import MapContext
from engine.transforms.fhir.mapping import map_message
from engine.transforms.fhir_rows import run_rows
from engine.transforms.places import holds
from engine.transforms.scope import EditContext, PythonCall, message_names

MAX_DEATHS: Final = 2
"""A message in hand when its worker died so often is poison."""

LINK_START: Final = "starts or resynchronises its link, nothing else"


@dataclass(frozen=True, slots=True)
class Feed:
    """What preparing the messages of one channel needs, made once per revision.

    ``map_context`` lacks only what belongs to a single message. ``step_runner`` is None
    for a channel without Python steps.
    """

    channel: Channel
    zone: tzinfo
    map_context: Callable[[Claimed], MapContext]
    step_runner: StepRunner | None = None
    traced: bool = False


def prepare(claimed: Claimed, feed: Feed) -> Prepared | Ended:
    """Take one journalled message as far as its FHIR resources.

    Never raises: whatever goes wrong ends in an outcome that a person can see.
    """
    if claimed.deaths >= MAX_DEATHS:
        return Ended(refused(claimed, feed.channel, POISON))
    if claimed.row.verdict is JournalVerdict.QUARANTINED:
        return Ended(quarantined(claimed, feed.channel))
    try:
        message = _parsed(claimed, feed.channel)
    except ParseError as error:
        failure = Failure(Stage.ACCEPT, "frame", "unreadable", str(error))
        return Ended(refused(claimed, feed.channel, failure))
    prepared = Prepared(claimed, _context(claimed, feed, message))
    try:
        return _advance(prepared, feed)
    except Exception as error:  # noqa: BLE001 - every message ends in a visible state
        return Ended(failed(prepared, feed.channel, error), prepared)


def _advance(prepared: Prepared, feed: Feed) -> Prepared | Ended:
    """Filter, edit and map; end where a rule or a step says so."""
    channel, context = feed.channel, prepared.context
    if is_link_start(prepared.message["MSH-13"], prepared.claimed.data):
        filtered = ended(prepared, channel, MessageState.FILTERED, LINK_START)
        return Ended(filtered, prepared)
    _conform(prepared, channel.source.hl7)
    prepared.stage = Stage.FILTER
    if (rule := rule_against(channel.filter, context)) is not None:
        return Ended(ended(prepared, channel, MessageState.FILTERED, rule), prepared)
    prepared.stage = Stage.EDIT
    if (verdict := run_steps(channel.edit, context)) is not None:
        dropped = verdict.ending is Ending.DROP
        state = MessageState.FILTERED if dropped else MessageState.HELD
        return Ended(ended(prepared, channel, state, verdict.reason), prepared)
    prepared.stage = Stage.MAP
    try:
        prepared.mapped = map_message(
            prepared.message, feed.map_context(prepared.claimed)
        )
    except TransformError as error:
        if error.code != "trigger-not-mapped":
            raise
        prepared.refusal = error
        return prepared
    run_rows(channel.map, prepared.mapped, context)
    return prepared


def _conform(prepared: Prepared, options: Hl7Options) -> None:
    """Note where the message departs from its version.

    A lenient channel looks at segments and escapes only, a strict one at fields too.

    Raises:
        TransformError: the channel is strict, and HL7 table 0357 has a code for it.
    """
    message = prepared.message
    version = message.version or options.version
    strict = options.profile == "strict"
    found = check(message, version) if strict else check_shape(message, version)
    prepared.context.findings += found
    faults = [finding for finding in found if strict and finding.code in CONDITIONS]
    if faults:
        raise TransformError(_departure(faults, version), faults[0].code)


def _departure(faults: list[Finding], version: str) -> str:
    first = faults[0]
    place = f" at {first.path}" if first.path else ""
    more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
    return (
        f"the message departs from HL7 {version}: "
        f"{first.code.replace('_', ' ')}{place}{more}"
    )


def rule_against(rules: tuple[Rule, ...], context: EditContext) -> str | None:
    """Return the name of the first filter rule that drops the message."""
    for rule in rules:
        if not holds(rule.when, context):
            continue
        if not _keeps(rule, context):
            return rule.name
    return None


def _keeps(rule: Rule, context: EditContext) -> bool:
    if rule.keep is not None:
        return holds(rule.keep, context)
    if rule.drop is not None:
        return not holds(rule.drop, context)
    if rule.python is not None and context.run_python is not None:
        return context.run_python(rule.python, context) is True
    return True


def _parsed(claimed: Claimed, channel: Channel) -> Message:
    options = channel.source.hl7
    forced = None if options.charset == "from-message" else options.charset
    return parse(claimed.data, charset=forced, fallback=options.charset_fallback)


def _context(claimed: Claimed, feed: Feed, message: Message) -> EditContext:
    row, channel = claimed.row, feed.channel
    names = message_names(
        channel.name, str(row.id), row.received_at, feed.zone, row.peer
    )
    context = EditContext(message, row.received_at, names, channel.tables, feed.zone)
    context.changes = [] if feed.traced else None
    if feed.step_runner is not None:
        context.run_python = _python(feed.step_runner, claimed, channel.name)
    return context


def _python(
    runner: StepRunner, claimed: Claimed, channel: str
) -> Callable[[PythonCall, EditContext], object]:
    """Return what runs a Python step; one that dies is tried a second time."""

    def run(step: PythonCall, context: EditContext) -> object:
        call = Call(
            f"{step.module}:{step.function}",
            channel,
            str(claimed.row.id),
            claimed.row.received_at,
            step.arguments,
        )
        try:
            message, keep, flags = runner.run(call, context.message)
        except TransformError as error:
            if error.code != "step-died":
                raise
            message, keep, flags = runner.run(call, context.message)
        message.findings = context.message.findings  # a step's bytes are our own
        context.message = message
        context.notes.extend(flags)
        return keep

    return run
