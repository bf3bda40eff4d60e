"""Who asks: the caller behind a request, known by a token.

Spec:
    security.md S01 and S13.
"""

from collections.abc import Iterable

from engine.console.permissions import Caller, Permission
from engine.console.surroundings import Surroundings
from engine.store import tokens

BEARER = b"bearer "


def caller_of(
    headers: Iterable[tuple[bytes, bytes]], here: Surroundings
) -> Caller | None:
    """Return who sent these headers; None where nobody we know did.

    It reads the store, so it runs in a thread.
    """
    found = [value for name, value in headers if name == b"authorization"]
    if len(found) != 1 or found[0][: len(BEARER)].lower() != BEARER:
        return None
    secret = found[0][len(BEARER) :].strip().decode("latin-1")
    with here.database.reading() as connection:
        token = tokens.holder(connection, secret, here.now())
    if token is None:
        return None
    known = {each for each in Permission if each in token.permissions}
    return Caller(f"token {token.id} {token.name}", frozenset(known))
