"""Keys of the channel format that this release reads but does not act on yet.

A key that is silently ignored is worse than one that is refused: whoever writes it is
told, at its place. An entry leaves the list with the commit that makes it work.
"""

from collections.abc import Iterator
from typing import Final

from engine.channels.format.channel import Channel
from engine.channels.format.faults import Fault
from engine.channels.format.written import Node, Written

_SENTENCE: Final = "this release reads this key but does not act on it yet"


def one(written: Written, node: Node) -> Iterator[Fault]:
    """Return a warning for each key of a channel that changes nothing yet."""
    del node
    for path in _unserved(written.channel):
        yield written.fault(path, _SENTENCE, "CH350", level="warning")


def _unserved(channel: Channel) -> Iterator[tuple[str | int, ...]]:
    for number, destination in enumerate(channel.destinations):
        for place, rule in enumerate(destination.on_error):
            for key in ("retry_every", "due"):
                if getattr(rule, key) is not None:
                    dashed = key.replace("_", "-")
                    yield ("destinations", number, "on-error", place, dashed)
