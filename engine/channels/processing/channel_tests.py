"""The tests a channel carries in its own file.

Spec:
    channel-format.md 3.10.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.channels.format.expectations import (
    ChannelTest,
    Expectation,
    ExpectedDelivery,
)
from engine.channels.format.faults import Fault, Place
from engine.channels.processing.assemble import Line
from engine.channels.processing.rendering import FHIR_JSON
from engine.channels.processing.trial import Trial, attempt
from engine.channels.processing.validation import bundle_faults, model_faults
from engine.hl7 import Message, parse, parse_path
from engine.transforms.fhir.bundle import read_json
from engine.transforms.fhir.checks import check
from engine.transforms.fhir.paths import FhirPath, parse_fhir_path, read


@dataclass(frozen=True, slots=True)
class Result:
    """One test: its name and line, and every difference, none when it passed."""

    name: str
    line: str
    differences: tuple[str, ...] = ()
    not_r4: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything came out as expected."""
        return not self.differences and not self.not_r4

    def faults(self) -> list[Fault]:
        """Return what is wrong as faults at the test's place in its file."""
        file, _, number = self.line.rpartition(":")
        place = Place(file, int(number))
        return [
            Fault(place, f"test {self.name!r}: {sentence}", hint, code)
            for sentences, hint, code in (
                (self.differences, "interop test runs it alone", "CH360"),
                (self.not_r4, "a FHIR server would refuse it", "CH380"),
            )
            for sentence in sentences
        ]


def run_tests(line: Line, folder: Path, name: str = "") -> list[Result]:
    """Run a channel's tests, each on an empty index with a fixed clock.

    Args:
        line: what processes the channel.
        folder: the configuration folder, where message files are found.
        name: run only tests whose name contains it.
    """
    return [
        run_test(line, test, folder)
        for test in line.feed.channel.tests
        if name in test.name
    ]


def run_test(line: Line, test: ChannelTest, folder: Path) -> Result:
    """Run one test and compare what came out."""
    given = [(folder / each).read_bytes() for each in test.given]
    trial = attempt(line, message_of(test, folder), given)
    found = tuple(_differences(trial, test.expect, folder))
    return Result(test.name, test.line, found, tuple(_not_r4(trial)))


def message_of(test: ChannelTest, folder: Path) -> bytes:
    """Return the message of a test: a file, or the text written in it."""
    written = test.text.encode()
    data = (folder / test.message).read_bytes() if test.message else written
    return data.replace(b"\r\n", b"\r").replace(b"\n", b"\r")


def _differences(trial: Trial, expect: Expectation, folder: Path) -> Iterator[str]:
    outcome, failure = trial.outcome, trial.outcome.failure
    expected = (
        ("status", expect.status, str(outcome.state)),
        ("by", expect.by, outcome.reason),
        ("ack", expect.ack, trial.code),
        ("label", expect.label, failure.label if failure else ""),
        ("stage", expect.stage, str(failure.stage) if failure else ""),
        ("identity", expect.identity, _identity(trial)),
    )
    for what, wanted, found in expected:
        if wanted and wanted != found:
            yield f"{what}: expected {wanted}, found {found or 'nothing'}"
    if expect.destinations is not None:
        yield from _compare_destinations(trial, expect.destinations)
    if trial.message is not None:
        yield from _compare_fields(trial.message, expect)
    yield from _compare_resources(trial, expect)
    for name, wanted_delivery in expect.deliveries.items():
        yield from _compare_delivery(trial, name, wanted_delivery, folder)


def _not_r4(trial: Trial) -> Iterator[str]:
    """Yield what any validator here finds in a Bundle that would be sent."""
    for name, deliveries in trial.deliveries.items():
        for each in deliveries:
            if each.content_type == FHIR_JSON:
                own = [f"{x.path}: {x.text}" for x in check(read_json(each.content))]
                others = bundle_faults(each.content) + model_faults(each.content)
                yield from (f"{name}: {fault}" for fault in own + others)


def _identity(trial: Trial) -> str:
    return "" if trial.decision is None else str(trial.decision.outcome)


def _compare_destinations(trial: Trial, wanted: tuple[str, ...]) -> Iterator[str]:
    found = set(trial.deliveries)
    if found != set(wanted):
        names = ", ".join(sorted(found)) or "none"
        yield f"destinations: expected {', '.join(wanted)}, found {names}"


def _compare_fields(message: Message, expect: Expectation) -> Iterator[str]:
    yield from _compare_paths(message, expect.fields)
    for path in expect.null_fields:
        if not message.is_null(path):
            yield f"{path}: expected HL7 null"


def _compare_paths(message: Message, wanted: Mapping[str, str]) -> Iterator[str]:
    for path, value in wanted.items():
        found = message.read(parse_path(path))
        if found != value:
            yield f"{path}: expected {value!r}, found {found!r}"


def _compare_resources(trial: Trial, expect: Expectation) -> Iterator[str]:
    for text, value in expect.fhir.items():
        path = parse_fhir_path(text)
        if not isinstance(path, FhirPath):
            yield f"{text}: {path.sentence}"
            continue
        entries = trial.mapped.all(path.type) if trial.mapped else []
        found = [_text(read(entry.resource, path)) for entry in entries]
        if value not in found:
            shown = ", ".join(repr(each) for each in found) or "nothing"
            yield f"{text}: expected {value!r}, found {shown}"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _compare_delivery(
    trial: Trial, name: str, wanted: ExpectedDelivery, folder: Path
) -> Iterator[str]:
    deliveries = trial.deliveries.get(name, [])
    if not deliveries:
        yield f"deliveries.{name}: nothing was rendered"
        return
    content = deliveries[0].content
    if wanted.fields:
        message = parse(content)
        for difference in _compare_paths(message, wanted.fields):
            yield f"deliveries.{name}: {difference}"
    for text in wanted.contains:
        if text.encode() not in content:
            yield f"deliveries.{name}: {text!r} is not in it"
    if wanted.golden and (folder / wanted.golden).read_bytes() != content:
        yield f"deliveries.{name}: differs from {wanted.golden}"
