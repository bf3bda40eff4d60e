"""How long ago: ages as people read them."""

from datetime import datetime
from typing import Final

_UNITS: Final = (("d", 86400), ("h", 3600), ("min", 60))


def age(since: datetime, at: datetime) -> str:
    """Return how long ago, in the largest unit that fits."""
    seconds = max(0, int((at - since).total_seconds()))
    for unit, size in _UNITS:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
