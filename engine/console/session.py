"""Who asks: the caller behind a request, known by a token or by a session.

Spec:
    security.md S01, S08, S09 and S13.
"""

import hashlib
from collections.abc import Iterable
from hmac import compare_digest
from http.cookies import CookieError, SimpleCookie
from typing import Final, NamedTuple

from engine.console.permissions import Caller, Permission
from engine.console.surroundings import Surroundings
from engine.store import sessions, tokens
from engine.store.sessions import Limits

BEARER: Final = b"bearer "
COOKIE: Final = "__Host-session"
Headers = Iterable[tuple[bytes, bytes]]


class Known(NamedTuple):
    """Somebody we know; ``csrf`` is what their forms must carry, empty for a token."""

    caller: Caller
    csrf: str = ""


def known_by(headers: Headers, here: Surroundings) -> Known | None:
    """Return who sent these headers; None where nobody we know did.

    It reads the store, so it runs in a thread.
    """
    sent = list(headers)
    bearer = [value for name, value in sent if name == b"authorization"]
    if bearer:
        return _by_token(bearer, here)
    held = session_in(sent)
    return _by_session(held, here) if held else None


def _by_token(sent: list[bytes], here: Surroundings) -> Known | None:
    if len(sent) != 1 or sent[0][: len(BEARER)].lower() != BEARER:
        return None
    secret = sent[0][len(BEARER) :].strip().decode("latin-1")
    given = here.settings.metrics_token
    if given and compare_digest(secret.encode(), given.encode()):
        return Known(Caller("metrics.token", frozenset({Permission.READ_METRICS})))
    with here.database.reading() as connection:
        token = tokens.holder(connection, secret, here.now())
    if token is None:
        return None
    return Known(Caller(f"token {token.id} {token.name}", _words(token.permissions)))


def _by_session(held: str, here: Surroundings) -> Known | None:
    now = here.now()
    with here.database.reading() as connection:
        found = sessions.holder(connection, held, limits(here), now)
    if found is None:
        return None
    who, in_use = found
    if in_use:
        with here.database.engine() as connection:
            sessions.touch(connection, held, now)
    return Known(Caller(who.name, _words(who.permissions)), csrf_of(held))


def _words(stored: frozenset[str]) -> frozenset[Permission]:
    return frozenset(each for each in Permission if each in stored)


def session_in(headers: Headers) -> str:
    """Return what the browser holds, or nothing."""
    text = "; ".join(v.decode("latin-1") for name, v in headers if name == b"cookie")
    try:
        found = SimpleCookie(text).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def csrf_of(held: str) -> str:
    """Return what the forms of a session carry: it tells nothing of the session."""
    return hashlib.sha256(b"csrf|" + held.encode()).hexdigest()


def limits(here: Surroundings) -> Limits:
    """Return how long a session lasts."""
    settings = here.settings
    return Limits(settings.console_session_idle, settings.console_session_max)
