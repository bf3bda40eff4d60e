"""Ports used twice, plain text beyond this machine, hosts that are not allowed."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from engine.channels.format.channel import Destination
from engine.channels.format.faults import Fault
from engine.channels.format.nodes import Entries
from engine.channels.format.written import Node, Written

_UNPRIVILEGED: Final = 1024
_ANY: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to
_PORTS: Final = {"http": 80, "https": 443}


def one(written: Written, node: Node) -> Iterator[Fault]:
    """Return what is wrong with the ends of one channel."""
    yield from _listener(written)
    for number, destination in enumerate(written.channel.destinations):
        yield from _destination(written, number, destination, node)


def between(channels: Sequence[Written], node: Node) -> Iterator[Fault]:
    """Return the listeners that want a port somebody else has."""
    settings = node.settings
    taken: list[tuple[str, int, str]] = []
    for name in ("console", "metrics", "http"):
        bound, _, number = str(getattr(settings, f"{name}_bind")).rpartition(":")
        if number.isdecimal():
            taken.append((bound.strip("[]"), int(number), f"{name}.bind"))
    yield from _posted(channels, node)
    for written in channels:
        source = written.channel.source.mllp
        if source is None:
            continue
        for host, port, owner in taken:
            if port == source.port and (
                host == source.host or {host, source.host} & _ANY
            ):
                sentence = f"port {port} is used by {owner} already"
                path = ("source", "mllp", "port")
                yield written.fault(path, sentence, "CH310", "choose another port")
        taken.append((source.host, source.port, f"channel {written.channel.name}"))


def _posted(channels: Sequence[Written], node: Node) -> Iterator[Fault]:
    """Return channels that wait for postings where none can come."""
    paths: dict[str, str] = {}
    for written in channels:
        source = written.channel.source.http
        if source is None:
            continue
        place = ("source", "http", "path")
        if not node.settings.http_bind:
            sentence = "the node has no HTTP listener"
            hint = 'set bind = "127.0.0.1:8088" under [http] in interop.toml'
            yield written.fault(place, sentence, "CH310", hint)
        if owner := paths.get(source.path):
            sentence = f"channel {owner} takes {source.path} already"
            yield written.fault(place, sentence, "CH310", "choose another path")
        paths.setdefault(source.path, written.channel.name)


def _listener(written: Written) -> Iterator[Fault]:
    source = written.channel.source.mllp
    if source is None:
        return
    path = ("source", "mllp", "port")
    if source.port < _UNPRIVILEGED:
        sentence = f"port {source.port} needs the right to bind low ports"
        hint = "interop service install --low-ports, or a port from 1024"
        yield written.fault(path, sentence, "CH310", hint, "warning")
    yield from _plain_text(written, ("source", "mllp"), source.host, source.tls)


def _plain_text(
    written: Written, path: tuple[str | int, ...], host: str, tls: str
) -> Iterator[Fault]:
    """Return a fault where plain text leaves the machine without a word about it."""
    if tls != "none" or is_loopback(host):
        return
    if not _writes(written, path, "tls"):
        sentence = "beyond this machine, tls must be written out"
        hint = "write tls: PROFILE, or tls: none to send plain text on purpose"
        yield written.fault((*path, "host"), sentence, "CH330", hint)
        return
    sentence = "patient data travel as plain text here"
    hint = "define a profile [tls.NAME] in interop.toml"
    yield written.fault((*path, "tls"), sentence, "CH330", hint, "warning")


def _writes(written: Written, path: tuple[str | int, ...], key: str) -> bool:
    node = written.node(*path)
    return isinstance(node, Entries) and key in node.items


def _destination(
    written: Written, number: int, destination: Destination, node: Node
) -> Iterator[Fault]:
    path: tuple[str | int, ...] = ("destinations", number, destination.kind)
    if destination.mllp is not None:
        mllp = destination.mllp
        yield from _plain_text(written, path, mllp.host, mllp.tls)
        yield from _allowed(written, (*path, "host"), (mllp.host, mllp.port), node)
        source = written.channel.source.mllp
        if source and mllp.port == source.port and _same(mllp.host, source.host):
            sentence = "this destination is the channel's own source"
            yield written.fault(
                (*path, "port"), sentence, "CH330", "messages would loop"
            )
    url = next(
        (
            each.url
            for each in (destination.fhir, destination.cda, destination.http)
            if each is not None
        ),
        "",
    )
    if url:
        yield from _web(written, (*path, "url"), url, node)


def _web(
    written: Written, path: tuple[str | int, ...], url: str, node: Node
) -> Iterator[Fault]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "http" and not is_loopback(host):
        sentence = "patient data travel as plain text here"
        yield written.fault(path, sentence, "CH330", "write https://", "warning")
    port = parts.port or _PORTS[parts.scheme]
    yield from _allowed(written, path, (host, port), node)


def _allowed(
    written: Written, path: tuple[str | int, ...], peer: tuple[str, int], node: Node
) -> Iterator[Fault]:
    """Return a fault for a host that the node's list of hosts does not hold."""
    allowed = node.settings.outbound_allowed
    host, port = peer
    known = {_peer(each) for each in allowed}
    if not allowed or (host, port) in known or (host, 0) in known:
        return
    sentence = f"{host}:{port} is not among the hosts this node may send to"
    yield written.fault(path, sentence, "CH330", "add it to outbound.allowed")


def _peer(text: str) -> tuple[str, int]:
    """Return host and port of ``https://host:port``, ``host:port`` or ``host``."""
    parts = urlsplit(text if "//" in text else f"//{text}")
    try:
        port = parts.port
    except ValueError:
        port = None
    return parts.hostname or "", port or _PORTS.get(parts.scheme, 0)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _same(one: str, other: str) -> bool:
    return one == other or other in _ANY or (is_loopback(one) and is_loopback(other))
