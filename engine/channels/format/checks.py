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
from engine.channels.format.nodes import Items
from engine.channels.format.schema import channel_schema, project_names
from engine.channels.format.written import Node, Written


def check(
    channels: Sequence[Written],
    node: Node,
    torn: Sequence[Written] = (),
    *,
    all_read: bool,
) -> Iterator[Fault]:
    """Return the faults and warnings of channels that could be read.

    Everything ``interop run`` would find is found here, and nothing else is. Where not
    ``all_read``, nothing is said about what no channel uses.

    Of ``torn`` channels, which have errors and lack what is wrong, the ends are looked
    at: nobody has to mend a file twice.
    """
    for written in channels:
        yield from _each(written, node)
    whole = [each for each in torn if _has_every_destination(each)]
    for written in whole:
        yield from endpoint_checks.one(written, node)
        yield from file_checks.one(written, node)
        yield from logic_checks.of_destinations(written, node)
    yield from endpoint_checks.between([*channels, *whole], node)
    yield from file_checks.between(channels)
    yield from _stale_schema(node)
    if all_read:
        yield from vocabulary_checks.unused_tables(channels, node)


def _has_every_destination(written: Written) -> bool:
    """Whether each was read, with what it sends to: positions tell where faults are."""
    listed = written.root.items.get("destinations", (None, None))[1]
    count = len(listed.items) if isinstance(listed, Items) else 0
    read = [each for each in written.channel.destinations if each.kind]
    return len(read) == count


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
