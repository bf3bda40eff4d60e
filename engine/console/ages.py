"""How long ago: ages as people read them."""

from datetime import datetime
from typing import Final

MINUTE: Final = 60
_UNITS: Final = (("d", 86400), ("h", 3600), ("min", 60))


def age(since: datetime, at: datetime) -> str:
    """Return how long ago, in the largest unit that fits."""
    return duration(max(0.0, (at - since).total_seconds()))


def duration(passed: float) -> str:
    """Return whole seconds in the largest unit that fits.

    Examples:
        >>> duration(0.4), duration(119), duration(7300)
        ('0 s', '1 min', '2 h')
    """
    whole = int(passed)
    for unit, size in _UNITS:
        if whole >= size:
            return f"{whole // size} {unit}"
    return f"{whole} s"


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
