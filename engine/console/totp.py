"""One-time passwords by the clock (RFC 6238): each is good once, for 90 seconds.

Spec:
    security.md S05.
"""

from datetime import datetime
from hmac import compare_digest
from typing import Final

import pyotp
import segno

STEP_SECONDS: Final = 30
AROUND: Final = (-1, 0, 1)
"""Steps beside the present one that count: clocks differ."""


def new_key() -> str:
    """Return a key for an authenticator app, in base 32."""
    return pyotp.random_base32()


def step_of(key: str, code: str, now: datetime) -> int | None:
    """Return the step whose code this is, to be used up; None when it is of none."""
    app, present = pyotp.TOTP(key), int(now.timestamp()) // STEP_SECONDS
    plain = "".join(code.split())
    found = None
    for step in (present + beside for beside in AROUND):
        expected = app.at(step * STEP_SECONDS)
        if compare_digest(expected.encode(), plain.encode()):
            found = step
    return found


def picture(key: str, name: str, site: str) -> str:
    """Return the address of a QR code that an authenticator app reads."""
    issuer = f"Interop Engine {site}"
    address = pyotp.TOTP(key).provisioning_uri(name=name, issuer_name=issuer)
    made: str = segno.make(address).svg_data_uri(scale=4, light="white")
    return made
