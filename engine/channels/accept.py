"""The accept loop: judge an event, journal it, and only then answer."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

import structlog
from twisted.internet.defer import Deferred

from engine.channels.awaiting import Ended
from engine.channels.format.channel import Channel, Duplicates
from engine.channels.rules import Rules, rules_of
from engine.channels.verdict import (
    UNSOLICITED,
    XML_MARK,
    Heard,
    Kept,
    TooLong,
    answer_code,
    hear,
    parts,
    refusal_code,
)
from engine.channels.xml_answer import acknowledge_in_xml
from engine.errors import JournalError
from engine.hl7 import Path
from engine.hl7.acknowledgment import AckFault, Header, acknowledge, is_wanted
from engine.hl7.acknowledgment import Verdict as Answered
from engine.hl7.framing import Event
from engine.hl7.sequence import SequenceFault
from engine.store.journal import Appended, Arrival
from engine.store.sequences import Numbered
from engine.store.words import Verdict

MAX_UNREADABLE: Final = 10
"""Messages without a readable MSH in a row; then the peer is no HL7 sender."""

LATER_SECONDS: Final = 3600.0
"""How long an application answer in enhanced mode may follow its accept answer."""

NOT_PROCESSED: Final = "the message was stored and could not be processed"
NOT_STORED: Final = AckFault("207", severity="F", text="the message was not stored")
REUSED: Final = AckFault(
    "207",
    location="MSH^1^10",
    text="this control id came before with other content",
    application_code="102",
)
OUT_OF_SEQUENCE: Final = AckFault(
    "199", location="MSH^1^13", text="this is not the sequence number expected"
)
_POSITIVE: Final = frozenset({"AA", "CA"})
_FREEZING: Final = frozenset({SequenceFault.LOST, SequenceFault.FROZEN})
_log = structlog.get_logger()
_KEPT_AS: Final = {
    Kept.ACCEPTED: Verdict.ACCEPTED,
    Kept.QUARANTINED: Verdict.QUARANTINED,
}


class Then(StrEnum):
    """What happens to the connection once an event has been answered."""

    KEEP = "keep"
    CLOSE = "close"
    FREEZE = "freeze"
    """Read nothing more and close after a while: the message is not on disk, or the
    link waits for a person."""


class Reply(NamedTuple):
    """The answer to one event.

    ``acknowledgment`` is None where silence is right; ``kept`` tells whether the event
    is on disk, None where nothing had to be stored. ``also`` holds the answers to the
    further messages of the event, each for a block of its own.
    """

    acknowledgment: bytes | None = None
    then: Then = Then.KEEP
    kept: bool | None = None
    also: tuple[bytes, ...] = ()


NOTHING: Final = Reply()

Accept = Callable[[Event | TooLong], Awaitable[Reply]]
"""Journal one event, then return its answer."""

Note = Callable[[str, int], None]
"""Count something that happened, under its event name."""


class Journal(Protocol):
    """Where arrivals are written; the answer comes after the commit."""

    def append(self, arrival: Arrival) -> Awaitable[Appended]:
        """Return what became of the arrival, once it is on disk.

        Raises:
            JournalError: it is not.
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
    ``unsolicited`` is shown acknowledgments that came in by themselves.
    """

    channel: Channel
    listener: str
    journal: Journal
    now: Callable[[], datetime]
    new_control_id: Callable[[], str]
    note: Note
    outcomes: Outcomes | None = None
    unsolicited: Callable[[bytes], bool] | None = None
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


class Conversation:
    """Accepts the events of one connection or one folder."""

    __slots__ = ("_intake", "_unreadable", "peer", "speak")

    def __init__(self, intake: Intake, peer: str) -> None:
        self._intake = intake
        self.peer = peer
        self.speak: Callable[[bytes], None] | None = None
        self._unreadable = 0

    async def accept(self, event: Event | TooLong) -> Reply:
        """Journal one event, then return its answer."""
        first, *rest = parts(event, self._intake.rules)
        reply = await self._accept(first)
        for part in rest:
            if reply.then is not Then.KEEP:
                break
            following = await self._accept(part)
            answer = following.acknowledgment
            also = reply.also if answer is None else (*reply.also, answer)
            reply = following._replace(acknowledgment=reply.acknowledgment, also=also)
        return reply

    async def _accept(self, event: Event | TooLong) -> Reply:
        """Journal one message, then return its answer."""
        intake = self._intake
        heard = hear(event, intake.rules)
        if heard.kept is Kept.COUNTED:
            intake.note(heard.cause, len(heard.data))
            if heard.cause == UNSOLICITED and intake.unsolicited is not None:
                intake.unsolicited(heard.data)
            return NOTHING
        arrival = self._arrival(heard)
        try:
            appended = await intake.journal.append(arrival)
        except JournalError:
            intake.note("storage_failure", 1)
            return self._not_stored(heard)
        then = Then.CLOSE if isinstance(event, TooLong) else self._patience(heard)
        if appended.refused in _FREEZING:
            then = self._freeze(appended.refused)
        answer = self._answer(heard, appended)
        if self._waits_for_more(heard, appended):
            answer = await self._final(heard, appended, answer)
        return Reply(answer, then, kept=True)

    # ---- `ack: processed` and `ack: delivered`

    def _waits_for_more(self, heard: Heard, appended: Appended) -> bool:
        """Whether a message that was taken is answered by how it ends."""
        mllp = self._intake.channel.source.mllp
        if mllp is None or mllp.ack == "accepted" or self._intake.outcomes is None:
            return False
        return heard.verdict is Answered.ACCEPTED and appended.ack_code in _POSITIVE

    async def _final(
        self, heard: Heard, appended: Appended, accepted: bytes | None
    ) -> bytes | None:
        """Return AA or AE by the outcome; in enhanced mode CA now and that later."""
        mllp, header = self._intake.channel.source.mllp, heard.header
        assert mllp is not None
        assert header is not None
        if appended.ack_code == "AA":
            return await self._by_outcome(
                header, appended, mllp.ack_wait.total_seconds()
            )
        later = Deferred.fromCoroutine(
            self._by_outcome(header, appended, LATER_SECONDS)
        )
        later.addCallback(self._speak_later, header)
        return accepted

    def _speak_later(self, answer: bytes, header: Header) -> None:
        good = b"|AA|" in answer
        wanted = is_wanted(header.application_ack, positive=good, when_empty="NE")
        if wanted and self.speak is not None:
            self.speak(answer)

    async def _by_outcome(
        self, header: Header, appended: Appended, seconds: float
    ) -> bytes:
        intake = self._intake
        assert intake.outcomes is not None
        mllp = intake.channel.source.mllp
        delivered = mllp is not None and mllp.ack == "delivered"
        ended = await intake.outcomes.wait(appended.id, seconds, delivered=delivered)
        if ended is not None and ended.good:
            return self._write(header, "AA", (), appended.sequence)
        intake.note("accepted_then_failed", 1)
        text = (ended.reason if ended else "no outcome yet") or NOT_PROCESSED
        fault = AckFault("207", text=text)
        return self._write(header, "AE", (fault,), appended.sequence)

    def _arrival(self, heard: Heard) -> Arrival:
        intake, header = self._intake, heard.header
        now = intake.now()
        duplicate = intake.channel.source.duplicate
        key = self._key(header, duplicate)
        return Arrival(
            channel=intake.channel.name,
            listener=intake.listener,
            peer=self.peer,
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
            ack_code=answer_code(heard, intake.rules),
            cause=heard.cause,
            findings=heard.flags,
            numbered=self._numbered(heard),
            refusal_code=refusal_code(heard, intake.rules),
        )

    def _numbered(self, heard: Heard) -> Numbered | None:
        """E68: only what is taken counts on its link."""
        header, intake = heard.header, self._intake
        if not intake.rules.numbered or heard.kept is not Kept.ACCEPTED:
            return None
        if header is None or not header.sequence:
            return None
        return Numbered(intake.listener, self.peer, header.sequence)

    def _key(self, header: Header | None, duplicate: Duplicates) -> str:
        """E67: the listener and the peer are always part of what makes a message."""
        if header is None or not header.control_id:
            return ""
        if duplicate.same_content == "accept" and not self._intake.rules.numbered:
            return ""
        named = [_value(header, *place) for place in self._intake.key_fields]
        return "\x1f".join((self._intake.listener, self.peer, *named))

    def _content_hash(self, heard: Heard) -> bytes:
        """E66: a resend may carry another time and another sequence number."""
        header = heard.header
        end = heard.data.find(b"\r")
        if header is None or end < 0 or header.fields[0] == XML_MARK:
            return hashlib.sha256(heard.data).digest()
        fields = header.fields.copy()
        for number in self._intake.ignored_fields:
            if number <= len(fields):
                fields[number - 1] = b""
        digest = hashlib.sha256(b"|".join(fields).rstrip(b"|"))
        digest.update(memoryview(heard.data)[end:])
        return digest.digest()

    def _patience(self, heard: Heard) -> Then:
        self._unreadable = self._unreadable + 1 if heard.unreadable else 0
        return Then.CLOSE if self._unreadable >= MAX_UNREADABLE else Then.KEEP

    def _answer(self, heard: Heard, appended: Appended) -> bytes | None:
        intake, code = self._intake, appended.ack_code
        if appended.duplicate:
            intake.note("duplicates_suppressed", 1)
        else:
            for flag in heard.flags:
                intake.note(f"flag_{flag}", 1)
        if not code:
            return None
        faults = () if code in _POSITIVE else heard.faults
        if appended.refused:
            faults = (OUT_OF_SEQUENCE,)
        if appended.control_id_reuse:
            intake.note("control_id_reuse", 1)
            faults = faults if code in _POSITIVE else (REUSED,)
        intake.note(f"ack_{code}", 1)
        return self._write(heard.header, code, faults, appended.sequence)

    def _freeze(self, cause: str) -> Then:
        """E68: sender and receiver disagree about what came; a person decides."""
        intake = self._intake
        intake.note("link_frozen", 1)
        channel = intake.channel.name
        _log.error("link_frozen", channel=channel, peer=self.peer, cause=cause)
        return Then.FREEZE

    def _not_stored(self, heard: Heard) -> Reply:
        """Say nothing, or CE where the sender's mode has a word for missing storage."""
        wanted = answer_code(heard, self._intake.rules)
        if not wanted or heard.header is None:
            return Reply(then=Then.FREEZE, kept=False)
        enhanced = wanted.startswith("C")
        mllp = self._intake.channel.source.mllp
        choice = mllp.on_storage_failure if mllp else None
        if (choice or ("nak" if enhanced else "silent")) == "silent":
            return Reply(then=Then.FREEZE, kept=False)
        code = "CE" if enhanced else "AR"
        return Reply(self._write(heard.header, code, (NOT_STORED,)), Then.FREEZE, False)

    def _write(
        self,
        header: Header | None,
        code: str,
        faults: tuple[AckFault, ...],
        sequence: str = "",
    ) -> bytes:
        if header is not None and header.fields[0] == XML_MARK:
            echoed, now = header.control_id, self._intake.now()
            name = self._intake.new_control_id()
            return acknowledge_in_xml(echoed, code, faults, now, name)
        return acknowledge(
            header,
            code,
            now=self._intake.now(),
            control_id=self._intake.new_control_id(),
            errors=faults,
            sequence=sequence,
        )


def _in_msh(path: Path) -> bool:
    return path.segment == "MSH"


def _value(header: Header, number: int, component: int) -> str:
    return (
        header.part(number, component)
        if component
        else header.raw(number).decode("latin-1")
    )
