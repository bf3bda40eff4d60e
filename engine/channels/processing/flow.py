"""What became of a tried message, part by part, as the test bench and scripts show it.

Spec:
    console.md S9.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Final

import orjson

from engine.channels.format.channel import Channel
from engine.channels.processing.rendering import CDA_XML, FHIR_JSON
from engine.channels.processing.trial import Trial
from engine.channels.processing.validation import bundle_faults
from engine.channels.processing.watched import Mark
from engine.errors import ParseError
from engine.hl7 import Message, dictionary, parse
from engine.identity.decision import MEANINGS
from engine.store.deliveries import NewDelivery
from engine.transforms.fhir.bundle import collection, read_json, write_json
from engine.transforms.fhir.checks import check
from engine.transforms.trace import Change

_ONCE: Final = ("parse", "map", "identity")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the flow.

    ``result`` is ok, changed, no change, kept, dropped, stopped, not run, or what the
    identity decision was; ``milliseconds`` None where it did not run. ``changes`` are
    (path, before, after, note).
    """

    stage: str
    name: str = ""
    line: str = ""
    result: str = "ok"
    milliseconds: float | None = None
    said: str = ""
    changes: tuple[tuple[str, str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Output:
    """One document that would be sent; ``form`` is FHIR, CDA or HL7."""

    form: str
    destination: str
    text: str
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong: a sentence, where in the message, and what may help.

    ``row`` is the segment's number from 0, -1 where no place is known.
    """

    sentence: str
    place: str = ""
    hint: str = ""
    row: int = -1


@dataclass(frozen=True, slots=True)
class Flow:
    """Everything about one trial; plain values, ready for JSON.

    ``lost`` are path and reason, ``hints`` element and sentence.
    """

    state: str
    reason: str
    code: str
    acknowledgment: str
    identity: str
    parts: tuple[Part, ...]
    outputs: tuple[Output, ...]
    problems: tuple[Problem, ...]
    lost: tuple[tuple[str, str], ...] = ()
    hints: tuple[tuple[str, str], ...] = ()

    def plain(self) -> dict[str, object]:
        """Return it as JSON takes it."""
        return asdict(self)


def flow_of(
    trial: Trial,
    channel: Channel,
    marks: Sequence[tuple[Mark, float]],
    ended: float,
    data: bytes,
) -> Flow:
    """Return what became of a message.

    Args:
        trial: what came out.
        channel: as it is written, for the parts that did not run.
        marks: each part with the instant, in seconds, at which it began.
        ended: the instant at which all was over.
        data: the message as given.
    """
    outcome, mapped = trial.outcome, trial.mapped
    times = [at for _, at in marks[1:]] + [ended]
    spent = [
        (mark, (end - at) * 1e3) for (mark, at), end in zip(marks, times, strict=True)
    ]
    return Flow(
        str(outcome.state),
        outcome.reason,
        trial.code,
        _lines(trial.answer),
        "" if trial.decision is None else str(trial.decision.outcome),
        tuple(_parts(trial, channel, spent)),
        tuple(_outputs(trial)),
        tuple(_problems(trial, data)),
        tuple((loss.path, loss.reason) for loss in mapped.losses) if mapped else (),
        tuple((each.path, each.text) for each in trial.hints),
    )


# ---- the parts, in the order of the flow ----


def _parts(
    trial: Trial, channel: Channel, spent: Sequence[tuple[Mark, float]]
) -> Iterator[Part]:
    stopped = str(trial.outcome.stage)
    failed = str(trial.outcome.state) in {"error", "held", "filtered"}
    took = {mark.stage: ms for mark, ms in spent if mark.stage in _ONCE}
    yield _parse(trial, took.get("parse"))
    message = trial.message
    if message is None:
        return
    yield _validated(trial, message)
    yield from _rules(trial, channel, spent)
    yield from _steps(trial, channel, spent)
    if trial.mapped is not None and "map" in took:
        yield _mapped(trial, took["map"])
    elif "map" in took:
        refusal = trial.prepared.refusal if trial.prepared else None
        said = trial.outcome.reason if refusal is None else str(refusal)
        result = "stopped" if refusal is None else "not mapped"
        yield Part("map", result=result, milliseconds=took["map"], said=said)
    if trial.decision is not None:
        said = ", ".join(f"{MEANINGS[r]} ({r})" for r in trial.decision.reasons)
        outcome = str(trial.decision.outcome)
        yield Part("identity", "dry", "", outcome, took.get("identity"), said)
    elif failed and stopped == "identity":
        yield Part(
            "identity", "dry", "", "stopped", took.get("identity"), trial.outcome.reason
        )
    yield from _rendered(trial, channel, spent)


def _parse(trial: Trial, took: float | None) -> Part:
    message = trial.message
    if message is None:
        return Part(
            "parse", result="stopped", milliseconds=took, said=trial.outcome.reason
        )
    kind = f"{message.message_type}^{message.trigger_event}"
    said = f"{kind} {message.version}, {len(message.segments)} segments"
    return Part("parse", milliseconds=took, said=said)


def _validated(trial: Trial, message: Message) -> Part:
    assert trial.prepared is not None
    told, known = trial.hints, [*message.findings, *trial.prepared.context.findings]
    found = [each for each in known if each not in told]  # hints have their own list
    said = "; ".join(
        " ".join(filter(None, (each.code.replace("_", " "), each.path, each.text)))
        for each in found
    )
    return Part(
        "validate", result=f"{len(found)} findings" if found else "ok", said=said
    )


def _rules(
    trial: Trial, channel: Channel, spent: Sequence[tuple[Mark, float]]
) -> Iterator[Part]:
    took = {mark.name: ms for mark, ms in spent if mark.stage == "filter"}
    stage, state = str(trial.outcome.stage), str(trial.outcome.state)
    for rule in channel.filter:
        ran = took.get(rule.name)
        result = "kept" if ran is not None else "not run"
        if (
            stage == "filter"
            and state == "filtered"
            and trial.outcome.reason == rule.name
        ):
            result = "dropped"
        yield Part("filter", rule.name, "", result, ran)


def _steps(
    trial: Trial, channel: Channel, spent: Sequence[tuple[Mark, float]]
) -> Iterator[Part]:
    """Yield each edit step with what it changed, whether it ran or not."""
    changes = _changes(trial)
    ran = [(mark, ms) for mark, ms in spent if mark.stage == "edit"]
    rendering = next((m.changes for m, _ in spent if m.stage == "render"), len(changes))
    ends = [mark.changes for mark, _ in ran[1:]] + [rendering]
    done = {
        mark.line: (ms, [c for c in changes[mark.changes : end] if not c.of_resource])
        for (mark, ms), end in zip(ran, ends, strict=False)
    }
    stopped_at = ran[-1][0].line if ran and str(trial.outcome.stage) == "edit" else ""
    for step in channel.edit:
        name = step.note or step.id or step.name
        if step.line not in done:
            yield Part("edit", name, step.line, "not run")
            continue
        ms, own = done[step.line]
        result = f"{len(own)} changed" if own else "no change"
        said = ""
        if step.line == stopped_at:
            result, said = "stopped", trial.outcome.reason
        yield Part("edit", name, step.line, result, ms, said, tuple(map(_shown, own)))


def _changes(trial: Trial) -> Sequence[Change]:
    return () if trial.prepared is None else trial.prepared.context.changes or ()


def _shown(change: Change) -> tuple[str, str, str, str]:
    return change.path, change.before, change.after, change.note


def _mapped(trial: Trial, took: float) -> Part:
    assert trial.mapped is not None
    kinds = [entry.kind for entry in trial.mapped.entries]
    counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    said = f"{counted}; {_counted(len(trial.mapped.losses), 'field')} not carried"
    changes = tuple(_shown(each) for each in _changes(trial) if each.of_resource)
    return Part("map", "", "", "ok", took, said, changes)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _rendered(
    trial: Trial, channel: Channel, spent: Sequence[tuple[Mark, float]]
) -> Iterator[Part]:
    took: dict[str, float] = {}
    place = ""
    for mark, ms in spent:
        if mark.stage == "render":
            place = place if mark.line else mark.name  # a step of a destination's own
            took[place] = took.get(place, 0.0) + ms
    failed = str(trial.outcome.state) == "error"
    for each in channel.destinations:
        made = trial.deliveries.get(each.name, [])
        result, said = "not run", ""
        if made:
            size = sum(len(one.content) for one in made)
            result, said = "ok", f"{_counted(len(made), 'document')}, {size:,} bytes"
        elif each.name in took and failed and each.name == place:
            result, said = "stopped", trial.outcome.reason
        elif each.name in took:
            result, said = "ok", "simulated: nothing would be sent"
        yield Part("render", each.name, each.line, result, took.get(each.name), said)


# ---- what would leave ----


def _outputs(trial: Trial) -> Iterator[Output]:
    for name, deliveries in trial.deliveries.items():
        for each in deliveries:
            yield _output(name, each)
    sent = {each.content_type for found in trial.deliveries.values() for each in found}
    if trial.mapped is not None and FHIR_JSON not in sent:
        text = _pretty(write_json(collection(trial.mapped.entries)))
        yield Output("FHIR", "(resources, sent nowhere as such)", text)
    if trial.message is not None:
        yield Output("HL7", "(as edited)", _lines(trial.message.encode()))


def _output(name: str, sent: NewDelivery) -> Output:
    if sent.content_type == FHIR_JSON:
        bundle = read_json(sent.content)
        faults = [f"{found.path}: {found.text}" for found in check(bundle)]
        faults += bundle_faults(sent.content)
        return Output("FHIR", name, _pretty(sent.content), tuple(faults))
    if sent.content_type == CDA_XML:
        return Output("CDA", name, sent.content.decode("utf-8", "replace"))
    text = sent.content.decode("utf-8", "replace")
    if text.lstrip().startswith(("{", "[")):
        return Output("FHIR", name, text)
    return Output("HL7", name, _lines(sent.content))


def _pretty(content: bytes) -> str:
    return orjson.dumps(orjson.loads(content), option=orjson.OPT_INDENT_2).decode()


def _lines(content: bytes) -> str:
    return content.decode("utf-8", "replace").replace("\r", "\n")


# ---- what is wrong, and where ----


def _problems(trial: Trial, data: bytes) -> Iterator[Problem]:
    outcome = trial.outcome
    failure = outcome.failure
    if failure is not None:
        misses = trial.prepared.context.misses if trial.prepared else []
        missed = next((m for m in misses if m.stops), None)
        hint = (
            f"interop table set {missed.table} {missed.code} MEANING" if missed else ""
        )
        if trial.prepared is None:
            yield Problem(_unreadable(data) or outcome.reason, "MSH", row=0)
        else:
            yield Problem(outcome.reason, missed.line if missed else "", hint)
    if trial.message is not None:
        yield from _unknown(trial.message)


def _unreadable(data: bytes) -> str:
    try:
        parse(data)
    except ParseError as error:
        return str(error)
    return ""


def _unknown(message: Message) -> Iterator[Problem]:
    """Yield segments no version knows, with names that are near; Z segments are own."""
    known = dictionary.segments(message.version)
    for row, segment in enumerate(message.segments):
        if segment.id in known or segment.id.startswith("Z"):
            continue
        near = get_close_matches(segment.id, known, 3, 0.5)
        hint = f"did you mean {', '.join(near)}?" if near else ""
        yield Problem(f"{segment.id} is no segment of HL7", segment.id, hint, row)
