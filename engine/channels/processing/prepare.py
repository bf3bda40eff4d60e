"""The first half of processing: parse, filter, edit, map. No store, no clock.

A message comes out `Prepared` for identity and rendering, or it has ended: filtered,
held or error.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Final, TypeVar

from engine.channels.format.channel import Channel, Hl7Options, Rule
from engine.channels.patient_feed import opened as unfolded
from engine.channels.processing.outcomes import (
    DAMAGED,
    POISON,
    ended,
    quarantined,
    refused,
    visibly,
)
from engine.channels.processing.parts import apart
from engine.channels.processing.prepared import Ended, Prepared, Stage
from engine.channels.processing.search_keys import person_keys
from engine.channels.processing.steps import Call, StepRunner
from engine.errors import ParseError, TransformError
from engine.hl7 import Message, parse
from engine.hl7.conformance import CONDITIONS, Finding, check, check_shape
from engine.hl7.continuation import is_continued, join
from engine.hl7.sequence import is_link_start
from engine.store.claims import Claimed
from engine.store.message_state import MessageState
from engine.store.results import Failure, Outcome
from engine.store.words import Verdict as JournalVerdict
from engine.transforms.ccda.incoming import opened
from engine.transforms.edits import Ending, run_steps
from engine.transforms.erased import Received, list_erased, received
from engine.transforms.fhir.mapped import MapContext
from engine.transforms.fhir.mapping import map_message
from engine.transforms.fhir_rows import run_rows
from engine.transforms.places import holds
from engine.transforms.scope import EditContext, PythonCall, message_names
from engine.transforms.step_context import Resources

Answer = TypeVar("Answer")
Pseudonym = Callable[[str], str]
"""From a word to one that nobody can turn back without the node's key."""

MAX_DEATHS: Final = 2
"""A message in hand when its worker died so often is poison."""

LAST_DEATHS: Final = 4
"""And so often even when it was only read for its person: then nobody waits."""

ANSWERED: Final = "a query: it was answered on its connection"
LINK_START: Final = "starts or resynchronises its link, nothing else"


@dataclass(frozen=True, slots=True)
class Feed:
    """What preparing the messages of one channel needs, made once per revision.

    ``map_context`` lacks only what belongs to a single message. ``step_runner`` is None
    for a channel without Python steps. Without ``accounts`` nobody wants to know what
    steps and rows took away of the message.
    """

    channel: Channel
    zone: tzinfo
    map_context: Callable[[Claimed], MapContext]
    step_runner: StepRunner | None = None
    traced: bool = False
    accounts: bool = True


def prepare(
    claimed: Claimed, feed: Feed, pseudonym: Pseudonym | None = None
) -> Prepared | Ended:
    """Take one journalled message as far as its FHIR resources.

    Whatever goes wrong ends in an outcome that a person can see.
    ``redact`` without a ``pseudonym`` removes.
    """
    if claimed.deaths >= MAX_DEATHS:
        return Ended(_poisoned(claimed, feed.channel))
    if (whole := _not_to_be_read(claimed, feed.channel)) is not None:
        return Ended(whole)
    try:
        message = parsed(claimed, feed.channel)
    except ParseError as error:
        failure = Failure(Stage.ACCEPT, "frame", "unreadable", str(error))
        return Ended(refused(claimed, feed.channel, failure))
    prepared = Prepared(claimed, _context(claimed, feed, message))
    prepared.context.pseudonym = pseudonym
    done = visibly(lambda: _advance(prepared, feed), prepared, feed.channel)
    prepared.leave()
    return Ended(done, prepared) if isinstance(done, Outcome) else done


def _not_to_be_read(claimed: Claimed, channel: Channel) -> Outcome | None:
    """Return the outcome of what is no message to read: damaged, no message, a part."""
    if claimed.damaged:
        return refused(claimed, channel, DAMAGED)
    if claimed.row.verdict is JournalVerdict.QUARANTINED:
        return quarantined(claimed, channel)
    return apart(claimed, channel)


def _poisoned(claimed: Claimed, channel: Channel) -> Outcome:
    """Return the outcome of a message that kills workers; its person waits behind it.

    Spec:
        protocol.md 5, class *poison*.
    """
    told = refused(claimed, channel, POISON)
    if channel.on_failure != "park" or claimed.deaths > LAST_DEATHS:
        return told
    try:
        message = parsed(claimed, channel)
    except ParseError:
        return told
    return replace(told, holds=tuple(person_keys(message, channel.name)))


def _advance(prepared: Prepared, feed: Feed) -> Prepared | Ended:
    """Filter, edit and map; end where a rule or a step says so."""
    channel, context = feed.channel, prepared.context
    if channel.query is not None:
        answered = ended(prepared, channel, MessageState.PROCESSED, ANSWERED)
        return Ended(answered, prepared)
    if is_link_start(prepared.message["MSH-13"], prepared.claimed.data):
        filtered = ended(prepared, channel, MessageState.FILTERED, LINK_START)
        return Ended(filtered, prepared)
    opened(unfolded(prepared.message))
    _conform(prepared, channel.source.hl7)
    prepared.enter(Stage.FILTER)
    if (rule := rule_against(channel.filter, context)) is not None:
        return Ended(ended(prepared, channel, MessageState.FILTERED, rule), prepared)
    prepared.enter(Stage.EDIT)
    before = received(prepared.message) if channel.edit else ()
    if (verdict := run_steps(channel.edit, context)) is not None:
        dropped = verdict.ending is Ending.DROP
        state = MessageState.FILTERED if dropped else MessageState.HELD
        return Ended(ended(prepared, channel, state, verdict.reason), prepared)
    prepared.enter(Stage.MAP)
    _map(prepared, feed, before)
    return prepared


def _map(prepared: Prepared, feed: Feed, before: Received) -> None:
    """Make the resources, and list what the channel took away of the message."""
    context, known = prepared.context, feed.map_context(prepared.claimed)
    try:
        mapped = map_message(prepared.message, known)
    except TransformError as error:
        if error.code != "trigger-not-mapped":
            raise
        prepared.refusal = error
        return
    prepared.mapped = mapped
    again = (lambda twin: map_message(twin, known)) if feed.accounts else None
    run_rows(feed.channel.map, mapped, context, again)
    if feed.accounts and before:
        list_erased(before, context, mapped)


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


def _whole(claimed: Claimed) -> Claimed:
    """Return a message with its fragments and continued segments joined (E70, E71)."""
    if claimed.chain is not None:
        parts = [each for each in claimed.chain.contents if each is not None]
        return replace(claimed, data=join(parts))
    if is_continued(claimed.data):
        return replace(claimed, data=join([claimed.data]))
    return claimed


def parsed(claimed: Claimed, channel: Channel) -> Message:
    """Return a message as received, whole.

    Raises:
        ParseError: it cannot be read as one.
    """
    claimed = _whole(claimed)
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
        steps = _Steps(feed.step_runner, claimed, channel.name)
        context.run_python, context.run_map = steps.edit, steps.map
    return context


class _Steps:
    """Runs a message's Python steps; one that dies is tried a second time."""

    __slots__ = ("_channel", "_claimed", "_runner")

    def __init__(self, runner: StepRunner, claimed: Claimed, channel: str) -> None:
        self._runner = runner
        self._claimed = claimed
        self._channel = channel

    def edit(self, step: PythonCall, context: EditContext) -> object:
        """Run a step of ``edit`` or ``filter``; return whether it keeps the message."""
        call = self._call(step, context)
        message, keep, flags = _twice(lambda: self._runner.run(call, context.message))
        context.notes.extend(flags)
        _adopt(message, context)
        return keep

    def map(
        self, step: PythonCall, context: EditContext, resources: Resources
    ) -> Resources:
        """Run a step of ``map``; return the resources it made."""
        call, message = self._call(step, context), context.message
        made, flags = _twice(lambda: self._runner.map(call, message, resources))
        context.notes.extend(flags)
        return made

    def _call(self, step: PythonCall, context: EditContext) -> Call:
        row = self._claimed.row
        position = -1
        if context.loops:
            current = context.loops[-1].segment
            position = next(
                at
                for at, each in enumerate(context.message.segments)
                if each is current
            )
        return Call(
            f"{step.module}:{step.function}",
            self._channel,
            str(row.id),
            row.received_at,
            step.arguments,
            position,
        )


def _twice(run: Callable[[], Answer]) -> Answer:
    try:
        return run()
    except TransformError as error:
        if error.code != "step-died":
            raise
        return run()


def _adopt(message: Message, context: EditContext) -> None:
    """Go on with the message a step made; inside a loop, in the segments it walks."""
    if not context.loops:
        message.findings = context.message.findings  # a step's bytes are our own
        context.message = message
        return
    known, made = context.message.segments, message.segments
    if [each.id for each in known] != [each.id for each in made]:
        raise TransformError(
            "a Python step inside for-each may not add, remove or move segments",
            "step-failed",
        )
    for segment, changed in zip(known, made, strict=True):
        if segment.encoded != changed.encoded:
            segment.rewrite(changed.encoded)
