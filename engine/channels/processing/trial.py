"""A message run through a channel without sending or keeping anything.

The same code as a worker's, on a store that is thrown away: what the test bench, the
channel tests and ``interop try`` show is what would happen.
"""

import atexit
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

from engine.channels.processing.assemble import Line
from engine.channels.processing.finish import Finished, finish
from engine.channels.processing.prepare import prepare
from engine.channels.processing.prepared import Ended, Prepared
from engine.channels.processing.store_view import Memory, StoreView
from engine.channels.processing.watched import Mark, Tell, watched
from engine.channels.rules import rules_of
from engine.channels.verdict import Kept, answer_code, hear
from engine.hl7 import Finding, Message
from engine.hl7.acknowledgment import acknowledge
from engine.hl7.framing import Block
from engine.identity.decision import Decision
from engine.store import claims, journal, results
from engine.store.database import Database, open_database
from engine.store.deliveries import NewDelivery
from engine.store.journal import Arrival
from engine.store.message_state import MessageState
from engine.store.patient_changes import apply
from engine.store.results import Batch, Outcome
from engine.store.words import Verdict
from engine.transforms.fhir.mapped import Mapped
from engine.transforms.fhir.us_core import hints

NOON: Final = datetime(2025, 1, 1, 12, tzinfo=UTC)
"""The clock of trials: equal inputs give equal outputs."""

_DECIDED: Final = (MessageState.PROCESSED, MessageState.HELD)


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one message.

    ``message`` is as edited, None where it could not be read. ``code`` is the
    acknowledgment code the sender would have got, ``answer`` the whole answer; both are
    empty where silence is right. ``profile`` is the one of the channel's map-options.
    """

    outcome: Outcome
    code: str
    answer: bytes = b""
    prepared: Prepared | None = None
    decision: Decision | None = None
    profile: str = "none"

    @property
    def hints(self) -> list[Finding]:
        """What the profile of the feed asks for and the resources lack."""
        return [] if self.mapped is None else hints(self.profile, self.mapped.entries)

    @property
    def message(self) -> Message | None:
        """The edited message."""
        return None if self.prepared is None else self.prepared.message

    @property
    def mapped(self) -> Mapped | None:
        """The resources, stamped with the person."""
        return None if self.prepared is None else self.prepared.mapped

    @property
    def deliveries(self) -> dict[str, list[NewDelivery]]:
        """What each destination would have been sent."""
        found: dict[str, list[NewDelivery]] = {}
        for each in self.outcome.deliveries:
            found.setdefault(each.destination, []).append(each)
        return found


@dataclass(slots=True)
class Bench:
    """A channel on a store of its own; messages put in one after another."""

    line: Line
    database: Database
    now: datetime = NOON
    tell: Tell = lambda _: None
    _memory: Memory = field(default_factory=Memory)

    def put(self, data: bytes) -> Trial:
        """Accept and process one message; what it leads to counts for the next."""
        self.tell(Mark("parse"))
        code, answer = self._accept(data)
        name, sealer = self.line.feed.channel.name, self.database.sealer
        with self.database.engine() as connection:
            claimed = claims.claim(connection, sealer, name, 1)[0]
            half = prepare(claimed, self.line.feed, sealer.pseudonym)
            view = StoreView(connection, sealer, self._memory)
            if isinstance(half, Ended):
                finished, prepared = Finished(half.outcome), half.prepared
            else:
                self.tell(Mark("identity"))
                view.fetch([half])
                finished, prepared = finish(half, self.line.desk, view), half
            outcome = finished.outcome
            if finished.decision and outcome.state in _DECIDED:
                apply(view.index, finished.decision, self.now, self.line.desk.model)
            view.index.flush()
            results.record(connection, sealer, Batch(name, [outcome]), self.now)
        profile = self.line.feed.channel.map_options.profile
        return Trial(outcome, code, answer, prepared, finished.decision, profile)

    def _accept(self, data: bytes) -> tuple[str, bytes]:
        """Journal a message as the listener would; return what it would answer."""
        channel = self.line.feed.channel
        rules = rules_of(channel.source)
        heard = hear(Block(data), rules)
        header = heard.header
        quarantined = heard.kept is not Kept.ACCEPTED
        arrival = Arrival(
            channel.name,
            "trial",
            "trial",
            self.now,
            data,
            Verdict.QUARANTINED if quarantined else Verdict.ACCEPTED,
            message_type=header.message_type if header else "",
            trigger_event=header.trigger_event if header else "",
            cause=heard.cause,
            findings=heard.flags,
        )
        with self.database.journal() as connection:
            journal.append(connection, self.database.sealer, [arrival])
        code = answer_code(heard, rules)
        if not code:
            return "", b""
        faults = heard.faults
        return code, acknowledge(
            header, code, now=self.now, control_id="TRIAL", errors=faults
        )


@contextmanager
def bench(line: Line, *, traced: bool = False) -> Iterator[Bench]:
    """Give a bench with an empty store, which is gone afterwards."""
    if traced:
        line = replace(line, feed=replace(line.feed, traced=True))
    with tempfile.TemporaryDirectory(prefix="interop-trial-") as folder:
        shutil.copytree(_empty_store(), folder, dirs_exist_ok=True)
        database = open_database(f"sqlite:///{Path(folder)}", bytes(32))
        try:
            yield Bench(line, database)
        finally:
            database.close()


@cache
def _empty_store() -> str:
    """Return the folder of a store with nothing in it; making one anew is slow."""
    folder = tempfile.mkdtemp(prefix="interop-empty-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    open_database(f"sqlite:///{folder}", bytes(32)).close()
    return folder


def attempt(
    line: Line,
    data: bytes,
    given: Sequence[bytes] = (),
    *,
    traced: bool = False,
    tell: Tell | None = None,
) -> Trial:
    """Return what would become of a message, after others were processed.

    ``tell`` hears of each part of the flow before it begins, and implies ``traced``.
    """
    with bench(line, traced=traced) as place:
        for each in given:
            place.put(each)
        if tell is not None:
            place.line, place.tell = watched(line, tell), tell
        return place.put(data)
