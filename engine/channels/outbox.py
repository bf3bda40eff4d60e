"""The store's side of delivering: one transaction for what ended and what begins.

Everything here waits for the disk, so the edge runs it in a thread of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from engine.failpoint import reach
from engine.store.audit import Order
from engine.store.database import Connection, Database
from engine.store.deliveries import MAX_BYTES, Leased, Turn, claim_heads, next_due
from engine.store.reports import set_run_state
from engine.store.seal import Sealer
from engine.store.settlement import Settlement, expire, extend, settle
from engine.store.words import RunState

LEASE: Final = timedelta(seconds=15)
"""How long a delivery in hand stays ours unless it is extended."""


@dataclass(frozen=True, slots=True)
class Claim:
    """How many lane heads of one destination may be taken now, and how large."""

    channel: str
    destination: str
    limit: int
    max_bytes: int = MAX_BYTES


@dataclass(frozen=True, slots=True)
class Pause:
    """A destination that waits for a person, and the sentence that says why."""

    channel: str
    destination: str
    reason: str


@dataclass(frozen=True, slots=True)
class Round:
    """What one transaction has to do.

    ``in_hand`` are leases to lengthen, by what their deliveries wait for in words. With
    ``urgent`` a receiver stands idle until it is done.
    """

    settlements: Sequence[Settlement] = ()
    claims: Sequence[Claim] = ()
    in_hand: Mapping[str, Sequence[Leased]] = field(default_factory=dict)
    pauses: Sequence[Pause] = ()
    urgent: bool = False


@dataclass(slots=True)
class Outcome:
    """What may be sent now, and what was taken over by others meanwhile.

    ``due`` says when each destination that gave less than its limit is due again,
    ``until`` when the leases given or lengthened here end.
    """

    leased: list[Leased] = field(default_factory=list)
    stale: list[int] = field(default_factory=list)
    due: dict[tuple[str, str], datetime | None] = field(default_factory=dict)
    until: datetime | None = None


@dataclass(slots=True)
class Outbox:
    """Runs rounds against the store; for one thread."""

    database: Database
    owner: str
    now: Callable[[], datetime]
    lease: timedelta = LEASE

    def recover(self) -> int:
        """Queue again what an earlier life of this node had in hand."""
        reach("recovery.begun")
        with self.database.engine() as connection:
            count = expire(connection, self.now(), owner=self.owner)
            reach("recovery.leases-ended")
        reach("recovery.committed")
        return count

    def run(self, work: Round) -> Outcome:
        """Settle, pause, extend and claim in one transaction, if anything is due."""
        outcome = Outcome()
        claims = self._due(work, outcome)
        if not (work.settlements or claims or work.in_hand or work.pauses):
            return outcome
        sealer = self.database.sealer
        with self.database.engine(urgent=work.urgent) as connection:
            now = self.now()
            outcome.until = now + self.lease
            if work.settlements:
                outcome.stale.extend(settle(connection, sealer, work.settlements, now))
                reach("outbox.marked")
            self._pause(connection, sealer, work.pauses, now)
            for note, leased in work.in_hand.items():
                outcome.stale.extend(extend(connection, leased, outcome.until, note))
            for claim in claims:
                self._claim(connection, claim, now, outcome)
            reach("outbox.claimed")
        reach("outbox.committed")
        return outcome

    def _due(self, work: Round, outcome: Outcome) -> list[Claim]:
        """Return the claims worth the write lock: all of them if it is taken anyway."""
        if work.settlements or not work.claims:
            return list(work.claims)
        now, due = self.now(), []
        with self.database.reading() as connection:
            for claim in work.claims:
                at = next_due(connection, claim.channel, claim.destination)
                outcome.due[claim.channel, claim.destination] = at
                if at is not None and at <= now:
                    due.append(claim)
        return due

    def _claim(
        self, connection: Connection, claim: Claim, now: datetime, outcome: Outcome
    ) -> None:
        until = now + self.lease
        turn = Turn(claim.channel, claim.destination, self.owner, now, until)
        sealer = self.database.sealer
        leased = claim_heads(connection, sealer, turn, claim.limit, claim.max_bytes)
        outcome.leased.extend(leased)
        place = claim.channel, claim.destination
        outcome.due.pop(place, None)
        if len(leased) < claim.limit:
            outcome.due[place] = next_due(connection, *place)

    def _pause(
        self,
        connection: Connection,
        sealer: Sealer,
        pauses: Sequence[Pause],
        now: datetime,
    ) -> None:
        for pause in pauses:
            set_run_state(
                connection,
                sealer,
                (pause.channel, pause.destination),
                RunState.PAUSED,
                Order("engine", now, pause.reason),
            )
