"""What the journal's one writer does between groups: forget, purge, checkpoint."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from engine.failpoint import reach
from engine.store.database import Database
from engine.store.journal import prune_duplicates
from engine.store.retention import confirm, purge

EVERY: Final = timedelta(minutes=1)
PIECE: Final = 500
"""Rows of one transaction: small, so that no sender waits for it."""


@dataclass(slots=True)
class Housekeeping:
    """Runs in the journal writer's thread when nothing waits.

    Attributes:
        remember: how long duplicates are known; the longest of all channels.
    """

    database: Database
    now: Callable[[], datetime]
    remember: timedelta = timedelta(days=7)
    _last: datetime | None = None

    def run(self) -> None:
        """Do one piece of what is due."""
        now = self.now()
        if self._last is not None and now - self._last < EVERY:
            return
        with self.database.journal() as connection:
            pruned = prune_duplicates(connection, now - self.remember, PIECE)
            reach("prune.duplicates-forgotten")
            purged = purge(connection, PIECE)
            reach("prune.content-purged")
        reach("prune.journal-committed")
        if purged:
            with self.database.engine() as connection:
                confirm(connection, purged)
                reach("prune.confirmed")
            reach("prune.committed")
        if pruned < PIECE and len(purged) < PIECE:
            self._last = now
            reach("checkpoint.before")
            self.database.checkpoint()
            reach("checkpoint.done")
