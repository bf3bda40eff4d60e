"""``interop try``: one message through a channel; nothing is sent or stored."""

import hashlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import rich_click as click

from engine.cli.given import is_stored, message_bytes
from engine.cli.invocation import Command, Exit, Stop, invocation, leave, note, now
from engine.cli.output import Row, emit_one, masked, note_findings, output_format
from engine.cli.site import site

if TYPE_CHECKING:
    from engine.channels.processing.assemble import Line
    from engine.channels.processing.prepared import Prepared
    from engine.channels.processing.trial import Trial
    from engine.store.claims import Claimed
    from engine.transforms.trace import Change

EARLY = ("accept", "filter", "edit")


@click.command("try", cls=Command)
@click.argument("channel")
@click.argument("message")
@click.option("--trace", is_flag=True, help="Every step that changed something.")
@click.option("--why", help="Where a value comes from, as Patient.name[0].family.")
@click.option("--environment", help="Which [environments.*] values apply.")
def try_command(
    channel: str, message: str, environment: str | None, why: str | None, *, trace: bool
) -> None:
    """Run one message through a channel and tell what would become of it.

    MESSAGE is a file, - for stdin, or the number of a stored message, whose values are
    masked without --reveal. The index is empty, so everybody is new. The exit code is 1
    when the message would stop.
    """
    from engine.channels.processing.trial import attempt

    found = line(channel, environment)
    data = message_bytes(message)
    if not is_stored(message):
        invocation().reveal = True
    if why:
        from engine.cli.why import explain

        explain(found.feed.channel, environment, claimed(channel, data), why)
        return
    began = time.perf_counter()
    trial = attempt(found, data, traced=True)
    milliseconds = (time.perf_counter() - began) * 1e3
    if output_format() == "table":
        for text in _story(trial, traced=trace):
            click.echo(text)
        note_findings(trial.hints)
        note(f"{milliseconds:.0f} ms, an empty store included")
    else:
        told = [[each.path, each.text] for each in trial.hints]
        emit_one({**_summary(trial), "hints": told})
    if str(trial.outcome.state) in {"error", "held"}:
        leave(Exit.PROBLEMS)


def line(channel: str, environment: str | None = None) -> "Line":
    """Return what processes a channel's messages.

    Raises:
        Stop: there is no such channel.
    """
    from engine.channels.processing.assemble import lines_of

    lines = lines_of(site(environment))
    if channel not in lines:
        hint = f"channels: {', '.join(lines)}"
        raise Stop(f"there is no channel {channel}", Exit.USAGE, hint)
    return lines[channel]


def claimed(channel: str, data: bytes) -> "Claimed":
    """Return a message as a worker would get it just now."""
    from engine.store.claims import Claimed
    from engine.store.journal import JournalRow
    from engine.store.words import Verdict

    row = JournalRow(
        id=1,
        channel=channel,
        listener="convert",
        peer="",
        received_at=now(),
        control_id="",
        message_type="",
        trigger_event="",
        size=len(data),
        sha256=hashlib.sha256(data).digest(),
        verdict=Verdict.ACCEPTED,
        cause="",
        ack_code="AA",
        findings=(),
    )
    return Claimed(row, data)


def _story(trial: "Trial", *, traced: bool) -> Iterator[str]:
    """Yield what happened stage by stage, until it stopped."""
    outcome, state = trial.outcome, str(trial.outcome.state)
    stopped = str(outcome.stage)
    prepared = trial.prepared
    if prepared is None:
        yield f"accept    {state:<8} {outcome.reason}"
        return
    message = prepared.message
    yield (
        f"parse     ok       {message.message_type}^{message.trigger_event} "
        f"{message.version}, {len(message.segments)} segments, {message.control_id}"
    )
    if state == "filtered" and stopped == "filter":
        yield f"filter    dropped  {outcome.reason}"
        yield "Nothing was sent or stored."
        return
    yield "filter    kept"
    yield from _edits(prepared, stopped=stopped in EARLY, traced=traced)
    if stopped not in EARLY:
        yield from _later(trial, traced=traced)
    yield from _failure(trial, prepared)
    yield "Nothing was sent or stored."


def _edits(prepared: "Prepared", *, stopped: bool, traced: bool) -> Iterator[str]:
    changes = [each for each in prepared.context.changes or () if not each.of_resource]
    count = _counted(len(changes), "change")
    yield f"edit      {'stopped' if stopped else 'ok':<8} {count}"
    yield from _changes(changes) if traced else ()


def _changes(changes: "list[Change]") -> Iterator[str]:
    for change in changes:
        before, after = masked(change.before) or "(missing)", masked(change.after)
        place = f"  {change.line:<36} {change.path:<12}"
        yield f"{place} {before} -> {after} {change.note}".rstrip()


def _failure(trial: "Trial", prepared: "Prepared") -> Iterator[str]:
    """Yield what would stand in the error queue, and what would help."""
    failure = trial.outcome.failure
    if failure is not None:
        label = failure.label or failure.code
        yield f"error     would enter the error queue as {label}: {failure.sentence}"
    for miss in prepared.context.misses:
        if miss.stops:
            yield f"  hint: interop table set {miss.table} {miss.code} MEANING"


def _later(trial: "Trial", *, traced: bool) -> Iterator[str]:
    """Yield map, identity and render."""
    if trial.mapped is not None:
        kinds = [entry.kind for entry in trial.mapped.entries]
        counted = ", ".join(f"{kinds.count(k)} {k}" for k in dict.fromkeys(kinds))
        losses = trial.mapped.losses
        yield f"map       ok       {counted}; {_counted(len(losses), 'field')} lost"
        changes = (trial.prepared.context.changes if trial.prepared else None) or ()
        rows = [change for change in changes if change.of_resource]
        if traced:
            yield from _changes(rows)
            yield from (f"  lost: {each.reason:<20} {each.path}" for each in losses)
    if trial.decision is not None:
        reasons = ", ".join(map(str, trial.decision.reasons))
        yield f"identity  {trial.decision.outcome!s:<8} {reasons}"
    for name, deliveries in trial.deliveries.items():
        size = sum(len(each.content) for each in deliveries)
        sent = _counted(len(deliveries), "document")
        yield f"render    ok       {name}: {sent}, {size:,} bytes"


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _summary(trial: "Trial") -> Row:
    """Return what happened as one object."""
    outcome, prepared = trial.outcome, trial.prepared
    failure = outcome.failure
    context = prepared.context if prepared else None
    return {
        "state": str(outcome.state),
        "stage": str(outcome.stage),
        "reason": outcome.reason,
        "acknowledgment": trial.code,
        "label": failure.label if failure else "",
        "code": failure.code if failure else "",
        "identity": str(trial.decision.outcome) if trial.decision else "",
        "changes": [
            [c.line, c.path, masked(c.before), masked(c.after), c.note]
            for c in (context.changes or [] if context else [])
        ],
        "resources": [e.kind for e in trial.mapped.entries] if trial.mapped else [],
        "losses": [[x.path, x.reason] for x in trial.mapped.losses]
        if trial.mapped
        else [],
        "misses": [[m.table, m.code] for m in context.misses] if context else [],
        "deliveries": {
            name: [each.content_type for each in found]
            for name, found in trial.deliveries.items()
        },
    }
