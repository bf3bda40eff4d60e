"""All ways in of a node: opened, kept, changed and closed as its channels change."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import cast

import structlog
from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IReactorTCP
from twisted.internet.protocol import ServerFactory
from twisted.protocols.tls import TLSMemoryBIOFactory

from engine.channels.accept import Conversation
from engine.channels.arriving import Answering, Intake, Journal, Note, Outcomes
from engine.channels.format.channel import Channel
from engine.channels.format.endpoints import HttpSource, MllpSource
from engine.channels.listeners import BACKLOG, MllpFactory, Places
from engine.channels.sources.file import FolderSource
from engine.channels.sources.http import Web
from engine.channels.tls import Identities
from engine.errors import ConfigurationError

_log = structlog.get_logger()


@dataclass(slots=True)
class Open:
    """One open way in."""

    intake: Intake
    factory: MllpFactory | None = None
    port: IListeningPort | None = None
    folder: FolderSource | None = None
    web: HttpSource | None = None

    @property
    def number(self) -> int:
        """The port listened on, or 0."""
        return int(getattr(self.port.getHost(), "port", 0)) if self.port else 0


@dataclass(slots=True)
class Intakes:
    """Keeps the ways in as the channels want them.

    Attributes:
        note: counts what happened, by channel and event name.
        roots: the folders that file sources may use.
        problems: why a channel has no way in at the moment, in words.
    """

    journal: Journal
    reactor: ReactorBase
    now: Callable[[], datetime]
    new_control_id: Callable[[], str]
    note: Callable[[str, str, int], None]
    in_thread: Callable[..., Awaitable[object]]
    places: Places
    identities: Identities
    outcomes: Outcomes
    unsolicited: Callable[[bytes], bool]
    web: Web
    roots: tuple[str, ...] = ()
    answering: Answering | None = None
    problems: dict[str, str] = field(default_factory=dict)
    _open: dict[str, Open] = field(default_factory=dict)

    def follow(self, channels: Iterable[Channel]) -> None:
        """Have these channels, and no others, take messages from now on."""
        wanted = {channel.name: channel for channel in channels}
        self.problems.clear()
        for name in [name for name in self._open if name not in wanted]:
            self._close(name)
        for channel in wanted.values():
            known = self._open.get(channel.name)
            if known is None:
                self._begin(channel)
            elif known.intake.channel != channel:
                self._change(known, channel)

    def ports(self) -> dict[str, int]:
        """Return the port each channel listens on."""
        return {name: each.number for name, each in self._open.items() if each.port}

    def connections(self) -> dict[str, int]:
        """Return how many peers are connected to each channel."""
        return {
            name: each.factory.open_connections
            for name, each in self._open.items()
            if each.factory is not None
        }

    def stop(self) -> Deferred[object]:
        """Take nothing more; return when what was taken has been answered."""
        closed = [self._close(name) for name in list(self._open)]
        return DeferredList(closed, consumeErrors=True)  # type: ignore[return-value]

    # ---- one channel

    def _begin(self, channel: Channel) -> None:
        try:
            opened = self._opened(channel)
        except (CannotListenError, ConfigurationError, OSError) as error:
            self.problems[channel.name] = str(error)
            _log.error("listener_failed", channel=channel.name, reason=str(error))
        else:
            self._open[channel.name] = opened
            where = (
                {"port": opened.number}
                if opened.port
                else {"source": channel.source.kind}
            )
            _log.info("source_open", channel=channel.name, **where)

    def _opened(self, channel: Channel) -> Open:
        intake = self._intake(channel)
        if channel.source.mllp is not None:
            return self._listen(intake, channel.source.mllp)
        if channel.source.file is not None:
            return Open(intake, folder=self._folder(intake))
        assert channel.source.http is not None
        self.web.add(intake)
        return Open(intake, web=channel.source.http)

    def _intake(self, channel: Channel) -> Intake:
        return Intake(
            channel,
            channel.name,
            self.journal,
            self.now,
            self.new_control_id,
            self._note_for(channel.name),
            self.outcomes,
            self.unsolicited,
            self.answering,
        )

    def _note_for(self, name: str) -> Note:
        return lambda event, count: self.note(name, event, count)

    def _listen(self, intake: Intake, source: MllpSource) -> Open:
        profile = self.identities.profiles.get(source.tls)
        peers = profile.peers if profile else frozenset()
        factory = MllpFactory(intake, self.reactor, self.places, peers)
        outer: ServerFactory = factory
        if source.tls != "none":
            side = self.identities.server(source.tls)
            outer = cast("ServerFactory", TLSMemoryBIOFactory(side, False, factory))
        sockets = cast("IReactorTCP", self.reactor)
        port = sockets.listenTCP(source.port, outer, BACKLOG, source.host)
        return Open(intake, factory, port)

    def _folder(self, intake: Intake) -> FolderSource:
        source = intake.channel.source
        assert source.file is not None
        folder = Path(source.file.path)
        if not any(folder.is_relative_to(root) for root in self.roots):
            raise ConfigurationError(f"{folder} is not below files.allowed")
        reader = FolderSource(
            folder,
            source.file,
            Conversation(intake, f"file:{folder}", documents=True),
            self.reactor,
            self.in_thread,
            intake.note,
        )
        reader.start()
        return reader

    def _change(self, known: Open, channel: Channel) -> None:
        """Go on under another revision: an unchanged listener keeps its connections."""
        old, new = known.intake.channel.source, channel.source
        same = old.file == new.file and old.http == new.http
        if _same_place(old.mllp, new.mllp) and same:
            known.intake.adopt(channel)
            if known.factory is not None:
                known.factory.adopt()
            return
        if old.mllp and new.mllp and old.mllp.port == new.mllp.port:
            self._close(channel.name).addCallback(lambda _: self._begin(channel))
            return
        before = self._open.pop(channel.name)
        if before.web is not None:
            self.web.remove(before.web)
            before.web = None  # the place may be the new one's
        self._begin(channel)  # the new port is bound before the old one is released
        self._shut(before)

    def _close(self, name: str) -> Deferred[object]:
        closed = self._shut(self._open.pop(name))
        return closed.addCallback(lambda _: _log.info("source_closed", channel=name))

    def _shut(self, opened: Open) -> Deferred[object]:
        if opened.folder is not None:
            opened.folder.stop()
        if opened.web is not None:
            self.web.remove(opened.web)
        if opened.factory is not None:
            opened.factory.hang_up()
        if opened.port is None:
            return maybeDeferred(lambda: None)
        return maybeDeferred(opened.port.stopListening)


def _same_place(old: MllpSource | None, new: MllpSource | None) -> bool:
    if old is None or new is None:
        return old is new
    return (old.host, old.port, old.tls) == (new.host, new.port, new.tls)
