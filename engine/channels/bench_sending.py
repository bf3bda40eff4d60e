"""One message from the test bench to one receiver: by no lane, once, and never again.

Only HL7 v2 goes out this way. What the bench makes of persons carries enterprise
identifiers that were invented for the trial: a server that took them would know a
person who is none. Steps of a destination may write them into its copy, too, so the
bench sends to no destination that has steps of its own.

Spec:
    console.md S9 (send for real); protocol.md E81 to E88.
"""

import socket
import time
from collections.abc import Mapping, Sequence
from typing import Final

from engine.channels.connection_trial import Node, Reached, connected
from engine.channels.destinations.mllp import MAX_ANSWER_BYTES, judge
from engine.channels.dial import Place
from engine.channels.format.channel import Channel, Destination
from engine.channels.routes import PLAIN
from engine.errors import (
    AmbiguousError,
    ConfigurationError,
    DeliveryError,
    FrameError,
)
from engine.hl7.acknowledgment import read_header
from engine.hl7.framing import Block, BlockReader, enclose
from engine.store.reports import Wanted
from engine.store.words import RunState

LONGEST_SECONDS: Final = 30.0
PIECE: Final = 65_536
MAYBE: Final = "it was sent, and whether it was taken is not known: "


def reachable(channel: Channel | None) -> list[Destination]:
    """Return the destinations of a channel that the bench can send to."""
    return [
        each
        for each in (channel.destinations if channel else ())
        if each.mllp is not None
        and not each.simulate
        and not each.edit
        and each.mllp.document is None
        and not each.mllp.pix_updates
    ]


def bytes_for(
    channel: Channel | None,
    destination: str,
    flow: Mapping[str, object],
    wanted: Mapping[tuple[str, str], Wanted],
) -> bytes:
    """Return what a tried message became for a destination.

    Args:
        channel: as it runs.
        destination: one of `reachable`.
        flow: what became of the message; see `Trials.attempt`.
        wanted: what persons want of channels and destinations.

    Raises:
        ConfigurationError: it cannot be sent, and why.
    """
    if destination not in {each.name for each in reachable(channel)}:
        sentence = f"{destination} takes no HL7 v2 message from the bench"
        raise ConfigurationError(sentence)
    assert channel is not None
    for place in ((channel.name, ""), (channel.name, destination)):
        stood = wanted.get(place)
        if stood is not None and stood.state is not RunState.RUNNING:
            name = "/".join(filter(None, place))
            raise ConfigurationError(f"{name} is {stood.state} by {stood.changed_by}")
    found = _texts(flow, destination)
    if len(found) != 1:
        sentence = f"it becomes {len(found)} messages for {destination}"
        raise ConfigurationError(sentence)
    if "\ufffd" in found[0]:
        raise ConfigurationError("its characters are not ASCII or UTF-8")
    return found[0].replace("\n", "\r").encode()


def _texts(flow: Mapping[str, object], destination: str) -> list[str]:
    outputs = flow.get("outputs", ())
    assert isinstance(outputs, Sequence)
    return [
        str(each["text"])
        for each in outputs
        if (each["form"], each["destination"]) == ("HL7", destination)
    ]


def send_now(channel: Channel | None, name: str, node: Node, data: bytes) -> Reached:
    """Send to one of `reachable`, and say what was answered; it waits for that."""
    [found] = [each for each in reachable(channel) if each.name == name]
    try:
        return Reached(True, f"{name} answered {_answered(found, node, data)}")
    except (DeliveryError, ConfigurationError) as error:
        return Reached(False, f"{name}: {error}")


def _answered(settings: Destination, node: Node, data: bytes) -> str:
    """Return ``AA`` or ``CA``.

    Raises:
        DeliveryError: it was not sent, not taken, or nobody knows.
        ConfigurationError: the TLS profile is not in order.
    """
    way = settings.mllp
    assert way is not None
    place = Place("mllp", way.host, way.port)
    seconds = min(way.ack_timeout.total_seconds(), LONGEST_SECONDS)
    with connected(place, "" if way.tls == PLAIN else way.tls, node) as line:
        try:
            answer = _exchanged(line, data, time.monotonic() + seconds)
        except (OSError, FrameError) as error:
            said = MAYBE + "there was no whole answer"
            raise AmbiguousError(said, "no-answer") from error
    return judge(answer, read_header(data))


def _exchanged(line: socket.socket, data: bytes, end: float) -> bytes:
    """Send one block and return the one that comes back.

    Raises:
        OSError: the connection ended, or the time.
        FrameError: what came is no block.
    """
    reader, came = BlockReader(), 0
    line.sendall(enclose(data))
    while came <= MAX_ANSWER_BYTES:
        line.settimeout(max(end - time.monotonic(), 0.001))
        piece = line.recv(PIECE)
        if not piece:
            raise ConnectionError("closed")
        came += len(piece)
        reader.feed(piece)
        while (event := reader.next_event()) is not None:
            if isinstance(event, Block):
                return event.body
    raise ConnectionError("too long")
