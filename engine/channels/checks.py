"""What is wrong between the parts of channels that are right one by one."""

from collections.abc import Iterable, Iterator, Sequence

from engine.channels import (
    endpoint_checks,
    expectation_checks,
    file_checks,
    logic_checks,
    vocabulary_checks,
)
from engine.channels.faults import Fault
from engine.channels.written import Node, Written


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
    if all_read:
        yield from vocabulary_checks.unused_tables(channels, node)


def _each(written: Written, node: Node) -> Iterable[Fault]:
    yield from endpoint_checks.one(written, node)
    yield from file_checks.one(written, node)
    yield from logic_checks.one(written, node)
    yield from expectation_checks.one(written, node)
    yield from vocabulary_checks.one(written)
