"""Who was known a short while ago: all there is to go by while the store is away.

Spec:
    console.md S1 (error).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from engine.console.session import Known

PATIENCE: Final = timedelta(minutes=5)
"""Sessions may have ended in a store that cannot be asked: not for longer than this."""


@dataclass(slots=True)
class Lately:
    """The sessions of the last minutes, by a digest of what their browsers hold."""

    _found: Mapping[bytes, tuple[datetime, Known]] = field(default_factory=dict)

    def keep(self, held: str, known: Known | None, now: datetime) -> None:
        """Remember who this was, or that it is nobody any more."""
        if not held:
            return
        digest = _digest(held)
        found = {k: v for k, v in self._found.items() if now - v[0] < PATIENCE}
        found.pop(digest, None)
        if known is not None and known.session is not None:
            found[digest] = now, known
        self._found = found

    def known(self, held: str, now: datetime) -> Known | None:
        """Return who this was a short while ago; None where that is not known."""
        at, known = self._found.get(_digest(held), (now - PATIENCE, None))
        return known if now - at < PATIENCE else None


def _digest(held: str) -> bytes:
    return hashlib.sha256(b"lately|" + held.encode()).digest()
