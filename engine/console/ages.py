"""How long ago: ages as people read them."""

from datetime import datetime
from typing import Final

MINUTE: Final = 60
_UNITS: Final = (("d", 86400), ("h", 3600), ("min", 60))


def age(since: datetime, at: datetime) -> str:
    """Return how long ago, in the largest unit that fits."""
    passed = max(0, int((at - since).total_seconds()))
    for unit, size in _UNITS:
        if passed >= size:
            return f"{passed // size} {unit}"
    return f"{passed} s"


def seconds(duration: float | None) -> str:
    """Return a duration as people read it.

    Examples:
        >>> seconds(None), seconds(0.0421), seconds(3.26), seconds(400.0)
        ('-', '42 ms', '3.3 s', '7 min')
    """
    if duration is None:
        return "-"
    if duration < 1:
        return f"{duration * 1000:.0f} ms"
    return f"{duration:.1f} s" if duration < MINUTE else f"{duration / MINUTE:.0f} min"
