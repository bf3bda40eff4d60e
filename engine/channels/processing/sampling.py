"""How often the output gate looks at a Bundle of a sampled destination.

Spec:
    performance.md 4: the sample rate adapts to stay under 3 % of the worker's CPU.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

LIMIT: Final = 0.03
"""The share of processor time that the gate of sampled destinations may take."""
_OFTEN, _SELDOM = 20, 20_000
_LOOK: Final = 20


@dataclass(slots=True)
class Sample:
    """Which messages of a channel go through the gate.

    The first one always does, so a new revision is looked at when it starts.

    Attributes:
        every: one message in so many.
        clock: processor time of this process in seconds.
    """

    every: int = 500
    clock: Callable[[], float] = time.process_time
    _seen: int = 0
    _looks: int = 0
    _spent: float = 0.0
    _began: float | None = None

    def wants(self) -> bool:
        """Whether the next message goes through the gate."""
        if self._began is None:
            self._began = self.clock()
        wanted = self._seen % self.every == 0
        self._seen += 1
        return wanted

    def look(self, gate: Callable[[], None]) -> None:
        """Run the gate, and count what it costs towards the rate."""
        began = self.clock()
        try:
            gate()
        finally:
            self._spent += self.clock() - began
            self._looks += 1
            if self._looks >= _LOOK:
                self._adapt()

    def _adapt(self) -> None:
        """Look more often or more seldom, by what the last looks cost."""
        now = self.clock()
        share = self._spent / max(now - (self._began or 0.0), 1e-9)
        if share > LIMIT:
            self.every = min(self.every * 2, _SELDOM)
        elif share < LIMIT / 3:
            self.every = max(self.every // 2, _OFTEN)
        self._began, self._spent, self._looks = now, 0.0, 0
