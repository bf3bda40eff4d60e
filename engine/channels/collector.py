"""Python's cyclic collector, kept out of the way of messages.

What a message needs is freed by counting references as soon as it is done with. The
collector only finds the little that refers to itself, and left alone it walks the
messages in hand again and again while they are being made: a fifth of a worker's time,
a tenth of the edge's.
"""

import gc
from typing import Final

OFTEN: Final = 16
"""Batches after which what has survived some of them is looked at, too."""

SELDOM: Final = 2_048
"""Batches after which everything is looked at, where there was never time to rest."""


RARELY: Final = (20_000, 20, 50)
"""Objects made since the last look, then looks: where no moment is better than another.

A look at so many young objects takes the edge about a millisecond.
"""


def collect_rarely() -> None:
    """Let Python collect by itself, less often: for a process without batches."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*RARELY)


class Collector:
    """Collects when told; for the one loop of a process.

    What stands at the start (modules, tables, channels) is never looked at again.
    """

    __slots__ = ("_batches",)

    def __init__(self) -> None:
        self._batches = 0
        gc.collect()
        gc.freeze()
        gc.disable()

    def after_batch(self) -> None:
        """Free what one batch left behind."""
        self._batches += 1
        gc.collect(0 if self._batches % OFTEN else 1)
        if self._batches >= SELDOM:
            self.at_rest()

    def at_rest(self) -> None:
        """Free everything that nothing refers to, unless nothing was done since."""
        if self._batches:
            self._batches = 0
            gc.collect()

    def close(self) -> None:
        """Leave the collector to Python again."""
        gc.unfreeze()
        gc.enable()
