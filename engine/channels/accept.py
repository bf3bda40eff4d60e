"""The accept loop: judge an event, journal it, and only then answer."""

from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from itertools import chain
from typing import Final, NamedTuple

import structlog
from twisted.internet.defer import Deferred, succeed

from engine.channels.arriving import Intake
from engine.channels.awaiting import passed_on
from engine.channels.batches import Survey, Unit, Walk, is_batch, rounds, survey
from engine.channels.refusals import (
    NO_QUERY,
    NOT_PROCESSED,
    NOT_STORED,
    NOTHING_CONTINUED,
    OUT_OF_SEQUENCE,
    REUSED,
)
from engine.channels.verdict import (
    UNSOLICITED,
    XML_MARK,
    Heard,
    Kept,
    TooLong,
    answer_code,
    empty_batch,
    hear,
    parts,
)
from engine.channels.xml_answer import acknowledge_in_xml
from engine.errors import JournalError
from engine.hl7.acknowledgment import (
    AckFault,
    Header,
    acknowledge,
    acknowledge_batch,
    is_wanted,
    parse_acknowledgment,
)
from engine.hl7.acknowledgment import Verdict as Answered
from engine.hl7.batch import Opening
from engine.hl7.framing import Block, Event
from engine.hl7.sequence import SequenceFault
from engine.store.batches import Batch
from engine.store.journal import ORPHAN, Appended, Arrival
from engine.transforms.ccda.enclosing import carried

MAX_UNREADABLE: Final = 10
"""Messages without a readable MSH in a row; then the peer is no HL7 sender."""

LATER_SECONDS: Final = 3600.0
"""How long an application answer in enhanced mode may follow its accept answer."""

_POSITIVE: Final = frozenset({"AA", "CA"})
_FREEZING: Final = frozenset({SequenceFault.LOST, SequenceFault.FROZEN})
_log = structlog.get_logger()


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


class Conversation:
    """Accepts the events of one connection or one folder.

    ``documents`` tells that C-CDA documents come by themselves. Over MLLP they do not:
    a sender that could not name its message is told so (E30).
    """

    __slots__ = ("_documents", "_intake", "_unreadable", "peer", "speak")

    def __init__(self, intake: Intake, peer: str, *, documents: bool = False) -> None:
        self._documents = documents
        self._intake = intake
        self.peer = peer
        self.speak: Callable[[bytes], None] | None = None
        self._unreadable = 0

    async def accept(self, event: Event | TooLong) -> Reply:
        """Journal one event, then return its answer.

        A C-CDA document that comes by itself is journaled in the message that carries
        it, byte for byte.
        """
        if self._documents and isinstance(event, Block):
            event = Block(carried(event.body, self._intake.now()))
        if isinstance(event, Block) and is_batch(event.body):
            return await self._accept_batch(event.body)
        first, *rest = parts(event, self._intake.rules)
        reply = await self.take(first)
        for part in rest:
            if reply.then is not Then.KEEP:
                break
            following = await self.take(part)
            answer = following.acknowledgment
            also = reply.also if answer is None else (*reply.also, answer)
            reply = following._replace(acknowledgment=reply.acknowledgment, also=also)
        return reply

    @property
    def name(self) -> str:
        """Who speaks to which listener."""
        return f"{self._intake.listener}\x1f{self.peer}"

    async def take(self, event: Event | TooLong) -> Reply:
        """Journal one message, then return its answer."""
        intake = self._intake
        heard = hear(event, intake.rules)
        if heard.kept is Kept.COUNTED:
            return self._count(heard)
        arrival = intake.arrival(heard, self.peer)
        try:
            appended = await intake.journal.append(arrival)
        except JournalError:
            intake.note("storage_failure", 1)
            return self._not_stored(heard)
        reply = await self._answered(heard, arrival, appended)
        return reply._replace(then=Then.CLOSE) if isinstance(event, TooLong) else reply

    async def take_all(
        self, messages: Sequence[tuple[bytes, Batch | None]]
    ) -> list[Deferred[Reply]]:
        """Journal messages together, each with its batch; return the answers to come.

        Raises:
            JournalError: none of them is on disk.
        """
        intake = self._intake
        judged = [(hear(Block(body), intake.rules), batch) for body, batch in messages]
        arrivals = [
            intake.arrival(heard, self.peer, batch)
            for heard, batch in judged
            if heard.kept is not Kept.COUNTED
        ]
        try:
            appended = iter(await intake.journal.append_all(arrivals))
        except JournalError:
            intake.note("storage_failure", 1)
            raise
        kept = iter(arrivals)
        return [
            succeed(self._count(heard))
            if heard.kept is Kept.COUNTED
            else Deferred.fromCoroutine(
                self._answered(heard, next(kept), next(appended))
            )
            for heard, _ in judged
        ]

    def _count(self, heard: Heard) -> Reply:
        intake = self._intake
        intake.note(heard.cause, len(heard.data))
        if heard.cause == UNSOLICITED and intake.unsolicited is not None:
            intake.unsolicited(heard.data)
        return NOTHING

    async def _answered(
        self, heard: Heard, arrival: Arrival, appended: Appended
    ) -> Reply:
        """Return the answer to a message that is on disk."""
        then = self._patience(heard)
        if appended.refused in _FREEZING:
            then = self._freeze(appended.refused)
        answer = self._answer(heard, appended)
        if self._waits_for_more(heard, arrival, appended):
            answer = await self._final(heard, appended, answer)
        return Reply(answer, then, kept=True)

    # ---- batches

    async def _accept_batch(self, body: bytes) -> Reply:
        """Journal the messages of a batch in order, then answer them in one (E76)."""
        longest = len(body) + 1
        found = survey([body], self.name, longest)
        if not found.messages:
            return await self._accept_empty(body, found)
        walk = Walk(longest)
        messages = list(chain(walk.feed(body), walk.end()))
        turns: list[Deferred[Reply]] = []
        try:
            for some in rounds(messages):
                turns += await self.take_all(
                    [(message, found.batches[unit]) for message, unit in some]
                )
        except JournalError:
            return Reply(None, Then.FREEZE, kept=False)
        replies = [await turn for turn in turns]
        told = [
            (found.units[unit], reply.acknowledgment)
            for (_, unit), reply in zip(messages, replies, strict=True)
        ]
        then = next(
            (each.then for each in replies if each.then is not Then.KEEP), Then.KEEP
        )
        return Reply(self._batch_answer(told), then, kept=True)

    def _batch_answer(self, told: list[tuple[Unit, bytes | None]]) -> bytes | None:
        """Return a batch of answers for each batch; BHS-12 names it."""
        intake = self._intake
        choice = intake.channel.source.hl7.batch_ack
        if choice == "none":
            return None
        answers: dict[int, tuple[Opening, list[bytes]]] = {}
        for unit, answer in told:
            assert unit.opening is not None
            _, kept = answers.setdefault(id(unit), (unit.opening, []))
            if answer is None or (
                choice == "errors" and parse_acknowledgment(answer).positive
            ):
                continue
            kept.append(answer)
        return b"".join(
            acknowledge_batch(
                opening, kept, now=intake.now(), control_id=intake.new_control_id()
            )
            for opening, kept in answers.values()
        )

    async def _accept_empty(self, body: bytes, found: Survey) -> Reply:
        """Journal a batch without messages: legal where its trailer says so (E75)."""
        heard = empty_batch(body, agrees=found.agrees)
        try:
            appended = await self._intake.journal.append(
                self._intake.arrival(heard, self.peer)
            )
        except JournalError:
            self._intake.note("storage_failure", 1)
            return self._not_stored(heard)
        if heard.kept is Kept.QUARANTINED:
            return Reply(self._answer(heard, appended), kept=True)
        return Reply(
            self._batch_answer([(unit, None) for unit in found.units]), kept=True
        )

    # ---- `ack: processed` and `ack: delivered`

    def _waits_for_more(
        self, heard: Heard, arrival: Arrival, appended: Appended
    ) -> bool:
        """Whether a message that was taken is answered by how it ends."""
        if arrival.fragment is not None and arrival.fragment.awaits:
            return False
        if self._intake.channel.query is not None:
            return heard.verdict is Answered.ACCEPTED and appended.ack_code in _POSITIVE
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
        if appended.first:  # E70: the whole message has the name of its first fragment
            header = header.named(appended.first.encode("latin-1"))
        if appended.ack_code == "AA":
            patience = mllp.ack_wait.total_seconds()
            return (await self._by_outcome(header, heard, appended, patience))[0]
        later = Deferred.fromCoroutine(
            self._by_outcome(header, heard, appended, LATER_SECONDS)
        )
        later.addCallback(self._speak_later, header)
        return accepted

    def _speak_later(self, told: tuple[bytes, bool], header: Header) -> None:
        answer, good = told
        wanted = is_wanted(header.application_ack, positive=good, when_empty="NE")
        if wanted and self.speak is not None:
            self.speak(answer)

    async def _by_index(
        self, header: Header, heard: Heard, appended: Appended
    ) -> tuple[bytes, bool]:
        """Return the answer of the patient index to a query on disk."""
        intake = self._intake
        if intake.answering is not None:
            told = await intake.answering(intake.channel, heard.data, self.peer)
            if told is not None:
                intake.note("queries_answered", 1)
                return told, True
        return self._write(header, "AR", (NO_QUERY,), appended.sequence), False

    async def _by_outcome(
        self, header: Header, heard: Heard, appended: Appended, seconds: float
    ) -> tuple[bytes, bool]:
        """Return the application answer, and whether it is a good one."""
        intake = self._intake
        if intake.channel.query is not None:
            return await self._by_index(header, heard, appended)
        assert intake.outcomes is not None
        mllp = intake.channel.source.mllp
        delivered = mllp is not None and mllp.ack == "delivered"
        ended = await intake.outcomes.wait(appended.id, seconds, delivered=delivered)
        good = ended is not None and ended.good
        if not good:
            intake.note("accepted_then_failed", 1)
        if ended is not None and ended.answer:
            told = passed_on(ended.answer, header)
            return told, good and parse_acknowledgment(told).positive
        if good:
            return self._write(header, "AA", (), appended.sequence), True
        text = (ended.reason if ended else "no outcome yet") or NOT_PROCESSED
        faults = (ended.faults if ended else ()) or (AckFault("207", text=text),)
        return self._write(header, "AE", faults, appended.sequence), False

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
            orphan = appended.refused == ORPHAN
            faults = (NOTHING_CONTINUED if orphan else OUT_OF_SEQUENCE,)
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
