"""Keys of the channel format that this release reads but does not act on yet.

A key that is silently ignored is worse than one that is refused: whoever writes it is
told, at its place. An entry leaves the list with the commit that makes it work.
"""

from collections.abc import Iterator
from typing import Final

from engine.channels.format.channel import Channel
from engine.channels.format.faults import Fault
from engine.channels.format.written import Node, Written

_MAP_OPTIONS: Final = ("update",)
_SENTENCE: Final = "this release reads this key but does not act on it yet"


def one(written: Written, node: Node) -> Iterator[Fault]:
    """Return a warning for each key of a channel that changes nothing yet.

    What would send something wrong is refused.
    """
    del node
    channel = written.channel
    for path in _unserved(channel):
        yield written.fault(path, _SENTENCE, "CH350", level="warning")
    for number, each in enumerate(channel.destinations):
        if each.fhir is not None and each.fhir.mode == "single":
            path = ("destinations", number, "fhir", "mode")
            sentence = "this release cannot send resources one by one"
            yield written.fault(path, sentence, "CH350", "write transaction or batch")


def _unserved(channel: Channel) -> Iterator[tuple[str | int, ...]]:
    yield from _changed(channel.map_options, _MAP_OPTIONS, "map-options")
    for number, destination in enumerate(channel.destinations):
        for place, rule in enumerate(destination.on_error):
            for key in ("retry_every", "due"):
                if getattr(rule, key) is not None:
                    dashed = key.replace("_", "-")
                    yield ("destinations", number, "on-error", place, dashed)


def _changed(
    options: object, names: tuple[str, ...], *above: str
) -> Iterator[tuple[str | int, ...]]:
    """Give the path of each option that is not at its default."""
    plain = type(options)()
    for name in names:
        if getattr(options, name) != getattr(plain, name):
            yield (*above, name.replace("_", "-"))
