"""Few tries: five failures in fifteen minutes, then none for a while.

Spec:
    security.md S06.
"""

from collections import deque
from datetime import datetime, timedelta
from typing import Final

MOST: Final = 5
WITHIN: Final = timedelta(minutes=15)
_MOST_KNOWN: Final = 10_000


class Throttle:
    """Counts failures by account or address, in this process."""

    def __init__(self) -> None:
        self._failures: dict[str, deque[datetime]] = {}

    def is_over(self, who: str, now: datetime) -> bool:
        """Tell whether this one has failed too often lately."""
        failures = self._failures.get(who)
        while failures and failures[0] <= now - WITHIN:
            failures.popleft()
        if failures is not None and not failures:
            del self._failures[who]
        return len(failures or ()) >= MOST

    def failed(self, who: str, now: datetime) -> None:
        """Count one failure."""
        if len(self._failures) >= _MOST_KNOWN:
            self._failures.pop(next(iter(self._failures)))
        self._failures.setdefault(who, deque()).append(now)
