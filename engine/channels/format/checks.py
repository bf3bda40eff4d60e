"""What is wrong between the parts of channels that are right one by one."""

import json
from collections.abc import Iterable, Iterator, Sequence

from engine.channels.format import (
    endpoint_checks,
    expectation_checks,
    file_checks,
    logic_checks,
    unserved_checks,
    vocabulary_checks,
)
from engine.channels.format.faults import Fault, Place
from engine.channels.format.schema import channel_schema, project_names
from engine.channels.format.written import Node, Written


def check(
    channels: Sequence[Written], node: Node, *, all_read: bool
) -> Iterator[Fault]:
    """Return the faults and warnings of channels that could be read.

    Everything ``interop run`` would find is found here, and nothing else is. Where not
    ``all_read``, nothing is said about what no channel uses.
    """
    for written in channels:
        yield from _each(written, node)
    yield from endpoint_checks.between(channels, node)
    yield from file_checks.between(channels)
    yield from _stale_schema(node)
    if all_read:
        yield from vocabulary_checks.unused_tables(channels, node)


def _each(written: Written, node: Node) -> Iterable[Fault]:
    yield from endpoint_checks.one(written, node)
    yield from file_checks.one(written, node)
    yield from logic_checks.one(written, node)
    yield from expectation_checks.one(written, node)
    yield from vocabulary_checks.one(written)
    yield from unserved_checks.one(written, node)


def _stale_schema(node: Node) -> Iterator[Fault]:
    """Return a warning where the schema for editors is not that of this engine."""
    path = node.folder / "channel.schema.json"
    if not path.is_file():
        return
    try:
        known: object = json.loads(path.read_bytes())
    except ValueError:
        known = None
    names = project_names(node.settings, node.tables)
    if known not in (channel_schema(), channel_schema(names)):
        sentence = "the schema for editors is stale"
        hint = "interop schema channel > config/channel.schema.json"
        yield Fault(Place(path.name), sentence, hint, "CH400", "warning")
