"""Node settings: defaults, ``interop.toml``, environment and flags, in this order."""

import re
from datetime import timedelta
from typing import Final

_DURATION: Final = re.compile(r"(\d{1,9})(ms|s|m|h|d|y)", re.ASCII)
_SIZE: Final = re.compile(r"(\d{1,9})(B|KB|MB|GB)", re.ASCII)
_SPANS: Final = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "y": timedelta(days=365),
}
_UNITS: Final = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}


def read_duration(text: str) -> timedelta | None:
    """Return what ``500ms``, ``30s``, ``5m``, ``2h``, ``7d`` or ``6y`` says.

    Examples:
        >>> read_duration("90s")
        datetime.timedelta(seconds=90)
    """
    found = _DURATION.fullmatch(text)
    try:
        return int(found[1]) * _SPANS[found[2]] if found else None
    except OverflowError:
        return None


def read_size(text: str) -> int | None:
    """Return the bytes ``64KB`` or ``64MB`` says.

    Examples:
        >>> read_size("64KB")
        65536
    """
    found = _SIZE.fullmatch(text)
    return int(found[1]) * _UNITS[found[2]] if found else None
