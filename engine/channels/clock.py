"""The clock of the edge: the time of day, and identifiers that grow with it."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS: Final = 80


def utc_now() -> datetime:
    """Return the time of day; whoever needs it gets it as an argument from here."""
    return datetime.now(UTC)  # noqa: TID251 - this is the one place


class Ulids:
    """Makes identifiers of 26 characters that sort by the time they were made.

    Two of the same millisecond differ by one, so making one costs no randomness.
    """

    __slots__ = ("_milliseconds", "_now", "_random", "_stem")

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        self._now = now
        self._milliseconds = -1
        self._random = int.from_bytes(os.urandom(9))
        self._stem = ""

    def __call__(self) -> str:
        """Return the next identifier."""
        milliseconds = int(self._now().timestamp() * 1000)
        if milliseconds != self._milliseconds:
            self._milliseconds = milliseconds
            self._stem = _base32(milliseconds, 10)
        self._random += 1
        return self._stem + _base32(self._random, _RANDOM_BITS // 5)


def _base32(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
