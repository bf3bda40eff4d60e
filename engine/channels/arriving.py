"""What conversations share, and what the journal is told of an event they heard."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from engine.channels.awaiting import Ended
from engine.channels.batches import MISMATCH
from engine.channels.content import UNFINISHED
from engine.channels.format.channel import Channel
from engine.channels.rules import Rules, rules_of
from engine.channels.verdict import (
    XML_MARK,
    Heard,
    Kept,
    answer_code,
    refusal_code,
)
from engine.hl7 import Path
from engine.hl7.continuation import pointer
from engine.hl7.header import Header
from engine.store.batches import Batch
from engine.store.claims import FRAGMENT
from engine.store.fragments import Fragment
from engine.store.journal import Appended, Arrival
from engine.store.sequences import Numbered
from engine.store.words import Verdict

_KEPT_AS: Final = {
    Kept.ACCEPTED: Verdict.ACCEPTED,
    Kept.QUARANTINED: Verdict.QUARANTINED,
}

Answering = Callable[[Channel, bytes, str], Awaitable[bytes | None]]
"""Answer a query that came to a channel from a peer; None where it is none."""

Note = Callable[[str, int], None]
"""Count something that happened, under its event name."""


class Journal(Protocol):
    """Where arrivals are written; the answer comes after the commit."""

    def append(self, arrival: Arrival) -> Awaitable[Appended]:
        """Return what became of the arrival, once it is on disk.

        Raises:
            JournalError: it is not.
        """

    def append_all(self, arrivals: Sequence[Arrival]) -> Awaitable[list[Appended]]:
        """Return what became of arrivals, once they are on disk together.

        Raises:
            JournalError: none of them is.
        """


class Outcomes(Protocol):
    """Who knows how a message ended."""

    def wait(
        self, message_id: int, seconds: float, *, delivered: bool
    ) -> Awaitable[Ended | None]:
        """Return how a message ended; None when the time is up first."""


@dataclass(slots=True)
class Intake:
    """What all conversations of one listener share.

    ``outcomes`` is needed where the channel answers later than ``accepted``;
    ``unsolicited`` is shown acknowledgments that came in by themselves. ``answering``
    answers the queries of a channel that has ``query``.
    """

    channel: Channel
    listener: str
    journal: Journal
    now: Callable[[], datetime]
    new_control_id: Callable[[], str]
    note: Note
    outcomes: Outcomes | None = None
    unsolicited: Callable[[bytes], bool] | None = None
    answering: Answering | None = None
    rules: Rules = field(init=False)
    key_fields: tuple[tuple[int, int], ...] = field(init=False)
    ignored_fields: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.adopt(self.channel)

    def adopt(self, channel: Channel) -> None:
        """Go on under another revision of the channel, from the next message on."""
        self.channel = channel
        self.rules = rules_of(channel.source)
        duplicate = channel.source.duplicate
        self.key_fields = tuple(
            (path.field, path.component) for path in duplicate.key if _in_msh(path)
        )
        self.ignored_fields = tuple(
            path.field for path in duplicate.ignore if _in_msh(path)
        )

    def arrival(self, heard: Heard, peer: str, batch: Batch | None = None) -> Arrival:
        """Return what is journalled of something heard from a peer."""
        header, now = heard.header, self.now()
        duplicate = self.channel.source.duplicate
        fragment, numbered = self._fragment(heard, peer), self._numbered(heard, peer)
        agreed = fragment is not None or numbered is not None
        cut_off = heard.cause == UNFINISHED  # no first one: the whole is yet to come
        key = "" if cut_off else self._key(header, peer, agreed=agreed)
        flags = (*heard.flags, FRAGMENT) if fragment else heard.flags
        if batch is not None and not batch.agrees:
            flags = (*flags, MISMATCH)
        return Arrival(
            channel=self.channel.name,
            listener=self.listener,
            peer=peer,
            received_at=now,
            data=heard.data,
            verdict=_KEPT_AS[heard.kept],
            control_id=header.control_id.decode("latin-1") if header else "",
            message_type=header.message_type if header else "",
            trigger_event=header.trigger_event if header else "",
            dedupe_key=key,
            content_hash=self._content_hash(heard) if key else b"",
            first_after=now - duplicate.within,
            reuse_code="AE" if duplicate.new_content == "reject" else "",
            ack_code=answer_code(heard, self.rules),
            cause=heard.cause,
            findings=flags,
            numbered=numbered,
            fragment=fragment,
            batch=batch,
            refusal_code=refusal_code(heard, self.rules) if agreed else "",
        )

    def _numbered(self, heard: Heard, peer: str) -> Numbered | None:
        """E68: only what is taken counts on its link."""
        header = heard.header
        if not self.rules.numbered or heard.kept is not Kept.ACCEPTED:
            return None
        if header is None or not header.sequence:
            return None
        return Numbered(self.listener, peer, header.sequence)

    def _fragment(self, heard: Heard, peer: str) -> Fragment | None:
        """E70: DSC-1 of a message is MSH-14 of the next one of the same sender."""
        header = heard.header
        if heard.kept is not Kept.ACCEPTED or header is None:
            return None
        query = header.message_type.startswith("Q")
        continues, awaits = header.raw(14), pointer(heard.data, told=query)
        if not (continues or awaits):
            return None
        sender = (self.listener, peer, header.part(3), header.part(4))
        return Fragment(*(_named(sender, each) for each in (continues, awaits)))

    def _key(self, header: Header | None, peer: str, *, agreed: bool) -> str:
        """E67: the listener and the peer are always part of what makes a message."""
        if header is None or not header.control_id:
            return ""
        if self.channel.source.duplicate.same_content == "accept" and not agreed:
            return ""
        named = [_value(header, *place) for place in self.key_fields]
        return "\x1f".join((self.listener, peer, *named))

    def _content_hash(self, heard: Heard) -> bytes:
        """E66: a resend may carry another time and another sequence number."""
        header = heard.header
        end = heard.data.find(b"\r")
        if header is None or end < 0 or header.fields[0] == XML_MARK:
            return hashlib.sha256(heard.data).digest()
        fields = header.fields.copy()
        for number in self.ignored_fields:
            if number <= len(fields):
                fields[number - 1] = b""
        digest = hashlib.sha256(b"|".join(fields).rstrip(b"|"))
        digest.update(memoryview(heard.data)[end:])
        return digest.digest()


def _in_msh(path: Path) -> bool:
    return path.segment == "MSH"


def _value(header: Header, number: int, component: int) -> str:
    return (
        header.part(number, component)
        if component
        else header.raw(number).decode("latin-1")
    )


def _named(sender: tuple[str, ...], pointer: bytes) -> str:
    return "\x1f".join((*sender, pointer.decode("latin-1"))) if pointer else ""
