"""Tests of a channel that cannot run, and channels without any."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from engine.channels.format.expectations import ChannelTest
from engine.channels.format.faults import Fault
from engine.channels.format.kinds import HL7_PATH
from engine.channels.format.readings import Refused
from engine.channels.format.written import Node, Written
from engine.errors import ParseError
from engine.hl7 import parse

_HINT: Final = "a file starts with MSH, one segment a line"


def one(written: Written, node: Node) -> Iterator[Fault]:
    """Return what is wrong with the tests of one channel."""
    tests = written.channel.tests
    if not tests:
        sentence = "this channel has no tests"
        hint = "add tests: with a message and what must come out"
        yield written.fault((), sentence, "CH360", hint, "warning")
    for number, test in enumerate(tests):
        yield from _messages(written, number, test, node.folder)
        yield from _names(written, number, test)


def _messages(
    written: Written, number: int, test: ChannelTest, folder: Path
) -> Iterator[Fault]:
    path = ("tests", number)
    if test.text:
        fault = message_fault(test.text.encode("utf-8", "replace"))
        if fault:
            yield written.fault((*path, "text"), fault, "CH360", _HINT)
    files: list[tuple[tuple[str | int, ...], str]] = [
        ((*path, "given", at), name) for at, name in enumerate(test.given)
    ]
    if test.message:
        files.append(((*path, "message"), test.message))
    for place, name in files:
        try:
            fault = message_fault((folder / name).read_bytes())
        except OSError:
            yield written.fault(place, f"{name} does not exist", "CH360")
            continue
        if fault:
            yield written.fault(place, fault, "CH360", _HINT)


def message_fault(data: bytes) -> str:
    """Return why bytes are no message, or ``""``."""
    try:
        parse(data)
    except ParseError as error:
        return str(error)
    return ""


def _names(written: Written, number: int, test: ChannelTest) -> Iterator[Fault]:
    """Return destinations, rules and paths that the channel does not have."""
    yield from _unknown_destinations(written, number, test)
    path, expect = ("tests", number, "expect"), test.expect
    rules = {rule.name for rule in written.channel.filter}
    if expect.by and expect.by not in rules:
        sentence = f"this channel has no rule {expect.by!r}"
        yield written.fault((*path, "by"), sentence, "CH360", "or it is a drop: step")
    groups: list[tuple[tuple[str, ...], Mapping[str, str]]] = [
        (("fields",), expect.fields)
    ]
    groups += [
        (("deliveries", name, "fields"), each.fields)
        for name, each in expect.deliveries.items()
    ]
    for keys, fields in groups:
        for text in fields:
            read = HL7_PATH.read(text)
            if isinstance(read, Refused):
                place: tuple[str | int, ...] = (*path, *keys, text)
                yield written.fault(place, read.sentence, "CH210", read.hint)


def _unknown_destinations(
    written: Written, number: int, test: ChannelTest
) -> Iterator[Fault]:
    path, expect = ("tests", number, "expect"), test.expect
    known = {each.name for each in written.channel.destinations}
    for at, name in enumerate(expect.destinations or ()):
        if name not in known:
            sentence = f"this channel has no destination {name!r}"
            yield written.fault((*path, "destinations", at), sentence, "CH360")
    for name in expect.deliveries:
        if name not in known:
            sentence = f"this channel has no destination {name!r}"
            yield written.fault((*path, "deliveries", name), sentence, "CH360")
