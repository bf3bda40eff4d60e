"""Random secrets that others hold, and the hash of them that is kept."""

import hashlib
import secrets
from typing import Final

SECRET_BYTES: Final = 32


def new_secret() -> str:
    """Return 256 random bits, to be shown once."""
    return secrets.token_urlsafe(SECRET_BYTES)


def hashed(secret: str) -> bytes:
    """Return what is kept: so many random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).digest()
