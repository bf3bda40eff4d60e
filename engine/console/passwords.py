"""Passwords: how they are kept, and which ones are good enough.

Spec:
    security.md S04 and S06.
"""

from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from zxcvbn import zxcvbn

LEAST: Final = 12
MOST: Final = 128
GOOD: Final = 3
"""Of zxcvbn's 0 to 4: more than 10^8 guesses; no common password comes near."""

_LOOKED_AT: Final = 72
HASHER: Final = PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=4)


def complaint(password: str, known: list[str]) -> str:
    """Return why a password will not do, or nothing.

    ``known`` are words that a stranger would try first: the name, the site.
    """
    if len(password) < LEAST:
        return f"a password has at least {LEAST} characters"
    if len(password) > MOST:
        return f"a password has at most {MOST} characters"
    if zxcvbn(password[:_LOOKED_AT], user_inputs=known)["score"] < GOOD:
        return "this password is too easy to guess: try four words that do not belong"
    return ""


def hashed(password: str) -> str:
    """Return the argon2id hash to keep."""
    return HASHER.hash(password)


def fits(password: str, kept: str) -> bool:
    """Tell whether this is the password; without one it takes as long to say no."""
    try:
        HASHER.verify(kept or _nobodys(), password)
    except (VerifyMismatchError, InvalidHashError):
        return False
    return bool(kept)


def is_outdated(kept: str) -> bool:
    """Tell whether a hash was made with weaker parameters than today's."""
    return HASHER.check_needs_rehash(kept)


@cache
def _nobodys() -> str:
    return HASHER.hash("nobody has this password")
